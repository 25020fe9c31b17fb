/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/elf.c: segments and notes, the right ones and the wicked ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "tests/unit/x86/images.h"

static void test_loads(void **state)
{
	struct kernel_file image = elf();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot = { 0 };
	uint8_t zeros[0x2800] = { 0 };

	(void)state;
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_int_equal(boot.entry, X86_ENTRY_LINUX64);
	assert_int_equal(boot.rip, MIB + 0x100);
	assert_int_equal(boot.end, 2 * MIB + 0x3000);
	assert_guest_bytes(mem, MIB, image_bytes + ELF_CODE, 0x1000);
	assert_guest_bytes(mem, 2 * MIB, image_bytes + ELF_DATA, 0x800);
	assert_guest_bytes(mem, 2 * MIB + 0x800, zeros, sizeof(zeros));
	mem_destroy(mem);
}

/* ET_DYN, a segment of no size at a forbidden place, and segments in any order are all fine. */
static void test_odd_but_right(void **state)
{
	struct kernel_file image = elf();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;

	(void)state;
	le16_store(image_bytes + 16, 3);
	set_phdr(2, 1, ELF_CODE, MIB, 0x1000, 0x1000);
	set_phdr(0, 1, UINT64_MAX, 0, 0, 0);
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_int_equal(boot.rip, MIB + 0x100);
	assert_int_equal(boot.end, 2 * MIB + 0x3000);
	mem_destroy(mem);
}

static void check_pvh(struct kernel_file image, uint64_t entry)
{
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;

	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_int_equal(boot.entry, X86_ENTRY_PVH);
	assert_int_equal(boot.rip, entry);
	mem_destroy(mem);
}

static void test_pvh_note(void **state)
{
	struct kernel_file image;
	uint8_t desc[8];
	size_t end;

	(void)state;
	check_pvh(pvh_elf(MIB + 0x40), MIB + 0x40);

	/* A 32-bit entry; what follows it is not read as its upper half. */
	image = elf();
	le64_store(desc, UINT64_C(0xffffffff00000000) | (MIB + 0x44));
	end = put_note(ELF_NOTES, 4, "Xen", 18, desc, 4);
	set_phdr(2, 4, ELF_NOTES, 0, end - ELF_NOTES, 0);
	check_pvh(image, MIB + 0x44);

	/* Notes padded to 8 bytes, in a segment aligned to 8. */
	image = elf();
	le64_store(desc, MIB + 0x48);
	end = put_note(ELF_NOTES, 8, "GNU", 5, "twelve bytes", 12);
	end = put_note(end, 8, "Xen", 18, desc, 8);
	set_phdr(2, 4, ELF_NOTES, 0, end - ELF_NOTES, 0);
	le64_store(phdr(2) + 48, 8);
	check_pvh(image, MIB + 0x48);
}

/* Xen's other notes, and others' notes of type 18, are not the entry. */
static void test_other_notes(void **state)
{
	struct kernel_file image = elf();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	uint8_t desc[8];
	size_t end;

	(void)state;
	le64_store(desc, MIB + 0x40);
	end = put_note(ELF_NOTES, 4, "Xen", 5, "linux\0\0", 6);
	end = put_note(end, 4, "GNU", 18, desc, 8);
	end = put_note(end, 4, "Xenon", 18, desc, 8);
	set_phdr(2, 4, ELF_NOTES, 0, end - ELF_NOTES, 0);
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_int_equal(boot.entry, X86_ENTRY_LINUX64);
	mem_destroy(mem);
}

static void test_refused_headers(void **state)
{
	static const struct {
		unsigned offset;
		unsigned bytes;
		uint64_t value;
		const char *words;
	} cases[] = {
		{ 18, 2, 183, "this is an ELF file for arm64; this hvrun runs x86-64 guests" },
		{ 18, 2, 243, "this is an ELF file for riscv; this hvrun runs x86-64 guests" },
		{ 18, 2, 3, "this is an ELF file for i386; this hvrun runs x86-64 guests" },
		{ 18, 2, 999,
		  "this is an ELF file for machine 999; this hvrun runs x86-64 guests" },
		{ 4, 1, 1, "a 32-bit ELF file; a 64-bit one is needed" },
		{ 5, 1, 2, "a big-endian ELF file; this hvrun runs x86-64 guests" },
		{ 16, 2, 1, "an ELF object file or module; an executable is needed" },
		{ 16, 2, 4, "this ELF file is not an executable" },
		{ 54, 2, 0, "program headers of 0 bytes; ELF has them of 56" },
		{ 54, 2, 57, "program headers of 57 bytes; ELF has them of 56" },
		{ 56, 2, 65, "65 program headers; at most 64 are taken" },
		{ 56, 2, 0xffff, "65535 program headers; at most 64 are taken" },
		{ 56, 2, 0, "this ELF file has no segment to load" },
		{ 32, 8, ELF_SIZE - 100,
		  "truncated: its program headers lie beyond the file's end" },
		{ 32, 8, UINT64_MAX - 50,
		  "truncated: its program headers lie beyond the file's end" },
		{ 24, 8, 0, "the entry 0x0 lies in no segment (it has to be a physical address)" },
		{ 24, 8, UINT64_C(0xffffffff80100100),
		  "the entry 0xffffffff80100100 lies in no segment (it has to be a physical "
		  "address)" },
		{ 24, 8, MIB + 0x1000,
		  "the entry 0x101000 lies in no segment (it has to be a physical address)" },
		/* in the data segment's zeroed part */
		{ 24, 8, 2 * MIB + 0x800,
		  "the entry 0x200800 lies in no segment (it has to be a physical address)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kernel_file image = elf();

		for (unsigned b = 0; b < cases[i].bytes; b++)
			image_bytes[cases[i].offset + b] = (uint8_t)(cases[i].value >> (8 * b));
		expect_refused(image, 64 * MIB, -ENOEXEC, cases[i].words);
	}
	(void)elf();
	expect_refused(image_of(63), 64 * MIB, -ENOEXEC,
		       "truncated: an ELF header has 64 bytes, the file has 63");
}

static void test_threat_33_segments(void **state)
{
	static const struct {
		uint64_t offset, paddr, filesz, memsz;
		int error;
		const char *words;
	} cases[] = {
		{ 0x2000, 3 * MIB, 0x801, 0x800, -ENOEXEC,
		  "segment at 0x300000: 2049 bytes in the file, more than its 2048 in memory" },
		{ ELF_SIZE - 0x7ff, 3 * MIB, 0x800, 0x800, -ENOEXEC,
		  "truncated: the segment at 0x300000 has 2048 bytes at offset 14337, the file "
		  "has 16384" },
		{ UINT64_MAX - 0x7ff, 3 * MIB, 0x800, 0x800, -ENOEXEC,
		  "truncated: the segment at 0x300000 has 2048 bytes at offset "
		  "18446744073709549568, the file has 16384" },
		{ 0, 3 * MIB, UINT64_MAX, UINT64_MAX, -ENOEXEC,
		  "truncated: the segment at 0x300000 has 18446744073709551615 bytes at offset 0, "
		  "the file has 16384" },
		/* our tables */
		{ 0, X86_ZERO_PAGE, 0x800, 0x800, -ENOEXEC,
		  "the segment at 0x7000 with 2048 bytes is not between 0x100000 and "
		  "0xc0000000, where kernels can be" },
		{ 0, MIB - 1, 0x800, 0x800, -ENOEXEC,
		  "the segment at 0xfffff with 2048 bytes is not between 0x100000 and "
		  "0xc0000000, where kernels can be" },
		/* wraps around 2^64, onto our tables */
		{ 0, UINT64_MAX - 0xfff, 0x800, 0x10000, -ENOEXEC,
		  "the segment at 0xfffffffffffff000 with 65536 bytes is not between 0x100000 and "
		  "0xc0000000, where kernels can be" },
		{ 0, 3 * MIB, 0x10, UINT64_MAX, -ENOEXEC,
		  "the segment at 0x300000 with 18446744073709551615 bytes is not between "
		  "0x100000 and 0xc0000000, where kernels can be" },
		/* more memory than there is */
		{ 0, 3 * MIB, 0x10, 1 << 30, -ENOSPC,
		  "it needs RAM to 1027 MiB, the guest has 64 MiB; give it more memory" },
		{ 0, 64 * MIB - 0x1000, 0x10, 0x1001, -ENOSPC,
		  "it needs RAM to 65 MiB, the guest has 64 MiB; give it more memory" },
		/* over another one: its first byte, its last byte, all of it */
		{ 0, MIB, 0x10, 0x10, -ENOEXEC, "the segments at 0x100000 and 0x100000 overlap" },
		{ 0, MIB + 0xfff, 0x10, 0x10, -ENOEXEC,
		  "the segments at 0x100000 and 0x100fff overlap" },
		{ 0, MIB + 0x1000, 0x10, MIB, -ENOEXEC,
		  "the segments at 0x200000 and 0x101000 overlap" },
		{ 0, 2 * MIB + 0x2fff, 0x10, 0x10, -ENOEXEC,
		  "the segments at 0x200000 and 0x202fff overlap" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kernel_file image = elf();

		set_phdr(2, 1, cases[i].offset, cases[i].paddr, cases[i].filesz, cases[i].memsz);
		expect_refused(image, 64 * MIB, cases[i].error, cases[i].words);
	}
}

/* Segments that touch do not overlap. */
static void test_segments_side_by_side(void **state)
{
	struct kernel_file image = elf();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;

	(void)state;
	set_phdr(2, 1, 0, MIB + 0x1000, 0x10, MIB - 0x1000);
	assert_int_equal(x86_load_kernel(mem, &image, &boot), 0);
	assert_guest_bytes(mem, MIB, image_bytes + ELF_CODE, 0x1000);
	assert_guest_bytes(mem, 2 * MIB, image_bytes + ELF_DATA, 0x800);
	mem_destroy(mem);
}

/* Nothing is written before everything was judged. */
static void write_nothing(void *arg)
{
	struct kernel_file image = elf();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	uint8_t b = 1;

	(void)arg;
	set_phdr(2, 1, ELF_SIZE, 3 * MIB, 0x800, 0x800);
	if (x86_load_kernel(mem, &image, &boot) != -ENOEXEC)
		_exit(8);
	if (mem_read(mem, gpa(MIB), &b, 1) || b)
		_exit(9);
	mem_destroy(mem);
}

static void test_refused_writes_nothing(void **state)
{
	struct captured out;

	(void)state;
	capture_child(&out, write_nothing, NULL);
	assert_int_equal(out.status, 0);
}

static void test_threat_33_pvh_entry(void **state)
{
	uint8_t desc[16] = { 0 };
	struct kernel_file image;
	size_t end;

	(void)state;
	expect_refused(pvh_elf(0x1000), 64 * MIB, -ENOEXEC,
		       "the PVH entry 0x1000 lies in no segment (it has to be a physical address)");
	expect_refused(pvh_elf(UINT64_C(0x100000000) + MIB), 64 * MIB, -ENOEXEC,
		       "the PVH entry 0x100100000 lies in no segment (it has to be a physical "
		       "address)");
	image = elf();
	end = put_note(ELF_NOTES, 4, "Xen", 18, desc, 16);
	set_phdr(2, 4, ELF_NOTES, 0, end - ELF_NOTES, 0);
	expect_refused(image, 64 * MIB, -ENOEXEC,
		       "its ELF notes contradict themselves, or are too many");
}

/* Sizes that lead out of the segment, and alignments that would stand still or run away. */
static void test_threat_09_note_sizes_and_align(void **state)
{
	static const uint64_t aligns[] = { 0, 1, 3, 5, 16, UINT64_C(1) << 63, UINT64_MAX };
	static const uint32_t sizes[] = { 0x7fffffff, 0x80000000, UINT32_MAX - 3, UINT32_MAX };
	struct kernel_file image;

	(void)state;
	/* The alignment that a segment claims is not used, so the entry is found. */
	for (size_t i = 0; i < ARRAY_SIZE(aligns); i++) {
		image = pvh_elf(MIB + 0x40);
		le64_store(phdr(2) + 48, aligns[i]);
		check_pvh(image, MIB + 0x40);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (unsigned field = 0; field < 2; field++) {
			image = pvh_elf(MIB + 0x40);
			le32_store(image_bytes + ELF_NOTES + field * 4UL, sizes[i]);
			expect_refused(image, 64 * MIB, -ENOEXEC,
				       "its ELF notes contradict themselves, or are too many");
		}
	}
	image = pvh_elf(MIB + 0x40);
	le64_store(phdr(2) + 32, UINT64_MAX);
	expect_refused(image, 64 * MIB, -ENOEXEC, "truncated: its notes lie beyond the file's end");
	image = pvh_elf(MIB + 0x40);
	le64_store(phdr(2) + 8, UINT64_MAX);
	expect_refused(image, 64 * MIB, -ENOEXEC, "truncated: its notes lie beyond the file's end");
}

/* A big file of empty notes, named by every program header: an end in no time. */
static void test_threat_09_endless_notes(void **state)
{
	enum { SIZE = 32 * MIB };
	uint8_t *big = (uint8_t *)calloc(1, SIZE);
	struct kernel_file image;
	struct rusage start,
		end; /* the child's, by its own time: others may have the processor meanwhile */

	(void)state;
	assert_non_null(big);
	(void)elf();
	le16_store(image_bytes + 56, 64);
	for (unsigned i = 2; i < 64; i++) {
		set_phdr(i, 4, ELF_SIZE, 0, SIZE - ELF_SIZE, 0);
		le64_store(phdr(i) + 48, 8);
	}
	memcpy(big, image_bytes, ELF_SIZE);
	image = (struct kernel_file){ .data = big, .size = SIZE, .name = "vmlinuz" };
	assert_int_equal(getrusage(RUSAGE_CHILDREN, &start), 0);
	expect_refused(image, 64 * MIB, -ENOEXEC,
		       "its ELF notes contradict themselves, or are too many");
	assert_int_equal(getrusage(RUSAGE_CHILDREN, &end), 0);
	assert_true(end.ru_utime.tv_sec - start.ru_utime.tv_sec < 10);
	free(big);
}

/* A note's header at the very end of the file, whole and cut. */
static void test_threat_09_notes_at_the_end(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < 40; cut++) {
		struct kernel_file image = pvh_elf(MIB + 0x40);
		size_t size = (size_t)le64_load(phdr(2) + 32) - cut;
		uint8_t *copy = (uint8_t *)malloc(ELF_NOTES + size);
		struct attempt attempt;
		struct captured out;

		assert_non_null(copy);
		le64_store(phdr(2) + 32, size);
		memcpy(copy, image_bytes, ELF_NOTES + size);
		image.data = copy;
		image.size = ELF_NOTES + size;
		/*
		 * The PVH note has 24 bytes and is the last. Cut behind its header it is refused; when
		 * not even that is whole it is not seen; further cuts break the note before it.
		 */
		attempt = (struct attempt){ .image = image, .ram = 16 * MIB };
		attempt.expect = (cut > 0 && cut <= 12) || cut > 24 ? -ENOEXEC : 0;
		capture_child(&out, attempt_load, &attempt);
		assert_int_equal(out.status, 0);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_odd_but_right),
		cmocka_unit_test(test_pvh_note),
		cmocka_unit_test(test_other_notes),
		cmocka_unit_test(test_refused_headers),
		cmocka_unit_test(test_threat_33_segments),
		cmocka_unit_test(test_segments_side_by_side),
		cmocka_unit_test(test_refused_writes_nothing),
		cmocka_unit_test(test_threat_33_pvh_entry),
		cmocka_unit_test(test_threat_09_note_sizes_and_align),
		cmocka_unit_test(test_threat_09_endless_notes),
		cmocka_unit_test(test_threat_09_notes_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
