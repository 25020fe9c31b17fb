/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks that are read through a dm-verity tree: every shape of tree, every block of data and tree changed,
 * superblocks that lie, reads of all alignments, threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/dev_rig.h"
#include "tests/lib/verity_make.h"
#include "virtio/disk.h"
#include "virtio/verity.h"

/* A disk, its tree and what lies behind them. */
struct bench {
	struct verity_shape shape;
	struct verity_made made;
	struct stub_disk *data;
	struct stub_disk *tree;
	uint8_t *plain; /* what a guest should read */
	size_t size;
	struct disk *disk; /* NULL: not open */
};

static const struct verity_shape usual = { "sha256", 4096, 4096, 300, 32 };

/* Made once: most tests begin with this one. */
static struct verity_made copy_of_usual(const uint8_t *plain)
{
	static struct verity_made first;
	struct verity_made copy;

	if (!first.tree)
		first = verity_make(&usual, plain);
	copy = first;
	copy.tree = malloc(first.size);
	assert_non_null(copy.tree);
	memcpy(copy.tree, first.tree, first.size);
	return copy;
}

static void make(struct bench *b, const struct verity_shape *shape)
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
	b->made = shape == &usual ? copy_of_usual(b->plain) : verity_make(shape, b->plain);
	b->data = stub_disk_new(b->size);
	b->tree = stub_disk_new(b->made.size);
	memcpy(b->data->data, b->plain, b->size);
	memcpy(b->tree->data, b->made.tree, b->made.size);
}

static int open_with(struct bench *b, const uint8_t *root, size_t root_len,
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

static int open_disk(struct bench *b)
{
	return open_with(b, b->made.root, b->made.root_len, NULL);
}

/* The disk owns both files, also when it did not open. */
static void drop(struct bench *b)
{
	disk_close(b->disk);
	free(b->plain);
	free(b->made.tree);
}

static int read_at(struct bench *b, void *to, size_t len, uint64_t off, unsigned flags)
{
	struct iovec iov = { to, len };

	return b->disk->ops->read(b->disk, &iov, 1, off, flags);
}

/* Reads [off, off + len) in three segments and compares. */
static void reads_well(struct bench *b, uint64_t off, size_t len)
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

static void every_shape(void **state)
{
	static const char *const algorithms[] = { "sha256", "sha512", "blake2b-512" };
	static const uint32_t blocks[] = { 512, 1024, 4096, 65536 };
	static const uint64_t counts[] = { 1, 2, 8, 9, 16, 17, 129, 300 };
	static const uint16_t salts[] = { 0, 32, 256 };
	unsigned step = getenv("HVRUN_TEST_LONG") ? 1 : 5; /* no factor of how many there are */
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 3 * 4 * 4 * 8; i += step) {
		struct verity_shape shape = {
			.algorithm = algorithms[i % 3],
			.data_block = blocks[i / 3 % 4],
			.hash_block = blocks[i / 12 % 4],
			.data_blocks = counts[i / 48],
			.salt_len = salts[i % 7 % 3],
		};
		struct bench b;

		if (shape.data_block * shape.data_blocks > 80 << 10)
			continue;
		make(&b, &shape);
		assert_int_equal(open_disk(&b), 0);
		assert_int_equal(b.disk->size, b.size);
		assert_int_equal(b.disk->block_size, shape.data_block);
		assert_true(b.disk->readonly);
		assert_int_equal(b.disk->fd, -1);
		reads_well(&b, 0, b.size);
		reads_well(&b, b.size - 512, 512);
		drop(&b);
		n++;
	}
	assert_true(n > 100 / step);
}

static void reads_of_any_alignment(void **state)
{
	struct bench b;

	(void)state;
	make(&b, &usual);
	assert_int_equal(open_disk(&b), 0);
	for (uint64_t off = 0; off < 3 * 4096; off += 512) {
		for (size_t len = 512; len <= 3 * 4096; len += 512)
			reads_well(&b, off, len);
	}
	/* Around the pieces in which long reads are done. */
	for (size_t len = 128 * 1024 - 1024; len <= 128 * 1024 + 1024; len += 512) {
		reads_well(&b, 0, len);
		reads_well(&b, 3584, len);
		reads_well(&b, b.size - len, len);
		reads_well(&b, 512, 3 * len);
	}
	drop(&b);
}

/* Each block changed by one bit, somewhere else in each: itself unreadable, all others as they were. */
static void changed_data(void **state)
{
	static const struct verity_shape shape = { "sha256", 1024, 512, 300, 32 };
	uint8_t got[1024];
	struct bench b;

	(void)state;
	make(&b, &shape);
	assert_int_equal(open_disk(&b), 0);
	for (uint64_t i = 0; i < shape.data_blocks; i++) {
		size_t at = (size_t)(i * 1024 + i * 37 % 1024);

		b.data->data[at] ^= (uint8_t)(1 << i % 8);
		memset(got, 0x3c, sizeof(got));
		assert_int_equal(read_at(&b, got, 512, i * 1024, 0), -EBADMSG);
		assert_int_equal(read_at(&b, got, 512, i * 1024 + 512, 0), -EBADMSG);
		for (size_t k = 0; k < sizeof(got); k++)
			assert_int_equal(got[k], 0x3c); /* not one byte reached the guest */
		if (i > 0)
			assert_int_equal(read_at(&b, got, 1024, i * 1024 - 512, 0), -EBADMSG);
		for (size_t k = 0; k < sizeof(got); k++)
			assert_int_equal(got[k], 0x3c);
		if (i > 0)
			reads_well(&b, (i - 1) * 1024, 1024);
		if (i % 100 == 99)
			reads_well(&b, 0, (size_t)i * 1024);
		if (i + 1 < shape.data_blocks)
			reads_well(&b, (i + 1) * 1024, 1024);
		b.data->data[at] ^= (uint8_t)(1 << i % 8);
		reads_well(&b, i * 1024, 1024);
	}
	drop(&b);
}

/* Two blocks that were right change places. */
static void moved_blocks(void **state)
{
	uint8_t got[4096];
	struct bench b;

	(void)state;
	make(&b, &usual);
	memcpy(b.data->data, b.plain + 4096, 4096);
	memcpy(b.data->data + 4096, b.plain, 4096);
	assert_int_equal(open_disk(&b), 0);
	assert_int_equal(read_at(&b, got, 4096, 0, 0), -EBADMSG);
	assert_int_equal(read_at(&b, got, 4096, 4096, 0), -EBADMSG);
	reads_well(&b, 8192, 4096);
	drop(&b);
}

/* Changed after it was read once: each read is checked. */
static void changed_later(void **state)
{
	uint8_t got[512];
	struct bench b;

	(void)state;
	make(&b, &usual);
	assert_int_equal(open_disk(&b), 0);
	reads_well(&b, 0, b.size);
	b.data->data[5 * 4096 + 9] ^= 1;
	assert_int_equal(read_at(&b, got, 512, 5 * 4096, 0), -EBADMSG);
	/* What of the tree is kept was right when it was read, and stays so. */
	memset(b.tree->data, 0, b.made.size);
	reads_well(&b, 4 * 4096, 4096);
	drop(&b);
}

/* Each block of the tree changed: what hangs below it is unreadable, the rest is as it was. */
static void changed_tree(void **state)
{
	static const struct verity_shape shape = { "sha256", 512, 512, 300, 0 };
	/* 16 digests a block: 300 data blocks, levels of 19, 2 and 1 blocks, from the top down. */
	static const struct {
		unsigned blocks, below;
	} levels[] = { { 1, 4096 }, { 2, 256 }, { 19, 16 } };
	unsigned block = 1;

	(void)state;
	for (unsigned level = 0; level < 3; level++) {
		for (unsigned i = 0; i < levels[level].blocks; i++, block++) {
			unsigned first = i * levels[level].below;
			unsigned end = first + levels[level].below;
			uint8_t got[512];
			struct bench b;

			make(&b, &shape);
			b.tree->data[block * 512 + i * 11] ^= 0x40;
			if (level == 0) {
				assert_int_equal(open_disk(&b), -EKEYREJECTED);
				drop(&b);
				continue;
			}
			assert_int_equal(open_disk(&b), 0);
			for (unsigned k = 0; k < shape.data_blocks; k++)
				assert_int_equal(read_at(&b, got, 512, k * 512, 0),
						 k >= first && k < end ? -EUCLEAN : 0);
			drop(&b);
		}
	}
	assert_int_equal(block, 23);
}

static void another_root(void **state)
{
	struct bench b;
	uint8_t root[64];

	(void)state;
	for (unsigned bit = 0; bit < 256; bit += 51) {
		make(&b, &usual);
		memcpy(root, b.made.root, sizeof(root));
		root[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(open_with(&b, root, 32, NULL), -EKEYREJECTED);
		drop(&b);
	}
	make(&b, &usual);
	assert_int_equal(open_with(&b, b.made.root, 64, NULL), -EINVAL);
	drop(&b);
}

/* Another salt, other sizes: another tree. */
static void another_superblock(void **state)
{
	static const struct {
		unsigned at;
		uint32_t value;
		int err;
	} lies[] = {
		{ 0, 0x79746956, -EINVAL }, /* "Vity" */
		{ 8, 0, -EINVAL },	    /* version */
		{ 8, 2, -EINVAL },
		{ 12, 0, -EINVAL }, /* Chrome OS's hash type */
		{ 12, 2, -EINVAL },
		{ 32, 0x31616873, -EINVAL }, /* "sha1", goes on "56" */
		{ 32, 0, -EINVAL },
		{ 64, 0, -EINVAL }, /* data block */
		{ 64, 256, -EINVAL },
		{ 64, 4095, -EINVAL },
		{ 64, 131072, -EINVAL },
		{ 64, 0x80000000, -EINVAL },
		{ 64, 8192, -EINVAL }, /* then the data are too short */
		{ 64, 512, 0 },	       /* the tree holds, the blocks do not */
		{ 68, 0, -EINVAL },    /* hash block */
		{ 68, 100, -EINVAL },
		{ 68, 1 << 20, -EINVAL },
		{ 68, 8192, -EINVAL }, /* then the tree is too short */
		{ 68, 512, -EKEYREJECTED },
		{ 72, 0, -EINVAL }, /* data blocks */
		{ 72, 301, -EINVAL },
		{ 72, 0xffffffff, -EINVAL },
		{ 76, 1, -EINVAL },
		{ 76, 0xffffffff, -EINVAL },
		{ 72, 1, -EKEYREJECTED },
		{ 72, 128, 0 },		   /* one level less: see a_shallower_tree */
		{ 80, 31, -EKEYREJECTED }, /* salt */
		{ 80, 33, -EKEYREJECTED },
		{ 80, 257, -EINVAL },
		{ 80, 65535, -EINVAL },
		{ 88, 0, -EKEYREJECTED },
		{ 116, 0, -EKEYREJECTED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct bench b;

		make(&b, &usual);
		le32_store(b.tree->data + lies[i].at, lies[i].value);
		assert_int_equal(open_disk(&b), lies[i].err);
		if (!lies[i].err) {
			uint8_t got[512];

			assert_int_equal(read_at(&b, got, 512, 0, 0), -EBADMSG);
		}
		drop(&b);
	}
}

/*
 * What the root hash alone does not fix: a superblock that tells of one level less makes data of the lowest
 * hashes, and they fit. So a manifest has the superblock's hash too (docs/manifest.md).
 */
static void a_shallower_tree(void **state)
{
	uint8_t got[4096];
	struct bench b;

	(void)state;
	make(&b, &usual);
	le64_store(b.tree->data + 72, 3);
	memcpy(b.data->data, b.made.tree + 2 * 4096, 3 * 4096);
	assert_int_equal(open_disk(&b), 0);
	assert_int_equal(b.disk->size, 3 * 4096);
	assert_int_equal(read_at(&b, got, sizeof(got), 0, 0), 0);
	assert_memory_equal(got, b.made.tree + 2 * 4096, sizeof(got));
	drop(&b);

	/* With the superblock that was verified it is found out. */
	make(&b, &usual);
	le64_store(b.tree->data + 72, 3);
	memcpy(b.data->data, b.made.tree + 2 * 4096, 3 * 4096);
	assert_int_equal(open_with(&b, b.made.root, 32, b.made.tree), 0);
	assert_int_equal(read_at(&b, got, sizeof(got), 0, 0), -EBADMSG);
	drop(&b);
}

/* One that was verified counts, not the file's. */
static void a_given_superblock(void **state)
{
	struct bench b;

	(void)state;
	make(&b, &usual);
	memset(b.tree->data, 0xff, 512);
	assert_int_equal(open_with(&b, b.made.root, 32, b.made.tree), 0);
	reads_well(&b, 0, b.size);
	drop(&b);
}

static void files_cut_short(void **state)
{
	struct bench b;

	(void)state;
	for (unsigned what = 0; what < 3; what++) {
		make(&b, &usual);
		if (what < 2)
			b.tree->disk.size -= what ? 512 : b.made.size - 512;
		else
			b.data->disk.size -= 512;
		assert_int_equal(open_disk(&b), -EINVAL);
		drop(&b);
	}
	/* More data than the tree is for are not shown. */
	static const struct verity_shape shape = { "sha256", 4096, 4096, 300, 32 };

	make(&b, &shape);
	assert_int_equal(open_disk(&b), 0);
	assert_int_equal(b.disk->size, 300 * 4096);
	drop(&b);
}

/* What the medium says goes through. */
static void failing_medium(void **state)
{
	uint8_t got[4096];
	struct bench b;

	(void)state;
	make(&b, &usual);
	atomic_store(&b.tree->fail_after, 0);
	b.tree->fail_with = -EIO;
	assert_int_equal(open_disk(&b), -EIO);
	drop(&b);

	make(&b, &usual);
	assert_int_equal(open_disk(&b), 0);
	atomic_store(&b.data->fail_after, 0);
	b.data->fail_with = -ENODATA;
	assert_int_equal(read_at(&b, got, sizeof(got), 0, 0), -ENODATA);
	atomic_store(&b.data->fail_after, UINT32_MAX);
	atomic_store(&b.tree->fail_after, 0);
	b.tree->fail_with = -EIO;
	assert_int_equal(read_at(&b, got, sizeof(got), 0, 0), -EIO);
	atomic_store(&b.tree->fail_after, UINT32_MAX);
	reads_well(&b, 0, b.size);
	drop(&b);
}

static void without_waiting(void **state)
{
	uint8_t got[32 * 1024];
	struct iovec iov[2] = { { got, 1024 }, { got + 1024, 3072 } };
	struct bench b;

	(void)state;
	make(&b, &usual);
	assert_int_equal(open_disk(&b), 0);
	assert_int_equal(b.disk->ops->read(b.disk, iov, 2, 512, DISK_NOWAIT), -EAGAIN);
	assert_ptr_equal(iov[0].iov_base, got);
	assert_int_equal(iov[0].iov_len, 1024);
	assert_int_equal(iov[1].iov_len, 3072);
	b.data->nowait = true;
	assert_int_equal(b.disk->ops->read(b.disk, iov, 2, 512, DISK_NOWAIT), -EAGAIN);
	b.tree->nowait = true;
	assert_int_equal(b.disk->ops->read(b.disk, iov, 2, 512, DISK_NOWAIT), 0);
	assert_memory_equal(got, b.plain + 512, 4096);
	/* Long ones are not hashed on the loop. */
	assert_int_equal(read_at(&b, got, 16 * 1024, 512, DISK_NOWAIT), 0);
	assert_int_equal(read_at(&b, got, 16 * 1024 + 512, 512, DISK_NOWAIT), -EAGAIN);
	assert_int_equal(read_at(&b, got, sizeof(got), 512, 0), 0);
	drop(&b);
}

/* A tree larger than the cache: hash blocks come and go, and everything is read right. */
static void more_tree_than_cache(void **state)
{
	static const struct verity_shape shape = { "sha512", 512, 512, 18000, 8 };
	uint32_t x = 1;
	struct bench b;

	(void)state;
	make(&b, &shape);
	assert_true(b.made.size > 5 << 18);
	assert_int_equal(open_disk(&b), 0);
	for (unsigned i = 0; i < 1000; i++) {
		x = x * 1664525 + 1013904223;
		reads_well(&b, (x >> 8) % 17900 * 512, 512 * (1 + (x >> 28)));
	}
	reads_well(&b, 0, b.size);
	/* In order, each hash block is read once: 2250 at the bottom, and little more above. */
	unsigned before = atomic_load(&b.tree->reads);

	reads_well(&b, 0, b.size);
	assert_true(atomic_load(&b.tree->reads) - before <= 2250 + 282 + 36 + 5 + 1);
	drop(&b);
}

struct reader {
	struct bench *b;
	uint32_t seed;
	bool wrong;
};

static void *reader_thread(void *opaque)
{
	struct reader *r = opaque;
	uint8_t *got = malloc(256 * 1024);
	uint32_t x = r->seed;

	for (unsigned i = 0; got && i < 100; i++) {
		uint64_t off;
		size_t len;

		x = x * 1664525 + 1013904223;
		off = (x >> 8) % 2000 * 512;
		len = 512 * (1 + (x >> 20) % 400);
		len = size_min(len, r->b->size - off);
		if (read_at(r->b, got, len, off, 0) != 0 ||
		    memcmp(got, r->b->plain + off, len) != 0)
			r->wrong = true;
	}
	free(got);
	return NULL;
}

static void many_threads(void **state)
{
	struct reader readers[7]; /* more than can work at once */
	pthread_t threads[7];
	struct bench b;

	(void)state;
	make(&b, &usual);
	assert_int_equal(open_disk(&b), 0);
	for (unsigned i = 0; i < 7; i++) {
		readers[i] = (struct reader){ &b, i + 1, false };
		assert_int_equal(pthread_create(&threads[i], NULL, reader_thread, &readers[i]), 0);
	}
	for (unsigned i = 0; i < 7; i++) {
		pthread_join(threads[i], NULL);
		assert_false(readers[i].wrong);
	}
	drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape),	    cmocka_unit_test(reads_of_any_alignment),
		cmocka_unit_test(changed_data),	    cmocka_unit_test(moved_blocks),
		cmocka_unit_test(changed_later),    cmocka_unit_test(changed_tree),
		cmocka_unit_test(another_root),	    cmocka_unit_test(another_superblock),
		cmocka_unit_test(a_shallower_tree), cmocka_unit_test(a_given_superblock),
		cmocka_unit_test(files_cut_short),  cmocka_unit_test(failing_medium),
		cmocka_unit_test(without_waiting),  cmocka_unit_test(more_tree_than_cache),
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
