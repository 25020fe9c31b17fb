/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real time clock of the Goldfish platform (Android emulator, docs/GOLDFISH-VIRTUAL-HARDWARE.TXT,
 * "Goldfish timer device"): nanoseconds since 1970, and an alarm. The clock of riscv64 guests, whose
 * stock kernels have its driver built in.
 *
 * Registers of 32 bits in a page; other sizes read as zero and are not written. It follows the host's
 * wall clock: a guest that sets it moves its distance.
 *
 * Registers are touched by vCPU threads, the alarm comes on the loop's thread: the clock has a lock
 * of its own (LOCK_RANK_DEVICE).
 */
#ifndef HW_GOLDFISH_RTC_H
#define HW_GOLDFISH_RTC_H

#include <stdint.h>

#include "hw/bus.h"
#include "hw/irq.h"
#include "hw/loop.h"

enum { GOLDFISH_RTC_SIZE = 0x1000 }; /* bytes of its window */

struct goldfish_rtc;

/* Nanoseconds since 1970. Any thread. */
typedef uint64_t (*goldfish_now_fn)(void *opaque);

/* CLOCK_REALTIME, for goldfish_rtc_create. */
uint64_t goldfish_host_clock(void *opaque);

/*
 * A clock in *@out, owned by the caller (goldfish_rtc_destroy, with loop and vCPUs at rest), on @bus
 * at @base of its memory. @irq is level driven (irq_set) and called with the clock's lock held. 0 or
 * -errno.
 */
int goldfish_rtc_create(struct loop *loop, struct bus *bus, uint64_t base, struct irq_line *irq,
			goldfish_now_fn now, void *opaque, struct goldfish_rtc **out);

/* NULL is allowed. */
void goldfish_rtc_destroy(struct goldfish_rtc *rtc);

#endif
