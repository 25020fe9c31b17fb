/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot CPU's page tables and GDT (boot.rst, "64-bit boot protocol"; Intel SDM 3A, 3.4, 4.5). */
#include <endian.h>

#include "arch/x86/layout.h"
#include "arch/x86/load.h"
#include "base/le.h"

enum {
	PAGE = 4096,
	ENTRIES = PAGE / 8,
	GIB = 4, /* how many are mapped */
	PTE_PRESENT = 1,
	PTE_WRITE = 2,
	PTE_ACCESSED = 0x20, /* set beforehand: the MMU has no reason to write to the tables */
	PTE_DIRTY = 0x40,
	PTE_LARGE = 0x80,
	PTE_TABLE = PTE_PRESENT | PTE_WRITE | PTE_ACCESSED,
	PTE_PAGE = PTE_TABLE | PTE_DIRTY | PTE_LARGE,
	LARGE_SHIFT = 21,
};

int x86_write_page_tables(struct guest_mem *mem)
{
	uint64_t table[ENTRIES];
	int r = 0;

	for (uint64_t gib = 0; gib < GIB && !r; gib++) {
		uint64_t entry = gib * ENTRIES << LARGE_SHIFT | PTE_PAGE;

		/* 2,048 in all; eight bytes at once. */
		for (size_t i = 0; i < ENTRIES; i++, entry += UINT64_C(1) << LARGE_SHIFT)
			table[i] = htole64(entry);
		r = mem_load(mem, gpa(X86_PAGE_DIRS + gib * PAGE), table, PAGE);
	}
	for (uint64_t gib = 0; gib < GIB && !r; gib++) {
		uint8_t entry[8];

		le64_store(entry, (X86_PAGE_DIRS + gib * PAGE) | PTE_TABLE);
		r = mem_load(mem, gpa(X86_PDPT + gib * 8), entry, sizeof(entry));
	}
	if (!r) {
		uint8_t entry[8];

		le64_store(entry, X86_PDPT | PTE_TABLE);
		r = mem_load(mem, gpa(X86_PML4), entry, sizeof(entry));
	}
	return r;
}

int x86_write_gdt(struct guest_mem *mem)
{
	/* Base 0, limit 4 GiB, present, ring 0, accessed; the TSS is busy and 0x68 bytes long. */
	static const uint64_t gdt[] = {
		0,
		UINT64_C(0x00cf9b000000ffff), /* X86_SEL_CODE32 */
		UINT64_C(0x00af9b000000ffff), /* X86_SEL_CODE64 */
		UINT64_C(0x00cf93000000ffff), /* X86_SEL_DATA */
		UINT64_C(0x00008b0000000067), /* X86_SEL_TSS */
		0,
	};
	uint8_t bytes[sizeof(gdt)];

	_Static_assert(sizeof(gdt) == X86_GDT_LIMIT + 1, "layout.h knows the GDT's size");
	for (unsigned i = 0; i < sizeof(gdt) / sizeof(gdt[0]); i++)
		le64_store(bytes + (uint64_t)i * 8, gdt[i]);
	return mem_load(mem, gpa(X86_GDT), bytes, sizeof(bytes));
}
