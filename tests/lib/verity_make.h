/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes dm-verity trees as veritysetup does, for tests: written from the format's description and not
 * from virtio/verity.c, level by level in memory.
 */
#ifndef TESTS_LIB_VERITY_MAKE_H
#define TESTS_LIB_VERITY_MAKE_H

#include <stddef.h>
#include <stdint.h>

struct verity_shape {
	const char *algorithm; /* "sha256", "sha512" or "blake2b-512" */
	uint32_t data_block;   /* bytes */
	uint32_t hash_block;
	uint64_t data_blocks;
	uint16_t salt_len; /* its bytes are 1, 2, 3, ... */
};

struct verity_made {
	uint8_t *tree; /* of malloc: superblock and tree */
	size_t size;
	uint8_t root[64];
	size_t root_len;
};

/* The tree of the data_blocks * data_block bytes at @data. Ends the process if there is no memory. */
struct verity_made verity_make(const struct verity_shape *shape, const uint8_t *data);

#endif
