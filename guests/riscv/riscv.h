/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share. */
#ifndef GUESTS_RISCV_RISCV_H
#define GUESTS_RISCV_RISCV_H

#include "dt/board.h"
#include "lib/fdt.h"
#include "lib/types.h"

#define read_csr(name)                                                       \
	({                                                                   \
		u64 v_;                                                      \
		__asm__ volatile("csrr %0, " #name : "=r"(v_) : : "memory"); \
		v_;                                                          \
	})
#define write_csr(name, value) \
	__asm__ volatile("csrw " #name ", %0" : : "r"((u64)(value)) : "memory")
#define set_csr(name, bits)   __asm__ volatile("csrs " #name ", %0" : : "r"((u64)(bits)) : "memory")
#define clear_csr(name, bits) __asm__ volatile("csrc " #name ", %0" : : "r"((u64)(bits)) : "memory")

enum {
	IRQ_TIMER = 5,
	IRQ_EXTERNAL = 9,
};

extern u64 boot_hart;

/* start.S calls these, and those of dt/board.h. */
u64 trap(u64 cause, u64 pc, u64 address);

/* intc.c: interrupt CAUSE of this hart. */
void interrupt(u64 cause);

/* smp.c: a call of the host's firmware interface: whether it answers with an error. */
bool sbi(u64 extension, u64 function, u64 a, u64 b, u64 c);

#endif
