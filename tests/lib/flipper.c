/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that changes what a device looks at. */
#include "tests/lib/flipper.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sched.h>

void flipper_area(struct flipper *f, struct dev_rig *rig, uint64_t at, uint32_t len)
{
	assert_true(f->count < FLIPPER_AREAS && len > 0);
	f->areas[f->count].at = rig_at(rig, at);
	f->areas[f->count++].len = len;
}

void flipper_rings(struct flipper *f, struct dev_rig *rig, unsigned queues)
{
	for (unsigned i = 0; i < queues; i++) {
		const struct driver_ring *ring = &rig->ring[i];

		flipper_area(f, rig, ring->desc.v, 8 * 16); /* the first descriptors */
		flipper_area(f, rig, ring->avail.v, 4 + 2 * 8);
	}
}

/*
 * Like a vCPU, not seen by the thread sanitizer: guest memory is written without order by design. Mostly
 * one bit or a small number, so that much of what the device finds is nearly right; and back again, so
 * that a copy and a second look would differ.
 */
__attribute__((no_sanitize("thread"))) void flipper_flip(struct flipper *f, uint32_t *seed)
{
	static const uint8_t bytes[] = { 0, 1, 2, 3, 4, 8, 15, 16, 0x7f, 0x80, 0xff };

	for (unsigned i = 0; i < 32; i++) {
		uint32_t r = *seed = *seed * 1664525 + 1013904223;
		unsigned area = (r >> 24) % f->count;
		volatile uint8_t *at = f->areas[area].at + (r >> 4) % f->areas[area].len;
		uint8_t before = *at;

		if (r & 8)
			*at = bytes[(r >> 12) % sizeof(bytes)];
		else
			*at = (uint8_t)(before ^ (uint8_t)(1U << (r & 7)));
		if (r >> 30)
			*at = before;
	}
}

static void *run(void *arg)
{
	struct flipper *f = arg;
	uint32_t seed = 1;

	while (!atomic_load(&f->stop)) {
		flipper_flip(f, &seed);
		if (atomic_fetch_add(&f->stores, 32) % 4096 == 0)
			sched_yield(); /* one processor may be all there is */
	}
	return NULL;
}

void flipper_start(struct flipper *f)
{
	assert_true(f->count > 0);
	assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

unsigned long long flipper_stop(struct flipper *f)
{
	atomic_store(&f->stop, true);
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	return atomic_load(&f->stores);
}
