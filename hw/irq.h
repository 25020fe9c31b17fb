/* SPDX-License-Identifier: BSD-2-Clause */
/* An interrupt line as a device sees it: a function and a pointer, no hypervisor. */
#ifndef HW_IRQ_H
#define HW_IRQ_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A line is owned by the board and outlives the device. Both calls may be made from any thread.
 * set: drives a level-triggered line; the device keeps it high while it has a reason.
 * pulse: one edge; used by virtio (an irqfd in hvrun, a call eventfd in a vhost-user back-end).
 * A line may implement only one of them; which one a device uses is in its header.
 */
struct irq_line {
	void (*set)(struct irq_line *line, bool level);
	void (*pulse)(struct irq_line *line);
	void *opaque; /* of the board */
	int eventfd;  /* for pulse by eventfd, else -1 */
	unsigned gsi; /* number on the board, for messages and tables */
};

/*
 * Where interrupts go that are messages (MSI): a store of @data at @address, both as the guest chose them; the
 * board judges whether that is an interrupt at all, and what is none vanishes. Owned by the board,
 * outlives the device. On the thread of the device's loop.
 */
struct msi_port {
	void (*send)(struct msi_port *port, uint64_t address, uint32_t data);
	void *opaque; /* of the board */
};

static inline void irq_set(struct irq_line *line, bool level)
{
	line->set(line, level);
}

static inline void irq_pulse(struct irq_line *line)
{
	line->pulse(line);
}

#endif
