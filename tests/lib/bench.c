/* SPDX-License-Identifier: BSD-2-Clause */
/* Any virtio device on a bench: the driver that all kinds of devices share. */
#include "tests/lib/bench.h"

#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>

enum {
	TABLES = 0x90000,   /* indirect tables, TABLES_OF bytes for each queue */
	TABLES_OF = 0x8000, /* up to RIG_DATA */
	TABLE_SIZE = 0x100, /* of 16 descriptors */
	REST_NS = 500 * 1000,
};

void bench_open(struct bench *b, const struct bench_kind *kind)
{
	*b = (struct bench){ .kind = kind, .cut_at = -1 };
	kind->open(b);
	assert_non_null(b->rig);
}

void bench_close(struct bench *b)
{
	b->kind->close(b);
}

void bench_start(struct bench *b, uint64_t features)
{
	rig_start(b->rig, features, b->kind->queues(features | VIRTIO_F_VERSION_1));
	b->fresh = true;
	b->steps = 0;
}

void bench_drive(struct bench *b)
{
	b->kind->drive(b);
	b->fresh = false;
	assert_false(rig_broken(b->rig));
}

uint64_t bench_without(const struct bench_kind *kind, uint64_t features, uint64_t bit)
{
	features &= ~bit;
	for (const struct bench_need *need = kind->needs; need->bit; need++) {
		if ((features & need->bit) && (bit & need->needs))
			features = bench_without(kind, features, need->bit);
	}
	return features;
}

uint64_t bench_alone(const struct bench_kind *kind, uint64_t bit)
{
	uint64_t features = bit;

	for (const struct bench_need *need = kind->needs; need->bit; need++) {
		if (need->bit & bit)
			features |= bench_alone(kind, need->needs);
	}
	return features;
}

void bench_offer(struct bench *b, unsigned queue, uint16_t first, const struct dr_buf *bufs,
		 unsigned count)
{
	struct driver_ring *ring = &b->rig->ring[queue];
	const gpa_t table = gpa(TABLES + queue * TABLES_OF + first % 128U * TABLE_SIZE);

	if (count > 1 && (b->rig->features & VIRTIO_F_INDIRECT_DESC))
		rig_offer_head(b->rig, queue, dr_indirect(ring, first, table, bufs, count));
	else
		rig_offer(b->rig, queue, first, bufs, count);
}

static void turn(struct bench *b)
{
	for (unsigned i = 0; i < b->turns; i++)
		assert_true(loop_turn(b->rig->loop, 0) >= 0);
}

static void note_used(struct bench *b, uint16_t used[RIG_QUEUES])
{
	for (unsigned i = 0; i < RIG_QUEUES; i++)
		used[i] = i < b->kind->queues(b->rig->features) ? dr_used_idx(&b->rig->ring[i]) : 0;
}

/* While the loop rests nothing reaches the guest: no used entry (but of others' rings), no interrupt. */
static void rest(struct bench *b)
{
	const struct timespec moment = { .tv_nsec = REST_NS };
	uint16_t before[RIG_QUEUES], after[RIG_QUEUES];
	unsigned pulses;

	turn(b);
	pulses = atomic_load(&b->rig->irq.pulses);
	note_used(b, before);
	(void)nanosleep(&moment, NULL);
	note_used(b, after);
	assert_int_equal(atomic_load(&b->rig->irq.pulses), pulses);
	if (!b->kind->serve)
		assert_memory_equal(before, after, sizeof(before));
}

/* The driver resets while the device may have the request: from then on it touches nothing. */
static void cut(struct bench *b)
{
	uint16_t before[RIG_QUEUES], after[RIG_QUEUES];
	unsigned pulses;

	turn(b);
	rig_reset(b->rig);
	pulses = atomic_load(&b->rig->irq.pulses);
	note_used(b, before);
	rig_settle(b->rig);
	note_used(b, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(atomic_load(&b->rig->irq.pulses), pulses);
	assert_int_equal(virtio_isr_read(b->rig->dev), 0);
	longjmp(b->cut, 1);
}

void bench_await(struct bench *b, unsigned queue, uint32_t *id, uint32_t *len)
{
	if (b->cut_at == (int)b->steps++)
		cut(b);
	if (b->kind->serve)
		b->kind->serve(b, queue);
	if (b->rests)
		rest(b);
	rig_used(b->rig, queue, id, len);
}

uint32_t bench_do(struct bench *b, unsigned queue, const struct dr_buf *bufs, unsigned count)
{
	uint32_t id, len;

	bench_offer(b, queue, 0, bufs, count);
	bench_await(b, queue, &id, &len);
	assert_int_equal(id, 0);
	return len;
}
