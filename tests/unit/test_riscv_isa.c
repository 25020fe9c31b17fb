/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/riscv/isa: the words that a device tree has for what KVM reports of a hart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "arch/riscv/isa.h"

static uint32_t letters(const char *text)
{
	uint32_t bits = 0;

	for (; *text; text++)
		bits |= UINT32_C(1) << (*text - 'a');
	return bits;
}

static uint64_t number(unsigned n)
{
	return UINT64_C(1) << n;
}

static void text_is_in_canonical_order(void **state)
{
	const struct riscv_isa isa = {
		.letters = letters("acdfim"),
		.extensions = number(RISCV_ISA_ZICSR) | number(RISCV_ISA_ZICNTR) |
			      number(RISCV_ISA_ZIFENCEI),
	};
	char text[RISCV_ISA_TEXT_MAX];

	(void)state;
	riscv_isa_text(&isa, text);
	assert_string_equal(text, "rv64imafdc_zicntr_zicsr_zifencei");
}

/* The hypervisor's letter is not for guests, nor are those that Linux does not know (S, U, X). */
static void letters_not_for_guests_are_left_out(void **state)
{
	const struct riscv_isa isa = { .letters = UINT32_MAX };
	char text[RISCV_ISA_TEXT_MAX];

	(void)state;
	riscv_isa_text(&isa, text);
	assert_string_equal(text, "rv64imafdqcbv");
}

static void list_says_the_same(void **state)
{
	const struct riscv_isa isa = {
		.letters = letters("imacv"),
		/* Numbers of single letters are told as letters, not again by number. */
		.extensions = number(0) | number(5) | number(15) | number(RISCV_ISA_SSAIA) |
			      number(RISCV_ISA_ZICBOM) | number(RISCV_ISA_ZICBOZ) | number(61) |
			      number(62) | number(63),
	};
	static const char *const want[] = { "i",      "m",	"a",	 "c",	  "v",
					    "zicbom", "zicboz", "ssaia", "zawrs", NULL };
	const char *list[RISCV_ISA_LIST_MAX];
	char storage[26][2];
	size_t i;

	(void)state;
	riscv_isa_list(&isa, storage, list);
	for (i = 0; want[i]; i++) {
		assert_non_null(list[i]);
		assert_string_equal(list[i], want[i]);
	}
	assert_null(list[i]);
}

static void everything_fits(void **state)
{
	const struct riscv_isa isa = { .letters = UINT32_MAX, .extensions = UINT64_MAX };
	const char *list[RISCV_ISA_LIST_MAX];
	char storage[26][2];
	char text[RISCV_ISA_TEXT_MAX];
	size_t count = 0;

	(void)state;
	riscv_isa_text(&isa, text);
	assert_true(strlen(text) < RISCV_ISA_TEXT_MAX - 100);
	assert_string_equal(text + strlen(text) - strlen("_zawrs"), "_zawrs");
	riscv_isa_list(&isa, storage, list);
	while (list[count])
		count++;
	assert_int_equal(count, 9 + RISCV_ISA_NAMED - 8); /* numbers 0 to 6 and 15 are letters */
}

static void names_match_their_numbers(void **state)
{
	(void)state;
	assert_string_equal(riscv_isa_name(7), "svpbmt");
	assert_string_equal(riscv_isa_name(8), "sstc");
	assert_string_equal(riscv_isa_name(RISCV_ISA_ZICBOM), "zicbom");
	assert_string_equal(riscv_isa_name(RISCV_ISA_ZICBOZ), "zicboz");
	assert_string_equal(riscv_isa_name(RISCV_ISA_SSAIA), "ssaia");
	assert_string_equal(riscv_isa_name(RISCV_ISA_ZICNTR), "zicntr");
	assert_string_equal(riscv_isa_name(RISCV_ISA_ZICSR), "zicsr");
	assert_string_equal(riscv_isa_name(RISCV_ISA_ZIFENCEI), "zifencei");
	assert_string_equal(riscv_isa_name(32), "zkr");
	assert_null(riscv_isa_name(0));
	assert_null(riscv_isa_name(15));
	assert_null(riscv_isa_name(RISCV_ISA_NAMED));
}

static void paging_modes(void **state)
{
	struct riscv_isa isa = { 0 };

	(void)state;
	assert_string_equal(riscv_isa_mmu(&isa), "riscv,sv39"); /* a KVM that does not tell */
	isa.satp_mode = 8;
	assert_string_equal(riscv_isa_mmu(&isa), "riscv,sv39");
	isa.satp_mode = 9;
	assert_string_equal(riscv_isa_mmu(&isa), "riscv,sv48");
	isa.satp_mode = 10;
	assert_string_equal(riscv_isa_mmu(&isa), "riscv,sv57");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_in_canonical_order),
		cmocka_unit_test(letters_not_for_guests_are_left_out),
		cmocka_unit_test(list_says_the_same),
		cmocka_unit_test(everything_fits),
		cmocka_unit_test(names_match_their_numbers),
		cmocka_unit_test(paging_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
