/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk with its dm-verity tree in memory. */
#include "tests/lib/verity_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtio/disk.h"

const struct verity_shape verity_usual = { "sha256", 4096, 4096, 300, 32 };

static struct verity_made copy_of_usual(const uint8_t *plain)
{
	static struct verity_made first;
	struct verity_made copy;

	if (!first.tree)
		first = verity_make(&verity_usual, plain);
	copy = first;
	copy.tree = malloc(first.size);
	assert_non_null(copy.tree);
	memcpy(copy.tree, first.tree, first.size);
	return copy;
}

void verity_rig_make(struct verity_rig *b, const struct verity_shape *shape)
{
	uint32_t x = 7;

	memset(b, 0, sizeof(*b));
	b->shape = *shape;
	b->size = (size_t)(shape->data_block * shape->data_blocks);
	b->plain = malloc(b->size);
	assert_non_null(b->plain);
	for (size_t i = 0; i < b->size; i++) {
		x = x * 1664525 + 1013904223;
		b->plain[i] = (uint8_t)(x >> 24);
	}
	b->made = shape == &verity_usual ? copy_of_usual(b->plain) : verity_make(shape, b->plain);
	b->data = stub_disk_new(b->size);
	b->tree = stub_disk_new(b->made.size);
	memcpy(b->data->data, b->plain, b->size);
	memcpy(b->tree->data, b->made.tree, b->made.size);
}

int verity_rig_open_with(struct verity_rig *b, const uint8_t *root, size_t root_len,
			 const uint8_t *superblock)
{
	struct disk_verity config = {
		.data = &b->data->disk,
		.hashes = &b->tree->disk,
		.root = root,
		.root_len = root_len,
		.superblock = superblock,
	};

	return disk_open_verity(&config, &b->disk);
}

int verity_rig_open(struct verity_rig *b)
{
	return verity_rig_open_with(b, b->made.root, b->made.root_len, NULL);
}

void verity_rig_drop(struct verity_rig *b)
{
	disk_close(b->disk);
	free(b->plain);
	free(b->made.tree);
}

int verity_rig_read(struct verity_rig *b, void *to, size_t len, uint64_t off, unsigned flags)
{
	struct iovec iov = { to, len };

	return b->disk->ops->read(b->disk, &iov, 1, off, flags);
}

void verity_rig_reads_well(struct verity_rig *b, uint64_t off, size_t len)
{
	uint8_t *got = malloc(len + 2);
	size_t a = len / 3 + 1, c = len / 5;
	struct iovec iov[4] = {
		{ got, a }, { got, 0 }, { got + a, len - a - c }, { got + len - c, c }
	};

	assert_non_null(got);
	memset(got, 0xa5, len + 2);
	assert_int_equal(b->disk->ops->read(b->disk, iov, 4, off, 0), 0);
	assert_memory_equal(got, b->plain + off, len);
	assert_int_equal(got[len], 0xa5);
	free(got);
}
