/* SPDX-License-Identifier: BSD-2-Clause */
/* The superblock and the shape of a dm-verity tree; its hashes, by libcrypto and libsodium. */
#include "virtio/verity.h"

#include <errno.h>
#include <inttypes.h>
/*
 * The functions by name: what OpenSSL wants used in their place looks for the same ones at run time, and is 3.6 MB and
 * 2 ms of each start.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <sodium.h>
#include <string.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/le.h"

/* The superblock (struct verity_sb of cryptsetup's format), little-endian. */
enum {
	SB_SIGNATURE = 0, /* "verity" and two zeros */
	SB_VERSION = 8,
	SB_HASH_TYPE = 12,
	SB_ALGORITHM = 32, /* zero-ended */
	SB_ALGORITHM_SIZE = 32,
	SB_DATA_BLOCK = 64,
	SB_HASH_BLOCK = 68,
	SB_DATA_BLOCKS = 72,
	SB_SALT_SIZE = 80,
	SB_SALT = 88,
};

static const struct algorithm {
	const char *name;
	size_t digest_len;
	enum verity_hash hash;
} algorithms[] = {
	{ "sha256", 32, VERITY_SHA256 },
	{ "sha512", 64, VERITY_SHA512 },
	{ "blake2b-512", 64, VERITY_BLAKE2B_512 },
};

static int find_algorithm(const char *name, const char *wanted, struct verity_tree *tree)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		if (strcmp(algorithms[i].name, wanted) == 0) {
			tree->hash = algorithms[i].hash;
			tree->digest_len = algorithms[i].digest_len;
			return 0;
		}
	}
	diag_error("disk %s: its verity tree is made with the hash \"%s\"; sha256, sha512 and "
		   "blake2b-512 are known here",
		   name, wanted);
	return -EINVAL;
}

static bool block_ok(uint32_t size)
{
	return u64_is_pow2(size) && size >= VERITY_BLOCK_MIN && size <= VERITY_BLOCK_MAX;
}

/* Levels lie in the file from the one block at the top down, after the superblock's own block. */
static int lay_out(struct verity_tree *tree)
{
	uint64_t at = 1; /* the superblock fits in the smallest block */
	uint64_t data_bytes;

	if (!u64_mul(tree->data_blocks, tree->data_block, &data_bytes) || data_bytes > INT64_MAX)
		return -EINVAL;
	tree->fan_bits = (unsigned)__builtin_ctzl(tree->hash_block / tree->digest_len);
	tree->levels = 0;
	while ((tree->data_blocks - 1) >> (tree->fan_bits * tree->levels)) {
		if (tree->levels == VERITY_LEVELS_MAX)
			return -EINVAL;
		tree->levels++;
	}
	for (unsigned i = tree->levels; i-- > 0;) {
		tree->level[i] = at;
		at += ((tree->data_blocks - 1) >> (tree->fan_bits * (i + 1))) + 1;
	}
	/* The one data block of a tree without levels has the root hash itself, and nothing fills up the first block. */
	tree->file_size = VERITY_SUPERBLOCK;
	if (!tree->levels)
		return 0;
	return u64_mul(at, tree->hash_block, &tree->file_size) && tree->file_size <= INT64_MAX
		       ? 0
		       : -EINVAL;
}

int verity_parse(const char *name, const uint8_t superblock[VERITY_SUPERBLOCK],
		 struct verity_tree *tree)
{
	char algorithm[SB_ALGORITHM_SIZE + 1] = { 0 };
	uint32_t version = le32_load(superblock + SB_VERSION);
	uint32_t type = le32_load(superblock + SB_HASH_TYPE);

	if (memcmp(superblock + SB_SIGNATURE, "verity\0\0", 8) != 0) {
		diag_error("disk %s: the verity file does not begin with a superblock of "
			   "veritysetup",
			   name);
		return -EINVAL;
	}
	if (version != 1 || type != 1) {
		diag_error("disk %s: verity superblock version %" PRIu32 ", hash type %" PRIu32
			   "; 1 and 1 are known here",
			   name, version, type);
		return -EINVAL;
	}
	memcpy(algorithm, superblock + SB_ALGORITHM, SB_ALGORITHM_SIZE);
	if (find_algorithm(name, algorithm, tree) < 0)
		return -EINVAL;
	tree->data_block = le32_load(superblock + SB_DATA_BLOCK);
	tree->hash_block = le32_load(superblock + SB_HASH_BLOCK);
	tree->data_blocks = le64_load(superblock + SB_DATA_BLOCKS);
	tree->salt_len = le16_load(superblock + SB_SALT_SIZE);
	if (!block_ok(tree->data_block) || !block_ok(tree->hash_block) || !tree->data_blocks ||
	    tree->salt_len > VERITY_SALT_MAX || lay_out(tree) < 0) {
		diag_error("disk %s: the verity superblock makes no sense: %" PRIu64
			   " data blocks of %" PRIu32 " bytes, hash blocks of %" PRIu32
			   ", a salt of %zu",
			   name, tree->data_blocks, tree->data_block, tree->hash_block,
			   tree->salt_len);
		return -EINVAL;
	}
	memcpy(tree->salt, superblock + SB_SALT, tree->salt_len);
	return 0;
}

static void sha256(const struct verity_tree *tree, const void *data, size_t len, uint8_t *digest)
{
	SHA256_CTX state;

	(void)SHA256_Init(&state);
	(void)SHA256_Update(&state, tree->salt, tree->salt_len);
	(void)SHA256_Update(&state, data, len);
	(void)SHA256_Final(digest, &state);
}

static void sha512(const struct verity_tree *tree, const void *data, size_t len, uint8_t *digest)
{
	SHA512_CTX state;

	(void)SHA512_Init(&state);
	(void)SHA512_Update(&state, tree->salt, tree->salt_len);
	(void)SHA512_Update(&state, data, len);
	(void)SHA512_Final(digest, &state);
}

static void blake2b(const struct verity_tree *tree, const void *data, size_t len, uint8_t *digest)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, tree->digest_len);
	(void)crypto_generichash_update(&state, tree->salt, tree->salt_len);
	(void)crypto_generichash_update(&state, data, len);
	(void)crypto_generichash_final(&state, digest, tree->digest_len);
}

void verity_digest(const struct verity_tree *tree, const void *data, size_t len,
		   uint8_t digest[VERITY_DIGEST_MAX])
{
	switch (tree->hash) {
	case VERITY_SHA256:
		sha256(tree, data, len, digest);
		break;
	case VERITY_SHA512:
		sha512(tree, data, len, digest);
		break;
	case VERITY_BLAKE2B_512:
		blake2b(tree, data, len, digest);
		break;
	}
}
