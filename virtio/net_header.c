/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges the header before a packet: where a checksum is to be stored, and what is to be cut into
 * segments, must be true of the very bytes that go out with it, for a kernel believes it.
 */
#include "virtio/net_header.h"

#include "base/checked.h"
#include "base/le.h"

enum {
	ETH_TYPE = 12,
	ETH_P_IPV4 = 0x0800,
	ETH_P_VLAN = 0x8100,
	ETH_P_IPV6 = 0x86dd,
	ETH_P_QINQ = 0x88a8,
	MAX_TAGS = 2,
	PROTO_HOPOPTS = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_DSTOPTS = 60,
	MAX_EXTENSIONS = 8, /* of IPv6 */
	TCP_MIN = 20,
	TCP_CSUM = 16, /* from the start of the TCP header */
	UDP_SIZE = 8,
	UDP_CSUM = 6,
	GSO_MIN = 8,		/* smaller segments are an attack on whoever cuts them */
	GSO_MAX = 0xfffe,	/* 0xffff has a meaning of its own to Linux */
	UDP_SEGMENTS_MAX = 128, /* as Linux has it */
};

/* Where the headers of a frame are. */
struct layers {
	bool ipv6;
	uint8_t proto; /* of the transport */
	size_t l4;     /* its offset */
};

void net_hdr_load(struct net_hdr *hdr, const uint8_t raw[NET_HDR_SIZE])
{
	*hdr = (struct net_hdr){
		.flags = raw[0],
		.gso_type = raw[1],
		.hdr_len = le16_load(raw + 2),
		.gso_size = le16_load(raw + 4),
		.csum_start = le16_load(raw + 6),
		.csum_offset = le16_load(raw + 8),
		.num_buffers = le16_load(raw + 10),
	};
}

void net_hdr_store(uint8_t raw[NET_HDR_SIZE], const struct net_hdr *hdr)
{
	raw[0] = hdr->flags;
	raw[1] = hdr->gso_type;
	le16_store(raw + 2, hdr->hdr_len);
	le16_store(raw + 4, hdr->gso_size);
	le16_store(raw + 6, hdr->csum_start);
	le16_store(raw + 8, hdr->csum_offset);
	le16_store(raw + 10, hdr->num_buffers);
}

uint64_t net_features_effective(uint64_t features)
{
	if (!(features & NET_F_CSUM))
		features &= ~NET_HOST_GSO;
	if (!(features & (NET_F_HOST_TSO4 | NET_F_HOST_TSO6)))
		features &= ~NET_F_HOST_ECN;
	if (!(features & NET_F_GUEST_CSUM))
		features &= ~NET_GUEST_GSO;
	if (!(features & (NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6)))
		features &= ~NET_F_GUEST_ECN;
	if (!(features & NET_F_CTRL_VQ))
		features &= ~(NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA | NET_F_MQ | NET_F_CTRL_MAC_ADDR |
			      NET_F_GUEST_OFFLOADS);
	return features;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool find_ipv4(const uint8_t *head, size_t len, size_t at, struct layers *layers)
{
	size_t size;

	if (!range_fits(at, 20, len) || head[at] >> 4 != 4)
		return false;
	size = (size_t)(head[at] & 15) * 4;
	/* A fragment is not to be cut into segments. */
	if (size < 20 || !range_fits(at, size, len) || (be16(head + at + 6) & 0x3fff))
		return false;
	*layers = (struct layers){ .proto = head[at + 9], .l4 = at + size };
	return true;
}

static bool find_ipv6(const uint8_t *head, size_t len, size_t at, struct layers *layers)
{
	uint8_t proto;

	if (!range_fits(at, 40, len) || head[at] >> 4 != 6)
		return false;
	proto = head[at + 6];
	at += 40;
	for (unsigned i = 0; i < MAX_EXTENSIONS; i++) {
		if (proto != PROTO_HOPOPTS && proto != PROTO_ROUTING && proto != PROTO_DSTOPTS) {
			*layers = (struct layers){ .ipv6 = true, .proto = proto, .l4 = at };
			return true;
		}
		if (!range_fits(at, 8, len))
			return false;
		proto = head[at];
		at += ((size_t)head[at + 1] + 1) * 8;
	}
	return false;
}

static bool find_layers(const uint8_t *head, size_t len, struct layers *layers)
{
	size_t at = ETH_TYPE;
	uint16_t type = be16(head + at);

	for (unsigned i = 0; i < MAX_TAGS && (type == ETH_P_VLAN || type == ETH_P_QINQ); i++) {
		at += 4;
		if (!range_fits(at, 2, len))
			return false;
		type = be16(head + at);
	}
	at += 2;
	if (type == ETH_P_IPV4)
		return find_ipv4(head, len, at, layers);
	return type == ETH_P_IPV6 && find_ipv6(head, len, at, layers);
}

/* Which feature a kind of segmentation needs; 0: there is no such kind. */
static uint64_t gso_feature(uint8_t type)
{
	switch (type) {
	case NET_GSO_TCPV4:
		return NET_F_HOST_TSO4;
	case NET_GSO_TCPV6:
		return NET_F_HOST_TSO6;
	case NET_GSO_UDP_L4:
		return NET_F_HOST_USO;
	default:
		return 0;
	}
}

static const char *judge_tcp(struct net_hdr *hdr, const struct layers *layers, const uint8_t *head,
			     size_t head_len)
{
	size_t size;

	if (layers->proto != PROTO_TCP || !range_fits(layers->l4, TCP_MIN, head_len))
		return "segmentation of what is not TCP";
	size = (size_t)(head[layers->l4 + 12] >> 4) * 4;
	if (size < TCP_MIN || !range_fits(layers->l4, size, head_len))
		return "a TCP header of impossible length";
	if (hdr->csum_offset != TCP_CSUM)
		return "the checksum is not TCP's";
	hdr->hdr_len = (uint16_t)(layers->l4 + size);
	return NULL;
}

static const char *judge_udp(struct net_hdr *hdr, const struct layers *layers, size_t head_len,
			     uint64_t len)
{
	if (layers->proto != PROTO_UDP || !range_fits(layers->l4, UDP_SIZE, head_len))
		return "segmentation of what is not UDP";
	if (hdr->csum_offset != UDP_CSUM)
		return "the checksum is not UDP's";
	hdr->hdr_len = (uint16_t)(layers->l4 + UDP_SIZE);
	if (len - hdr->hdr_len > (uint64_t)hdr->gso_size * UDP_SEGMENTS_MAX)
		return "more segments than UDP may have";
	return NULL;
}

/* A frame to be cut: its headers must be those of the kind, and the sum theirs. */
static const char *judge_gso(struct net_hdr *hdr, uint64_t features, const uint8_t *head,
			     size_t head_len, uint64_t len)
{
	uint8_t type = hdr->gso_type & (uint8_t)~NET_GSO_ECN;
	uint64_t feature = gso_feature(type);
	struct layers layers = { 0 };
	const char *why;

	if (!feature || !(features & feature))
		return "segmentation that was not negotiated";
	if ((hdr->gso_type & NET_GSO_ECN) &&
	    (type == NET_GSO_UDP_L4 || !(features & NET_F_HOST_ECN)))
		return "ECN that was not negotiated";
	if (!(hdr->flags & NET_HDR_NEEDS_CSUM))
		return "segmentation without a checksum";
	if (hdr->gso_size < GSO_MIN || hdr->gso_size > GSO_MAX)
		return "segments of an impossible size";
	if (!find_layers(head, head_len, &layers) || layers.l4 != hdr->csum_start)
		return "the frame has not the headers to be segmented";
	if (type != NET_GSO_UDP_L4 && layers.ipv6 != (type == NET_GSO_TCPV6))
		return "segmentation of another IP version";
	why = type == NET_GSO_UDP_L4 ? judge_udp(hdr, &layers, head_len, len)
				     : judge_tcp(hdr, &layers, head, head_len);
	if (!why && hdr->hdr_len >= len)
		return "segmentation of nothing";
	return why;
}

const char *net_hdr_judge_tx(struct net_hdr *hdr, uint64_t features, const uint8_t *head,
			     size_t head_len, uint64_t len)
{
	if (len < NET_ETH_SIZE || head_len < NET_ETH_SIZE)
		return "shorter than an Ethernet header";
	if (len > NET_FRAME_MAX)
		return "longer than any frame";
	hdr->flags &= NET_HDR_NEEDS_CSUM;
	hdr->num_buffers = 0;
	if (!(hdr->flags & NET_HDR_NEEDS_CSUM)) {
		hdr->csum_start = 0;
		hdr->csum_offset = 0;
	} else if (!(features & NET_F_CSUM)) {
		return "a checksum to be done that was not negotiated";
	} else if (hdr->csum_start < NET_ETH_SIZE ||
		   (uint32_t)hdr->csum_start + hdr->csum_offset + 2 > head_len) {
		return "a checksum outside the frame's headers";
	}
	if (hdr->gso_type != NET_GSO_NONE)
		return judge_gso(hdr, features, head, head_len, len);
	hdr->gso_size = 0;
	hdr->hdr_len = 0;
	return NULL;
}

bool net_hdr_fits_rx(struct net_hdr *hdr, uint64_t features)
{
	uint64_t need = 0;

	hdr->flags &= NET_HDR_NEEDS_CSUM | NET_HDR_DATA_VALID;
	if (hdr->flags & NET_HDR_NEEDS_CSUM)
		need |= NET_F_GUEST_CSUM;
	if (!(features & NET_F_GUEST_CSUM))
		hdr->flags &= (uint8_t)~NET_HDR_DATA_VALID;
	switch (hdr->gso_type & (uint8_t)~NET_GSO_ECN) {
	case NET_GSO_NONE:
		break;
	case NET_GSO_TCPV4:
		need |= NET_F_GUEST_TSO4;
		break;
	case NET_GSO_TCPV6:
		need |= NET_F_GUEST_TSO6;
		break;
	case NET_GSO_UDP_L4:
		/* Of which version is in the frame; the host was told which it may send. */
		if (!(features & (NET_F_GUEST_USO4 | NET_F_GUEST_USO6)))
			return false;
		break;
	default:
		return false;
	}
	if (hdr->gso_type & NET_GSO_ECN)
		need |= NET_F_GUEST_ECN;
	return (features & need) == need;
}
