/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pvpanic device: one register of a byte by which a guest's kernel tells of its panic (the
 * interface of docs/specs/pvpanic of the QEMU project, which Linux's pvpanic-mmio drives).
 *
 * A read returns the events that may be told, as bits. A write tells those among its bits that
 * exist; others are ignored. The device has no state and needs no lock.
 */
#ifndef HW_PVPANIC_H
#define HW_PVPANIC_H

#include "hw/bus.h"

enum {
	PVPANIC_SIZE = 1,
	PVPANIC_PANICKED = 1,	  /* the guest's kernel panicked and does nothing more about it */
	PVPANIC_CRASH_LOADED = 2, /* it panicked and its own crash kernel runs now */
	PVPANIC_EVENTS = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED,
};

struct pvpanic;

/*
 * A device in *@out, owned by the caller (pvpanic_destroy, after the bus), on @bus at @base of
 * @space. @fn is called with the bits that were told, on the vCPU's thread, perhaps on several at
 * once and more than once. 0 or -errno.
 */
int pvpanic_create(struct bus *bus, enum bus_space space, uint64_t base,
		   void (*fn)(void *opaque, unsigned int events), void *opaque,
		   struct pvpanic **out);
void pvpanic_destroy(struct pvpanic *pvpanic);

#endif
