/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many rounds of a guest whose first CPU drives a device on the bench while a second one (tests/lib/flipper.h)
 * changes what the device looks at.
 */
#ifndef TESTS_LIB_STORM_H
#define TESTS_LIB_STORM_H

#include "tests/lib/flipper.h"

enum { STORM_TABLE = RIG_DATA + 0x8000 }; /* where indirect tables lie */

/* What the test does as the guest's first CPU in one round. */
typedef void (*storm_fn)(void *opaque, unsigned round);

struct storm {
	struct dev_rig *rig;
	uint64_t features;
	unsigned queues;
	storm_fn round;
	void *opaque;
};

/*
 * Offers the chain in queue @queue, as a table or from one of two descriptors, as @round has it, and rings the
 * doorbell.
 */
void storm_offer(const struct storm *storm, unsigned queue, const struct dr_buf *bufs,
		 unsigned count, unsigned round);

/*
 * The rounds, with a fresh start whenever the device has given up. Some rounds break it and some do not; each turn
 * of the loop ends; at the end it is started for an honest driver.
 */
void storm_run(const struct storm *storm, struct flipper *f);

#endif
