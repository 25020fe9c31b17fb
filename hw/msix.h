/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSI-X of one PCI function (PCI Local Bus Specification 3.0, section 6.8.2): the table of vectors that the
 * guest writes, masks, pending bits. What the table says is the guest's word: addresses and data go to
 * the board's port (struct msi_port), which judges them.
 *
 * Owned by the thread of the function's loop; no locks.
 */
#ifndef HW_MSIX_H
#define HW_MSIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/irq.h"

enum {
	MSIX_MAX = 32,	 /* vectors of a function: one word of pending bits */
	MSIX_ENTRY = 16, /* bytes of the table for each */

	/* Message control, a word of the capability in configuration space. */
	MSIX_CONTROL_ENABLE = 1 << 15,
	MSIX_CONTROL_MASK = 1 << 14,
};

struct msix_vector {
	uint64_t address;
	uint32_t data;
	bool masked;
};

struct msix {
	struct msi_port *port;
	unsigned vectors;
	bool enabled; /* by message control */
	bool masked;  /* the whole function */
	bool master;  /* the function may write to memory at all (command register) */
	uint32_t pending;
	struct msix_vector table[MSIX_MAX];
};

/* All of @vectors (1 to MSIX_MAX) masked, MSI-X off. @port outlives @msix. */
void msix_init(struct msix *msix, unsigned vectors, struct msi_port *port);

/*
 * The guest wrote message control, or the command register: @master is whether the function may send at all.
 * What waited and may go now is sent. Off, everything that waited is forgotten.
 */
void msix_control(struct msix *msix, uint16_t control, bool master);

/*
 * The guest's accesses to table and pending bits, at @offset from their beginnings. Aligned ones of 4 or 8
 * bytes (6.8.2); others read as ones and write nothing, and so do those behind the end.
 */
void msix_read_table(const struct msix *msix, uint64_t offset, void *data, size_t len);
void msix_write_table(struct msix *msix, uint64_t offset, const void *data, size_t len);
void msix_read_pending(const struct msix *msix, uint64_t offset, void *data, size_t len);

/* Sends the message of @vector, or notes that it waits while something masks it. Ignored while off. */
void msix_raise(struct msix *msix, unsigned vector);

/* Nothing waits any more: the device behind it was reset. */
void msix_forget(struct msix *msix);

#endif
