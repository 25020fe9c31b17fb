/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet frames for the tests of networks, and their checksums, counted byte by byte. */
#include "tests/lib/frames.h"

#include <string.h>

enum {
	TCP = 6,
	UDP = 17,
	TCP_SIZE = 20,
	UDP_SIZE = 8,
};

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t sum(const uint8_t *p, size_t len, uint32_t start)
{
	uint32_t s = start;

	for (size_t i = 0; i < len; i++) {
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		s = (s & 0xffff) + (s >> 16);
	}
	return s;
}

/* The sum of the pseudo header, of addresses that lie in a row before @l4. */
static uint32_t pseudo(const uint8_t *frame, bool v6, uint8_t proto, size_t l4_len)
{
	const uint8_t *addresses = frame + NET_ETH_SIZE + (v6 ? 8 : 12);
	uint32_t s = sum(addresses, v6 ? 32 : 8, proto);

	s += (uint32_t)(l4_len & 0xffff) + (uint32_t)(l4_len >> 16);
	return (s & 0xffff) + (s >> 16);
}

/* Ethernet and IP headers before @l4_len bytes of @proto: where those begin. */
static size_t headers(uint8_t *to, bool v6, uint8_t proto, size_t l4_len)
{
	static const uint8_t macs[12] = { 0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2 };
	uint8_t *ip = to + NET_ETH_SIZE;

	memset(to, 0, NET_ETH_SIZE + 40 + 40);
	memcpy(to, macs, sizeof(macs));
	put16(to + 12, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, (uint32_t)l4_len);
		ip[6] = proto;
		ip[7] = 64;
		memset(ip + 8, 0x20, 16);
		memset(ip + 24, 0x21, 16);
		return FRAME_TCP6;
	}
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(20 + l4_len));
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
	put16(ip + 10, 0xffff - sum(ip, 20, 0));
	return FRAME_TCP4;
}

static size_t fill(uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(i * 7 + i / 251);
	return len;
}

size_t frame_tcp(uint8_t *to, bool v6, size_t payload)
{
	size_t l4 = headers(to, v6, TCP, TCP_SIZE + payload);

	put16(to + l4, 1000);
	put16(to + l4 + 2, 80);
	to[l4 + 12] = 5 << 4;
	to[l4 + 13] = 0x10;
	put16(to + l4 + 16, pseudo(to, v6, TCP, TCP_SIZE + payload));
	return l4 + TCP_SIZE + fill(to + l4 + TCP_SIZE, payload);
}

size_t frame_udp(uint8_t *to, size_t payload)
{
	size_t l4 = headers(to, false, UDP, UDP_SIZE + payload);

	put16(to + l4, 1000);
	put16(to + l4 + 2, 53);
	put16(to + l4 + 4, (uint32_t)(UDP_SIZE + payload));
	put16(to + l4 + 6, pseudo(to, false, UDP, UDP_SIZE + payload));
	return l4 + UDP_SIZE + fill(to + l4 + UDP_SIZE, payload);
}

struct net_hdr frame_tcp_hdr(bool v6, uint16_t gso_size)
{
	uint8_t kind = v6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
	uint16_t l4 = v6 ? FRAME_TCP6 : FRAME_TCP4;

	return (struct net_hdr){
		.flags = NET_HDR_NEEDS_CSUM,
		.gso_type = gso_size ? kind : NET_GSO_NONE,
		.hdr_len = gso_size ? (uint16_t)(l4 + TCP_SIZE) : 0,
		.gso_size = gso_size,
		.csum_start = l4,
		.csum_offset = 16,
	};
}

struct net_hdr frame_udp_hdr(uint16_t gso_size)
{
	return (struct net_hdr){
		.flags = NET_HDR_NEEDS_CSUM,
		.gso_type = gso_size ? NET_GSO_UDP_L4 : NET_GSO_NONE,
		.hdr_len = gso_size ? FRAME_TCP4 + UDP_SIZE : 0,
		.gso_size = gso_size,
		.csum_start = FRAME_TCP4,
		.csum_offset = 6,
	};
}

bool frame_sum_right(const uint8_t *frame, size_t len)
{
	bool v6 = frame[NET_ETH_SIZE] >> 4 == 6;
	uint8_t proto = frame[NET_ETH_SIZE + (v6 ? 6 : 9)];
	size_t l4 = v6 ? FRAME_TCP6 : FRAME_TCP4;

	return sum(frame + l4, len - l4, pseudo(frame, v6, proto, len - l4)) == 0xffff;
}
