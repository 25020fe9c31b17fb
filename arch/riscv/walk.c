/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables, walked as the hart walks them, without its permissions. */
#include "arch/riscv/walk.h"

#include <errno.h>

#include "arch/riscv/layout.h"
#include "base/le.h"

enum {
	MODE_SHIFT = 60, /* of satp */
	MODE_SV39 = 8,	 /* 9 is Sv48, 10 Sv57 */
	MODE_SV57 = 10,
	PAGE_SHIFT = 12,
	INDEX_BITS = 9,
	PTE_VALID = 1 << 0,
	PTE_LEAF = 7 << 1, /* any of read, write, execute */
	PTE_PPN = 10,	   /* where the page's number begins */
};

/* Where all 64-bit kernels are linked to run ("VM Layout on RISC-V Linux"), and where theirs begins in RAM. */
#define LINUX_LINKED UINT64_C(0xffffffff80000000)
#define LINUX_LOADED (RISCV_RAM + (UINT64_C(2) << 20))

#define PPN_MASK ((UINT64_C(1) << 44) - 1)

static int walk(const struct guest_mem *mem, unsigned levels, uint64_t table, uint64_t address,
		struct arch_place *place)
{
	for (unsigned level = levels; level-- > 0;) {
		unsigned shift = PAGE_SHIFT + level * INDEX_BITS;
		uint64_t offset = (UINT64_C(1) << shift) - 1;
		uint8_t bytes[8];

		if (mem_read(mem, gpa(table + (address >> shift & 511) * 8), bytes, sizeof(bytes)) <
		    0)
			return -EFAULT;

		uint64_t pte = le64_load(bytes);
		uint64_t at = (pte >> PTE_PPN & PPN_MASK) << PAGE_SHIFT;

		if (!(pte & PTE_VALID))
			return -EFAULT;
		table = at;
		if (!(pte & PTE_LEAF))
			continue;
		/* The lowest bits of a page of 64 KiB's number say its size (Svnapot). */
		if (pte >> 63 && level == 0)
			at = (at & ~UINT64_C(0xffff)) | (address & 0xf000);
		if (at & offset)
			return -EFAULT;
		place->at = gpa(at | (address & offset));
		place->left = offset + 1 - (address & offset);
		return 0;
	}
	return -EFAULT;
}

int riscv_walk(const struct guest_mem *mem, uint64_t satp, uint64_t address,
	       struct arch_place *place)
{
	unsigned mode = (unsigned)(satp >> MODE_SHIFT);
	unsigned levels = mode - MODE_SV39 + 3;
	int64_t high;

	if (mode == 0) {
		/* Linux runs at the top of addresses; until it can, its image is where it was loaded. */
		if (address >= LINUX_LINKED)
			address = LINUX_LOADED + (address - LINUX_LINKED);
		*place = (struct arch_place){ gpa(address), 4096 - (address & 4095) };
		return 0;
	}
	if (mode < MODE_SV39 || mode > MODE_SV57)
		return -EFAULT;
	high = (int64_t)address >> (PAGE_SHIFT + levels * INDEX_BITS - 1);
	if (high != 0 && high != -1)
		return -EFAULT;
	return walk(mem, levels, (satp & PPN_MASK) << PAGE_SHIFT, address, place);
}
