/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bzImage: judges the setup header and copies the protected-mode kernel to where it wants to be.
 * The payload inside stays compressed; the kernel's own first code unpacks it. (Linux
 * Documentation/arch/x86/boot.rst; offsets in the file as there.)
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
	PAGE = 4096,
	SECTOR = 512,
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4, /* in units of 16 bytes */
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP = 0x201, /* the jump's distance: the header's end, from 0x202 */
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_LOADFLAGS = 0x211,
	HDR_INITRD_MAX = 0x22c,
	HDR_ALIGNMENT = 0x230,
	HDR_RELOCATABLE = 0x234,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_MIN_END = 0x264, /* what protocol 2.12 has for certain */
	HDR_MAX_END = 0x290, /* boot_params has room to here */
	BOOT_FLAG = 0xaa55,
	LOADED_HIGH = 1,   /* of loadflags */
	XLF_KERNEL_64 = 1, /* of xloadflags */
	VERSION_MIN = 0x20c,
	ENTRY_64 = 0x200, /* from the start of the protected-mode kernel */
	DEFAULT_SETUP_SECTS = 4,
};

#define ALIGNMENT_MAX (UINT64_C(1) << 30)

bool x86_is_bzimage(const struct kernel_file *kernel)
{
	return kernel->size >= HDR_VERSION &&
	       le16_load(kernel->data + HDR_BOOT_FLAG) == BOOT_FLAG &&
	       !memcmp(kernel->data + HDR_MAGIC, "HdrS", 4);
}

static int bad(const struct kernel_file *kernel, const char *why)
{
	diag_error("kernel %s: %s", kernel->name, why);
	return -ENOEXEC;
}

/* Where the kernel goes and how much RAM it takes there: bz->load and bz->end. */
static int judge_place(const struct kernel_file *kernel, struct x86_bzimage *bz)
{
	const uint8_t *h = kernel->data;
	uint64_t load = le64_load(h + HDR_PREF_ADDRESS), alignment = le32_load(h + HDR_ALIGNMENT);
	uint64_t need = u64_max(bz->size, le32_load(h + HDR_INIT_SIZE)), end;
	bool relocatable = h[HDR_RELOCATABLE];

	if (relocatable && (!u64_is_pow2(alignment) || alignment > ALIGNMENT_MAX)) {
		diag_error("kernel %s: alignment 0x%" PRIx64
			   " in the header is not a power of two of at most 1 GiB",
			   kernel->name, alignment);
		return -ENOEXEC;
	}
	/* The kernel aligns itself up; so what it would skip is not used to begin with. */
	if (relocatable && !u64_align_up(load, alignment, &load))
		return bad(kernel, "the load address in the header is beyond all memory");
	if (load < X86_IMAGE_MIN || !u64_add(load, need, &end) || !u64_align_up(end, PAGE, &end) ||
	    end > X86_RAM_LOW_END) {
		diag_error("kernel %s: the header asks for 0x%" PRIx64 " bytes at 0x%" PRIx64
			   "; kernels can have 0x%" PRIx64 " to 0x%" PRIx64,
			   kernel->name, need, load, X86_IMAGE_MIN, X86_RAM_LOW_END);
		return -ENOEXEC;
	}
	bz->load = load;
	bz->end = end;
	return 0;
}

/* The first byte of the protected-mode kernel in the file. */
static uint64_t kernel_offset(const uint8_t *h)
{
	unsigned sects = h[HDR_SETUP_SECTS] ? h[HDR_SETUP_SECTS] : DEFAULT_SETUP_SECTS;

	return (uint64_t)(sects + 1) * SECTOR;
}

int x86_bzimage_judge(const struct kernel_file *kernel, struct x86_bzimage *bz)
{
	const uint8_t *h = kernel->data;
	struct x86_bzimage b;
	unsigned version;

	if (kernel->size < HDR_MIN_END) {
		diag_error("kernel %s: truncated: a boot header has %d bytes, the file has %zu",
			   kernel->name, HDR_MIN_END, kernel->size);
		return -ENOEXEC;
	}
	version = le16_load(h + HDR_VERSION);
	if (version < VERSION_MIN) {
		diag_error(
			"kernel %s: boot protocol %u.%02u is too old; 2.12 (Linux 3.8) is needed",
			kernel->name, version >> 8, version & 0xff);
		return -ENOEXEC;
	}
	if (!(le16_load(h + HDR_XLOADFLAGS) & XLF_KERNEL_64))
		return bad(kernel, "this is a 32-bit kernel; this hvrun runs x86-64 guests");
	if (!(h[HDR_LOADFLAGS] & LOADED_HIGH))
		return bad(kernel, "this is a zImage, loaded low; a bzImage is needed");

	b.offset = kernel_offset(h);
	b.size = (uint64_t)le32_load(h + HDR_SYSSIZE) * 16;
	if (!range_fits(b.offset, b.size, kernel->size)) {
		diag_error("kernel %s: truncated: the header says %" PRIu64
			   " bytes, the file has %zu",
			   kernel->name, b.offset + b.size, kernel->size);
		return -ENOEXEC;
	}
	if (b.size <= ENTRY_64)
		return bad(kernel, "the header says that there is no code in it");
	b.initrd_max = le32_load(h + HDR_INITRD_MAX);
	b.cmdline_max = le32_load(h + HDR_CMDLINE_SIZE);
	b.header_end = size_min((size_t)HDR_MAGIC + h[HDR_JUMP], HDR_MAX_END);
	if (b.header_end < HDR_MIN_END)
		return bad(kernel, "the boot header ends before its own fields");
	if (b.header_end > kernel->size)
		return bad(kernel, "truncated: the file ends within the boot header");
	if (judge_place(kernel, &b))
		return -ENOEXEC;
	*bz = b;
	return 0;
}

bool x86_kernel_hint(const struct guest_mem *mem, const uint8_t *head, size_t head_len,
		     uint64_t size, gpa_t *at)
{
	const struct kernel_file start = { .data = head, .size = head_len };
	uint64_t load;

	if (head_len < HDR_MIN_END || !x86_is_bzimage(&start))
		return false;
	load = le64_load(head + HDR_PREF_ADDRESS);
	if (head[HDR_RELOCATABLE] && !u64_align_up(load, le32_load(head + HDR_ALIGNMENT), &load))
		return false;
	*at = gpa(load - kernel_offset(head));
	return load > kernel_offset(head) && x86_ram_for_image(mem, at->v, size);
}

int x86_load_bzimage(struct guest_mem *mem, const struct kernel_file *kernel, struct x86_boot *boot)
{
	struct x86_bzimage bz;
	int r = x86_bzimage_judge(kernel, &bz);

	if (r)
		return r;
	if (!x86_ram_for_image(mem, bz.load, bz.end - bz.load)) {
		diag_error("kernel %s: it needs RAM to %" PRIu64
			   " MiB to start, the guest has %" PRIu64 " MiB; give it more memory",
			   kernel->name, (bz.end + (1 << 20) - 1) >> 20,
			   x86_low_ram_end(mem) >> 20);
		return -ENOSPC;
	}
	r = mem_write(mem, gpa(bz.load), kernel->data + bz.offset, (size_t)bz.size);
	if (r)
		return r;
	*boot = (struct x86_boot){
		.entry = X86_ENTRY_LINUX64,
		.rip = bz.load + ENTRY_64,
		.end = bz.end,
	};
	return 0;
}
