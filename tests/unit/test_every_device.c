/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every virtio device has to stand: features left out, rings of all sizes, resets in flight, and a loop
 * that rests. The devices are the rows of one table; how each is made and driven is tests/lib/bench.h's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/bench.h"

static const struct bench_kind *const kinds[] = {
	&bench_blk,   &bench_blk_ro,  &bench_net,  &bench_rng, &bench_console,
	&bench_vsock, &bench_balloon, &bench_pmem, &bench_fs,
};

enum { TIMES = 3 }; /* that each driver drives */

/* The tap's questions to its file: all well. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

static void drive_with(struct bench *b, uint64_t features)
{
	bench_start(b, features);
	for (unsigned i = 0; i < TIMES; i++)
		bench_drive(b);
}

static void refuses(struct bench *b, uint64_t features)
{
	assert_false(dr_negotiate(b->rig->dev, features));
	assert_false(virtio_status(b->rig->dev) & VIRTIO_S_FEATURES_OK);
	virtio_set_status(b->rig->dev, virtio_status(b->rig->dev) | VIRTIO_S_DRIVER_OK);
	assert_false(virtio_status(b->rig->dev) & VIRTIO_S_DRIVER_OK);
}

/*
 * Every bit left out with all that needs it; left out alone, as a careless driver does; taken alone with what it
 * needs; and none. Without VERSION_1, or with a bit that is not offered, there is no agreement.
 */
static void features(void **state)
{
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		bench_open(&b, kinds[i]);

		const uint64_t all = b.rig->dev->features;
		unsigned bits = 0;

		for (unsigned n = 0; n < 64; n++) {
			const uint64_t bit = UINT64_C(1) << n;

			if (bit == VIRTIO_F_VERSION_1)
				continue;
			if (!(all & bit)) {
				refuses(&b, all | bit);
				continue;
			}
			drive_with(&b, bench_without(kinds[i], all, bit));
			drive_with(&b, all & ~bit);
			drive_with(&b, bench_alone(kinds[i], bit));
			bits++;
		}
		refuses(&b, all & ~VIRTIO_F_VERSION_1);
		refuses(&b, 0);
		drive_with(&b, 0);
		drive_with(&b, all);
		assert_true(bits >= 2); /* at least those that every device has */
		print_message("%s: %u features\n", kinds[i]->name, bits);
		bench_close(&b);
	}
}

static void ring_sizes(void **state)
{
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		bench_open(&b, kinds[i]);

		const uint32_t most = virtio_queue_num_max(b.rig->dev, 0);

		assert_true(most > 0 && most <= VQ_MAX_SIZE);
		for (unsigned size = 1; size <= most; size *= 2) {
			b.rig->ring_size = size;
			drive_with(&b, b.rig->dev->features);
		}
		/* Rings that wrap many times. */
		b.rig->ring_size = 2;
		bench_start(&b, b.rig->dev->features);
		for (unsigned n = 0; n < 100; n++)
			bench_drive(&b);
		bench_close(&b);
	}
}

/* Whether a driver that resets in the flight of request @at got that far. */
static bool cut_at(struct bench *b, unsigned at, unsigned turns)
{
	bench_start(b, b->rig->dev->features);
	b->cut_at = (int)at;
	b->turns = turns;
	if (setjmp(b->cut) == 0) {
		bench_drive(b);
		b->cut_at = -1;
		return false;
	}
	b->cut_at = -1;
	return true;
}

/* Row 11: a reset in the flight of each request, before the device has seen it and after; then all is as at first. */
static void test_threat_11_reset_in_every_flight(void **state)
{
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		unsigned cuts = 0;

		bench_open(&b, kinds[i]);
		for (unsigned turns = 0; turns < 3; turns++) {
			for (unsigned at = 0; cut_at(&b, at, turns); at++) {
				drive_with(&b, b.rig->dev->features);
				cuts++;
			}
		}
		assert_true(cuts >= 3);
		print_message("%s: %u resets\n", kinds[i]->name, cuts);
		bench_close(&b);
	}
}

/* The loop stands still while requests come in, or are under way: nothing happens, and nothing is lost. */
static void loop_rests(void **state)
{
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		bench_open(&b, kinds[i]);
		b.rests = true;
		for (b.turns = 0; b.turns < 3; b.turns++)
			drive_with(&b, b.rig->dev->features);
		bench_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features),
		cmocka_unit_test(ring_sizes),
		cmocka_unit_test(test_threat_11_reset_in_every_flight),
		cmocka_unit_test(loop_rests),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(500); /* a hang is a failure, too */
	return cmocka_run_group_tests_name("every_device", tests, NULL, NULL);
}
