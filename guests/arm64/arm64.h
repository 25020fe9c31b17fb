/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share. */
#ifndef GUESTS_ARM64_ARM64_H
#define GUESTS_ARM64_ARM64_H

#include "dt/board.h"
#include "lib/fdt.h"
#include "lib/types.h"

#define read_sysreg(name)                                                   \
	({                                                                  \
		u64 v_;                                                     \
		__asm__ volatile("mrs %0, " #name : "=r"(v_) : : "memory"); \
		v_;                                                         \
	})
#define write_sysreg(name, value) \
	__asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((u64)(value)) : "memory")

/* Saved by the entries in start.S; only x0 to x30 are put back. */
struct frame {
	u64 x[31];
	u64 kind; /* 0 to 15: which of the vector table's entries */
};

/* start.S calls these, and those of dt/board.h. */
void exception(struct frame *frame);
void interrupt(void);

/* gic.c: the distributor once, each processor's own part. */
void gic_init(void);
void gic_init_cpu(void);

/* smp.c */
u64 psci(u64 function, u64 a, u64 b, u64 c);

#endif
