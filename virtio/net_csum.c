/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum over pieces of memory of any length and alignment. */
#include "virtio/net_csum.h"

#include <stdbool.h>
#include <string.h>

#include "base/checked.h"

/* Adds with the carry coming round, so that 32-bit words may be added as they lie in memory. */
static uint64_t add(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The sum of @len bytes as 16-bit words in memory's order, the last byte followed by a zero. */
static uint16_t sum_piece(const uint8_t *p, size_t len)
{
	uint64_t sum = 0, word;
	uint32_t half;

	for (; len >= 32; p += 32, len -= 32) {
		uint64_t words[4];

		memcpy(words, p, sizeof(words));
		for (unsigned i = 0; i < 4; i++)
			sum = add(sum, words[i]);
	}
	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&half, p, sizeof(half));
		sum = add(sum, half);
	}
	word = 0;
	memcpy(&word, p, len);
	return fold(add(sum, word));
}

static uint16_t swapped(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

uint16_t net_csum_sum(const struct iovec *iov, unsigned segs, size_t offset)
{
	bool odd = false; /* the piece begins in the middle of a word */
	uint64_t sum = 0;

	for (unsigned i = 0; i < segs; i++) {
		size_t skip = size_min(offset, iov[i].iov_len);
		size_t len = iov[i].iov_len - skip;
		uint16_t part = sum_piece((const uint8_t *)iov[i].iov_base + skip, len);

		offset -= skip;
		sum += odd ? swapped(part) : part;
		odd ^= len & 1;
	}
	return fold(sum);
}

void net_csum_finish(const struct net_hdr *hdr, const struct iovec *iov, unsigned segs)
{
	uint8_t *at = (uint8_t *)iov[0].iov_base + hdr->csum_start + hdr->csum_offset;
	uint16_t sum;

	/* The driver left the sum of the pseudo header there: it is part of what is summed. */
	sum = (uint16_t)~net_csum_sum(iov, segs, hdr->csum_start);
	/* To UDP a zero means no checksum; all ones is the same number. */
	if (sum == 0)
		sum = 0xffff;
	memcpy(at, &sum, sizeof(sum));
}
