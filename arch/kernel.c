/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file is that is no kernel for this machine, by its marks, in words. */
#include "arch/kernel.h"

#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "base/diag.h"

/* gzip, zstd, xz and zboot are unpacked before (vm/unpack.c). */
static const char pack_words[] = "unpack it first (gzip, zstd and xz need not be)";

/* A file with @bytes at @offset is @what; kernels of an architecture name it, as arch_name does. */
struct mark {
	size_t offset;
	uint8_t len;
	char bytes[9];
	const char *what; /* "this is ..." */
	const char *arch; /* of a kernel, else NULL */
	const char *help; /* NULL: what is wanted */
};

/* The first that fits is named. */
static const struct mark marks[] = {
	{ 0x202, 4, "HdrS", "an x86 kernel (bzImage)", "x86-64", NULL },
	{ 56, 4, "ARMd", "an arm64 kernel", "arm64", NULL },
	{ 56, 4, "RSC\x05", "a riscv kernel", "riscv64", NULL },
	{ 48, 5, "RISCV", "a riscv kernel", "riscv64", NULL },
	{ 36, 4, "\x18\x28\x6f\x01", "a 32-bit arm kernel (zImage)", "arm", NULL },
	{ 0, 3, "BZh", "compressed by bzip2", NULL, pack_words },
	{ 0, 4, "\x04\x22\x4d\x18", "compressed by lz4", NULL, pack_words },
	{ 0, 4, "\x02\x21\x4c\x18", "compressed by lz4", NULL, pack_words },
	{ 0, 3, "\x5d\0\0", "compressed by lzma", NULL, pack_words },
	{ 0, 4, "\x89LZO", "compressed by lzop", NULL, pack_words },
	{ 0, 6, "070701", "a cpio archive (an initrd?)", NULL, NULL },
	{ 0, 4, "\xd0\x0d\xfe\xed", "a device tree", NULL, NULL },
	{ 0, 4, "\x27\x05\x19\x56", "a U-Boot image", NULL, NULL },
	{ 0, 4, "QFI\xfb", "a qcow2 disk image", NULL, NULL },
	{ 0, 8, "!<arch>\n", "an archive (a package?)", NULL, NULL },
	{ 0, 2, "#!", "a script", NULL, NULL },
	{ 0, 2, "MZ", "an EFI program without a Linux boot header, or cut short", NULL, NULL },
};

/* A damaged kernel of our own is not told apart by its architecture. */
static bool fits(const struct mark *m, const struct kernel_file *kernel)
{
	return (!m->arch || strcmp(m->arch, arch_name) != 0) &&
	       range_fits(m->offset, m->len, kernel->size) &&
	       memcmp(kernel->data + m->offset, m->bytes, m->len) == 0;
}

int kernel_refuse(const struct kernel_file *kernel, const char *wanted)
{
	if (!kernel->size) {
		diag_error("kernel %s: the file is empty; %s", kernel->name, wanted);
		return -ENOEXEC;
	}
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const struct mark *m = &marks[i];

		if (!fits(m, kernel))
			continue;
		if (m->arch)
			diag_error("kernel %s: this is %s; this hvrun runs %s guests", kernel->name,
				   m->what, arch_name);
		else
			diag_error("kernel %s: this is %s; %s", kernel->name, m->what,
				   m->help ? m->help : wanted);
		return -ENOEXEC;
	}
	diag_error("kernel %s: no kind of kernel that is known here (%zu bytes); %s", kernel->name,
		   kernel->size, wanted);
	return -ENOEXEC;
}

bool kernel_is_elf(const struct kernel_file *kernel)
{
	static const char magic[4] = { 0x7f, 'E', 'L', 'F' };

	return kernel->size >= sizeof(magic) && !memcmp(kernel->data, magic, sizeof(magic));
}
