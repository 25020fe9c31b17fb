/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables, walked as the processor walks them, without its permissions. */
#include "arch/x86/walk.h"

#include <errno.h>

#include "base/le.h"

enum {
	CR4_PSE = 1 << 4,
	CR4_PAE = 1 << 5,
	CR4_LA57 = 1 << 12,
	EFER_LMA = 1 << 10,
	ENTRY_PRESENT = 1 << 0,
	ENTRY_LARGE = 1 << 7,
	PAGE_SHIFT = 12,
};

#define CR0_PG	   (UINT64_C(1) << 31)
#define FRAME_MASK UINT64_C(0x000ffffffffff000) /* bits 12 to 51 */

/* One kind of table. */
struct format {
	unsigned levels;
	unsigned index_bits;
	unsigned entry_size; /* bytes */
	unsigned largest;    /* the highest level whose entry may be a page; 1 is the last table */
};

static struct format format_of(const struct x86_paging *p)
{
	if (p->efer & EFER_LMA)
		return (struct format){ p->cr4 & CR4_LA57 ? 5 : 4, 9, 8, 3 };
	if (p->cr4 & CR4_PAE)
		return (struct format){ 3, 9, 8, 2 };
	return (struct format){ 2, 10, 4, p->cr4 & CR4_PSE ? 2 : 1 };
}

static int read_entry(const struct guest_mem *mem, uint64_t at, unsigned size, uint64_t *entry)
{
	uint8_t bytes[8] = { 0 };
	int r = mem_read(mem, gpa(at), bytes, size);

	*entry = le64_load(bytes);
	return r;
}

/* A page of @shift bits. With two levels bits 13 to 20 hold the frame's bits 32 to 39 (PSE-36). */
static int found(const struct format *f, uint64_t entry, unsigned shift, uint64_t address,
		 struct arch_place *place)
{
	uint64_t offset = (UINT64_C(1) << shift) - 1;
	uint64_t frame = entry & FRAME_MASK & ~offset;

	if (f->entry_size == 4 && shift > PAGE_SHIFT)
		frame |= (entry >> 13 & 0xff) << 32;
	/* Bit 12 of a large page is its PAT; those above it must be zero. */
	else if (entry & FRAME_MASK & offset & ~UINT64_C(0x1000))
		return -EFAULT;
	place->at = gpa(frame | (address & offset));
	place->left = offset + 1 - (address & offset);
	return 0;
}

static int walk(const struct guest_mem *mem, const struct format *f, uint64_t cr3, uint64_t address,
		struct arch_place *place)
{
	/* The page directory pointers of PAE are a table of four, aligned to 32 bytes. */
	uint64_t table = f->levels == 3 ? cr3 & 0xffffffe0 : cr3 & FRAME_MASK;
	uint64_t mask = (UINT64_C(1) << f->index_bits) - 1;

	for (unsigned level = f->levels; level > 0; level--) {
		unsigned shift = PAGE_SHIFT + (level - 1) * f->index_bits;
		uint64_t entry;

		if (read_entry(mem, table + (address >> shift & mask) * f->entry_size,
			       f->entry_size, &entry) < 0 ||
		    !(entry & ENTRY_PRESENT))
			return -EFAULT;
		if (level == 1 || (entry & ENTRY_LARGE && level <= f->largest))
			return found(f, entry, shift, address, place);
		if (entry & ENTRY_LARGE && f->entry_size == 8)
			return -EFAULT; /* reserved there */
		table = entry & FRAME_MASK;
	}
	return -EFAULT;
}

static bool canonical(uint64_t address, unsigned bits)
{
	int64_t high = (int64_t)address >> (bits - 1);

	return high == 0 || high == -1;
}

int x86_walk(const struct guest_mem *mem, const struct x86_paging *paging, uint64_t address,
	     struct arch_place *place)
{
	struct format f = format_of(paging);

	if (!(paging->cr0 & CR0_PG)) {
		*place = (struct arch_place){ gpa(address), 4096 - (address & 4095) };
		return 0;
	}
	if (f.levels < 4)
		address &= UINT32_MAX;
	else if (!canonical(address, f.levels == 5 ? 57 : 48))
		return -EFAULT;
	return walk(mem, &f, paging->cr3, address, place);
}
