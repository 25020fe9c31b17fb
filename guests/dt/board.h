/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boards that a device tree describes, arm64's and riscv's: all of them but the processor and its
 * interrupt controller is the same, and so is dt/board.c.
 */
#ifndef GUESTS_DT_BOARD_H
#define GUESTS_DT_BOARD_H

#include "lib/types.h"

enum { MAX_CPUS = 64, STATUS_EXCEPTION = 120, STATUS_BAD_HOST = 121, STATUS_BAD_GUEST = 122 };

/* start.S calls these of the architecture's: the first processor comes with the device tree. */
_Noreturn void plat_start(const u8 *tree);
_Noreturn void plat_cpu_main(u32 cpu);

/* What an architecture says of its board: the map of arch/ARCH/layout.h. */
struct board {
	uptr virtio_base; /* of the first window; the others follow */
	u32 virtio_irq;	  /* of that window, as the controller counts */
};
extern const struct board board;

/* The interrupt of node number N whose name begins with PREFIX, as the controller counts: the architecture's. */
u32 board_irq(const char *prefix, u32 n);

/* Reads the tree and looks whether it says what struct board does. */
void board_init(const u8 *tree);

#endif
