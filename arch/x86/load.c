/* SPDX-License-Identifier: BSD-2-Clause */
/* What kind of file a kernel is, by content; where RAM for images and the initrd lies. */
#include "arch/x86/load.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

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

static const char pack_words[] = "unpack it first";
static const char arch_words[] = "this hvrun runs x86-64 guests";
static const char kind_words[] = "a bzImage or an ELF file is needed";

/* Files that people hand over by mistake, each with its mark. The first that fits is named. */
static const struct mark {
	size_t offset;
	uint8_t len;
	char bytes[9];
	const char *what; /* "this is ..." */
	const char *help;
} marks[] = {
	{ 56, 4, "ARMd", "an arm64 kernel", arch_words },
	{ 56, 4, "RSC\x05", "a riscv kernel", arch_words },
	{ 48, 5, "RISCV", "a riscv kernel", arch_words },
	{ 4, 4, "zimg", "a compressed EFI program (zboot)", pack_words },
	{ 0, 2, "\x1f\x8b", "compressed by gzip", pack_words },
	{ 0, 4, "\x28\xb5\x2f\xfd", "compressed by zstd", pack_words },
	{ 0, 5, "\xfd\x37zXZ", "compressed by xz", pack_words },
	{ 0, 3, "BZh", "compressed by bzip2", pack_words },
	{ 0, 4, "\x04\x22\x4d\x18", "compressed by lz4", pack_words },
	{ 0, 4, "\x02\x21\x4c\x18", "compressed by lz4", pack_words },
	{ 0, 6, "070701", "a cpio archive (an initrd?)", kind_words },
	{ 0, 4, "\xd0\x0d\xfe\xed", "a device tree", kind_words },
	{ 0, 4, "\x27\x05\x19\x56", "a U-Boot image", kind_words },
	{ 0, 4, "QFI\xfb", "a qcow2 disk image", kind_words },
	{ 0, 8, "!<arch>\n", "an archive (a package?)", kind_words },
	{ 0, 2, "#!", "a script", kind_words },
	{ 0, 2, "MZ", "an EFI program without a Linux boot header, or cut short", kind_words },
};

static int refuse_unknown(const struct x86_image *kernel)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const struct mark *m = &marks[i];

		if (range_fits(m->offset, m->len, kernel->size) &&
		    !memcmp(kernel->data + m->offset, m->bytes, m->len)) {
			diag_error("kernel %s: this is %s; %s", kernel->name, m->what, m->help);
			return -ENOEXEC;
		}
	}
	diag_error("kernel %s: no kind of kernel that is known here (%zu bytes); %s", kernel->name,
		   kernel->size, kind_words);
	return -ENOEXEC;
}

int x86_load_kernel(struct guest_mem *mem, const struct x86_image *kernel, struct x86_boot *boot)
{
	static const char elf_magic[4] = { 0x7f, 'E', 'L', 'F' };

	if (!kernel->size) {
		diag_error("kernel %s: the file is empty; %s", kernel->name, kind_words);
		return -ENOEXEC;
	}
	if (x86_is_bzimage(kernel))
		return x86_load_bzimage(mem, kernel, boot);
	if (kernel->size >= sizeof(elf_magic) &&
	    !memcmp(kernel->data, elf_magic, sizeof(elf_magic)))
		return x86_load_elf(mem, kernel, boot);
	return refuse_unknown(kernel);
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

int x86_place_initrd(const struct guest_mem *mem, const struct x86_image *kernel,
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
