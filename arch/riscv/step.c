/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a riscv instruction leads (RISC-V Unprivileged, RV64I and C; Privileged, sret). All that is no
 * jump, branch or trap leads to what follows it.
 */
#include "arch/riscv/step.h"

#include <stdbool.h>

enum {
	OPCODE_BRANCH = 0x63,
	OPCODE_JALR = 0x67,
	OPCODE_JAL = 0x6f,
	INSN_ECALL = 0x00000073,
	INSN_SRET = 0x10200073,
};

/* Bits @low to @low + @bits - 1 of @insn, moved up to @to. */
static uint64_t bits(uint32_t insn, unsigned low, unsigned count, unsigned to)
{
	return (uint64_t)(insn >> low & ((1U << count) - 1)) << to;
}

static uint64_t sign_extend(uint64_t value, unsigned width)
{
	return (uint64_t)((int64_t)(value << (64 - width)) >> (64 - width));
}

static bool branch_taken(uint32_t insn, uint64_t a, uint64_t b)
{
	switch (bits(insn, 12, 3, 0)) {
	case 0:
		return a == b;
	case 1:
		return a != b;
	case 4:
		return (int64_t)a < (int64_t)b;
	case 5:
		return (int64_t)a >= (int64_t)b;
	case 6:
		return a < b;
	case 7:
		return a >= b;
	default:
		return false;
	}
}

static uint64_t next_of_long(const struct riscv_step *s, uint32_t insn)
{
	uint64_t rs1 = s->x[bits(insn, 15, 5, 0)];
	uint64_t rs2 = s->x[bits(insn, 20, 5, 0)];

	if (insn == INSN_SRET)
		return s->sepc;
	if (insn == INSN_ECALL && s->user)
		return s->stvec & ~UINT64_C(3);
	switch (insn & 0x7f) {
	case OPCODE_JAL:
		return s->pc + sign_extend(bits(insn, 31, 1, 20) | bits(insn, 12, 8, 12) |
						   bits(insn, 20, 1, 11) | bits(insn, 21, 10, 1),
					   21);
	case OPCODE_JALR:
		return (rs1 + sign_extend(bits(insn, 20, 12, 0), 12)) & ~UINT64_C(1);
	case OPCODE_BRANCH:
		if (branch_taken(insn, rs1, rs2))
			return s->pc + sign_extend(bits(insn, 31, 1, 12) | bits(insn, 7, 1, 11) |
							   bits(insn, 25, 6, 5) |
							   bits(insn, 8, 4, 1),
						   13);
		break;
	default:
		break;
	}
	return s->pc + 4;
}

static uint64_t next_of_short(const struct riscv_step *s, uint32_t insn)
{
	unsigned full = (unsigned)bits(insn, 7, 5, 0);
	uint64_t small = s->x[8 + bits(insn, 7, 3, 0)];

	switch (insn & 0xe003) {
	case 0xa001: /* c.j */
		return s->pc + sign_extend(bits(insn, 12, 1, 11) | bits(insn, 8, 1, 10) |
						   bits(insn, 9, 2, 8) | bits(insn, 6, 1, 7) |
						   bits(insn, 7, 1, 6) | bits(insn, 2, 1, 5) |
						   bits(insn, 11, 1, 4) | bits(insn, 3, 3, 1),
					   12);
	case 0xc001: /* c.beqz */
	case 0xe001: /* c.bnez */
		if ((small == 0) != ((insn & 0xe003) == 0xc001))
			break;
		return s->pc + sign_extend(bits(insn, 12, 1, 8) | bits(insn, 5, 2, 6) |
						   bits(insn, 2, 1, 5) | bits(insn, 10, 2, 3) |
						   bits(insn, 3, 2, 1),
					   9);
	case 0x8002: /* c.jr, c.jalr; with a second register, or without a first: others */
		if (full && !bits(insn, 2, 5, 0))
			return s->x[full] & ~UINT64_C(1);
		break;
	default:
		break;
	}
	return s->pc + 2;
}

uint64_t riscv_next_pc(const struct riscv_step *step, uint32_t insn)
{
	return (insn & 3) == 3 ? next_of_long(step, insn) : next_of_short(step, insn & 0xffff);
}
