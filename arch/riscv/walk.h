/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables on riscv: Sv39, Sv48, Sv57. */
#ifndef ARCH_RISCV_WALK_H
#define ARCH_RISCV_WALK_H

#include "arch/debug.h"

/*
 * Where @address leads with register satp at @satp (RISC-V Privileged, "Supervisor Address Translation
 * and Protection"). At most five entries are read, whatever is in them. 0, or -EFAULT: not mapped, not
 * canonical, a superpage that is not aligned, or a table outside RAM.
 *
 * With translation off addresses are physical ones, but for those at which Linux is linked to run: they lead
 * into its image, so that a debugger that knows only these can set breakpoints before there are tables.
 */
int riscv_walk(const struct guest_mem *mem, uint64_t satp, uint64_t address,
	       struct arch_place *place);

#endif
