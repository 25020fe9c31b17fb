/* SPDX-License-Identifier: BSD-2-Clause */
/* What the image loaders share among themselves; everybody else uses arch/x86/load.h. */
#ifndef ARCH_X86_IMAGE_H
#define ARCH_X86_IMAGE_H

#include <stdbool.h>

#include "arch/x86/load.h"

/* A bzImage's header, judged (boot.rst, "The real-mode kernel header"). */
struct x86_bzimage {
	uint64_t offset; /* of the protected-mode kernel in the file, bytes */
	uint64_t size;	 /* its bytes, all of them in the file */
	uint64_t load;	 /* the address that it is loaded to */
	uint64_t end;	 /* the first address that the kernel does not need before it knows RAM */
	uint64_t initrd_max;  /* the highest address that an initrd's byte may have */
	uint32_t cmdline_max; /* bytes of command line, without NUL */
	size_t header_end; /* the file's setup header is [0x1f1, header_end), within boot_params */
};

/* Whether the file has the marks of a bzImage. Says nothing. */
bool x86_is_bzimage(const struct kernel_file *kernel);

/* Judges the header. 0, or -ENOEXEC having said why. */
int x86_bzimage_judge(const struct kernel_file *kernel, struct x86_bzimage *bz);

/* x86_load_kernel() for each kind. */
int x86_load_bzimage(struct guest_mem *mem, const struct kernel_file *kernel,
		     struct x86_boot *boot);
int x86_load_elf(struct guest_mem *mem, const struct kernel_file *kernel, struct x86_boot *boot);

/*
 * Whether [@start, @start + @len) is RAM for images: between 1 MiB and 3 GiB. @len may be 0.
 */
bool x86_ram_for_image(const struct guest_mem *mem, uint64_t start, uint64_t len);

/* The end of the RAM that begins at or before 1 MiB and goes on without a gap, at most 3 GiB. */
uint64_t x86_low_ram_end(const struct guest_mem *mem);

/* hvm_start_info with its lists at X86_PVH_INFO; @cmdline is an address. 0 or -EFAULT. */
int x86_write_pvh_info(struct guest_mem *mem, gpa_t cmdline, gpa_t initrd, uint64_t initrd_size,
		       gpa_t rsdp);

#endif
