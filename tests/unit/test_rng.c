/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-rng: random bytes in any chain, bounded in size and in time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"

enum { CHAIN_MAX = 64 * 1024 };

/* How the host's source behaves: in place of the C library's. */
static struct {
	unsigned calls;
	unsigned dry;	/* this many calls find nothing */
	size_t longest; /* answer; 0: no limit */
} host;

ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	assert_true(flags & GRND_NONBLOCK);
	host.calls++;
	if (host.dry > 0) {
		host.dry--;
		errno = host.dry % 3 == 1 ? EINTR : EAGAIN;
		return -1;
	}
	if (host.longest > 0 && len > host.longest)
		len = host.longest;
	return syscall(SYS_getrandom, buf, len, flags);
}

static void open_bench(struct dev_rig *rig, uint64_t features)
{
	rig_init(rig);
	assert_int_equal(virtio_rng_create(rig->mem, rig->loop, &rig->dev), 0);
	rig_start(rig, features, 1);
}

/* The longest run of zeroes in a buffer that was zeroed before. */
static size_t zero_run(const uint8_t *p, size_t len)
{
	size_t run = 0, most = 0;

	for (size_t i = 0; i < len; i++) {
		run = p[i] ? 0 : run + 1;
		most = run > most ? run : most;
	}
	return most;
}

static void identity(void **state)
{
	struct dev_rig rig;
	uint8_t byte = 0;

	(void)state;
	open_bench(&rig, 0);
	assert_int_equal(rig.dev->type->id, 4);
	assert_int_equal(rig.dev->queue_count, 1);
	assert_int_equal(virtio_features(rig.dev, 0) & 0xffffff, 0);
	virtio_config_read(rig.dev, 0, &byte, 1);
	assert_int_equal(byte, 0xff);
	rig_fini(&rig);
}

static void fills_all_sizes(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 7, 64, 255, 256, 257, 4096, 65535, 65536 };
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, VIRTIO_F_EVENT_IDX);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct dr_buf buf = { RIG_DATA, sizes[i], true };

		memset(rig_at(&rig, RIG_DATA), 0, 70000);
		assert_int_equal(rig_do(&rig, 0, &buf, 1), sizes[i]);
		assert_true(zero_run(rig_at(&rig, RIG_DATA), sizes[i]) < 8);
		for (size_t k = sizes[i]; k < 70000; k++)
			assert_int_equal(*rig_at(&rig, RIG_DATA + k), 0);
	}
	rig_fini(&rig);
}

static void differs_each_time(void **state)
{
	struct dr_buf buf = { RIG_DATA, 32, true };
	uint8_t first[32];
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, 0);
	(void)rig_do(&rig, 0, &buf, 1);
	memcpy(first, rig_at(&rig, RIG_DATA), 32);
	(void)rig_do(&rig, 0, &buf, 1);
	assert_memory_not_equal(first, rig_at(&rig, RIG_DATA), 32);
	rig_fini(&rig);
}

static void many_pieces_and_readable_ones(void **state)
{
	const struct dr_buf bufs[] = {
		{ RIG_DATA + 0x4000, 100, false }, /* not for us; ignored */
		{ RIG_DATA, 3, true },
		{ RIG_DATA + 0x100, 0, true },
		{ RIG_DATA + 0x1000, 500, true },
	};
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, 0);
	memset(rig_at(&rig, RIG_DATA), 0, 0x5000);
	assert_int_equal(rig_do(&rig, 0, bufs, 4), 503);
	assert_true(zero_run(rig_at(&rig, RIG_DATA + 0x1000), 500) < 8);
	assert_int_equal(zero_run(rig_at(&rig, RIG_DATA + 0x4000), 100), 100);
	rig_fini(&rig);
}

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

/* A host that answers little at a time, and one that has nothing yet: the loop never waits. */
static void poor_host(void **state)
{
	struct dr_buf buf = { RIG_DATA, 5000, true };
	struct timespec begin;
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, VIRTIO_F_EVENT_IDX);
	host.longest = 7;
	memset(rig_at(&rig, RIG_DATA), 0, 5000);
	assert_int_equal(rig_do(&rig, 0, &buf, 1), 5000);
	assert_true(zero_run(rig_at(&rig, RIG_DATA), 5000) < 8);
	host.longest = 0;

	/* Six find nothing, four of them for good: each is followed by 50 ms, nobody spins. */
	host.dry = 6;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	rig_offer(&rig, 0, 0, &buf, 1);
	rig_used(&rig, 0, NULL, NULL);
	assert_int_equal(host.dry, 0);
	assert_true(seconds_since(&begin) >= 0.19);
	/* And a reset while it waits, as often as that was in vain: here 50 ms may pass between any two lines. */
	host.dry = UINT_MAX;
	rig_offer(&rig, 0, 0, &buf, 1);
	rig_settle(&rig);
	virtio_set_status(rig.dev, 0);
	assert_int_equal(loop_turn(rig.loop, 60000), 1);
	rig_settle(&rig);
	host.dry = 0;
	rig_start(&rig, 0, 1);
	assert_int_equal(rig_do(&rig, 0, &buf, 1), 5000);
	/* And the end of the device: its timer must not outlive it. */
	host.dry = UINT_MAX;
	rig_offer(&rig, 0, 0, &buf, 1);
	rig_settle(&rig);
	virtio_dev_destroy(rig.dev);
	rig.dev = NULL;
	assert_int_equal(loop_turn(rig.loop, 150), 0);
	host.dry = 0;
	rig_fini(&rig);
}

/* A limit: what is saved up passes, the rest comes at its speed, and nobody spins meanwhile. */
static void limited(void **state)
{
	struct dr_buf buf = { RIG_DATA, 65536, true };
	struct timespec begin;
	uint32_t len = 0, sum = 0;
	struct dev_rig rig;
	unsigned calls;

	(void)state;
	rig_init(&rig);
	assert_int_equal(virtio_rng_create(rig.mem, rig.loop, &rig.dev), 0);
	virtio_rng_limit(rig.dev, 100000);
	calls = host.calls;
	rig_start(&rig, VIRTIO_F_EVENT_IDX, 1);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (sum < 60000) {
		rig_offer(&rig, 0, 0, &buf, 1);
		rig_settle(&rig);
		rig_used(&rig, 0, NULL, &len);
		assert_true(len > 0 && len <= 10000);
		sum += len;
	}
	assert_true(seconds_since(&begin) >= 0.35);
	assert_true(host.calls - calls < 10);
	/* A reset while it waits, then the end. */
	rig_offer(&rig, 0, 0, &buf, 1);
	rig_settle(&rig);
	rig_start(&rig, 0, 1);
	assert_true(rig_do(&rig, 0, &(struct dr_buf){ RIG_DATA, 8, true }, 1) == 8);
	rig_fini(&rig);
}

/* Row 8: a request as large as RAM takes no memory of ours, and gets a short answer. */
static void test_threat_08_large_request(void **state)
{
	struct dr_buf buf = { RIG_DATA, RIG_RAM - RIG_DATA, true };
	struct rusage before, after;
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, 0);
	memset(rig_at(&rig, RIG_DATA), 0, RIG_RAM - RIG_DATA);
	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rig_do(&rig, 0, &buf, 1), CHAIN_MAX);
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
	assert_true(after.ru_maxrss - before.ru_maxrss < 2048);
	rig_fini(&rig);
}

/* Row 8: a full ring of large requests is served over several turns of the loop. */
static void test_threat_08_bounded_turn(void **state)
{
	struct dr_buf buf = { RIG_DATA, 1 << 20, true };
	unsigned turns = 0;
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, 0);
	for (unsigned i = 0; i < 64; i++)
		rig_offer(&rig, 0, (uint16_t)i, &buf, 1);
	while (loop_turn(rig.loop, 0) > 0) {
		turns++;
		assert_true(dr_used_idx(&rig.ring[0]) <= turns * 4);
	}
	assert_int_equal(dr_used_idx(&rig.ring[0]), 64);
	assert_true(turns >= 16);
	rig_fini(&rig);
}

/* Rows 9 and 26: chains without a byte to fill come back at once. */
static void test_threat_09_26_zero_sizes(void **state)
{
	struct dr_buf bufs[64];
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, 0);
	for (unsigned i = 0; i < 64; i++)
		bufs[i] = (struct dr_buf){ RIG_DATA, 0, i > 20 };
	assert_int_equal(rig_do(&rig, 0, bufs, 64), 0);
	bufs[0].len = 10;
	assert_int_equal(rig_do(&rig, 0, bufs, 1), 0);
	for (unsigned i = 0; i < 64; i++)
		rig_offer(&rig, 0, (uint16_t)i, &(struct dr_buf){ RIG_DATA, 0, true }, 1);
	rig_settle(&rig);
	assert_int_equal(dr_used_idx(&rig.ring[0]), 66);
	assert_false(rig_broken(&rig));
	rig_fini(&rig);
}

/* Rows 5 and 6: what is not RAM is refused whole. */
static void test_threat_05_06_lengths(void **state)
{
	static const struct dr_buf bad[] = {
		{ RIG_DATA, RIG_RAM - RIG_DATA + 1, true },
		{ RIG_DATA, 0x80000000, true },
		{ RIG_DATA, 0xffffffff, true },
		{ RIG_RAM, 1, true },
		{ UINT64_MAX, 2, true },
	};
	struct dev_rig rig;

	(void)state;
	open_bench(&rig, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		rig_offer(&rig, 0, 0, &bad[i], 1);
		rig_settle(&rig);
		assert_true(rig_broken(&rig));
		assert_int_equal(dr_used_idx(&rig.ring[0]), 0);
		rig_start(&rig, 0, 1);
	}
	assert_int_equal(rig_do(&rig, 0, &(struct dr_buf){ RIG_DATA, 8, true }, 1), 8);
	rig_fini(&rig);
}

static int create(struct dev_rig *rig, struct virtio_dev **dev)
{
	return virtio_rng_create(rig->mem, rig->loop, dev);
}

/* Row 12: creation that fails at each descriptor leaves nothing open. */
static void test_threat_12_create_fails(void **state)
{
	(void)state;
	rig_create_fails(create);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(fills_all_sizes),
		cmocka_unit_test(differs_each_time),
		cmocka_unit_test(many_pieces_and_readable_ones),
		cmocka_unit_test(limited),
		cmocka_unit_test(poor_host),
		cmocka_unit_test(test_threat_08_large_request),
		cmocka_unit_test(test_threat_08_bounded_turn),
		cmocka_unit_test(test_threat_09_26_zero_sizes),
		cmocka_unit_test(test_threat_05_06_lengths),
		cmocka_unit_test(test_threat_12_create_fails),
	};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
