/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel and initrd of the architectures that take an Image or an ELF file and a device tree. */
#include "arch/dt/load.h"

#include "arch/elf.h"
#include "arch/kernel.h"

static int load_elf(const struct dt_target *target, struct guest_mem *mem,
		    const struct kernel_file *kernel, struct dt_boot *boot)
{
	const struct elf_target wanted = {
		.machine = target->elf_machine,
		.min = target->ram,
		.max = target->ram + DT_WINDOW,
		.ram = target->ram,
		.ram_end = target->ram + mem_ram_size(mem),
	};
	struct elf elf;
	int r = elf_judge(kernel, &wanted, &elf);

	if (!r)
		r = elf_judge_entry(&elf, "entry", elf.entry);
	if (r)
		return r;
	boot->entry = elf.entry;
	return elf_copy(&elf, &wanted, mem, &boot->end);
}

static int load_kernel(const struct dt_target *target, struct guest_mem *mem,
		       const struct kernel_file *kernel, struct dt_boot *boot)
{
	if (dt_is_image(kernel, target->magic))
		return dt_load_image(mem, target->ram, kernel, boot);
	if (kernel_is_elf(kernel))
		return load_elf(target, mem, kernel, boot);
	return kernel_refuse(kernel, "an Image or an ELF file is needed");
}

int dt_load(const struct dt_target *target, struct guest_mem *mem, const struct arch_images *images,
	    struct dt_boot *boot)
{
	const struct kernel_file kernel = {
		.data = images->kernel,
		.size = images->kernel_size,
		.name = images->kernel_name,
	};
	int r = load_kernel(target, mem, &kernel, boot);

	if (!r)
		r = dt_place(mem, target->ram, images->initrd_size, boot);
	if (!r && images->initrd_fd >= 0)
		r = arch_put_initrd(mem, gpa(boot->initrd), images);
	return r;
}
