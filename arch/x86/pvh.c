/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvm_start_info of the PVH entry, version 1, with its memory map and module list (Xen's public
 * header arch-x86/hvm/start_info.h; docs/misc/pvh.pandoc).
 */
#include "arch/x86/image.h"
#include "arch/x86/layout.h"
#include "base/le.h"

enum {
	/* hvm_start_info */
	INFO_MAGIC = 0,
	INFO_VERSION = 4,
	INFO_MODULE_COUNT = 12,
	INFO_MODULES = 16,
	INFO_CMDLINE = 24,
	INFO_RSDP = 32,
	INFO_MAP = 40,
	INFO_MAP_COUNT = 48,
	INFO_SIZE = 56,
	/* hvm_modlist_entry: paddr, size, cmdline_paddr, reserved */
	MODULE_SIZE = 32,
	/* hvm_memmap_table_entry: addr, size, type, reserved */
	MAP_ENTRY = 24,
	MODULES_AT = INFO_SIZE,
	MAP_AT = MODULES_AT + MODULE_SIZE,
	ALL_SIZE = MAP_AT + X86_E820_MAX * MAP_ENTRY,
};

#define PVH_MAGIC UINT32_C(0x336ec578)

int x86_write_pvh_info(struct guest_mem *mem, gpa_t cmdline, gpa_t initrd, uint64_t initrd_size,
		       gpa_t rsdp)
{
	struct x86_e820_entry map[X86_E820_MAX];
	size_t entries = x86_e820(mem, map);
	uint8_t b[ALL_SIZE] = { 0 };

	_Static_assert(X86_PVH_INFO + ALL_SIZE <= X86_PVH_INFO_END, "the area is too small");
	le32_store(b + INFO_MAGIC, PVH_MAGIC);
	le32_store(b + INFO_VERSION, 1);
	le64_store(b + INFO_CMDLINE, cmdline.v);
	le64_store(b + INFO_RSDP, rsdp.v);
	if (initrd_size) {
		le32_store(b + INFO_MODULE_COUNT, 1);
		le64_store(b + INFO_MODULES, X86_PVH_INFO + MODULES_AT);
		le64_store(b + MODULES_AT, initrd.v);
		le64_store(b + MODULES_AT + 8, initrd_size);
	}
	for (size_t i = 0; i < entries; i++) {
		uint8_t *e = b + MAP_AT + i * MAP_ENTRY;

		le64_store(e, map[i].addr);
		le64_store(e + 8, map[i].size);
		le32_store(e + 16, (uint32_t)map[i].type);
	}
	le64_store(b + INFO_MAP, X86_PVH_INFO + MAP_AT);
	le32_store(b + INFO_MAP_COUNT, (uint32_t)entries);
	return mem_load(mem, gpa(X86_PVH_INFO), b, sizeof(b));
}
