/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Image format that arm64 and riscv share: a header of 64 bytes, then the kernel as it lies in
 * memory (Linux, Documentation/arch/arm64/booting.rst and arch/riscv/boot-image-header.rst).
 */
#ifndef ARCH_DT_IMAGE_H
#define ARCH_DT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/memory.h"

/* A kernel file in private memory. */
struct dt_kernel {
	const uint8_t *data;
	size_t size;
	const char *name; /* for messages */
};

/* Where the parts of a guest were put, as gpas. */
struct dt_boot {
	uint64_t entry;
	uint64_t end; /* the first byte after the kernel and its work area */
	uint64_t initrd;
	uint64_t tree; /* room of DT_TREE_MAX bytes */
};

enum { DT_TREE_MAX = 1 << 21 }; /* bytes; also its alignment */

/* Whether the file has the mark @magic (4 characters, at 56) of an Image. Says nothing. */
bool dt_is_image(const struct dt_kernel *kernel, const char magic[4]);

/*
 * Judges the header of an Image and copies the kernel to its place in the RAM that begins at @ram:
 * sets entry and end. 0, or -ENOEXEC, -ENOSPC (RAM too small), said in words.
 */
int dt_load_image(struct guest_mem *mem, uint64_t ram, const struct dt_kernel *kernel,
		  struct dt_boot *boot);

/*
 * Places for tree and initrd: high in the first GiB of the RAM that begins at @ram, above the kernel.
 * 0 or -ENOSPC, said in words.
 */
int dt_place(const struct guest_mem *mem, uint64_t ram, uint64_t initrd_size, struct dt_boot *boot);

#endif
