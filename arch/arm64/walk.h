/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables on arm64 (VMSAv8-64, EL1 and EL0). */
#ifndef ARCH_ARM64_WALK_H
#define ARCH_ARM64_WALK_H

#include "arch/debug.h"

/* The registers that say which tables there are. */
struct arm64_paging {
	uint64_t sctlr;
	uint64_t tcr;
	uint64_t ttbr0;
	uint64_t ttbr1;
};

/*
 * Where @address leads (Arm ARM, D8 "The AArch64 Virtual Memory System Architecture"): granules of 4,
 * 16 and 64 KiB, addresses of up to 52 bits, a top byte that is ignored. At most five descriptors are
 * read, whatever is in them. 0, or -EFAULT: not mapped, outside both ranges, or a table outside RAM.
 */
int arm64_walk(const struct guest_mem *mem, const struct arm64_paging *paging, uint64_t address,
	       struct arch_place *place);

#endif
