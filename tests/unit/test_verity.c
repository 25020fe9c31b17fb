/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks that are read through a dm-verity tree: every shape of tree, reads of all alignments,
 * without waiting, by threads, from a medium that fails.
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
#include "tests/lib/verity_rig.h"
#include "virtio/disk.h"

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
		struct verity_rig b;

		if (shape.data_block * shape.data_blocks > 80 << 10)
			continue;
		verity_rig_make(&b, &shape);
		assert_int_equal(verity_rig_open(&b), 0);
		assert_int_equal(b.disk->size, b.size);
		assert_int_equal(b.disk->block_size, shape.data_block);
		assert_true(b.disk->readonly);
		assert_int_equal(b.disk->fd, -1);
		verity_rig_reads_well(&b, 0, b.size);
		verity_rig_reads_well(&b, b.size - 512, 512);
		verity_rig_drop(&b);
		n++;
	}
	assert_true(n > 100 / step);
}

static void reads_of_any_alignment(void **state)
{
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &verity_usual);
	assert_int_equal(verity_rig_open(&b), 0);
	for (uint64_t off = 0; off < 3 * 4096; off += 512) {
		for (size_t len = 512; len <= 3 * 4096; len += 512)
			verity_rig_reads_well(&b, off, len);
	}
	/* Around the pieces in which long reads are done. */
	for (size_t len = 128 * 1024 - 1024; len <= 128 * 1024 + 1024; len += 512) {
		verity_rig_reads_well(&b, 0, len);
		verity_rig_reads_well(&b, 3584, len);
		verity_rig_reads_well(&b, b.size - len, len);
		verity_rig_reads_well(&b, 512, 3 * len);
	}
	verity_rig_drop(&b);
}

/* What the medium says goes through. */
static void failing_medium(void **state)
{
	uint8_t got[4096];
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &verity_usual);
	atomic_store(&b.tree->fail_after, 0);
	b.tree->fail_with = -EIO;
	assert_int_equal(verity_rig_open(&b), -EIO);
	verity_rig_drop(&b);

	verity_rig_make(&b, &verity_usual);
	assert_int_equal(verity_rig_open(&b), 0);
	atomic_store(&b.data->fail_after, 0);
	b.data->fail_with = -ENODATA;
	assert_int_equal(verity_rig_read(&b, got, sizeof(got), 0, 0), -ENODATA);
	atomic_store(&b.data->fail_after, UINT32_MAX);
	atomic_store(&b.tree->fail_after, 0);
	b.tree->fail_with = -EIO;
	assert_int_equal(verity_rig_read(&b, got, sizeof(got), 0, 0), -EIO);
	atomic_store(&b.tree->fail_after, UINT32_MAX);
	verity_rig_reads_well(&b, 0, b.size);
	verity_rig_drop(&b);
}

static void without_waiting(void **state)
{
	uint8_t got[32 * 1024];
	struct iovec iov[2] = { { got, 1024 }, { got + 1024, 3072 } };
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &verity_usual);
	assert_int_equal(verity_rig_open(&b), 0);
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
	assert_int_equal(verity_rig_read(&b, got, 16 * 1024, 512, DISK_NOWAIT), 0);
	assert_int_equal(verity_rig_read(&b, got, 16 * 1024 + 512, 512, DISK_NOWAIT), -EAGAIN);
	assert_int_equal(verity_rig_read(&b, got, sizeof(got), 512, 0), 0);
	verity_rig_drop(&b);
}

/* A tree larger than the cache: hash blocks come and go, and everything is read right. */
static void more_tree_than_cache(void **state)
{
	static const struct verity_shape shape = { "sha512", 512, 512, 18000, 8 };
	uint32_t x = 1;
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &shape);
	assert_true(b.made.size > 5 << 18);
	assert_int_equal(verity_rig_open(&b), 0);
	for (unsigned i = 0; i < 1000; i++) {
		x = x * 1664525 + 1013904223;
		verity_rig_reads_well(&b, (x >> 8) % 17900 * 512, 512 * (1 + (x >> 28)));
	}
	verity_rig_reads_well(&b, 0, b.size);
	/* In order, each hash block is read once: 2250 at the bottom, and little more above. */
	unsigned before = atomic_load(&b.tree->reads);

	verity_rig_reads_well(&b, 0, b.size);
	assert_true(atomic_load(&b.tree->reads) - before <= 2250 + 282 + 36 + 5 + 1);
	verity_rig_drop(&b);
}

struct reader {
	struct verity_rig *b;
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
		if (verity_rig_read(r->b, got, len, off, 0) != 0 ||
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
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &verity_usual);
	assert_int_equal(verity_rig_open(&b), 0);
	for (unsigned i = 0; i < 7; i++) {
		readers[i] = (struct reader){ &b, i + 1, false };
		assert_int_equal(pthread_create(&threads[i], NULL, reader_thread, &readers[i]), 0);
	}
	for (unsigned i = 0; i < 7; i++) {
		pthread_join(threads[i], NULL);
		assert_false(readers[i].wrong);
	}
	verity_rig_drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape),		cmocka_unit_test(reads_of_any_alignment),
		cmocka_unit_test(failing_medium),	cmocka_unit_test(without_waiting),
		cmocka_unit_test(more_tree_than_cache), cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests_name("verity", tests, NULL, NULL);
}
