/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/aml.c: encodings at their edges, and the writer's bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/aml.h"
#include "base/checked.h"

/* Package lengths at each step of their encoding (20.2.4). */
static void test_aml_package_lengths(void **state)
{
	static const struct {
		size_t content; /* with the name */
		uint8_t bytes[4];
		unsigned count;
	} cases[] = {
		{ 62, { 0x3f }, 1 },
		{ 63, { 0x41, 0x04 }, 2 },
		{ 4093, { 0x4f, 0xff }, 2 },
		{ 4094, { 0x81, 0x00, 0x01 }, 3 },
		{ 0xffffc, { 0x8f, 0xff, 0xff }, 3 },
		{ 0xffffd, { 0xc1, 0x00, 0x00, 0x01 }, 4 },
	};
	enum { ROOM = 2 << 20 };
	uint8_t *buf = (uint8_t *)malloc(ROOM);

	(void)state;
	assert_non_null(buf);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aml a;

		aml_init(&a, buf, ROOM);
		aml_scope(&a, "ABCD");
		aml_zeros(&a, cases[i].content - 4);
		aml_end(&a);
		assert_false(a.failed);
		assert_int_equal(a.len, 1 + cases[i].count + cases[i].content);
		assert_memory_equal(buf + 1, cases[i].bytes, cases[i].count);
		assert_memory_equal(buf + 1 + cases[i].count, "ABCD", 4);
	}
	free(buf);
}

static void test_aml_integers(void **state)
{
	static const uint8_t expected[] = { 0,	  1,	0x0a, 2,    0x0a, 0xff, 0x0b, 0x00,
					    0x01, 0x0b, 0xff, 0xff, 0x0c, 0x00, 0x00, 0x01,
					    0x00, 0x0c, 0xff, 0xff, 0xff, 0xff, 0x0e, 0x00,
					    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00 };
	static const uint64_t values[] = { 0,	    1,		2,
					   0xff,    0x100,	0xffff,
					   0x10000, 0xffffffff, UINT64_C(1) << 32 };
	uint8_t buf[64];
	struct aml a;

	(void)state;
	aml_init(&a, buf, sizeof(buf));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		aml_integer(&a, values[i]);
	assert_int_equal(a.len, sizeof(expected));
	assert_memory_equal(buf, expected, sizeof(expected));
}

/* Whatever the room, the writer stays inside of it, and says so when it was too small. */
static void test_aml_bound(void **state)
{
	uint8_t buf[200];

	(void)state;
	for (size_t room = 0; room <= 100; room++) {
		struct aml a;

		memset(buf, 0xaa, sizeof(buf));
		aml_init(&a, buf, room);
		aml_scope(&a, "\\_SB_");
		aml_device(&a, "DEV0");
		aml_name(&a, "_CRS");
		aml_resources(&a);
		aml_memory32(&a, 1, 2);
		aml_io(&a, 3, 4);
		aml_interrupt(&a, 5);
		aml_resources_end(&a);
		aml_name(&a, "_UID");
		aml_string(&a, "x");
		aml_end(&a);
		aml_end(&a);
		assert_int_equal(a.failed, room < 62);
		assert_true(a.len <= room);
		for (size_t i = room; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0xaa);
	}
}

static void test_aml_misuse(void **state)
{
	uint8_t buf[200];
	struct aml a;

	(void)state;
	aml_init(&a, buf, sizeof(buf));
	aml_end(&a);
	assert_true(a.failed);
	aml_init(&a, buf, sizeof(buf));
	aml_resources_end(&a);
	assert_true(a.failed);
	aml_init(&a, buf, sizeof(buf));
	for (unsigned i = 0; i < 9; i++)
		aml_scope(&a, "DEEP");
	assert_true(a.failed);
	aml_init(&a, buf, sizeof(buf));
	aml_name(&a, "ABC");
	assert_true(a.failed);
	aml_init(&a, buf, sizeof(buf));
	aml_eisaid(&a, "PNP05011");
	assert_true(a.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aml_package_lengths),
		cmocka_unit_test(test_aml_integers),
		cmocka_unit_test(test_aml_bound),
		cmocka_unit_test(test_aml_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
