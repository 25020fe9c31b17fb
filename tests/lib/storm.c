/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds of a driver beside a CPU that changes what the device looks at. */
#include "tests/lib/storm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	ROUNDS = 3000,
	TURNS = 8, /* of the loop in a round */
};

/* A few turns: the flipper can keep a device busy for ever, as a guest can. */
static void turn(struct dev_rig *rig)
{
	for (unsigned i = 0; i < TURNS; i++) {
		int n = loop_turn(rig->loop, 0);

		assert_true(n >= 0);
		if (n == 0)
			return;
	}
}

void storm_offer(const struct storm *storm, unsigned queue, const struct dr_buf *bufs,
		 unsigned count, unsigned round)
{
	struct driver_ring *ring = &storm->rig->ring[queue];

	if (round % 3 == 2)
		dr_offer(ring, dr_indirect(ring, 0, gpa(STORM_TABLE), bufs, count));
	else
		dr_offer(ring, dr_chain(ring, (uint16_t)(round % 2 * 4), bufs, count));
	virtio_kick(storm->rig->dev, queue);
}

/* As rig_start, but the flipper may break the device again at any moment. */
static void restart(const struct storm *storm)
{
	struct dev_rig *rig = storm->rig;

	assert_true(dr_negotiate(rig->dev, rig->features));
	for (unsigned i = 0; i < storm->queues; i++) {
		dr_init(&rig->ring[i], rig->mem, rig->ring[i].desc, (uint16_t)rig->ring_size);
		assert_true(dr_setup_queue(rig->dev, i, &rig->ring[i]));
	}
	(void)dr_driver_ok(rig->dev);
}

void storm_run(const struct storm *storm, struct flipper *f)
{
	unsigned broken = 0, i;
	uint32_t seed = 7;

	flipper_start(f);
	for (i = 0; i < ROUNDS; i++) {
		storm->round(storm->opaque, i);
		if (i % 4 == 0)
			flipper_flip(f, &seed); /* wherever there is but one processor */
		turn(storm->rig);
		if (rig_broken(storm->rig)) {
			broken++;
			restart(storm);
		}
	}
	print_message("%llu stores, %u times broken in %u rounds\n", flipper_stop(f), broken, i);
	assert_true(broken > 0 && broken < i);
	rig_start(storm->rig, storm->features, storm->queues);
	assert_false(rig_broken(storm->rig));
}
