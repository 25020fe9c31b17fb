/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform-level interrupt controller of RISC-V (RISC-V Platform-Level Interrupt Controller
 * Specification 1.0.0), for hosts whose KVM has no interrupt controller of its own.
 *
 * Sources are numbered from 1, contexts (here one for each hart: its supervisor mode) from 0.
 * Priorities and thresholds have 3 bits. Registers take aligned accesses of 4 bytes; others read as
 * zero and write nothing. Where the specification leaves a choice, docs/devices/plic.md tells ours.
 *
 * Registers are touched by vCPU threads and lines by any thread, so the controller has a lock of its
 * own (LOCK_RANK_IRQ): a device may drive its line with its own lock held.
 */
#ifndef HW_PLIC_H
#define HW_PLIC_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/bus.h"
#include "hw/irq.h"

enum {
	PLIC_SIZE = 0x4000000, /* bytes of its window, as the specification lays it out */
	PLIC_MAX_SOURCES = 1023,
	PLIC_MAX_CONTEXTS = 15872,
	PLIC_MAX_PRIORITY = 7,
};

struct plic;

/*
 * The interrupt pin of @context rises or falls. Called only on changes, with the controller's lock
 * held, so in the order in which they happened; it takes no lock of a rank below LOCK_RANK_MEMORY.
 */
typedef void (*plic_drive_fn)(void *opaque, unsigned context, bool level);

/*
 * A controller with sources 1 to @sources and contexts 0 to @contexts - 1 in *@out, on @bus (MMIO) at
 * @base; owned by the caller (plic_destroy, after the bus and all threads are at rest). 0, -EINVAL
 * (a number out of range), -ENOMEM, or what bus_add says.
 */
int plic_create(struct bus *bus, uint64_t base, unsigned sources, unsigned contexts,
		plic_drive_fn drive, void *opaque, struct plic **out);

/* NULL is allowed. */
void plic_destroy(struct plic *plic);

/*
 * The line of @source, 1 to @sources: level driven (irq_set) and for edges (irq_pulse). A pulse
 * while its source is in service is kept: it interrupts again after completion. A source is used one
 * way or the other. Any thread.
 */
void plic_line(struct plic *plic, unsigned source, struct irq_line *line);

#endif
