/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF kernels on x86: the PVH entry of Xen's note (xen/include/public/elfnote.h), or the ELF entry
 * in the 64-bit state of a bzImage.
 */
#include "arch/elf.h"

#include "arch/x86/image.h"
#include "arch/x86/layout.h"

enum {
	MACHINE_X86_64 = 62,
	NOTE_PVH_ENTRY = 18, /* XEN_ELFNOTE_PHYS32_ENTRY, owner "Xen" */
};

int x86_load_elf(struct guest_mem *mem, const struct kernel_file *kernel, struct x86_boot *boot)
{
	const struct elf_target target = {
		.machine = MACHINE_X86_64,
		.min = X86_IMAGE_MIN,
		.max = X86_RAM_LOW_END,
		.ram_end = x86_low_ram_end(mem),
	};
	struct elf elf;
	uint64_t entry;
	uint64_t end;
	int r = elf_judge(kernel, &target, &elf);

	if (r)
		return r;

	int pvh = elf_note(&elf, "Xen", NOTE_PVH_ENTRY, &entry);

	if (pvh < 0)
		return pvh;
	if (!pvh)
		entry = elf.entry;
	r = elf_judge_entry(&elf, pvh ? "PVH entry" : "entry", entry);
	if (!r)
		r = elf_copy(&elf, &target, mem, &end);
	if (r)
		return r;
	*boot = (struct x86_boot){
		.entry = pvh ? X86_ENTRY_PVH : X86_ENTRY_LINUX64,
		.rip = entry,
		.end = end,
	};
	return 0;
}
