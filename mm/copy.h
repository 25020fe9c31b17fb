/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The copy of something small out of guest memory, a header or a descriptor.
 *
 * What another CPU of the guest changes meanwhile is seen as it was before or as it is after, field
 * by field: memcpy does not promise that. Where arm64 has SVE, the C library copies what is short
 * byte by byte, and an address that the guest replaces comes out as half of each, which it never wrote.
 */
#ifndef MM_COPY_H
#define MM_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { COPY_WORDS = 64 }; /* as much is copied so, in bytes; what is longer is data */

/*
 * Copies @len bytes at @from, in guest memory, to @to. Up to COPY_WORDS bytes each word of 64 bits that
 * is naturally aligned is one access, relaxed; for the rest no more is said than for memcpy.
 */
static inline void copy_from_guest(void *to, const void *from, size_t len)
{
	const uint8_t *in = (const uint8_t *)from;
	uint8_t *out = (uint8_t *)to;

	if (len <= COPY_WORDS && (uintptr_t)from % sizeof(uint64_t) == 0)
		for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t)) {
			uint64_t word = __atomic_load_n((const uint64_t *)(const void *)in,
							__ATOMIC_RELAXED);

			memcpy(out, &word, sizeof(word));
			in += sizeof(word);
			out += sizeof(word);
		}
	if (len)
		memcpy(out, in, len);
}

#endif /* MM_COPY_H */
