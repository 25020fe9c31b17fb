/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel files made up for the tests of the x86 loaders: right in all respects until a test breaks
 * one, and guest memory to load them to. Included after cmocka.h.
 */
#ifndef TESTS_UNIT_X86_IMAGES_H
#define TESTS_UNIT_X86_IMAGES_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/x86/layout.h"
#include "arch/x86/load.h"
#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/capture.h"

enum {
	MIB = 1 << 20,
	BZ_SETUP = 1024,   /* boot sector and one setup sector */
	BZ_PAYLOAD = 8192, /* a multiple of 16 */
	BZ_SIZE = BZ_SETUP + BZ_PAYLOAD,
	BZ_LOAD = 16 * MIB,
	BZ_INIT_SIZE = 4 * MIB,
	ELF_SIZE = 0x4000,
	ELF_CODE = 0x1000, /* offset of the first segment */
	ELF_DATA = 0x2000,
	ELF_NOTES = 0x3000,
	ELF_PHDRS = 64,
};

static uint8_t image_bytes[64 * 1024];

/* RAM of @size bytes from 0 (below 3 GiB). */
static inline struct guest_mem *ram(uint64_t size)
{
	struct guest_mem *mem;

	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add(mem, gpa(0), size, MEM_RAM), 0);
	return mem;
}

static inline struct kernel_file image_of(size_t size)
{
	return (struct kernel_file){ .data = image_bytes, .size = size, .name = "vmlinuz" };
}

/* A bzImage of protocol 2.15 in image_bytes. Byte i of its kernel is i * 7 + 1. */
static inline struct kernel_file bzimage(void)
{
	uint8_t *h = image_bytes;

	memset(image_bytes, 0, sizeof(image_bytes));
	memcpy(h, "MZ", 2);
	h[0x1f1] = BZ_SETUP / 512 - 1;
	le32_store(h + 0x1f4, BZ_PAYLOAD / 16);
	le16_store(h + 0x1fe, 0xaa55);
	h[0x200] = 0xeb;
	h[0x201] = 0x6a;
	memcpy(h + 0x202, "HdrS", 4);
	le16_store(h + 0x206, 0x20f);
	h[0x211] = 1;
	le32_store(h + 0x214, MIB);
	le32_store(h + 0x22c, 0x7fffffff);
	le32_store(h + 0x230, 0x200000);
	h[0x234] = 1;
	h[0x235] = 21;
	le16_store(h + 0x236, 0x7f);
	le32_store(h + 0x238, 2047);
	le64_store(h + 0x258, BZ_LOAD);
	le32_store(h + 0x260, BZ_INIT_SIZE);
	for (size_t i = 0; i < BZ_PAYLOAD; i++)
		h[BZ_SETUP + i] = (uint8_t)(i * 7 + 1);
	return image_of(BZ_SIZE);
}

/* Program header @index of the ELF file in image_bytes. */
static inline uint8_t *phdr(unsigned index)
{
	return image_bytes + ELF_PHDRS + index * 56UL;
}

static inline void set_phdr(unsigned index, uint32_t type, uint64_t offset, uint64_t paddr,
			    uint64_t filesz, uint64_t memsz)
{
	uint8_t *p = phdr(index);

	le32_store(p, type);
	le32_store(p + 4, 5);
	le64_store(p + 8, offset);
	le64_store(p + 16, paddr | UINT64_C(0xffffffff80000000));
	le64_store(p + 24, paddr);
	le64_store(p + 32, filesz);
	le64_store(p + 40, memsz);
	le64_store(p + 48, 4096);
}

/*
 * An ELF kernel in image_bytes: code at 1 MiB (0x1000 bytes, entry 0x100 into it), data at 2 MiB
 * (0x800 bytes of the file, 0x3000 in memory), and one header of type 0 for tests to use.
 */
static inline struct kernel_file elf(void)
{
	uint8_t *h = image_bytes;
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	memset(image_bytes, 0, sizeof(image_bytes));
	memcpy(h, ident, sizeof(ident));
	le16_store(h + 16, 2);
	le16_store(h + 18, 62);
	le32_store(h + 20, 1);
	le64_store(h + 24, MIB + 0x100);
	le64_store(h + 32, ELF_PHDRS);
	le16_store(h + 52, 64);
	le16_store(h + 54, 56);
	le16_store(h + 56, 3);
	set_phdr(0, 1, ELF_CODE, MIB, 0x1000, 0x1000);
	set_phdr(1, 1, ELF_DATA, 2 * MIB, 0x800, 0x3000);
	for (size_t i = 0; i < 0x1000; i++)
		h[ELF_CODE + i] = (uint8_t)(i * 3 + 5);
	memset(h + ELF_DATA, 0xd7, 0x800);
	return image_of(ELF_SIZE);
}

/* Writes a note at @at in the file; returns where the next one goes, padded to @align. */
static inline size_t put_note(size_t at, size_t align, const char *owner, uint32_t type,
			      const void *desc, uint32_t descsz)
{
	uint32_t namesz = (uint32_t)strlen(owner) + 1;
	size_t d;

	assert_true(at + 64 < sizeof(image_bytes));
	le32_store(image_bytes + at, namesz);
	le32_store(image_bytes + at + 4, descsz);
	le32_store(image_bytes + at + 8, type);
	memcpy(image_bytes + at + 12, owner, namesz);
	d = (at + 12 + namesz + align - 1) / align * align;
	memcpy(image_bytes + d, desc, descsz);
	return (d + descsz + align - 1) / align * align;
}

/* The ELF kernel with a note segment: a build id, then the PVH entry at @entry. */
static inline struct kernel_file pvh_elf(uint64_t entry)
{
	struct kernel_file image = elf();
	uint8_t desc[8];
	size_t end;

	le64_store(desc, entry);
	end = put_note(ELF_NOTES, 4, "GNU", 3, "0123456789abcdefghij", 20);
	end = put_note(end, 4, "Xen", 18, desc, 8);
	set_phdr(2, 4, ELF_NOTES, 0, end - ELF_NOTES, end - ELF_NOTES);
	le64_store(phdr(2) + 48, 4);
	return image;
}

/* In a child: no words, where there would be thousands of lines that other tests look at. */
static inline void be_quiet(void)
{
	if (!freopen("/dev/null", "w", stderr))
		_exit(7);
}

/* What x86_load_kernel() makes of an image, in a child whose words are read. */
struct attempt {
	struct kernel_file image;
	uint64_t ram;
	int expect;
};

static inline void attempt_load(void *arg)
{
	const struct attempt *attempt = (const struct attempt *)arg;
	struct x86_boot boot = { .rip = 0x1234 };
	struct guest_mem *mem = ram(attempt->ram);
	int r = x86_load_kernel(mem, &attempt->image, &boot);

	if (r != attempt->expect || (r && boot.rip != 0x1234))
		_exit(9);
	mem_destroy(mem);
}

/*
 * The image is refused with -ENOEXEC (or @error), in exactly one line that is "hvrun: kernel
 * vmlinuz: " and @words.
 */
static inline void expect_refused(struct kernel_file image, uint64_t ram_size, int error,
				  const char *words)
{
	static const char start[] = "hvrun: kernel vmlinuz: ";
	struct attempt attempt = { .image = image, .ram = ram_size, .expect = error };
	struct captured out;

	capture_child(&out, attempt_load, &attempt);
	assert_int_equal(out.status, 0);
	assert_true(out.len > sizeof(start));
	assert_memory_equal(out.text, start, sizeof(start) - 1);
	assert_ptr_equal(strchr(out.text, '\n'), out.text + out.len - 1);
	out.text[out.len - 1] = '\0';
	assert_string_equal(out.text + sizeof(start) - 1, words);
}

/* Loads an image that is right. */
static inline void load(struct guest_mem *mem, struct kernel_file image, struct x86_boot *boot)
{
	memset(boot, 0, sizeof(*boot));
	assert_int_equal(x86_load_kernel(mem, &image, boot), 0);
}

static inline void assert_guest_bytes(const struct guest_mem *mem, uint64_t at,
				      const void *expected, size_t len)
{
	uint8_t *got = (uint8_t *)malloc(len);

	assert_non_null(got);
	assert_int_equal(mem_read(mem, gpa(at), got, len), 0);
	assert_memory_equal(got, expected, len);
	free(got);
}

#endif
