/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of one network device, shared by virtio/net*.c and by nobody else. All of it belongs to the
 * loop's thread.
 */
#ifndef VIRTIO_NET_DEVICE_H
#define VIRTIO_NET_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "virtio/device.h"
#include "virtio/net_backend.h"
#include "virtio/net_filter.h"

enum {
	NET_QUEUE_SIZE = 256,
	NET_BATCH_FRAMES = 64,	       /* in one turn of the loop, then others get theirs */
	NET_BATCH_BYTES = 1024 * 1024, /* the same in bytes */
	NET_RX_BUFFERS = 64,	       /* taken ahead of packets, at most */
	NET_RX_SEGS = 512,	       /* host segments of those */
};

struct net;

/* A chain that the driver offered for packets, taken and not yet filled. */
struct net_buffer {
	uint16_t head;
	uint16_t segs; /* of the pool, following those of the buffers before */
	uint64_t len;
};

struct net_rx {
	struct net_buffer buffers[NET_RX_BUFFERS];
	unsigned first, count;	     /* of buffers */
	unsigned seg_first, seg_end; /* of segs */
	struct iovec segs[NET_RX_SEGS];
	uint64_t room; /* bytes in all of them */

	/* A frame that came when there was no room for the longest, until there is for this one. */
	struct net_hdr held_hdr;
	size_t held_len; /* 0: none */
	uint8_t *held;	 /* NET_FRAME_MAX bytes */

	bool dry; /* the guest has to offer buffers before more is read */
};

struct net_pair {
	struct net *net;
	unsigned index;
	bool watched;	 /* the loop has the back-end's descriptor */
	uint32_t events; /* that it waits for */
	bool tx_held;	 /* tx is taken, and the back-end had no room */
	bool tx_left;	 /* the back-end keeps something back */
	struct vq_chain tx;
	struct net_rx rx;
};

struct net {
	struct virtio_dev *dev;
	struct net_backend *be;
	uint8_t mac[NET_MAC_SIZE]; /* as the command line or the driver has it */
	uint8_t first_mac[NET_MAC_SIZE];
	uint16_t mtu;
	bool up;	   /* the link */
	bool live;	   /* between ready and reset */
	uint64_t features; /* effective */
	uint64_t offloads; /* of those, what the driver wants for now */
	unsigned pairs;	   /* in use; 0 while not live */
	struct net_filter filter;
	struct vq_chain chain; /* the one at hand that is not tx's */
	struct net_pair pair[NET_MAX_PAIRS];
};

/* Queues by their number (5.1.2). */
static inline unsigned net_rx_queue(const struct net_pair *pair)
{
	return pair->index * 2;
}

static inline unsigned net_tx_queue(const struct net_pair *pair)
{
	return pair->index * 2 + 1;
}

/* virtio/net.c: what the loop shall wait for on behalf of @pair, from the state of both directions. */
void net_watch(struct net_pair *pair);

/* virtio/net.c: the back-end has come to its end: the link is down from now on. */
void net_link_lost(struct net *net);

/* virtio/net.c: tells the back-end of offloads and pairs in use. 0 or -errno. */
int net_apply(struct net *net, uint64_t offloads, unsigned pairs);

/* virtio/net_tx.c: sends what the guest offers, as far as the back-end and this turn's budget go. */
void net_tx_run(struct net_pair *pair);

/* virtio/net_rx.c: the same for what the back-end has. */
void net_rx_run(struct net_pair *pair);

/* virtio/net_rx.c: forgets buffers and the frame that was held. */
void net_rx_reset(struct net_rx *rx);

/* virtio/net_ctrl.c: serves the control queue, number @queue. */
void net_ctrl_run(struct net *net, unsigned queue);

#endif
