/* SPDX-License-Identifier: BSD-2-Clause */
/* What all architectures share of arch/debug.h: finding a register by gdb's number. */
#include "arch/debug.h"

const struct arch_reg *arch_reg(unsigned number)
{
	for (const struct arch_feature *f = arch_features; f->name; f++) {
		if (number < f->count)
			return &f->regs[number];
		number -= f->count;
	}
	return NULL;
}
