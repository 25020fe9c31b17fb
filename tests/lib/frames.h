/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet frames for the tests of networks. */
#ifndef TESTS_LIB_FRAMES_H
#define TESTS_LIB_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/net_header.h"

enum {
	FRAME_IPV4 = NET_ETH_SIZE,
	FRAME_TCP4 = FRAME_IPV4 + 20,
	FRAME_TCP6 = FRAME_IPV4 + 40,
};

/*
 * A TCP segment of @payload counted bytes over IPv4, or IPv6 if @v6, in @to: its length. As a driver
 * with CSUM hands it over: the checksum field holds the sum of the pseudo header.
 */
size_t frame_tcp(uint8_t *to, bool v6, size_t payload);

/* The same of UDP over IPv4. */
size_t frame_udp(uint8_t *to, size_t payload);

/* What a driver writes before a frame_tcp() that is to be segmented (@gso_size > 0) or only summed. */
struct net_hdr frame_tcp_hdr(bool v6, uint16_t gso_size);

/* The same before a frame_udp(). */
struct net_hdr frame_udp_hdr(uint16_t gso_size);

/* Whether the checksum of a whole frame_tcp() or frame_udp() is right; counted the slow way. */
bool frame_sum_right(const uint8_t *frame, size_t len);

#endif
