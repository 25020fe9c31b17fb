/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network device on the bench, its back-end a socket pair in place of a tap: packets keep their
 * bounds there as they do on a tap, and the other end is the test's. A test that
 * uses it defines ioctl(), which the tap would be asked by.
 */
#ifndef TESTS_LIB_NET_RIG_H
#define TESTS_LIB_NET_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "tests/lib/dev_rig.h"
#include "tests/lib/frames.h"
#include "virtio/net_backend.h"

enum {
	NET_RIG_RX = 0,
	NET_RIG_TX = 1,
	NET_RIG_HDR_AT = RIG_DATA,	      /* where net_rig_send lays the header */
	NET_RIG_FRAME_AT = RIG_DATA + 0x1000, /* and the frame */
	NET_RIG_RX_AT = RIG_DATA + 0x100000,  /* buffers to receive, one after another */
	NET_RIG_MTU = 1500,
};

/* What the guest lets the host leave undone, and the host the guest. */
#define GUEST_OFFLOADS (NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6)
#define HOST_OFFLOADS  (NET_F_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6)

struct net_rig {
	struct dev_rig rig;
	struct net_backend *backend;
	unsigned pairs;
	int peer[NET_MAX_PAIRS]; /* the tap's other side */
};

extern const uint8_t net_rig_mac[6];

/* A device with @pairs queue pairs, not started. */
void net_rig_open(struct net_rig *net, unsigned pairs);
void net_rig_close(struct net_rig *net);

/* rig_start with all queues that @features need. */
void net_rig_start(struct net_rig *net, uint64_t features);

/* The guest sends @len bytes of @frame with @hdr by pair 0, as one chain of two buffers. */
void net_rig_send(struct net_rig *net, const struct net_hdr *hdr, const uint8_t *frame, size_t len);

/* What came out at the tap of pair @pair: the frame's length, its header in *@hdr; -1: nothing. */
ssize_t net_rig_sent(struct net_rig *net, unsigned pair, struct net_hdr *hdr, uint8_t *frame,
		     size_t size);

/* A frame comes to the tap of pair @pair, and the loop does not turn; false: the tap is full. */
bool net_rig_put(struct net_rig *net, unsigned pair, const struct net_hdr *hdr,
		 const uint8_t *frame, size_t len);

/* A frame comes in at the tap of pair @pair; false if the tap is full, since the card takes nothing. */
bool net_rig_try_give(struct net_rig *net, unsigned pair, const struct net_hdr *hdr,
		      const uint8_t *frame, size_t len);

/* The same, where it has to fit. */
void net_rig_give(struct net_rig *net, unsigned pair, const struct net_hdr *hdr,
		  const uint8_t *frame, size_t len);

/* The guest offers @count buffers of @size bytes to receive, in queue @queue, at NET_RIG_RX_AT. */
void net_rig_offer(struct net_rig *net, unsigned queue, unsigned count, uint32_t size);

/* A frame to the card's address: bytes that differ from their neighbours and from other seeds. */
void net_rig_fill(uint8_t *to, size_t len, unsigned seed);

/*
 * The next used entries of @queue, whose buffers of @size bytes lie where net_rig_offer puts them, hold a header,
 * stored to *@hdr, whose num_buffers is right, and @len bytes of @frame.
 */
void net_rig_expect(struct net_rig *net, unsigned queue, uint32_t size, const uint8_t *frame,
		    size_t len, struct net_hdr *hdr);

/* A command for control queue @queue: its answer. */
uint8_t net_rig_command(struct net_rig *net, unsigned queue, uint8_t class, uint8_t command,
			const void *data, size_t len);

#endif
