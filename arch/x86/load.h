/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a kernel file to memory that the boot CPU can be started in: bzImage by the 64-bit entry of
 * the Linux boot protocol, ELF by the PVH note or in the same 64-bit state.
 *
 * Images are a stranger's bytes. They are read once into memory of ours by the caller, judged there
 * and copied from there, so what was judged is what runs. Judging is bounded: a fixed number of
 * program headers and notes, no step without progress. Guest memory is fresh (zero filled): what
 * an image wants zeroed is not touched. All functions run on the thread that builds the machine.
 *
 * Errors are said here, once, in words. Their numbers:
 *   -ENOEXEC  the image is not one that can be started, or contradicts itself
 *   -ENOSPC   image and guest do not go together: RAM too small, command line too long
 *   -EFAULT   guest RAM lacks a fixed area of layout.h (less than 1 MiB of it)
 */
#ifndef ARCH_X86_LOAD_H
#define ARCH_X86_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/kernel.h"
#include "mm/memory.h"

enum x86_entry {
	/* 64-bit mode, paging on; Linux Documentation/arch/x86/boot.rst, "64-bit boot protocol" */
	X86_ENTRY_LINUX64,
	/* 32-bit protected mode, paging off; xen/include/public/arch-x86/hvm/start_info.h */
	X86_ENTRY_PVH,
};

/* How the boot CPU starts. */
struct x86_boot {
	enum x86_entry entry;
	uint64_t rip; /* a guest physical address below 3 GiB, inside what was loaded */
	uint64_t rsi; /* LINUX64: boot_params; set by x86_write_boot_data() */
	uint64_t rbx; /* PVH: hvm_start_info; set by x86_write_boot_data() */
	uint64_t end; /* the first address free above the kernel and its work area, page aligned */
};

/*
 * Finds out by content what @kernel is, judges it and copies it into @mem. Fills @boot, but for
 * rsi and rbx. 0, -ENOEXEC or -ENOSPC; on error @boot is unchanged and @mem may hold a part.
 */
int x86_load_kernel(struct guest_mem *mem, const struct kernel_file *kernel, struct x86_boot *boot);

/*
 * Where the whole file that begins with @head (@head_len bytes, of @size in all) would have to lie
 * for a bzImage's kernel to be in its place. A hint from unjudged bytes; says nothing.
 */
bool x86_kernel_hint(const struct guest_mem *mem, const uint8_t *head, size_t head_len,
		     uint64_t size, gpa_t *at);

/*
 * A place for an initrd of @size bytes, in *@at: page aligned, as high as RAM below 3 GiB and the
 * kernel's own limit (initrd_addr_max) allow, above boot->end. Nothing is written. *@at is 0 for
 * @size 0. 0 or -ENOSPC.
 */
int x86_place_initrd(const struct guest_mem *mem, const struct kernel_file *kernel,
		     const struct x86_boot *boot, uint64_t size, gpa_t *at);

/*
 * Writes what the kernel is told: command line, initrd (@initrd_size 0: none), memory map, and
 * where ACPI's root pointer lies (@rsdp 0: nowhere); as boot_params or as hvm_start_info, by
 * boot->entry. Sets boot->rsi or boot->rbx, the other one to 0. @kernel and @boot are those of
 * x86_load_kernel(). 0, -ENOEXEC, -ENOSPC or -EFAULT.
 */
int x86_write_boot_data(struct guest_mem *mem, const struct kernel_file *kernel,
			struct x86_boot *boot, const char *cmdline, gpa_t initrd,
			uint64_t initrd_size, gpa_t rsdp);

/*
 * Page tables at X86_PML4 (the value of CR3): the low 4 GiB mapped to themselves by 2 MiB pages,
 * writable, for the supervisor. 0 or -EFAULT.
 */
int x86_write_page_tables(struct guest_mem *mem);

/* The GDT at X86_GDT: enum x86_selector, limit X86_GDT_LIMIT. 0 or -EFAULT. */
int x86_write_gdt(struct guest_mem *mem);

/* Kinds of memory in an e820 map (ACPI 6.5, 15.4); PVH uses the same numbers. */
enum x86_e820_type {
	X86_E820_RAM = 1,
	X86_E820_RESERVED = 2,
	X86_E820_ACPI = 3, /* ACPI tables: RAM again once they have been read */
};

struct x86_e820_entry {
	uint64_t addr; /* bytes */
	uint64_t size;
	enum x86_e820_type type;
};

/* The most entries that x86_e820() can give; fewer than boot_params holds (128). */
enum { X86_E820_MAX = MEM_MAX_REGIONS + 4 };

/*
 * The guest's memory map from the regions of @mem: RAM; 0x9fc00..0xe0000 reserved; the ACPI area
 * to 0xff000, the reset vector's page reserved; read-only memory reserved; holes not listed. Ascending, no overlap. Returns the number
 * of entries, at least 0 and at most X86_E820_MAX.
 */
size_t x86_e820(const struct guest_mem *mem, struct x86_e820_entry map[X86_E820_MAX]);

#endif
