/* SPDX-License-Identifier: BSD-2-Clause */
/* On the bench: devices with little to ask: entropy, a balloon, persistent memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/bench.h"
#include "virtio/devices.h"

static struct dev_rig *new_rig(struct bench *b)
{
	b->rig = calloc(1, sizeof(*b->rig));
	assert_non_null(b->rig);
	rig_init(b->rig);
	return b->rig;
}

static void close_rig(struct bench *b)
{
	rig_fini(b->rig);
	free(b->rig);
}

static unsigned one_queue(uint64_t features)
{
	(void)features;
	return 1;
}

/* Entropy. */

static void rng_open(struct bench *b)
{
	struct dev_rig *rig = new_rig(b);

	assert_int_equal(virtio_rng_create(rig->mem, rig->loop, &rig->dev), 0);
}

static void rng_drive(struct bench *b)
{
	static const uint8_t none[32];
	const struct dr_buf bufs[] = { { RIG_DATA, 32, true }, { RIG_DATA + 0x1000, 100, true } };

	memset(rig_at(b->rig, RIG_DATA), 0, 32);
	assert_int_equal(bench_do(b, 0, bufs, b->rig->ring_size > 1 ? 2 : 1),
			 b->rig->ring_size > 1 ? 132 : 32);
	assert_memory_not_equal(rig_at(b->rig, RIG_DATA), none, 32);
}

const struct bench_kind bench_rng = {
	.name = "rng",
	.open = rng_open,
	.close = close_rig,
	.queues = one_queue,
	.drive = rng_drive,
};

/* The balloon. */

#define BALLOON_STATS	  (UINT64_C(1) << 1)
#define BALLOON_POISON	  (UINT64_C(1) << 4)
#define BALLOON_REPORTING (UINT64_C(1) << 5)

enum {
	INFLATE = 0,
	DEFLATE = 1,
	STATS = 2,
	LIST = RIG_DATA,
	STAT = RIG_DATA + 0x1000,
	PAGE_SIZE = 4096,
	PAGE = RIG_DATA + 0x10000,
};

static void balloon_open(struct bench *b)
{
	struct dev_rig *rig = new_rig(b);

	assert_int_equal(virtio_balloon_create(rig->mem, rig->loop, &rig->dev), 0);
}

/* As Linux numbers them: those that were agreed on, one after another. */
static unsigned balloon_queues(uint64_t features)
{
	return 2U + ((features & BALLOON_STATS) != 0) + ((features & BALLOON_REPORTING) != 0);
}

static uint8_t first_of(struct bench *b, uint64_t page)
{
	return *rig_at(b->rig, page);
}

static void balloon_pages(struct bench *b, unsigned queue)
{
	memset(rig_at(b->rig, PAGE), 0x5a, 2 * PAGE_SIZE);
	le32_store(rig_at(b->rig, LIST), PAGE / PAGE_SIZE);
	assert_int_equal(bench_do(b, queue, &(struct dr_buf){ LIST, 4, false }, 1), 0);
	assert_int_equal(first_of(b, PAGE), queue == INFLATE ? 0 : 0x5a);
	assert_int_equal(first_of(b, PAGE + PAGE_SIZE), 0x5a);
}

/* The driver's buffer of statistics stays with the device until somebody wants to know. */
static void balloon_stats(struct bench *b)
{
	const struct dr_buf buf = { STAT, 10, false };
	struct virtio_balloon_info info;
	uint32_t id;

	le16_store(rig_at(b->rig, STAT), 4);
	le64_store(rig_at(b->rig, STAT + 2), 4711);
	if (b->fresh)
		bench_offer(b, STATS, 0, &buf, 1);
	rig_settle(b->rig);
	virtio_balloon_look(b->rig->dev, &info);
	bench_await(b, STATS, &id, NULL);
	assert_int_equal(id, 0);
	bench_offer(b, STATS, 0, &buf, 1);
	rig_settle(b->rig);
	assert_int_equal(info.stats_known, 1 << 4);
	assert_true(info.stats[4] == 4711);
}

static void balloon_report(struct bench *b)
{
	const unsigned queue = balloon_queues(b->rig->features) - 1;

	memset(rig_at(b->rig, PAGE), 0x5a, 2 * PAGE_SIZE);
	(void)bench_do(b, queue, &(struct dr_buf){ PAGE, PAGE_SIZE, true }, 1);
	assert_int_equal(first_of(b, PAGE), 0);
	assert_int_equal(first_of(b, PAGE + PAGE_SIZE), 0x5a);
}

static void balloon_drive(struct bench *b)
{
	balloon_pages(b, INFLATE);
	balloon_pages(b, DEFLATE);
	if (b->rig->features & BALLOON_STATS)
		balloon_stats(b);
	if (b->rig->features & BALLOON_REPORTING)
		balloon_report(b);
}

const struct bench_kind bench_balloon = {
	.name = "balloon",
	.open = balloon_open,
	.close = close_rig,
	.queues = balloon_queues,
	.drive = balloon_drive,
};

/* Persistent memory. */

static void pmem_open(struct bench *b)
{
	struct dev_rig *rig = new_rig(b);

	assert_int_equal(virtio_pmem_create(UINT64_C(1) << 32, 2 << 20, 0, rig->mem, rig->loop,
					    &rig->dev),
			 0);
}

static void pmem_drive(struct bench *b)
{
	const struct dr_buf bufs[] = { { RIG_DATA, 4, false }, { RIG_DATA + 64, 4, true } };

	le32_store(rig_at(b->rig, RIG_DATA), 0);
	memset(rig_at(b->rig, RIG_DATA + 64), 0x5a, 4);
	assert_int_equal(bench_do(b, 0, bufs, 2), 4);
	assert_int_equal(le32_load(rig_at(b->rig, RIG_DATA + 64)), 0);
}

const struct bench_kind bench_pmem = {
	.name = "pmem",
	.open = pmem_open,
	.close = close_rig,
	.queues = one_queue,
	.drive = pmem_drive,
};
