/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/bootparams.c, pvh.c, tables.c: what a kernel finds in memory when it starts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/x86/images.h"

#define GIB (UINT64_C(1) << 30)

static uint8_t page[4096];

static const uint8_t *guest_page(const struct guest_mem *mem, uint64_t at, size_t len)
{
	assert_int_equal(mem_read(mem, gpa(at), page, len), 0);
	return page;
}

static void assert_e820(const struct x86_e820_entry *e, uint64_t start, uint64_t end, unsigned type)
{
	assert_int_equal(e->addr, start);
	assert_int_equal(e->size, end - start);
	assert_int_equal(e->type, type);
}

static void test_e820_small(void **state)
{
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_e820_entry map[X86_E820_MAX];

	(void)state;
	assert_int_equal(x86_e820(mem, map), 5);
	assert_e820(&map[0], 0, 0x9fc00, X86_E820_RAM);
	assert_e820(&map[1], 0x9fc00, 0xe0000, X86_E820_RESERVED);
	assert_e820(&map[2], 0xe0000, 0xff000, X86_E820_ACPI);
	assert_e820(&map[3], 0xff000, 0x100000, X86_E820_RESERVED);
	assert_e820(&map[4], 0x100000, 64 * MIB, X86_E820_RAM);
	mem_destroy(mem);
}

/* RAM in parts that touch is one entry; a hole is none; read-only memory is reserved. */
static void test_e820_regions(void **state)
{
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_e820_entry map[X86_E820_MAX];

	(void)state;
	assert_int_equal(mem_add(mem, gpa(64 * MIB), 64 * MIB, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(X86_VIRTIO_BASE), 0x10000, MEM_HOLE), 0);
	assert_int_equal(mem_add(mem, gpa(0xffff0000), 0x10000, MEM_READONLY), 0);
	assert_int_equal(mem_add(mem, gpa(X86_RAM_HIGH), MIB, MEM_RAM), 0);
	assert_int_equal(x86_e820(mem, map), 7);
	assert_e820(&map[4], 0x100000, 128 * MIB, X86_E820_RAM);
	assert_e820(&map[5], 0xffff0000, 0x100000000, X86_E820_RESERVED);
	assert_e820(&map[6], X86_RAM_HIGH, X86_RAM_HIGH + MIB, X86_E820_RAM);
	mem_destroy(mem);
}

/* As many regions as there can be, cut below 1 MiB in as many ways: the map keeps its bound. */
static void test_e820_most_entries(void **state)
{
	struct x86_e820_entry map[X86_E820_MAX + 1];
	struct guest_mem *mem;
	uint64_t last = 0;
	size_t n;

	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add(mem, gpa(0), 2 * MIB, MEM_RAM), 0);
	for (uint64_t i = 1; i < MEM_MAX_REGIONS; i++)
		assert_int_equal(mem_add(mem, gpa(i * 4 * MIB), 4096, MEM_RAM), 0);
	memset(map, 0x5a, sizeof(map));
	n = x86_e820(mem, map);
	assert_int_equal(n, MEM_MAX_REGIONS + 4);
	assert_true(n <= X86_E820_MAX);
	assert_int_equal(map[X86_E820_MAX].addr, UINT64_C(0x5a5a5a5a5a5a5a5a));
	for (size_t i = 0; i < n; i++) {
		assert_true(map[i].addr >= last);
		assert_true(map[i].size > 0);
		last = map[i].addr + map[i].size;
	}
	mem_destroy(mem);
}

/* Fewer than 1 MiB: what is there is told, cut off where it ends. */
static void test_e820_tiny(void **state)
{
	struct x86_e820_entry map[X86_E820_MAX];
	struct guest_mem *mem = ram(0xa0000);

	(void)state;
	assert_int_equal(x86_e820(mem, map), 2);
	assert_e820(&map[0], 0, 0x9fc00, X86_E820_RAM);
	assert_e820(&map[1], 0x9fc00, 0xa0000, X86_E820_RESERVED);
	mem_destroy(mem);
}

static void test_boot_params_of_bzimage(void **state)
{
	static const char cmdline[] = "console=ttyS0 root=/dev/vda";
	struct kernel_file image = bzimage();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	const uint8_t *bp;

	(void)state;
	le64_store(image_bytes + 0x250, 0x1122334455667788); /* setup_data: not passed on */
	image_bytes[0x26b] = 0x77;			     /* the header's last byte */
	image_bytes[0x26c] = 0x99;			     /* code behind the header */
	load(mem, image, &boot);
	assert_int_equal(x86_write_boot_data(mem, &image, &boot, cmdline, gpa(0x3000000), 0x12345,
					     gpa(X86_ACPI)),
			 0);
	assert_int_equal(boot.rsi, X86_ZERO_PAGE);
	assert_int_equal(boot.rbx, 0);
	assert_guest_bytes(mem, X86_CMDLINE, cmdline, sizeof(cmdline));

	bp = guest_page(mem, X86_ZERO_PAGE, 4096);
	assert_int_equal(le64_load(bp + 0x70), X86_ACPI);
	assert_int_equal(le16_load(bp + 0x1fe), 0xaa55);
	assert_memory_equal(bp + 0x202, "HdrS", 4);
	assert_int_equal(le16_load(bp + 0x206), 0x20f);
	assert_int_equal(bp[0x1ef], 0); /* sentinel: the fields around it mean something */
	assert_int_equal(bp[0x210], 0xff);
	assert_int_equal(bp[0x211] & 1, 1);
	assert_int_equal(le32_load(bp + 0x218), 0x3000000);
	assert_int_equal(le32_load(bp + 0x21c), 0x12345);
	assert_int_equal(le32_load(bp + 0x228), X86_CMDLINE);
	assert_int_equal(le32_load(bp + 0x0c0), 0);
	assert_int_equal(le32_load(bp + 0x0c4), 0);
	assert_int_equal(le32_load(bp + 0x0c8), 0);
	assert_int_equal(le32_load(bp + 0x230), 0x200000);
	assert_int_equal(le64_load(bp + 0x250), 0);
	assert_int_equal(le64_load(bp + 0x258), BZ_LOAD);
	assert_int_equal(le32_load(bp + 0x260), BZ_INIT_SIZE);
	assert_int_equal(bp[0x26b], 0x77);
	assert_int_equal(bp[0x26c], 0);
	assert_int_equal(bp[0x1e8], 5);
	assert_int_equal(le64_load(bp + 0x2d0), 0);
	assert_int_equal(le64_load(bp + 0x2d8), 0x9fc00);
	assert_int_equal(le32_load(bp + 0x2e0), X86_E820_RAM);
	assert_int_equal(le64_load(bp + 0x2d0 + 80), 0x100000);
	assert_int_equal(le64_load(bp + 0x2d0 + 88), 63 * MIB);
	assert_int_equal(le32_load(bp + 0x2d0 + 96), X86_E820_RAM);
	assert_int_equal(le64_load(bp + 0x2d0 + 100), 0);
	mem_destroy(mem);
}

/* A header that claims to go on for ever is cut where boot_params has other fields. */
static void test_threat_33_long_header(void **state)
{
	struct kernel_file image = bzimage();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	const uint8_t *bp;

	(void)state;
	image_bytes[0x201] = 0xff;
	memset(image_bytes + 0x26c, 0x99, 0x301 - 0x26c);
	load(mem, image, &boot);
	assert_int_equal(x86_write_boot_data(mem, &image, &boot, "", gpa(0), 0, gpa(0)), 0);
	bp = guest_page(mem, X86_ZERO_PAGE, 4096);
	assert_int_equal(bp[0x28f], 0x99);
	assert_int_equal(bp[0x290], 0);
	assert_int_equal(le64_load(bp + 0x2d0), 0);
	mem_destroy(mem);
}

static void test_boot_params_of_elf(void **state)
{
	struct kernel_file image = elf();
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	const uint8_t *bp;

	(void)state;
	load(mem, image, &boot);
	/* No initrd: its address is of no meaning, whatever the caller says. */
	assert_int_equal(x86_write_boot_data(mem, &image, &boot, "quiet", gpa(77), 0, gpa(0)), 0);
	assert_int_equal(boot.rsi, X86_ZERO_PAGE);
	bp = guest_page(mem, X86_ZERO_PAGE, 4096);
	assert_int_equal(le64_load(bp + 0x70), 0);
	assert_int_equal(le16_load(bp + 0x1fe), 0xaa55);
	assert_memory_equal(bp + 0x202, "HdrS", 4);
	assert_int_equal(le16_load(bp + 0x206), 0x20c);
	assert_int_equal(bp[0x210], 0xff);
	assert_int_equal(le32_load(bp + 0x218), 0);
	assert_int_equal(le32_load(bp + 0x228), X86_CMDLINE);
	assert_int_equal(bp[0x1e8], 5);
	assert_guest_bytes(mem, X86_CMDLINE, "quiet", 6);
	mem_destroy(mem);
}

static void test_pvh_info(void **state)
{
	struct kernel_file image = pvh_elf(MIB + 0x40);
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	const uint8_t *info;
	uint8_t list[120];

	(void)state;
	load(mem, image, &boot);
	assert_int_equal(x86_write_boot_data(mem, &image, &boot, "pvh", gpa(0x3000000), 0x12345,
					     gpa(X86_ACPI)),
			 0);
	assert_int_equal(boot.rbx, X86_PVH_INFO);
	assert_int_equal(boot.rsi, 0);
	info = guest_page(mem, X86_PVH_INFO, 56);
	assert_int_equal(le32_load(info), 0x336ec578);
	assert_int_equal(le32_load(info + 4), 1);
	assert_int_equal(le32_load(info + 8), 0);
	assert_int_equal(le32_load(info + 12), 1);
	assert_int_equal(le64_load(info + 24), X86_CMDLINE);
	assert_int_equal(le64_load(info + 32), X86_ACPI);
	assert_int_equal(le32_load(info + 48), 5);
	assert_int_equal(mem_read(mem, gpa(le64_load(info + 16)), list, 32), 0);
	assert_int_equal(le64_load(list), 0x3000000);
	assert_int_equal(le64_load(list + 8), 0x12345);
	assert_int_equal(le64_load(list + 16), 0);
	assert_int_equal(mem_read(mem, gpa(le64_load(info + 40)), list, 120), 0);
	assert_int_equal(le64_load(list), 0);
	assert_int_equal(le64_load(list + 8), 0x9fc00);
	assert_int_equal(le32_load(list + 16), X86_E820_RAM);
	assert_int_equal(le64_load(list + 96), 0x100000);
	assert_int_equal(le64_load(list + 104), 63 * MIB);
	assert_guest_bytes(mem, X86_CMDLINE, "pvh", 4);

	assert_int_equal(x86_write_boot_data(mem, &image, &boot, "", gpa(0), 0, gpa(0)), 0);
	info = guest_page(mem, X86_PVH_INFO, 56);
	assert_int_equal(le32_load(info + 12), 0);
	assert_int_equal(le64_load(info + 16), 0);
	mem_destroy(mem);
}

struct line {
	struct kernel_file image;
	size_t len;
	int expect;
};

static void write_line(void *arg)
{
	const struct line *line = (const struct line *)arg;
	struct guest_mem *mem = ram(64 * MIB);
	struct x86_boot boot;
	static char cmdline[X86_CMDLINE_MAX + 2];
	uint8_t after[2] = { 0, 0 };

	memset(cmdline, 'x', line->len);
	load(mem, line->image, &boot);
	if (x86_write_boot_data(mem, &line->image, &boot, cmdline, gpa(0), 0, gpa(0)) !=
	    line->expect)
		_exit(9);
	if (mem_read(mem, gpa(X86_CMDLINE + line->len - 1), after, 2))
		_exit(8);
	if (after[0] != (line->expect ? 0 : 'x') || after[1])
		_exit(7);
	mem_destroy(mem);
}

/* The longest line fits with its NUL; a byte more is refused, and both numbers are said. */
static void expect_line(struct kernel_file image, size_t max)
{
	struct line line = { .image = image, .len = max };
	struct captured out;
	char words[128];

	capture_child(&out, write_line, &line);
	assert_int_equal(out.status, 0);
	assert_string_equal(out.text, "");
	line.len++;
	line.expect = -ENOSPC;
	capture_child(&out, write_line, &line);
	assert_int_equal(out.status, 0);
	(void)snprintf(
		words, sizeof(words),
		"hvrun: kernel vmlinuz: the command line has %zu bytes, this kernel takes at "
		"most %zu\n",
		max + 1, max);
	assert_string_equal(out.text, words);
}

static void test_threat_33_cmdline_length(void **state)
{
	struct kernel_file image = bzimage();

	(void)state;
	expect_line(image, 2047);
	le32_store(image_bytes + 0x238, 255);
	expect_line(image, 255);
	le32_store(image_bytes + 0x238, UINT32_MAX); /* no room of ours for that */
	expect_line(image, X86_CMDLINE_MAX - 1);
	expect_line(elf(), 2047);
	expect_line(pvh_elf(MIB), 2047);
}

/* Walks the tables as the processor does. */
static uint64_t translate(const struct guest_mem *mem, uint64_t address)
{
	uint64_t entry = X86_PML4;

	for (unsigned shift = 39; shift >= 21; shift -= 9) {
		uint64_t at = (entry & UINT64_C(0xffffffffff000)) + (address >> shift & 511) * 8;

		assert_int_equal(mem_load64(mem, gpa(at), &entry), 0);
		assert_int_equal(entry & 7, 3);
		assert_int_equal(entry >> 63, 0);
	}
	assert_int_equal(entry & 0x80, 0x80);
	return (entry & UINT64_C(0xfffffffe00000)) + (address & 0x1fffff);
}

static void test_page_tables(void **state)
{
	static const uint64_t addresses[] = {
		0,	 0x7000, 0x1fffff, 0x200000,   BZ_LOAD + 0x200,
		GIB - 1, GIB,	 3 * GIB,  0xfee00000, 4 * GIB - 1,
	};
	struct guest_mem *mem = ram(2 * MIB);
	uint64_t entry;

	(void)state;
	assert_int_equal(x86_write_page_tables(mem), 0);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		assert_int_equal(translate(mem, addresses[i]), addresses[i]);
	assert_int_equal(mem_load64(mem, gpa(X86_PDPT + 4 * 8), &entry), 0);
	assert_int_equal(entry, 0);
	assert_int_equal(mem_load64(mem, gpa(X86_PML4 + 8), &entry), 0);
	assert_int_equal(entry, 0);
	mem_destroy(mem);
}

static void test_gdt(void **state)
{
	struct guest_mem *mem = ram(2 * MIB);
	uint64_t d;

	(void)state;
	assert_int_equal(x86_write_gdt(mem), 0);
	assert_int_equal(mem_load64(mem, gpa(X86_GDT), &d), 0);
	assert_int_equal(d, 0);
	assert_int_equal(mem_load64(mem, gpa(X86_GDT + X86_SEL_CODE64), &d), 0);
	assert_int_equal(d, UINT64_C(0x00af9b000000ffff));
	assert_int_equal(mem_load64(mem, gpa(X86_GDT + X86_SEL_CODE32), &d), 0);
	assert_int_equal(d, UINT64_C(0x00cf9b000000ffff));
	assert_int_equal(mem_load64(mem, gpa(X86_GDT + X86_SEL_DATA), &d), 0);
	assert_int_equal(d, UINT64_C(0x00cf93000000ffff));
	assert_int_equal(mem_load64(mem, gpa(X86_GDT + X86_SEL_TSS), &d), 0);
	assert_int_equal(d, UINT64_C(0x00008b0000000067));
	mem_destroy(mem);
}

/* The windows and lines that guests are told of elsewhere, too (guests/x86/platform.c). */
static void test_layout(void **state)
{
	static const unsigned gsis[] = {
		5, 6, 7, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 12
	};

	(void)state;
	for (unsigned i = 0; i < X86_VIRTIO_WINDOWS; i++) {
		assert_int_equal(x86_virtio_gsi(i), gsis[i]);
		assert_int_equal(x86_virtio_base(i), 0xc0000000 + i * 0x1000);
	}
	assert_int_equal(X86_SLEEP_S5, 0x34);
}

/* No RAM for the fixed areas: an error, no more. */
static void test_no_low_ram(void **state)
{
	struct kernel_file image = elf();
	struct guest_mem *mem;
	struct x86_boot boot;

	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add(mem, gpa(MIB), 16 * MIB, MEM_RAM), 0);
	load(mem, image, &boot);
	assert_int_equal(x86_write_boot_data(mem, &image, &boot, "", gpa(0), 0, gpa(0)), -EFAULT);
	assert_int_equal(x86_write_page_tables(mem), -EFAULT);
	assert_int_equal(x86_write_gdt(mem), -EFAULT);
	mem_destroy(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_e820_small),
		cmocka_unit_test(test_e820_regions),
		cmocka_unit_test(test_e820_most_entries),
		cmocka_unit_test(test_e820_tiny),
		cmocka_unit_test(test_boot_params_of_bzimage),
		cmocka_unit_test(test_threat_33_long_header),
		cmocka_unit_test(test_boot_params_of_elf),
		cmocka_unit_test(test_pvh_info),
		cmocka_unit_test(test_threat_33_cmdline_length),
		cmocka_unit_test(test_page_tables),
		cmocka_unit_test(test_gdt),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_no_low_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
