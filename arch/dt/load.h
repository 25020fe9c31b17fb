/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel and initrd of the architectures that take an Image or an ELF file and a device tree. */
#ifndef ARCH_DT_LOAD_H
#define ARCH_DT_LOAD_H

#include <stdint.h>

#include "arch/arch.h"
#include "arch/dt/image.h"

/* What an architecture takes. */
struct dt_target {
	uint64_t ram;	      /* gpa where RAM begins */
	char magic[4];	      /* of an Image, at 56 */
	unsigned elf_machine; /* e_machine */
};

/*
 * Loads the kernel of @images, an Image or an ELF file, whose segments lie where they say and whose entry
 * is a physical address as the Image's is; places tree and initrd, and loads that. Fills @boot. 0 or
 * -errno, said: -ENOEXEC, or -ENOSPC if the guest's RAM is too small.
 */
int dt_load(const struct dt_target *target, struct guest_mem *mem, const struct arch_images *images,
	    struct dt_boot *boot);

#endif
