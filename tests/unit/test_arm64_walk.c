/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/arm64/walk: the guest's page tables, honest ones and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "arch/arm64/walk.h"

#define RAM UINT64_C(0x40000000)

enum {
	RAM_SIZE = 0x100000,
	TABLE = 3, /* or a page */
	BLOCK = 1,
};

static struct guest_mem *mem;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	return mem_add(mem, gpa(RAM), RAM_SIZE, MEM_RAM);
}

static int teardown(void **state)
{
	(void)state;
	mem_destroy(mem);
	return 0;
}

static void put(uint64_t table, unsigned index, uint64_t desc)
{
	assert_int_equal(mem_store64(mem, gpa(table + 8 * (uint64_t)index), desc), 0);
}

/* TCR: both halves of @bits, granules by their codes for TTBR0 and TTBR1, @more. */
static struct arm64_paging paging(unsigned bits, unsigned tg0, unsigned tg1, uint64_t more)
{
	return (struct arm64_paging){
		.sctlr = 1,
		.tcr = (64 - bits) | (uint64_t)(64 - bits) << 16 | (uint64_t)tg0 << 14 |
		       (uint64_t)tg1 << 30 | more,
		.ttbr0 = RAM,
		.ttbr1 = RAM + 0x10000,
	};
}

static void expect(struct arm64_paging p, uint64_t address, uint64_t at, uint64_t left)
{
	struct arch_place place = { gpa(1), 1 };

	assert_int_equal(arm64_walk(mem, &p, address, &place), 0);
	assert_int_equal(place.at.v, at);
	assert_int_equal(place.left, left);
}

static void refuse(struct arm64_paging p, uint64_t address)
{
	struct arch_place place;

	assert_int_equal(arm64_walk(mem, &p, address, &place), -EFAULT);
}

static void test_no_paging(void **state)
{
	struct arm64_paging off = paging(48, 0, 2, 0);

	(void)state;
	off.sctlr = 0;
	expect(off, 0x40001ff0, 0x40001ff0, 0x10);
}

static void test_4k(void **state)
{
	struct arm64_paging p = paging(48, 0, 2, 0);
	const uint64_t kernel = UINT64_C(0xffff800008123456);

	(void)state;
	put(p.ttbr1, 256, (RAM + 0x1000) | TABLE);
	put(RAM + 0x1000, 0, (RAM + 0x2000) | TABLE);
	put(RAM + 0x2000, 64, (RAM + 0x3000) | TABLE);
	put(RAM + 0x3000, 0x123, UINT64_C(0x0060000040abc000) | TABLE);
	expect(p, kernel, 0x40abc456, 0xbaa);
	/* Blocks of 2 MiB and 1 GiB, and the lower half by TTBR0. */
	put(RAM + 0x2000, 65, UINT64_C(0x40e00000) | BLOCK);
	expect(p, UINT64_C(0xffff800008200010), 0x40e00010, 0x1ffff0);
	put(p.ttbr0, 0, (RAM + 0x1000) | TABLE);
	put(RAM + 0x1000, 1, UINT64_C(0x80000000) | BLOCK);
	expect(p, 0x40000008, UINT64_C(0x80000008), 0x3ffffff8);
	/* 39 bits begin one level lower. */
	p = paging(39, 0, 2, 0);
	put(p.ttbr1, 0, UINT64_C(0xc0000000) | BLOCK);
	expect(p, UINT64_C(0xffffff8000000123), UINT64_C(0xc0000123), 0x40000000 - 0x123);
	refuse(p, UINT64_C(0xffff800000000123)); /* below its range */
}

static void test_16k_and_64k(void **state)
{
	struct arm64_paging p = paging(47, 2, 1, 0);

	(void)state;
	put(p.ttbr1, 0, (RAM + 0x4000) | TABLE);
	put(RAM + 0x4000, 0, (RAM + 0x8000) | TABLE);
	put(RAM + 0x8000, 2, UINT64_C(0x4000c000) | TABLE);
	expect(p, UINT64_C(0xffff800000008004), 0x4000c004, 0x3ffc);
	put(RAM + 0x4000, 1, UINT64_C(0x42000000) | BLOCK);
	expect(p, UINT64_C(0xffff800002000001), 0x42000001, 0x1ffffff);

	/* 64 KiB, 52 bits: bits 48 to 51 of an address are in bits 12 to 15. */
	p = paging(52, 1, 3, UINT64_C(6) << 32);
	put(p.ttbr1, 0, (RAM + 0x20000) | TABLE);
	put(RAM + 0x20000, 1, UINT64_C(0x600000000) | 0x5000 | BLOCK);
	expect(p, UINT64_C(0xfff0000020000010), UINT64_C(0x5000600000010), 0x1ffffff0);
}

static void test_52_bits_in_small_granules(void **state)
{
	struct arm64_paging p = paging(52, 0, 2, UINT64_C(1) << 59);

	(void)state;
	put(p.ttbr0, 0, (RAM + 0x1000) | TABLE);
	put(RAM + 0x1000, 0, (RAM + 0x2000) | TABLE);
	put(RAM + 0x2000, 0, (RAM + 0x3000) | TABLE);
	put(RAM + 0x3000, 0, (RAM + 0x4000) | TABLE);
	put(RAM + 0x4000, 7, (UINT64_C(1) << 48) | 0x5000 | 2 << 8 | TABLE);
	expect(p, 0x7001, (UINT64_C(2) << 50) | (UINT64_C(1) << 48) | 0x5001, 0xfff);
}

static void test_top_byte(void **state)
{
	struct arm64_paging p = paging(48, 0, 2, UINT64_C(1) << 37);

	(void)state;
	put(p.ttbr0, 0, (RAM + 0x1000) | TABLE);
	put(RAM + 0x1000, 0, UINT64_C(0x40000000) | BLOCK);
	expect(p, UINT64_C(0xab00000000000010), 0x40000010, 0x3ffffff0);
	refuse(paging(48, 0, 2, 0), UINT64_C(0xab00000000000010));
	refuse(p, UINT64_C(0xab01000000000010));
}

static void test_hostile_tables(void **state)
{
	struct arm64_paging p = paging(48, 0, 2, 0);

	(void)state;
	refuse(p, 0); /* empty */
	/* A table that is its own next one ends after the last level. */
	put(p.ttbr0, 0, RAM | TABLE);
	expect(p, 0x10, RAM + 0x10, 0xff0);
	put(p.ttbr0, 0, (RAM + RAM_SIZE) | TABLE);
	refuse(p, 0);
	put(p.ttbr0, 0, UINT64_C(0x0000fffffffff000) | TABLE);
	refuse(p, UINT64_C(0x7fffffffff));
	put(p.ttbr0, 0, RAM | BLOCK); /* 512 GiB: no such block */
	refuse(p, 0);
	put(p.ttbr0, 0, (RAM + 0x1000) | TABLE);
	put(RAM + 0x1000, 0, (RAM + 0x2000) | TABLE);
	put(RAM + 0x2000, 0, (RAM + 0x3000) | TABLE);
	put(RAM + 0x3000, 0, RAM | BLOCK); /* of the last table: reserved */
	refuse(p, 0);
	/* Granule 3 is reserved, sizes 0 and 63 are out of range, a half may be off. */
	refuse(paging(48, 3, 0, 0), 0);
	refuse(paging(48, 0, 0, 0), UINT64_C(0xffffffffffffffff));
	refuse(paging(64, 0, 2, 0), 0);
	refuse(paging(1, 0, 2, 0), 0);
	refuse(paging(48, 0, 2, 1 << 7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_paging, setup, teardown),
		cmocka_unit_test_setup_teardown(test_4k, setup, teardown),
		cmocka_unit_test_setup_teardown(test_16k_and_64k, setup, teardown),
		cmocka_unit_test_setup_teardown(test_52_bits_in_small_granules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_top_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_tables, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
