/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/bzimage.c, load.c: what is loaded where, and every way that a file is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/x86/images.h"

static void test_loads(void **state)
{
	struct kernel_file image = bzimage();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot = { 0 };
	uint8_t zeros[16] = { 0 };

	(void)state;
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_int_equal(boot.entry, X86_ENTRY_LINUX64);
	assert_int_equal(boot.rip, BZ_LOAD + 0x200);
	assert_int_equal(boot.end, BZ_LOAD + BZ_INIT_SIZE);
	assert_guest_bytes(mem, BZ_LOAD, image_bytes + BZ_SETUP, BZ_PAYLOAD);
	assert_guest_bytes(mem, BZ_LOAD + BZ_PAYLOAD, zeros, sizeof(zeros));
	assert_guest_bytes(mem, BZ_LOAD - sizeof(zeros), zeros, sizeof(zeros));
	mem_destroy(mem);
}

/* What follows the kernel in the file (a signature) is not loaded. */
static void test_tail_is_not_loaded(void **state)
{
	struct kernel_file image = bzimage();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	uint8_t zeros[512] = { 0 };

	(void)state;
	memset(image_bytes + BZ_SIZE, 0xee, 512);
	image.size += 512;
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_guest_bytes(mem, BZ_LOAD + BZ_PAYLOAD, zeros, sizeof(zeros));
	mem_destroy(mem);
}

/* setup_sects 0 stands for 4. */
static void test_old_setup_sects(void **state)
{
	struct kernel_file image = bzimage();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;

	(void)state;
	image_bytes[0x1f1] = 0;
	le32_store(image_bytes + 0x1f4, 0x1000 / 16);
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_guest_bytes(mem, BZ_LOAD, image_bytes + 5 * 512, 0x1000);
	mem_destroy(mem);
}

/* A relocatable kernel is put where it would align itself to; a fixed one where it asks to be. */
static void test_alignment(void **state)
{
	struct kernel_file image = bzimage();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;

	(void)state;
	le64_store(image_bytes + 0x258, BZ_LOAD + 0x1000);
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_int_equal(boot.rip, BZ_LOAD + 0x200000 + 0x200);
	image_bytes[0x234] = 0;
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_int_equal(boot.rip, BZ_LOAD + 0x1000 + 0x200);
	mem_destroy(mem);
}

/* init_size smaller than the kernel itself does not let anything lie over it. */
static void test_init_size_too_small(void **state)
{
	struct kernel_file image = bzimage();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;

	(void)state;
	le32_store(image_bytes + 0x260, 16);
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_int_equal(boot.end, BZ_LOAD + BZ_PAYLOAD);
	mem_destroy(mem);
}

/* RAM that ends exactly where init_size does is enough, a page less is not. */
static void test_ram_edge(void **state)
{
	struct kernel_file image = bzimage();
	struct guest_mem *mem = ram(BZ_LOAD + BZ_INIT_SIZE);
	struct x86_boot boot;

	(void)state;
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	mem_destroy(mem);
	expect_refused(
		image, BZ_LOAD + BZ_INIT_SIZE - 4096, -ENOSPC,
		"it needs RAM to 20 MiB to start, the guest has 19 MiB; give it more memory");
}

static void test_refused(void **state)
{
	static const struct {
		unsigned offset;
		unsigned bytes;
		uint64_t value;
		const char *words;
	} cases[] = {
		{ 0x206, 2, 0x20b, "boot protocol 2.11 is too old; 2.12 (Linux 3.8) is needed" },
		{ 0x236, 2, 0x7e, "this is a 32-bit kernel; this hvrun runs x86-64 guests" },
		{ 0x211, 1, 0, "this is a zImage, loaded low; a bzImage is needed" },
		{ 0x1f4, 4, BZ_PAYLOAD / 16 + 1,
		  "truncated: the header says 9232 bytes, the file has 9216" },
		{ 0x1f4, 4, UINT32_MAX,
		  "truncated: the header says 68719477744 bytes, the file has 9216" },
		{ 0x1f1, 1, 255, "truncated: the header says 139264 bytes, the file has 9216" },
		{ 0x1f4, 4, 0x200 / 16, "the header says that there is no code in it" },
		{ 0x1f4, 4, 0, "the header says that there is no code in it" },
		{ 0x201, 1, 0x10, "the boot header ends before its own fields" },
		{ 0x230, 4, 0x300000,
		  "alignment 0x300000 in the header is not a power of two of at most 1 GiB" },
		{ 0x230, 4, 0,
		  "alignment 0x0 in the header is not a power of two of at most 1 GiB" },
		{ 0x230, 4, 0x80000000,
		  "alignment 0x80000000 in the header is not a power of two of at most 1 GiB" },
		{ 0x258, 8, UINT64_MAX, "the load address in the header is beyond all memory" },
		{ 0x258, 8, UINT64_MAX - 0x1fffff,
		  "the header asks for 0x400000 bytes at 0xffffffffffe00000; kernels can have "
		  "0x100000 to 0xc0000000" },
		{ 0x258, 8, 0,
		  "the header asks for 0x400000 bytes at 0x0; kernels can have 0x100000 to "
		  "0xc0000000" },
		{ 0x260, 4, UINT32_MAX,
		  "the header asks for 0xffffffff bytes at 0x1000000; kernels can have 0x100000 "
		  "to 0xc0000000" },
		{ 0x258, 8, 0xbfe00000,
		  "the header asks for 0x400000 bytes at 0xbfe00000; kernels can have 0x100000 "
		  "to 0xc0000000" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kernel_file image = bzimage();

		for (unsigned b = 0; b < cases[i].bytes; b++)
			image_bytes[cases[i].offset + b] = (uint8_t)(cases[i].value >> (8 * b));
		expect_refused(image, 64 * MIB, -ENOEXEC, cases[i].words);
	}
}

/* Every file that is cut short is refused, wherever it is cut. */
static void test_threat_33_truncated_anywhere(void **state)
{
	struct kernel_file image = bzimage();

	(void)state;
	expect_refused(image_of(0x210), 64 * MIB, -ENOEXEC,
		       "truncated: a boot header has 612 bytes, the file has 528");
	expect_refused(image_of(0x265), 64 * MIB, -ENOEXEC,
		       "truncated: the header says 9216 bytes, the file has 613");
	expect_refused(image_of(image.size - 1), 64 * MIB, -ENOEXEC,
		       "truncated: the header says 9216 bytes, the file has 9215");
	expect_refused(image_of(0x203), 64 * MIB, -ENOEXEC,
		       "this is an EFI program without a Linux boot header, or cut short; a "
		       "bzImage or an ELF file is needed");
	expect_refused(image_of(0), 64 * MIB, -ENOEXEC,
		       "the file is empty; a bzImage or an ELF file is needed");
	expect_refused(image_of(1), 64 * MIB, -ENOEXEC,
		       "no kind of kernel that is known here (1 bytes); a bzImage or an ELF file "
		       "is needed");
}

static void load_cut_files(void *arg)
{
	struct guest_mem *mem = ram(32 * MIB);
	struct x86_boot boot;

	(void)arg;
	be_quiet();
	for (size_t size = 0; size < BZ_SIZE; size += size < 0x300 ? 1 : 97) {
		uint8_t *copy =
			(uint8_t *)malloc(size ? size : 1); /* ASan sees every byte too far */
		struct kernel_file image = { .data = copy, .size = size, .name = "cut" };

		if (!copy)
			_exit(8);
		memcpy(copy, image_bytes, size);
		if (x86_load_kernel(mem, &image, &boot) != -ENOEXEC)
			_exit(9);
		free(copy);
	}
	mem_destroy(mem);
}

static void test_threat_33_cut_at_every_byte(void **state)
{
	struct captured out;

	(void)state;
	(void)bzimage();
	capture_child(&out, load_cut_files, NULL);
	assert_int_equal(out.status, 0);
}

/* Each byte of the header with each interesting value: refused or loaded within the rules. */
static void load_mutants(void *arg)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct guest_mem *mem = ram(32 * MIB);

	(void)arg;
	be_quiet();
	for (size_t at = 0x1f0; at < 0x270; at++) {
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			struct kernel_file image = bzimage();
			struct x86_boot boot;
			gpa_t initrd;
			int r;

			image_bytes[at] = values[v];
			r = x86_load_kernel(mem, &image, &boot);
			if (r && r != -ENOEXEC && r != -ENOSPC)
				_exit(7);
			if (r)
				continue;
			if (boot.rip < MIB || boot.rip >= boot.end || boot.end > 32 * MIB)
				_exit(8);
			r = x86_place_initrd(mem, &image, &boot, 4096, &initrd);
			if (r ? r != -ENOSPC : initrd.v < boot.end || initrd.v > 32 * MIB - 4096)
				_exit(9);
			r = x86_write_boot_data(mem, &image, &boot, "a", gpa(0), 0, gpa(0));
			if (r && r != -ENOSPC)
				_exit(10);
		}
	}
	mem_destroy(mem);
}

static void test_threat_33_header_mutants(void **state)
{
	struct captured out;

	(void)state;
	capture_child(&out, load_mutants, NULL);
	assert_int_equal(out.status, 0);
}

#define UNPACK "unpack it first (gzip, zstd and xz need not be)"

/* Files that are something else are called by their names. */
static void test_other_files(void **state)
{
	static const struct {
		unsigned offset;
		const char *bytes;
		size_t len;
		const char *words;
	} cases[] = {
		{ 56, "ARM\x64", 4, "this is an arm64 kernel; this hvrun runs x86-64 guests" },
		{ 56, "RSC\x05", 4, "this is a riscv kernel; this hvrun runs x86-64 guests" },
		{ 48, "RISCV\0\0\0", 8, "this is a riscv kernel; this hvrun runs x86-64 guests" },
		{ 0, "BZh9", 4, "this is compressed by bzip2; " UNPACK },
		{ 0, "\x02\x21\x4c\x18", 4, "this is compressed by lz4; " UNPACK },
		{ 0, "\x5d\0\0\x80", 4, "this is compressed by lzma; " UNPACK },
		{ 0, "\x89LZO", 4, "this is compressed by lzop; " UNPACK },
		{ 0, "070701", 6,
		  "this is a cpio archive (an initrd?); a bzImage or an ELF file is needed" },
		{ 0, "QFI\xfb", 4,
		  "this is a qcow2 disk image; a bzImage or an ELF file is needed" },
		{ 0, "!<arch>\n", 8,
		  "this is an archive (a package?); a bzImage or an ELF file is needed" },
		{ 0, "#!/bin/sh", 9, "this is a script; a bzImage or an ELF file is needed" },
		{ 0, "hello, world", 12,
		  "no kind of kernel that is known here (4096 bytes); a bzImage or an ELF file is "
		  "needed" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(image_bytes, 0, 4096);
		memcpy(image_bytes + cases[i].offset, cases[i].bytes, cases[i].len);
		expect_refused(image_of(4096), 64 * MIB, -ENOEXEC, cases[i].words);
	}
	/* arm64 kernels look like EFI programs, too. */
	memset(image_bytes, 0, 4096);
	memcpy(image_bytes, "MZ", 2);
	memcpy(image_bytes + 56, "ARM\x64", 4);
	expect_refused(image_of(4096), 64 * MIB, -ENOEXEC,
		       "this is an arm64 kernel; this hvrun runs x86-64 guests");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_tail_is_not_loaded),
		cmocka_unit_test(test_old_setup_sects),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_init_size_too_small),
		cmocka_unit_test(test_ram_edge),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_threat_33_truncated_anywhere),
		cmocka_unit_test(test_threat_33_cut_at_every_byte),
		cmocka_unit_test(test_threat_33_header_mutants),
		cmocka_unit_test(test_other_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
