/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a riscv instruction leads: for single steps on a KVM that has none. */
#ifndef ARCH_RISCV_STEP_H
#define ARCH_RISCV_STEP_H

#include <stdint.h>

/* What the next address can depend on. */
struct riscv_step {
	uint64_t pc;
	uint64_t x[32]; /* x[0] is 0 */
	uint64_t sepc;
	uint64_t stvec;
	uint64_t user; /* 1: in user mode, where ecall goes to the guest's kernel */
};

/* The address after instruction @insn (its low 16 bits, if it is a short one) at @step->pc. */
uint64_t riscv_next_pc(const struct riscv_step *step, uint32_t insn);

#endif
