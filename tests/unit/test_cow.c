/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks whose writes are thrown away: every range over a few clusters against a flat copy,
 * threads in one cluster, the overlay's file; the base is never written.
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/capture.h"
#include "tests/lib/dev_rig.h"
#include "virtio/disk_cow.h"
#include "vm/overlay.h"

enum {
	SECTOR = 512,
	CLUSTER = 4096,
	SMALL = 3 * CLUSTER - 3 * SECTOR, /* the last cluster is cut */
};

enum op { WRITE, ZEROES, DISCARD, OPS };

struct bench {
	struct stub_disk *base;
	struct cow_map *map;
	struct disk *disk;
	int overlay_fd; /* a second descriptor of the overlay's file */
	size_t size;
	uint8_t *flat; /* what the disk should hold */
	uint8_t *got;
};

static uint8_t base_byte(size_t at)
{
	return (uint8_t)(at / SECTOR * 7 + at % 251 + 1);
}

static struct disk *overlay_on(int fd)
{
	struct disk *overlay;

	assert_int_equal(disk_open_raw(dup(fd), "overlay", false, false, &overlay), 0);
	return overlay;
}

static void open_bench(struct bench *b, size_t size)
{
	b->size = size;
	b->base = stub_disk_new(size);
	b->base->disk.readonly = true;
	b->base->nowait = true;
	b->flat = malloc(size);
	b->got = malloc(size);
	assert_non_null(b->flat);
	assert_non_null(b->got);
	for (size_t i = 0; i < size; i++)
		b->flat[i] = b->base->data[i] = base_byte(i);
	b->overlay_fd = memfd_create("overlay", MFD_CLOEXEC);
	assert_true(b->overlay_fd >= 0);
	assert_int_equal(ftruncate(b->overlay_fd, (off_t)size), 0);
	b->map = NULL;
	assert_int_equal(
		disk_open_cow(&b->base->disk, overlay_on(b->overlay_fd), &b->map, &b->disk), 0);
	assert_int_equal(b->disk->size, size);
	assert_false(b->disk->readonly);
}

static void close_bench(struct bench *b)
{
	assert_int_equal(atomic_load(&b->base->writes), 0);
	assert_int_equal(atomic_load(&b->base->zeroes) + atomic_load(&b->base->discards), 0);
	assert_int_equal(atomic_load(&b->base->outside), 0);
	for (size_t i = 0; i < b->size; i++)
		assert_int_equal(b->base->data[i], base_byte(i));
	disk_close(b->disk);
	cow_map_destroy(b->map);
	(void)close(b->overlay_fd);
	free(b->flat);
	free(b->got);
}

/* Two uneven segments and an empty one. */
static int transfer(struct bench *b, bool write, uint8_t *bytes, size_t off, size_t len,
		    unsigned flags)
{
	size_t cut = len / 3;
	struct iovec iov[3] = { { bytes, cut }, { bytes, 0 }, { bytes + cut, len - cut } };

	return (write ? b->disk->ops->write : b->disk->ops->read)(b->disk, iov, 3, off, flags);
}

static int change(struct bench *b, enum op op, size_t off, size_t len, uint8_t fill)
{
	int err;

	memset(b->flat + off, op == WRITE ? fill : 0, len);
	if (op == WRITE) {
		uint8_t *bytes = malloc(len);

		assert_non_null(bytes);
		memset(bytes, fill, len);
		err = transfer(b, true, bytes, off, len, 0);
		free(bytes);
		return err;
	}
	if (op == ZEROES)
		return b->disk->ops->write_zeroes(b->disk, off, len, len % 1024 == 0);
	return b->disk->ops->discard(b->disk, off, len);
}

static void expect_flat(struct bench *b)
{
	memset(b->got, 0xee, b->size);
	assert_int_equal(transfer(b, false, b->got, 0, b->size, 0), 0);
	assert_memory_equal(b->got, b->flat, b->size);
}

/* One change of each kind and range on an untouched disk, then each read of it that is no whole. */
static void every_range(void **state)
{
	(void)state;
	for (unsigned op = 0; op < OPS; op++) {
		for (size_t off = 0; off < SMALL; off += SECTOR) {
			for (size_t len = SECTOR; off + len <= SMALL; len += SECTOR) {
				struct bench b;

				open_bench(&b, SMALL);
				assert_int_equal(change(&b, op, off, len, 0xc3), 0);
				expect_flat(&b);
				close_bench(&b);
			}
		}
	}
}

static void every_read(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, SMALL);
	/* base, overlay, base and the cut one of the overlay */
	assert_int_equal(change(&b, WRITE, CLUSTER + SECTOR, 2 * SECTOR, 0x5a), 0);
	for (size_t off = 0; off < SMALL; off += SECTOR) {
		for (size_t len = SECTOR; off + len <= SMALL; len += SECTOR) {
			memset(b.got, 0xee, SMALL);
			assert_int_equal(transfer(&b, false, b.got, off, len, 0), 0);
			assert_memory_equal(b.got, b.flat + off, len);
		}
	}
	close_bench(&b);
}

/* Two changes of all kinds, of which the second meets clusters in all states. */
static void pairs_of_changes(void **state)
{
	static const size_t edges[] = { 0,
					SECTOR,
					CLUSTER - SECTOR,
					CLUSTER,
					CLUSTER + SECTOR,
					2 * CLUSTER,
					SMALL - SECTOR,
					SMALL };
	const size_t n = ARRAY_SIZE(edges);

	(void)state;
	for (unsigned step = 0; step < n * n * n * n; step++) {
		size_t a = edges[step % n], b_ = edges[step / n % n];
		size_t c = edges[step / n / n % n], d = edges[step / n / n / n];
		struct bench b;

		if (a >= b_ || c >= d)
			continue;
		open_bench(&b, SMALL);
		assert_int_equal(change(&b, step % OPS, a, b_ - a, 0x11), 0);
		assert_int_equal(change(&b, step / OPS % OPS, c, d - c, 0x22), 0);
		expect_flat(&b);
		close_bench(&b);
	}
}

static void changes_by_dice(void **state)
{
	const size_t size = 300 * SECTOR;
	uint32_t x = 12345;
	struct bench b;

	(void)state;
	open_bench(&b, size);
	for (unsigned i = 0; i < 3000; i++) {
		size_t off, len;

		x = x * 1664525 + 1013904223;
		off = (x >> 8) % 300 * SECTOR;
		x = x * 1664525 + 1013904223;
		len = size_min(((x >> 8) % 20 + 1) * SECTOR, size - off);
		if (x >> 30)
			assert_int_equal(change(&b, (x >> 4) % OPS, off, len, (uint8_t)i), 0);
		assert_int_equal(transfer(&b, false, b.got, off, len, 0), 0);
		assert_memory_equal(b.got, b.flat + off, len);
	}
	expect_flat(&b);
	close_bench(&b);
}

static void nothing_to_do(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, SMALL);
	assert_int_equal(transfer(&b, true, b.got, SECTOR, 0, 0), 0);
	assert_int_equal(transfer(&b, false, b.got, SECTOR, 0, 0), 0);
	assert_int_equal(b.disk->ops->discard(b.disk, SECTOR, 0), 0);
	assert_int_equal(b.disk->ops->write_zeroes(b.disk, SMALL, 0, true), 0);
	assert_null(b.disk->ops->flush);
	expect_flat(&b);
	close_bench(&b);
}

/* A discard gives the overlay's room back. */
static void discard_makes_holes(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, 64 * CLUSTER);
	assert_int_equal(change(&b, WRITE, 0, b.size, 7), 0);
	assert_true(lseek(b.overlay_fd, 0, SEEK_DATA) == 0);
	assert_int_equal(change(&b, DISCARD, 0, b.size, 0), 0);
	assert_int_equal(lseek(b.overlay_fd, 0, SEEK_DATA), -1);
	assert_int_equal(errno, ENXIO);
	expect_flat(&b);
	close_bench(&b);
}

/* The next boot of a machine makes the disk again, with the map and the overlay of before. */
static void kept_for_the_next_boot(void **state)
{
	struct stub_disk *again = stub_disk_new(SMALL);
	struct bench b;

	(void)state;
	open_bench(&b, SMALL);
	assert_int_equal(change(&b, WRITE, SECTOR, CLUSTER, 0x77), 0);
	memcpy(again->data, b.base->data, SMALL);
	disk_close(b.disk);
	b.base = again;
	assert_int_equal(disk_open_cow(&again->disk, overlay_on(b.overlay_fd), &b.map, &b.disk), 0);
	expect_flat(&b);
	close_bench(&b);
}

static void sizes_differ(void *arg)
{
	struct stub_disk *base = stub_disk_new(SMALL), *overlay = stub_disk_new(SMALL - SECTOR);
	struct cow_map *map = NULL;
	struct disk *disk;

	(void)arg;
	if (disk_open_cow(&base->disk, &overlay->disk, &map, &disk) != -EINVAL || map)
		_exit(1);
	base = stub_disk_new(SMALL);
	overlay = stub_disk_new(SMALL + SECTOR);
	if (disk_open_cow(&base->disk, &overlay->disk, &map, &disk) != 0)
		_exit(2);
	disk_close(disk);
	base = stub_disk_new(SMALL + SECTOR);
	overlay = stub_disk_new(SMALL + SECTOR);
	if (disk_open_cow(&base->disk, &overlay->disk, &map, &disk) != -EINVAL)
		_exit(3);
	cow_map_destroy(map);
}

static void overlays_that_are_refused(void **state)
{
	struct captured *out = malloc(sizeof(*out));

	(void)state;
	capture_child(out, sizes_differ, NULL);
	assert_int_equal(out->status, 0);
	assert_string_equal(
		out->text,
		"hvrun: disk stub: its overlay has 10240 bytes, and the disk 10752\n"
		"hvrun: disk stub: it had 10752 bytes when its overlay was begun, and has 11264 "
		"now\n");
	free(out);
}

/* The map never has more than its bound, so the clusters of a large disk are large. */
static void clusters_grow(void **state)
{
	static const struct {
		uint64_t size, cluster;
	} cases[] = {
		{ 512, 4096 },
		{ UINT64_C(256) << 30, 4096 },
		{ (UINT64_C(256) << 30) + 512, 8192 },
		{ UINT64_C(1) << 40, 16384 },
		{ UINT64_C(1) << 50, 16777216 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The stubs have as many bytes as the first clusters. */
		struct stub_disk *base = stub_disk_new(2 * cases[i].cluster);
		struct stub_disk *overlay = stub_disk_new(2 * cases[i].cluster);
		struct cow_map *map = NULL;
		struct disk *disk;
		uint8_t bytes[SECTOR], got[SECTOR];
		struct iovec in = { bytes, SECTOR }, out = { got, SECTOR };

		base->disk.size = overlay->disk.size = cases[i].size;
		base->data[cases[i].cluster - 1] = 9;
		memset(bytes, 4, SECTOR);
		assert_int_equal(disk_open_cow(&base->disk, &overlay->disk, &map, &disk), 0);
		assert_int_equal(cow_map_cluster(map), cases[i].cluster);
		assert_int_equal(disk->ops->write(disk, &in, 1, 0, 0), 0);
		assert_int_equal(overlay->data[0], 4);
		if (cases[i].size > SECTOR) {
			/* The rest of the one cluster, and no more, came along. */
			assert_int_equal(overlay->data[cases[i].cluster - 1], 9);
			assert_int_equal(
				disk->ops->read(disk, &out, 1, cases[i].cluster - SECTOR, 0), 0);
			assert_int_equal(got[SECTOR - 1], 9);
		}
		disk_close(disk);
		cow_map_destroy(map);
	}
}

enum { THREADS = 4, SPAN = 64 * CLUSTER };

struct worker {
	struct bench *b;
	unsigned number;
};

/* Each thread has every fourth sector, so that all meet in every cluster. */
static void *write_own(void *arg)
{
	const struct worker *w = arg;
	uint8_t bytes[SECTOR];

	for (size_t s = w->number; s < SPAN / SECTOR; s += THREADS) {
		struct iovec iov = { bytes, SECTOR };

		memset(bytes, (int)(s % 250), SECTOR);
		if (w->b->disk->ops->write(w->b->disk, &iov, 1, s * SECTOR, 0) != 0)
			return arg;
	}
	return NULL;
}

static void threads_in_one_cluster(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		pthread_t threads[THREADS];
		struct worker workers[THREADS];
		struct bench b;

		open_bench(&b, SPAN + SECTOR);
		for (unsigned i = 0; i < THREADS; i++) {
			workers[i] = (struct worker){ &b, i };
			assert_int_equal(pthread_create(&threads[i], NULL, write_own, &workers[i]),
					 0);
		}
		for (unsigned i = 0; i < THREADS; i++) {
			void *failed;

			assert_int_equal(pthread_join(threads[i], &failed), 0);
			assert_null(failed);
		}
		for (size_t s = 0; s < SPAN / SECTOR; s++)
			memset(b.flat + s * SECTOR, (int)(s % 250), SECTOR);
		expect_flat(&b);
		close_bench(&b);
	}
}

/* The overlay's file has its size, no name and no blocks, wherever it lies. */
static void judge_file(bool in_memory, const char *dir)
{
	struct stat st;
	int fd;

	assert_int_equal(dir ? setenv("TMPDIR", dir, 1) : unsetenv("TMPDIR"), 0);
	fd = overlay_open(in_memory, 1 << 20);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 1 << 20);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_blocks, 0);
	assert_int_equal(pwrite(fd, "x", 1, 1000), 1);
	(void)close(fd);
}

static void files_without_a_name(void **state)
{
	(void)state;
	judge_file(false, "/tmp");
	judge_file(false, "/proc"); /* where nobody makes files */
	judge_file(false, "");
	judge_file(false, NULL);
	judge_file(true, "/tmp");
	assert_int_equal(overlay_open(true, UINT64_MAX), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_range),
		cmocka_unit_test(every_read),
		cmocka_unit_test(pairs_of_changes),
		cmocka_unit_test(changes_by_dice),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(discard_makes_holes),
		cmocka_unit_test(kept_for_the_next_boot),
		cmocka_unit_test(overlays_that_are_refused),
		cmocka_unit_test(clusters_grow),
		cmocka_unit_test(threads_in_one_cluster),
		cmocka_unit_test(files_without_a_name),
	};

	return cmocka_run_group_tests_name("cow", tests, NULL, NULL);
}
