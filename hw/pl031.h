/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PL031 real time clock (ARM DDI 0224, PrimeCell RTC): seconds since 1970, and an alarm.
 *
 * Registers of 32 bits in a page; other sizes read as zero and are not written. The clock runs
 * from the start, as firmware leaves it, and cannot be stopped. It follows the host's wall clock: a
 * guest that sets it moves its distance. The alarm comes when the counter reaches the match register;
 * a match register in the past is reached after the counter has wrapped, as in the chip.
 *
 * Registers are touched by vCPU threads, the alarm comes on the loop's thread: the clock has a lock
 * of its own (LOCK_RANK_DEVICE).
 */
#ifndef HW_PL031_H
#define HW_PL031_H

#include <stdint.h>

#include "hw/bus.h"
#include "hw/irq.h"
#include "hw/loop.h"

enum {
	PL031_SIZE = 0x1000,	     /* bytes of its window */
	PL031_PERIPHID = 0x00041031, /* its identification registers 0 to 3, as one number */
};

struct pl031;

/* Nanoseconds since 1970. Any thread. */
typedef uint64_t (*pl031_now_fn)(void *opaque);

/* CLOCK_REALTIME, for pl031_create. */
uint64_t pl031_host_clock(void *opaque);

/*
 * A clock in *@out, owned by the caller (pl031_destroy, with loop and vCPUs at rest), on @bus at @base
 * of its memory. @irq is level driven (irq_set) and called with the clock's lock held. 0 or -errno.
 */
int pl031_create(struct loop *loop, struct bus *bus, uint64_t base, struct irq_line *irq,
		 pl031_now_fn now, void *opaque, struct pl031 **out);

/* NULL is allowed. */
void pl031_destroy(struct pl031 *pl031);

#endif
