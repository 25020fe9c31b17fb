/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A verified disk whose files are an enemy's: a right tree of one of a few shapes, then changes of bytes
 * in superblock, tree and data, before it is opened and between reads. What is read without an error are the
 * bytes that the root hash stands for, or, with a superblock that was not verified, at least such that
 * the tree says so; nothing else is promised of that.
 *
 * Input: a byte for shape and whether the superblock is given, then steps of 4 bytes: what, where (2), how.
 * An input whose first byte is 255 is a superblock itself.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/dev_rig.h"
#include "tests/lib/verity_make.h"
#include "virtio/disk.h"
#include "virtio/verity.h"

enum { BYTES_MAX = 80 * 1024, STEPS_MAX = 64 };

static const struct verity_shape shapes[] = {
	{ "sha256", 512, 512, 40, 32 },	  { "sha256", 4096, 4096, 5, 0 },
	{ "sha512", 512, 512, 100, 256 }, { "blake2b-512", 1024, 512, 9, 8 },
	{ "sha256", 512, 4096, 1, 32 },	  { "sha512", 4096, 512, 20, 1 },
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

struct setup {
	const struct verity_shape *shape;
	struct verity_made made;
	uint8_t plain[BYTES_MAX];
	size_t size;
	struct stub_disk *data;
	struct stub_disk *tree;
	bool opened;	   /* or refused: both files are gone then */
	struct disk *disk; /* NULL: not open */
	bool given;	   /* the superblock was verified */
};

static void parse_one(const uint8_t *data, size_t size)
{
	uint8_t superblock[VERITY_SUPERBLOCK] = { 0 };
	struct verity_tree t;
	uint8_t digest[VERITY_DIGEST_MAX];

	memcpy(superblock, data, size_min(size, sizeof(superblock)));
	if (verity_parse("fuzz", superblock, &t) < 0)
		return;
	require(t.levels <= VERITY_LEVELS_MAX && t.data_blocks > 0 && t.fan_bits >= 3);
	require(t.salt_len <= VERITY_SALT_MAX && t.digest_len <= VERITY_DIGEST_MAX);
	require(t.file_size <= INT64_MAX);
	require(t.levels ? t.file_size % t.hash_block == 0 : t.file_size == VERITY_SUPERBLOCK);
	for (unsigned i = 0; i < t.levels; i++) {
		uint64_t last = (t.data_blocks - 1) >> (t.fan_bits * (i + 1));

		require(t.level[i] >= 1 && t.level[i] + last < t.file_size / t.hash_block);
		require(i + 1 < t.levels || last == 0);
	}
	verity_digest(&t, superblock, sizeof(superblock), digest);
}

static void flip(struct setup *s, unsigned what, unsigned where, uint8_t how)
{
	if (what == 0)
		s->data->data[where % s->size] ^= how;
	else if (what == 1)
		s->tree->data[where % s->made.size] ^= how;
	else
		s->tree->data[where % VERITY_SUPERBLOCK] ^= how;
}

static void read_one(struct setup *s, unsigned where, uint8_t how)
{
	uint8_t got[64 * 512];
	uint64_t sectors = s->disk->size / 512;
	uint64_t first = where % sectors;
	size_t len = (size_t)u64_min(1 + how % 64U, sectors - first) * 512;
	struct iovec iov[2] = { { got, len / 3 }, { got + len / 3, len - len / 3 } };
	int err = s->disk->ops->read(s->disk, iov, 2, first * 512, how & 64 ? DISK_NOWAIT : 0);

	require(err == 0 || err == -EBADMSG || err == -EUCLEAN || (err == -EAGAIN && (how & 64)));
	if (err == 0 && s->given)
		require(memcmp(got, s->plain + first * 512, len) == 0);
}

static void open_it(struct setup *s)
{
	struct disk_verity config = {
		.data = &s->data->disk,
		.hashes = &s->tree->disk,
		.root = s->made.root,
		.root_len = s->made.root_len,
		.superblock = s->given ? s->made.tree : NULL,
	};
	int err = disk_open_verity(&config, &s->disk);

	s->opened = true;
	require(err == 0 || err == -EINVAL || err == -EKEYREJECTED);
}

static void set_up(struct setup *s, uint8_t kind)
{
	s->shape = &shapes[(kind & 127) % ARRAY_SIZE(shapes)];
	s->given = kind & 128;
	s->size = (size_t)(s->shape->data_block * s->shape->data_blocks);
	require(s->size <= BYTES_MAX);
	for (size_t i = 0; i < s->size; i++)
		s->plain[i] = (uint8_t)(i * 7 + i / 512);
	s->made = verity_make(s->shape, s->plain);
	s->data = stub_disk_new(s->size);
	s->tree = stub_disk_new(s->made.size);
	s->data->nowait = s->tree->nowait = true;
	memcpy(s->data->data, s->plain, s->size);
	memcpy(s->tree->data, s->made.tree, s->made.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct setup *s;

	if (!size)
		return 0;
	if (data[0] == 255) {
		parse_one(data + 1, size - 1);
		return 0;
	}
	s = calloc(1, sizeof(*s));
	require(s != NULL);
	set_up(s, data[0]);
	for (size_t at = 1, step = 0; at + 4 <= size && step < STEPS_MAX; at += 4, step++) {
		unsigned what = data[at] & 3;

		/* What is changed before the first read is there when the disk is opened. */
		if (what < 3) {
			flip(s, what, le16_load(data + at + 1), data[at + 3]);
			continue;
		}
		if (!s->opened)
			open_it(s);
		if (!s->disk)
			break;
		read_one(s, le16_load(data + at + 1), data[at + 3]);
	}
	if (!s->opened)
		open_it(s);
	disk_close(s->disk);
	free(s->made.tree);
	free(s);
	return 0;
}
