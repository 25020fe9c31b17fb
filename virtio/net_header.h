/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What virtio-net's files share about packets: feature bits, the header before each packet (virtio
 * 1.3, 5.1.6), and the judgement on a header that a guest wrote. Pure functions on copies.
 */
#ifndef VIRTIO_NET_HEADER_H
#define VIRTIO_NET_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Feature bits (5.1.3). */
#define NET_F_CSUM	     (UINT64_C(1) << 0)
#define NET_F_GUEST_CSUM     (UINT64_C(1) << 1)
#define NET_F_GUEST_OFFLOADS (UINT64_C(1) << 2) /* CTRL_GUEST_OFFLOADS */
#define NET_F_MTU	     (UINT64_C(1) << 3)
#define NET_F_MAC	     (UINT64_C(1) << 5)
#define NET_F_GUEST_TSO4     (UINT64_C(1) << 7)
#define NET_F_GUEST_TSO6     (UINT64_C(1) << 8)
#define NET_F_GUEST_ECN	     (UINT64_C(1) << 9)
#define NET_F_HOST_TSO4	     (UINT64_C(1) << 11)
#define NET_F_HOST_TSO6	     (UINT64_C(1) << 12)
#define NET_F_HOST_ECN	     (UINT64_C(1) << 13)
#define NET_F_MRG_RXBUF	     (UINT64_C(1) << 15)
#define NET_F_STATUS	     (UINT64_C(1) << 16)
#define NET_F_CTRL_VQ	     (UINT64_C(1) << 17)
#define NET_F_CTRL_RX	     (UINT64_C(1) << 18)
#define NET_F_CTRL_RX_EXTRA  (UINT64_C(1) << 20)
#define NET_F_MQ	     (UINT64_C(1) << 22)
#define NET_F_CTRL_MAC_ADDR  (UINT64_C(1) << 23)
#define NET_F_GUEST_USO4     (UINT64_C(1) << 54)
#define NET_F_GUEST_USO6     (UINT64_C(1) << 55)
#define NET_F_HOST_USO	     (UINT64_C(1) << 56)

/* What a driver may ask to get as it comes from the host: needs GUEST_CSUM. */
#define NET_GUEST_GSO                                                               \
	(NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN | NET_F_GUEST_USO4 | \
	 NET_F_GUEST_USO6)
/* What a driver may hand over unfinished: needs CSUM. */
#define NET_HOST_GSO (NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN | NET_F_HOST_USO)

enum {
	NET_HDR_SIZE = 12,
	NET_ETH_SIZE = 14,
	/* The longest frame: an IP packet of 65535 bytes, Ethernet's header, a VLAN tag. */
	NET_FRAME_MAX = 65535 + NET_ETH_SIZE + 4,
	/* Of a frame that is sent so much is copied, then judged; headers lie in there. */
	NET_HEAD_MAX = 256,
};

enum {
	NET_HDR_NEEDS_CSUM = 1,
	NET_HDR_DATA_VALID = 2,
};

/* Kinds of segmentation. */
enum {
	NET_GSO_NONE = 0,
	NET_GSO_TCPV4 = 1,
	NET_GSO_TCPV6 = 4,
	NET_GSO_UDP_L4 = 5,
	NET_GSO_ECN = 0x80, /* with one of TCP's */
};

struct net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;     /* bytes before the payload, when segmented */
	uint16_t gso_size;    /* payload bytes of each segment */
	uint16_t csum_start;  /* of the frame, where the sum begins */
	uint16_t csum_offset; /* from there, where it is stored */
	uint16_t num_buffers; /* to the guest only */
};

void net_hdr_load(struct net_hdr *hdr, const uint8_t raw[NET_HDR_SIZE]);
void net_hdr_store(uint8_t raw[NET_HDR_SIZE], const struct net_hdr *hdr);

/* @features without those whose conditions the driver left out (5.1.3.1). */
uint64_t net_features_effective(uint64_t features);

/*
 * Judges the header @hdr of a frame of @len bytes that a guest sends, of which @head holds the first
 * @head_len (min(@len, NET_HEAD_MAX)), all of it our copy. @features are the effective ones. NULL when
 * it may go to a kernel or another program: bits that mean nothing are then cleared, and hdr_len is
 * what the frame itself says. Else why the packet must be dropped.
 */
const char *net_hdr_judge_tx(struct net_hdr *hdr, uint64_t features, const uint8_t *head,
			     size_t head_len, uint64_t len);

/*
 * Whether a frame with @hdr, from the host, may go to a driver with the effective @features: one that
 * was queued for an earlier driver may not. Clears bits that are not for this one.
 */
bool net_hdr_fits_rx(struct net_hdr *hdr, uint64_t features);

#endif
