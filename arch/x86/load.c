/* SPDX-License-Identifier: BSD-2-Clause */
/* What kind of file a kernel is, by content; where RAM for images and the initrd lies. */
#include "arch/x86/load.h"

#include <errno.h>
#include <inttypes.h>

#include "arch/x86/image.h"
#include "arch/x86/layout.h"
#include "base/checked.h"
#include "base/diag.h"

enum {
	PAGE = 4096,
	MAX_SEGMENTS = MEM_MAX_REGIONS,
};

/* The initrd's last byte for kernels that say nothing of it (boot.rst, initrd_addr_max). */
#define INITRD_MAX_DEFAULT UINT64_C(0x7fffffff)

static const char kind_words[] = "a bzImage or an ELF file is needed";

int x86_load_kernel(struct guest_mem *mem, const struct kernel_file *kernel, struct x86_boot *boot)
{
	if (x86_is_bzimage(kernel))
		return x86_load_bzimage(mem, kernel, boot);
	if (kernel_is_elf(kernel))
		return x86_load_elf(mem, kernel, boot);
	return kernel_refuse(kernel, kind_words);
}

bool x86_ram_for_image(const struct guest_mem *mem, uint64_t start, uint64_t len)
{
	struct iovec iov[MAX_SEGMENTS];

	if (start < X86_IMAGE_MIN || !range_fits(start, len, X86_RAM_LOW_END))
		return false;
	return mem_segments(mem, gpa(start), len, MEM_WRITE, iov, MAX_SEGMENTS) >= 0;
}

uint64_t x86_low_ram_end(const struct guest_mem *mem)
{
	size_t count;
	const struct mem_region *r = mem_regions(mem, &count);
	uint64_t end = X86_IMAGE_MIN;

	for (size_t i = 0; i < count && r[i].start.v <= end; i++) {
		if (r[i].kind == MEM_RAM)
			end = u64_max(end, r[i].start.v + r[i].size);
	}
	return u64_min(end, X86_RAM_LOW_END);
}

int x86_place_initrd(const struct guest_mem *mem, const struct kernel_file *kernel,
		     const struct x86_boot *boot, uint64_t size, gpa_t *at)
{
	uint64_t top = x86_low_ram_end(mem), start;
	struct x86_bzimage bz;

	*at = gpa(0);
	if (!size)
		return 0;
	if (boot->entry == X86_ENTRY_LINUX64 && x86_is_bzimage(kernel)) {
		int r = x86_bzimage_judge(kernel, &bz);

		if (r)
			return r;
		top = u64_min(top, bz.initrd_max + 1);
	} else {
		top = u64_min(top, INITRD_MAX_DEFAULT + 1);
	}
	start = size <= top ? u64_align_down(top - size, PAGE) : 0;
	if (start < boot->end || !x86_ram_for_image(mem, start, size)) {
		uint64_t room = top > boot->end ? top - boot->end : 0;

		diag_error("initrd: %" PRIu64 " KiB do not fit between the kernel's end at %" PRIu64
			   " MiB and %" PRIu64 " MiB (room for %" PRIu64 " KiB); give the guest "
			   "more memory",
			   (size >> 10) + (size % 1024 != 0), boot->end >> 20, top >> 20,
			   room >> 10);
		return -ENOSPC;
	}
	*at = gpa(start);
	return 0;
}
