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

#include "arch/kernel.h"
#include "mm/memory.h"

/* Where the parts of a guest were put, as gpas. */
struct dt_boot {
	uint64_t entry;
	uint64_t end; /* the first byte after the kernel and its work area */
	uint64_t initrd;
	uint64_t tree;	    /* room of DT_TREE_MAX bytes */
	uint64_t tree_size; /* bytes of the tree, once it is there */
};

enum { DT_TREE_MAX = 1 << 21 }; /* bytes; also its alignment */

#define DT_WINDOW (UINT64_C(1) << 30) /* initrd and tree lie within this of the start of RAM */

/* Whether the file has the mark @magic (4 characters, at 56) of an Image. Says nothing. */
bool dt_is_image(const struct kernel_file *kernel, const char magic[4]);

/*
 * arch_kernel_hint for an Image with mark @magic in the RAM that begins at @ram: where its text offset
 * puts it. A hint from unjudged bytes; says nothing.
 */
bool dt_image_hint(const struct guest_mem *mem, uint64_t ram, const char magic[4],
		   const uint8_t *head, size_t head_len, uint64_t size, gpa_t *at);

/*
 * Judges the header of an Image and copies the kernel to its place in the RAM that begins at @ram:
 * sets entry and end. 0, or -ENOEXEC, -ENOSPC (RAM too small), said in words.
 */
int dt_load_image(struct guest_mem *mem, uint64_t ram, const struct kernel_file *kernel,
		  struct dt_boot *boot);

/*
 * Places for tree and initrd: high in the first GiB of the RAM that begins at @ram, above the kernel.
 * 0 or -ENOSPC, said in words.
 */
int dt_place(const struct guest_mem *mem, uint64_t ram, uint64_t initrd_size, struct dt_boot *boot);

#endif
