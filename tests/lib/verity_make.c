/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes dm-verity trees in memory: all digests of a level, packed into blocks, are the next one's data. */
#include "tests/lib/verity_make.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

enum { LEVELS = 32, SUPERBLOCK = 512 };

static void *get(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

/* Of salt and block, in one piece. */
static size_t digest(const struct verity_shape *shape, const uint8_t *block, size_t len,
		     uint8_t *out)
{
	uint8_t *all = get(shape->salt_len + len);
	size_t size = 64;

	for (size_t i = 0; i < shape->salt_len; i++)
		all[i] = (uint8_t)(i + 1);
	memcpy(all + shape->salt_len, block, len);
	len += shape->salt_len;
	if (!strcmp(shape->algorithm, "sha256")) {
		(void)crypto_hash_sha256(out, all, len);
		size = 32;
	} else if (!strcmp(shape->algorithm, "sha512")) {
		(void)crypto_hash_sha512(out, all, len);
	} else {
		(void)crypto_generichash(out, 64, all, len, NULL, 0);
	}
	free(all);
	return size;
}

struct level {
	uint8_t *bytes;
	size_t blocks; /* of hash_block bytes */
};

/* The level over @count blocks of @size bytes at @data. */
static struct level make_level(const struct verity_shape *shape, const uint8_t *data, size_t count,
			       size_t size)
{
	uint8_t sum[64];
	size_t each = digest(shape, data, size, sum);
	size_t fan = shape->hash_block / each;
	struct level level = { .blocks = (count + fan - 1) / fan };

	level.bytes = get(level.blocks * shape->hash_block);
	for (size_t i = 0; i < count; i++)
		(void)digest(shape, data + i * size, size,
			     level.bytes + i / fan * shape->hash_block + i % fan * each);
	return level;
}

static void write_superblock(const struct verity_shape *shape, uint8_t *sb)
{
	memcpy(sb, "verity\0\0", 8);
	le32_store(sb + 8, 1);
	le32_store(sb + 12, 1);
	memset(sb + 16, 0x77, 16);
	memcpy(sb + 32, shape->algorithm, strlen(shape->algorithm));
	le32_store(sb + 64, shape->data_block);
	le32_store(sb + 68, shape->hash_block);
	le64_store(sb + 72, shape->data_blocks);
	le16_store(sb + 80, shape->salt_len);
	for (size_t i = 0; i < shape->salt_len; i++)
		sb[88 + i] = (uint8_t)(i + 1);
}

struct verity_made verity_make(const struct verity_shape *shape, const uint8_t *data)
{
	struct level levels[LEVELS];
	struct verity_made made = { .size = shape->hash_block };
	size_t count = shape->data_blocks;
	size_t size = shape->data_block;
	const uint8_t *top = data;
	unsigned n = 0;

	while (count > 1) {
		levels[n] = make_level(shape, top, count, size);
		top = levels[n].bytes;
		count = levels[n].blocks;
		size = shape->hash_block;
		made.size += count * size;
		n++;
	}
	made.root_len = digest(shape, top, size, made.root);
	made.tree = get(made.size);
	write_superblock(shape, made.tree);
	for (size_t at = shape->hash_block; n-- > 0;) {
		memcpy(made.tree + at, levels[n].bytes, levels[n].blocks * shape->hash_block);
		at += levels[n].blocks * shape->hash_block;
		free(levels[n].bytes);
	}
	return made;
}
