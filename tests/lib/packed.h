/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes packed as kernels and modules are: by gzip, xz, zstd, and in an EFI program that unpacks itself. */
#ifndef TESTS_LIB_PACKED_H
#define TESTS_LIB_PACKED_H

#include <stddef.h>
#include <stdint.h>

enum { MIB = 1 << 20, PLAIN = 3000, ROOM = 16384 };

/* Bytes with some room after them. */
struct bytes {
	uint8_t data[ROOM];
	size_t len;
};

/* PLAIN bytes that pack, but not to nothing. */
struct bytes plain_bytes(void);

/* @len bytes packed; what gzip makes of none is empty. Larger than ROOM fails the running cmocka test. */
struct bytes gzip_of(const void *data, size_t len);
struct bytes xz_of(const void *data, size_t len);

/* With the size at its head, and a sum at its end: SIZED | SUMMED in @how. */
enum { SIZED = 1, SUMMED = 2 };

struct bytes zstd_of(const void *data, size_t len, int how);

/* Linux's EFI program with @payload, packed by @method. */
struct bytes zboot_of(const struct bytes *payload, const char *method);

/* @a, and @len bytes after it. */
struct bytes joined(const struct bytes *a, const void *more, size_t len);

#endif
