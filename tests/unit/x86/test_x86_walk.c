/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/walk: the guest's page tables, honest ones and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "arch/x86/walk.h"

enum {
	RAM = 0x100000,
	PRESENT = 1,
	LARGE = 0x80,
	CR4_PSE = 0x10,
	CR4_PAE = 0x20,
	CR4_LA57 = 0x1000,
	EFER_LMA = 0x400,
};

#define CR0_PG UINT64_C(0x80000001)

static struct guest_mem *mem;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	return mem_add(mem, gpa(0), RAM, MEM_RAM);
}

static int teardown(void **state)
{
	(void)state;
	mem_destroy(mem);
	return 0;
}

static void put(uint64_t table, unsigned index, uint64_t entry)
{
	assert_int_equal(mem_store64(mem, gpa(table + 8 * (uint64_t)index), entry), 0);
}

static const struct x86_paging four = { CR0_PG, 0x1000, CR4_PAE, EFER_LMA };

static void expect(const struct x86_paging *p, uint64_t address, uint64_t at, uint64_t left)
{
	struct arch_place place = { gpa(1), 1 };

	assert_int_equal(x86_walk(mem, p, address, &place), 0);
	assert_int_equal(place.at.v, at);
	assert_int_equal(place.left, left);
}

static void refuse(const struct x86_paging *p, uint64_t address)
{
	struct arch_place place;

	assert_int_equal(x86_walk(mem, p, address, &place), -EFAULT);
}

static void test_no_paging(void **state)
{
	const struct x86_paging off = { 1, 0, 0, 0 };

	(void)state;
	expect(&off, 0x1234, 0x1234, 0xdcc);
}

static void test_four_levels(void **state)
{
	(void)state;
	/* A kernel's address: ffffffff81234567. */
	put(0x1000, 511, 0x2000 | PRESENT);
	put(0x2000, 510, 0x3000 | PRESENT);
	put(0x3000, 9, 0x4000 | PRESENT);
	put(0x4000, 0x34, UINT64_C(0x8000000000abc000) | PRESENT);
	expect(&four, UINT64_C(0xffffffff81234567), 0xabc567, 0xa99);
	refuse(&four, UINT64_C(0xffffffff81235567));
	/* Pages of 2 MiB and 1 GiB; PAT is not a reserved bit. */
	put(0x3000, 8, UINT64_C(0x12e00000) | 0x1000 | LARGE | PRESENT);
	expect(&four, UINT64_C(0xffffffff81012345), UINT64_C(0x12e12345), 0x1edcbb);
	put(0x2000, 511, UINT64_C(0x540000000) | LARGE | PRESENT);
	expect(&four, UINT64_C(0xffffffffc0000010), UINT64_C(0x540000010), 0x3ffffff0);
}

static void test_five_levels(void **state)
{
	const struct x86_paging five = { CR0_PG, 0x1000, CR4_PAE | CR4_LA57, EFER_LMA };
	const uint64_t address = UINT64_C(0xff11000000000000);

	(void)state;
	put(0x1000, address >> 48 & 511, 0x2000 | PRESENT);
	put(0x2000, 0, 0x3000 | PRESENT);
	put(0x3000, 0, UINT64_C(0x80000000) | LARGE | PRESENT);
	expect(&five, address + 0x999, UINT64_C(0x80000999), 0x40000000 - 0x999);
	refuse(&four, address);
}

static void test_pae_and_32_bit(void **state)
{
	const struct x86_paging pae = { CR0_PG, 0x1020, CR4_PAE, 0 };
	const struct x86_paging old = { CR0_PG, 0x5000, CR4_PSE, 0 };
	const struct x86_paging older = { CR0_PG, 0x5000, 0, 0 };

	(void)state;
	put(0x1020, 3, 0x2000 | PRESENT);
	put(0x2000, 1, UINT64_C(0x200000000) | LARGE | PRESENT);
	expect(&pae, 0xc0200004, UINT64_C(0x200000004), 0x1ffffc);

	assert_int_equal(mem_store32(mem, gpa(0x5000 + 4 * 0x300), 0x6000 | PRESENT), 0);
	assert_int_equal(mem_store32(mem, gpa(0x6000 + 4 * 5), 0x77000 | PRESENT), 0);
	expect(&old, 0xc0005123, 0x77123, 0xedd);
	/* 4 MiB, with bits 32 to 39 in bits 13 to 20. */
	assert_int_equal(mem_store32(mem, gpa(0x5000 + 4), 0x01800000 | 3 << 13 | LARGE | PRESENT),
			 0);
	expect(&old, 0x400010, UINT64_C(0x301800010), 0x3ffff0);
	/* Without PSE bit 7 means nothing: the entry points to a table. */
	refuse(&older, 0x400010);
}

static void test_hostile_tables(void **state)
{
	(void)state;
	refuse(&four, 0);			     /* empty */
	refuse(&four, UINT64_C(0x0000800000000000)); /* not canonical */
	/* A table that is its own next one ends after the last level. */
	put(0x1000, 0, 0x1000 | PRESENT);
	expect(&four, 0x10, 0x1010, 0xff0);
	/* Tables outside RAM, at its edge, and at the highest address there is. */
	put(0x1000, 0, RAM | PRESENT);
	refuse(&four, 0);
	put(0x1000, 0, UINT64_C(0x000ffffffffff000) | PRESENT);
	refuse(&four, 0x1ff000);
	refuse(&(struct x86_paging){ CR0_PG, UINT64_MAX, CR4_PAE, EFER_LMA }, 0x1000);
	/* Reserved: a page of 512 GiB; an offset's bits in a large page. */
	put(0x1000, 0, 0x2000 | LARGE | PRESENT);
	refuse(&four, 0);
	put(0x1000, 0, 0x2000 | PRESENT);
	put(0x2000, 0, 0x3000 | PRESENT);
	put(0x3000, 0, 0x2000 | LARGE | PRESENT);
	refuse(&four, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_paging, setup, teardown),
		cmocka_unit_test_setup_teardown(test_four_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_five_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pae_and_32_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_tables, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
