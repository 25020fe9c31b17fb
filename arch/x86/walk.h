/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables on x86: 32-bit, PAE, four and five levels. */
#ifndef ARCH_X86_WALK_H
#define ARCH_X86_WALK_H

#include "arch/debug.h"

/* The registers that say which tables there are. */
struct x86_paging {
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t efer;
};

/*
 * Where @address leads (Intel SDM, volume 3, chapter 4). At most five entries are read, whatever is in
 * them. 0, or -EFAULT: not mapped, not canonical, reserved bits set, or a table outside RAM.
 */
int x86_walk(const struct guest_mem *mem, const struct x86_paging *paging, uint64_t address,
	     struct arch_place *place);

#endif
