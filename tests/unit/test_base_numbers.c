/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/le.h and base/checked.h: byte order at odd addresses, and every edge of overflow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/checked.h"
#include "base/le.h"

static void le_loads(void **state)
{
	static const uint8_t bytes[] = { 0xee, 0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88 };

	(void)state;
	assert_int_equal(le16_load(bytes + 1), 0x8201);
	assert_int_equal(le32_load(bytes + 1), 0x84038201);
	assert_true(le64_load(bytes + 1) == 0x8807860584038201);
}

static void le_stores(void **state)
{
	static const uint8_t expected[] = { 0x88, 0x99, 0x44, 0x55, 0x66, 0x77, 0x08,
					    0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0xf1 };
	uint8_t bytes[1 + sizeof(expected) + 1] = { 0 };

	(void)state;
	le16_store(bytes + 1, 0x9988);
	le32_store(bytes + 3, 0x77665544);
	le64_store(bytes + 7, 0xf102030405060708);
	assert_memory_equal(bytes + 1, expected, sizeof(expected));
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[sizeof(bytes) - 1], 0);
}

static void adds_and_multiplies(void **state)
{
	uint64_t r = 42;
	size_t s = 42;

	(void)state;
	assert_true(u64_add(UINT64_MAX - 1, 1, &r));
	assert_true(r == UINT64_MAX);
	assert_false(u64_add(UINT64_MAX, 1, &r));
	assert_true(r == UINT64_MAX);
	assert_true(u64_mul(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &r));
	assert_true(r == 0xffffffff00000000);
	assert_false(u64_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &r));
	assert_true(u64_mul(UINT64_MAX, 0, &r));
	assert_true(r == 0);

	assert_true(size_add(SIZE_MAX, 0, &s));
	assert_true(s == SIZE_MAX);
	assert_false(size_add(SIZE_MAX, 1, &s));
	assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &s));
	assert_true(s == SIZE_MAX);
	assert_true(size_mul(SIZE_MAX / 2, 2, &s));
	assert_true(s == SIZE_MAX - 1);
}

static void aligns(void **state)
{
	uint64_t r = 42;
	size_t s = 42;

	(void)state;
	assert_true(u64_is_pow2(1));
	assert_true(u64_is_pow2(UINT64_C(1) << 63));
	assert_false(u64_is_pow2(0));
	assert_false(u64_is_pow2(3));

	assert_true(u64_align_down(4095, 4096) == 0);
	assert_true(u64_align_down(UINT64_MAX, 4096) == UINT64_MAX - 4095);

	assert_true(u64_align_up(0, 4096, &r));
	assert_true(r == 0);
	assert_true(u64_align_up(1, 4096, &r));
	assert_true(r == 4096);
	assert_true(u64_align_up(4096, 4096, &r));
	assert_true(r == 4096);
	assert_true(u64_align_up(UINT64_MAX - 4095, 4096, &r));
	assert_true(r == UINT64_MAX - 4095);
	assert_false(u64_align_up(UINT64_MAX - 4094, 4096, &r));
	assert_false(u64_align_up(8, 0, &r));
	assert_false(u64_align_up(8, 24, &r));
	assert_true(r == UINT64_MAX - 4095);

	assert_true(size_align_up(7, 8, &s));
	assert_true(s == 8);
	assert_false(size_align_up(SIZE_MAX, 8, &s));
	assert_true(s == 8);
}

static void ranges(void **state)
{
	(void)state;
	assert_true(range_fits(0, 0, 0));
	assert_true(range_fits(10, 0, 10));
	assert_true(range_fits(0, 10, 10));
	assert_false(range_fits(0, 11, 10));
	assert_false(range_fits(11, 0, 10));
	assert_true(range_fits(9, 1, 10));
	assert_false(range_fits(9, 2, 10));
	assert_false(range_fits(UINT64_MAX, 2, UINT64_MAX));
	assert_false(range_fits(2, UINT64_MAX, UINT64_MAX));
	assert_true(range_fits(1, UINT64_MAX - 1, UINT64_MAX));
}

static void smallest_and_largest(void **state)
{
	static const int three[3];

	(void)state;
	assert_int_equal(u32_min(1, UINT32_MAX), 1);
	assert_int_equal(u32_max(1, UINT32_MAX), UINT32_MAX);
	assert_true(u64_min(UINT64_MAX, 2) == 2);
	assert_true(u64_max(UINT64_MAX, 2) == UINT64_MAX);
	assert_true(size_min(5, 4) == 4);
	assert_true(size_max(5, 4) == 5);
	assert_int_equal(ARRAY_SIZE(three), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(le_loads),
		cmocka_unit_test(le_stores),
		cmocka_unit_test(adds_and_multiplies),
		cmocka_unit_test(aligns),
		cmocka_unit_test(ranges),
		cmocka_unit_test(smallest_and_largest),
	};

	return cmocka_run_group_tests_name("base_numbers", tests, NULL, NULL);
}
