/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kernel is told at its start: the memory map, the command line, the initrd and ACPI's root,
 * in boot_params (Linux Documentation/arch/x86/zero-page.rst and boot.rst) or by way of pvh.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/image.h"
#include "arch/x86/layout.h"
#include "base/checked.h"
#include "base/diag.h"
#include "base/le.h"

enum {
	BP_SIZE = 4096,
	BP_ACPI_RSDP = 0x070,
	BP_EXT_RAMDISK_IMAGE = 0x0c0, /* upper halves */
	BP_EXT_RAMDISK_SIZE = 0x0c4,
	BP_EXT_CMDLINE = 0x0c8,
	BP_E820_COUNT = 0x1e8,
	BP_HEADER = 0x1f1, /* the setup header as in the file, to 0x290 at most */
	BP_BOOT_FLAG = 0x1fe,
	BP_MAGIC = 0x202,
	BP_VERSION = 0x206,
	BP_LOADER = 0x210,
	BP_LOADFLAGS = 0x211,
	BP_RAMDISK_IMAGE = 0x218,
	BP_RAMDISK_SIZE = 0x21c,
	BP_CMDLINE = 0x228,
	BP_ALIGNMENT = 0x230,
	BP_SETUP_DATA = 0x250,
	BP_E820 = 0x2d0,
	E820_ENTRY = 20,
	LOADER_UNDEFINED = 0xff, /* a boot loader without a number of its own */
	LOADED_HIGH = 1,
	ELF_CMDLINE_MAX = 2047, /* Linux' COMMAND_LINE_SIZE on x86, without the NUL */
};

/* Adds an entry, or lengthens the last one. The map has room: see X86_E820_MAX. */
static void e820_add(struct x86_e820_entry *map, size_t *count, uint64_t start, uint64_t end,
		     enum x86_e820_type type)
{
	struct x86_e820_entry *last = *count ? &map[*count - 1] : NULL;

	if (last && last->type == type && last->addr + last->size == start) {
		last->size += end - start;
		return;
	}
	map[*count] = (struct x86_e820_entry){ .addr = start, .size = end - start, .type = type };
	++*count;
}

size_t x86_e820(const struct guest_mem *mem, struct x86_e820_entry map[X86_E820_MAX])
{
	/* RAM changes its kind here, and nowhere else. */
	static const struct {
		uint64_t end;
		enum x86_e820_type type;
	} areas[] = {
		{ X86_EBDA, X86_E820_RAM },	   { X86_ACPI, X86_E820_RESERVED },
		{ X86_RESET_PAGE, X86_E820_ACPI }, { X86_ACPI_END, X86_E820_RESERVED },
		{ UINT64_MAX, X86_E820_RAM },
	};
	size_t regions, count = 0;
	const struct mem_region *r = mem_regions(mem, &regions);

	for (size_t i = 0; i < regions; i++) {
		uint64_t at = r[i].start.v, end = at + r[i].size;

		if (r[i].kind == MEM_READONLY)
			e820_add(map, &count, at, end, X86_E820_RESERVED);
		if (r[i].kind != MEM_RAM)
			continue;
		for (size_t a = 0; a < ARRAY_SIZE(areas) && at < end; a++) {
			uint64_t stop = u64_min(end, areas[a].end);

			if (at >= stop)
				continue;
			e820_add(map, &count, at, stop, areas[a].type);
			at = stop;
		}
	}
	return count;
}

/* The setup header: the file's own for a bzImage, else one that says as little as Linux needs. */
static void fill_header(uint8_t *bp, const struct kernel_file *kernel, const struct x86_bzimage *bz)
{
	if (bz) {
		memcpy(bp + BP_HEADER, kernel->data + BP_HEADER, bz->header_end - BP_HEADER);
	} else {
		le16_store(bp + BP_BOOT_FLAG, 0xaa55);
		memcpy(bp + BP_MAGIC, "HdrS", 4);
		le16_store(bp + BP_VERSION, 0x20c);
		le32_store(bp + BP_ALIGNMENT, 0x1000000);
	}
	bp[BP_LOADER] = LOADER_UNDEFINED;
	bp[BP_LOADFLAGS] |= LOADED_HIGH;
	le64_store(bp + BP_SETUP_DATA, 0); /* the file's is not ours to pass on */
}

static int write_boot_params(struct guest_mem *mem, const struct kernel_file *kernel,
			     const struct x86_bzimage *bz, gpa_t initrd, uint64_t initrd_size,
			     gpa_t rsdp)
{
	struct x86_e820_entry map[X86_E820_MAX];
	size_t entries = x86_e820(mem, map);
	uint8_t bp[BP_SIZE] = { 0 };

	fill_header(bp, kernel, bz);
	le64_store(bp + BP_ACPI_RSDP, rsdp.v);
	le32_store(bp + BP_CMDLINE, (uint32_t)X86_CMDLINE);
	le32_store(bp + BP_EXT_CMDLINE, (uint32_t)(X86_CMDLINE >> 32));
	le32_store(bp + BP_RAMDISK_IMAGE, (uint32_t)initrd.v);
	le32_store(bp + BP_EXT_RAMDISK_IMAGE, (uint32_t)(initrd.v >> 32));
	le32_store(bp + BP_RAMDISK_SIZE, (uint32_t)initrd_size);
	le32_store(bp + BP_EXT_RAMDISK_SIZE, (uint32_t)(initrd_size >> 32));
	for (size_t i = 0; i < entries; i++) {
		uint8_t *e = bp + BP_E820 + i * E820_ENTRY;

		le64_store(e, map[i].addr);
		le64_store(e + 8, map[i].size);
		le32_store(e + 16, (uint32_t)map[i].type);
	}
	bp[BP_E820_COUNT] = (uint8_t)entries;
	return mem_load(mem, gpa(X86_ZERO_PAGE), bp, sizeof(bp));
}

static int write_cmdline(struct guest_mem *mem, const struct kernel_file *kernel,
			 const char *cmdline, uint64_t max)
{
	size_t len = strlen(cmdline);

	max = u64_min(max, X86_CMDLINE_MAX - 1);
	if (len > max) {
		diag_error(
			"kernel %s: the command line has %zu bytes, this kernel takes at most %" PRIu64,
			kernel->name, len, max);
		return -ENOSPC;
	}
	return mem_load(mem, gpa(X86_CMDLINE), cmdline, len + 1);
}

int x86_write_boot_data(struct guest_mem *mem, const struct kernel_file *kernel,
			struct x86_boot *boot, const char *cmdline, gpa_t initrd,
			uint64_t initrd_size, gpa_t rsdp)
{
	bool is_bz = boot->entry == X86_ENTRY_LINUX64 && x86_is_bzimage(kernel);
	struct x86_bzimage bz;
	int r = is_bz ? x86_bzimage_judge(kernel, &bz) : 0;

	if (r)
		return r;
	if (!initrd_size)
		initrd = gpa(0);
	r = write_cmdline(mem, kernel, cmdline, is_bz ? bz.cmdline_max : ELF_CMDLINE_MAX);
	if (r)
		return r;
	if (boot->entry == X86_ENTRY_PVH)
		r = x86_write_pvh_info(mem, gpa(X86_CMDLINE), initrd, initrd_size, rsdp);
	else
		r = write_boot_params(mem, kernel, is_bz ? &bz : NULL, initrd, initrd_size, rsdp);
	if (r)
		return r;
	boot->rsi = boot->entry == X86_ENTRY_LINUX64 ? X86_ZERO_PAGE : 0;
	boot->rbx = boot->entry == X86_ENTRY_PVH ? X86_PVH_INFO : 0;
	return 0;
}
