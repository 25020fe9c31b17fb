/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks whose writes are thrown away, over a base and an overlay that fail or wait: failures at
 * each step, what does not wait, and copies that do not overtake writes.
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
#include "tests/lib/dev_rig.h"
#include "virtio/disk_cow.h"

enum {
	SECTOR = 512,
	CLUSTER = 4096,
	SMALL = 3 * CLUSTER - 3 * SECTOR, /* the last cluster is cut */
};

/* Both sides are stubs: what fails or waits is the test's to say. */
struct pair {
	struct stub_disk *base, *overlay;
	struct cow_map *map;
	struct disk *disk;
};

static void open_pair(struct pair *p)
{
	p->base = stub_disk_new(4 * CLUSTER);
	p->overlay = stub_disk_new(4 * CLUSTER);
	memset(p->base->data, 0xbb, 4 * CLUSTER);
	p->map = NULL;
	assert_int_equal(disk_open_cow(&p->base->disk, &p->overlay->disk, &p->map, &p->disk), 0);
}

static void close_pair(struct pair *p)
{
	disk_close(p->disk);
	cow_map_destroy(p->map);
}

static int write_pair(struct pair *p, uint64_t off, size_t len, uint8_t fill, unsigned flags)
{
	uint8_t *bytes = malloc(len);
	struct iovec iov = { bytes, len };
	int err;

	assert_non_null(bytes);
	memset(bytes, fill, len);
	err = p->disk->ops->write(p->disk, &iov, 1, off, flags);
	/* What was refused without waiting is tried again with the same segments. */
	if (err == -EAGAIN)
		assert_true(iov.iov_base == bytes && iov.iov_len == len);
	free(bytes);
	return err;
}

static uint8_t byte_at(struct pair *p, uint64_t at)
{
	uint8_t bytes[SECTOR];
	struct iovec iov = { bytes, SECTOR };

	assert_int_equal(p->disk->ops->read(p->disk, &iov, 1, u64_align_down(at, SECTOR), 0), 0);
	return bytes[at % SECTOR];
}

/* Whatever fails, the clusters hold what they held, and the next write finds all in order. */
static void failures_leave_what_was(void **state)
{
	(void)state;
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned after = 0; after < 2 + side; after++) {
			struct pair p;
			struct stub_disk *bad;

			open_pair(&p);
			bad = side ? p.overlay : p.base;
			bad->fail_with = side ? -ENOSPC : -EIO;
			atomic_store(&bad->fail_after, after);
			/* Copies two edges: two reads; two writes and its own. */
			assert_int_equal(write_pair(&p, SECTOR, CLUSTER, 0x33, 0), bad->fail_with);
			atomic_store(&bad->fail_after, UINT32_MAX);
			for (uint64_t at = 0; at < 4 * CLUSTER; at += SECTOR)
				assert_int_equal(byte_at(&p, at), 0xbb);
			assert_int_equal(write_pair(&p, 2 * SECTOR, SECTOR, 0x44, 0), 0);
			for (uint64_t at = 0; at < 4 * CLUSTER; at += SECTOR)
				assert_int_equal(byte_at(&p, at), at == 2 * SECTOR ? 0x44 : 0xbb);
			close_pair(&p);
		}
	}
}

static void discard_unsupported(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	p.overlay->fail_with = -EOPNOTSUPP;
	atomic_store(&p.overlay->fail_after, 0);
	assert_int_equal(p.disk->ops->discard(p.disk, 0, CLUSTER), -EOPNOTSUPP);
	atomic_store(&p.overlay->fail_after, UINT32_MAX);
	assert_int_equal(byte_at(&p, 0), 0xbb);
	close_pair(&p);
}

static void what_does_not_wait(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	p.overlay->nowait = true;
	/* A whole cluster needs nothing of the base, a part of one does, which would wait. */
	assert_int_equal(write_pair(&p, CLUSTER, CLUSTER, 1, DISK_NOWAIT), 0);
	assert_int_equal(write_pair(&p, CLUSTER + SECTOR, SECTOR, 2, DISK_NOWAIT), 0);
	assert_int_equal(write_pair(&p, SECTOR, SECTOR, 3, DISK_NOWAIT), -EAGAIN);
	assert_int_equal(byte_at(&p, SECTOR), 0xbb);
	p.base->nowait = true;
	assert_int_equal(write_pair(&p, SECTOR, SECTOR, 3, DISK_NOWAIT), 0);
	assert_int_equal(byte_at(&p, SECTOR), 3);
	p.overlay->nowait = false;
	assert_int_equal(write_pair(&p, CLUSTER, CLUSTER, 4, DISK_NOWAIT), -EAGAIN);
	assert_int_equal(byte_at(&p, CLUSTER), 1);
	/* Nothing is durable, and nothing asks the overlay for it. */
	assert_int_equal(write_pair(&p, CLUSTER, CLUSTER, 5, DISK_DURABLE), 0);
	assert_int_equal(atomic_load(&p.overlay->durable), 0);
	close_pair(&p);
}

static void *write_a_sector(void *arg)
{
	assert_int_equal(write_pair(arg, SECTOR, SECTOR, 0x66, 0), 0);
	return NULL;
}

static void *write_the_cluster(void *arg)
{
	assert_int_equal(write_pair(arg, 0, CLUSTER, 0x77, 0), 0);
	return NULL;
}

/* A copy of the base's old bytes must not come over a newer write to the same cluster. */
static void copies_do_not_overtake(void **state)
{
	pthread_t one, two;
	struct pair p;

	(void)state;
	open_pair(&p);
	p.overlay->nowait = true;
	stub_disk_shut(p.base, true);
	assert_int_equal(pthread_create(&one, NULL, write_a_sector, &p), 0);
	stub_disk_wait(p.base, 1); /* it copies an edge, and stands */
	assert_int_equal(pthread_create(&two, NULL, write_the_cluster, &p), 0);
	assert_int_equal(write_pair(&p, 0, 2 * CLUSTER, 1, DISK_NOWAIT), -EAGAIN);
	/* Others need not wait for them. */
	assert_int_equal(write_pair(&p, CLUSTER, CLUSTER, 0x55, 0), 0);
	(void)usleep(20000);
	assert_int_equal(atomic_load(&p.overlay->writes), 1);
	stub_disk_shut(p.base, false);
	assert_int_equal(pthread_join(one, NULL), 0);
	assert_int_equal(pthread_join(two, NULL), 0);
	for (uint64_t at = 0; at < CLUSTER; at += SECTOR)
		assert_int_equal(byte_at(&p, at), 0x77);
	assert_int_equal(byte_at(&p, CLUSTER), 0x55);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_leave_what_was),
		cmocka_unit_test(discard_unsupported),
		cmocka_unit_test(what_does_not_wait),
		cmocka_unit_test(copies_do_not_overtake),
	};

	return cmocka_run_group_tests_name("cow_failures", tests, NULL, NULL);
}
