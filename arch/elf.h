/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF kernels, the part that all architectures share: header and segments judged, notes looked
 * for, segments copied to their physical addresses (System V ABI, gABI chapters 4 and 5).
 *
 * Judging is bounded: a fixed number of program headers and notes, no step without progress.
 * Guest memory is fresh (zero filled): what an image wants zeroed is not touched. Errors are said
 * in words: -ENOEXEC, or -ENOSPC if the guest's RAM is too small.
 */
#ifndef ARCH_ELF_H
#define ARCH_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/kernel.h"
#include "mm/memory.h"

/* More than any kernel has (vmlinux: 5 and about 25); they bound our time. */
enum {
	ELF_PHDRS_MAX = 64,
	ELF_NOTES_MAX = 1024,
};

/* What an architecture takes. */
struct elf_target {
	unsigned machine; /* e_machine */
	uint64_t min;	  /* segments lie in [min, max), gpas */
	uint64_t max;
	uint64_t ram;	  /* where RAM begins, for messages */
	uint64_t ram_end; /* the end of the RAM that goes on from min without a gap */
};

/* One program header that matters, copied out and judged. */
struct elf_segment {
	uint64_t offset; /* [offset, offset + filesz) lies in the file */
	uint64_t filesz; /* at most memsz */
	uint64_t paddr;	 /* [paddr, paddr + memsz) does not wrap and lies in the target's range */
	uint64_t memsz;
};

struct elf {
	const struct kernel_file *kernel;
	struct elf_segment load[ELF_PHDRS_MAX];
	size_t load_count;
	unsigned notes_left; /* how many notes may still be looked at */
	uint64_t entry;	     /* e_entry */
};

/* Judges header and segments of @kernel (kernel_is_elf). 0 or -ENOEXEC. */
int elf_judge(const struct kernel_file *kernel, const struct elf_target *target, struct elf *elf);

/*
 * The value of the first note of @type by @owner: 4 or 8 bytes, little-endian. 1 if there is one, 0
 * if not, -ENOEXEC.
 */
int elf_note(struct elf *elf, const char *owner, uint32_t type, uint64_t *value);

/* @entry must be among the bytes that come from the file; @what is its name. 0 or -ENOEXEC. */
int elf_judge_entry(const struct elf *elf, const char *what, uint64_t entry);

/*
 * Copies the segments; *@end is the first byte after them, rounded up to 4 KiB. 0, -ENOSPC, or what
 * mem_write says.
 */
int elf_copy(const struct elf *elf, const struct elf_target *target, struct guest_mem *mem,
	     uint64_t *end);

#endif
