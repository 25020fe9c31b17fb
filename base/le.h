/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Little-endian loads and stores at any address, aligned or not.
 *
 * Everything that crosses a boundary of hvrun (guest memory, disk images, ACPI tables, kernel
 * headers) is little-endian bytes; these are the only way that such bytes become integers. They are
 * written by shifts, which compilers turn into one plain load or store on a little-endian host.
 * They are not atomic: for an index that another thread or the guest changes meanwhile, use the
 * accessors of mm/.
 */
#ifndef BASE_LE_H
#define BASE_LE_H

#include <stdint.h>

/* The 16-bit little-endian integer whose two bytes begin at p. */
static inline uint16_t le16_load(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint16_t)(b[0] | (uint16_t)(b[1] << 8));
}

/* The 32-bit little-endian integer whose four bytes begin at p. */
static inline uint32_t le32_load(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* The 64-bit little-endian integer whose eight bytes begin at p. */
static inline uint64_t le64_load(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint64_t)le32_load(b) | (uint64_t)le32_load(b + 4) << 32;
}

/* Store v as two little-endian bytes at p. */
static inline void le16_store(void *p, uint16_t v)
{
	uint8_t *b = (uint8_t *)p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

/* Store v as four little-endian bytes at p. */
static inline void le32_store(void *p, uint32_t v)
{
	uint8_t *b = (uint8_t *)p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
	b[2] = (uint8_t)(v >> 16);
	b[3] = (uint8_t)(v >> 24);
}

/* Store v as eight little-endian bytes at p. */
static inline void le64_store(void *p, uint64_t v)
{
	uint8_t *b = (uint8_t *)p;

	le32_store(b, (uint32_t)v);
	le32_store(b + 4, (uint32_t)(v >> 32));
}

#endif /* BASE_LE_H */
