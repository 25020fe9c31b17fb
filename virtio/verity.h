/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree of hashes that dm-verity reads disks by (Linux, Documentation/admin-guide/device-mapper/
 * verity.rst; cryptsetup's page on DMVerity has the superblock), as `veritysetup format` makes it:
 * superblock version 1, hash type 1 (the salt comes before the block).
 *
 * The file of a tree is an enemy's bytes; only the root hash is known to be right. Nothing here reads a
 * file. Any thread.
 */
#ifndef VIRTIO_VERITY_H
#define VIRTIO_VERITY_H

#include <stddef.h>
#include <stdint.h>

enum {
	VERITY_SUPERBLOCK = 512, /* bytes at the start of the tree's file */
	VERITY_DIGEST_MAX = 64,
	VERITY_SALT_MAX = 256,
	VERITY_BLOCK_MIN = 512,
	VERITY_BLOCK_MAX = 64 * 1024,
	VERITY_LEVELS_MAX = 20,
};

enum verity_hash {
	VERITY_SHA256,
	VERITY_SHA512,
	VERITY_BLAKE2B_512,
};

/* Where everything lies. Level 0 holds the hashes of data blocks, the last level is one block. */
struct verity_tree {
	enum verity_hash hash;
	size_t digest_len;		   /* bytes, a power of two */
	uint32_t data_block;		   /* bytes, a power of two */
	uint32_t hash_block;		   /* bytes, a power of two */
	uint64_t data_blocks;		   /* not 0; all of them are less than 2^63 bytes */
	unsigned fan_bits;		   /* log2 of the digests in a hash block, at least 3 */
	unsigned levels;		   /* 0: the root hash is that of the one data block */
	uint64_t level[VERITY_LEVELS_MAX]; /* the first hash block of each in the tree's file */
	uint64_t file_size;		   /* bytes that the tree's file must have */
	size_t salt_len;
	uint8_t salt[VERITY_SALT_MAX];
};

/*
 * Judges the @superblock of the disk @name and works out the tree. 0, or -EINVAL having said what is
 * wrong or not known here.
 */
int verity_parse(const char *name, const uint8_t superblock[VERITY_SUPERBLOCK],
		 struct verity_tree *tree);

/* The digest (tree->digest_len bytes) of salt and the @len bytes at @data. */
void verity_digest(const struct verity_tree *tree, const void *data, size_t len,
		   uint8_t digest[VERITY_DIGEST_MAX]);

#endif
