/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads any bytes as a kernel, for the fuzzers of the x86 loaders, and holds what arch/x86/load.h
 * promises: nothing outside of a kernel's own place is written, addresses are inside of RAM.
 */
#ifndef TESTS_FUZZ_X86_LOAD_ANY_H
#define TESTS_FUZZ_X86_LOAD_ANY_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/layout.h"
#include "arch/x86/load.h"

#define LOAD_ANY_RAM (UINT64_C(24) << 20)

static inline void require(bool holds)
{
	if (!holds)
		abort();
}

/* Below 1 MiB nothing is written by a loader: a page that would show it. */
static inline void require_low_untouched(const struct guest_mem *mem)
{
	static const uint64_t ours[] = {
		0, X86_GDT, X86_ZERO_PAGE, X86_PML4, X86_CMDLINE, X86_ACPI
	};
	uint8_t page[4096];

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		require(!mem_read(mem, gpa(ours[i]), page, sizeof(page)));
		for (size_t b = 0; b < sizeof(page); b++)
			require(!page[b]);
	}
}

static inline void describe(struct guest_mem *mem, const struct kernel_file *image,
			    struct x86_boot *boot, uint64_t initrd_size, size_t cmdline_len)
{
	static char cmdline[4096];
	gpa_t initrd;
	int r = x86_place_initrd(mem, image, boot, initrd_size, &initrd);

	require(!r || r == -ENOSPC);
	if (r)
		initrd_size = 0;
	if (initrd_size)
		require(initrd.v >= boot->end && initrd.v % 4096 == 0 &&
			initrd.v + initrd_size <= LOAD_ANY_RAM);
	cmdline_len %= sizeof(cmdline);
	memset(cmdline, 'x', cmdline_len);
	cmdline[cmdline_len] = '\0';
	r = x86_write_boot_data(mem, image, boot, cmdline, initrd, initrd_size, gpa(X86_ACPI));
	require(!r || r == -ENOSPC);
	require(r || (boot->entry == X86_ENTRY_PVH ? boot->rbx == X86_PVH_INFO
						   : boot->rsi == X86_ZERO_PAGE));
}

static inline void load_any(const uint8_t *data, size_t size)
{
	struct x86_boot boot = { .rip = 1, .end = 2 };
	struct kernel_file image = { .data = data, .size = size, .name = "any" };
	struct guest_mem *mem;
	gpa_t hint;
	int r;

	require(!mem_create(&mem));
	require(!mem_add(mem, gpa(0), LOAD_ANY_RAM, MEM_RAM));
	/* Where a file would be read to, by bytes that nobody has judged. */
	if (x86_kernel_hint(mem, data, size, size, &hint))
		require(hint.v >= X86_IMAGE_MIN && hint.v + size <= LOAD_ANY_RAM);
	r = x86_load_kernel(mem, &image, &boot);
	require(!r || r == -ENOEXEC || r == -ENOSPC);
	require_low_untouched(mem);
	if (r) {
		require(boot.rip == 1 && boot.end == 2);
	} else {
		require(boot.rip >= X86_IMAGE_MIN && boot.rip < boot.end &&
			boot.end <= LOAD_ANY_RAM && boot.end % 4096 == 0);
		/* Sizes that depend on the input, so that they vary: bytes that loaders ignore. */
		describe(mem, &image, &boot, size > 15 ? (uint64_t)data[14] << data[15] % 32 : 0,
			 size > 13 ? (size_t)data[12] * 16 + data[13] : 0);
	}
	mem_destroy(mem);
}

#endif
