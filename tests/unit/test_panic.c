/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/panic: a panic is seen however its line is cut, and nothing else is taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vm/panic.h"

static const char boot_log[] =
	"[    1.0] Run /init as init process\r\n"
	"[    1.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\r\n"
	"[    1.2] CPU: 0 PID: 1 Comm: init\r\n";

static void test_seen_in_one_piece(void **state)
{
	struct panic_watch watch = { .len = 0 };

	(void)state;
	panic_watch(&watch, boot_log, sizeof(boot_log) - 1);
	assert_true(watch.seen);
	assert_string_equal(watch.why, "Attempted to kill init! exitcode=0x0000000b");
}

static void test_seen_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < sizeof(boot_log) - 1; cut++) {
		struct panic_watch watch = { .len = 0 };

		panic_watch(&watch, boot_log, cut);
		panic_watch(&watch, boot_log + cut, sizeof(boot_log) - 1 - cut);
		assert_true(watch.seen);
		assert_string_equal(watch.why, "Attempted to kill init! exitcode=0x0000000b");
	}
}

static void test_not_seen_before_its_line_ends(void **state)
{
	static const char half[] = "Kernel panic - not sync";
	struct panic_watch watch = { .len = 0 };

	(void)state;
	panic_watch(&watch, half, sizeof(half) - 1);
	assert_false(watch.seen);
	panic_watch(&watch, "\n", 1);
	assert_false(watch.seen);
	panic_watch(&watch, "Kernel panic - not syncing\n", 27);
	assert_true(watch.seen);
	assert_string_equal(watch.why, "");
}

/* The first one counts; later ones (a panic in the panic) do not change the story. */
static void test_first_counts(void **state)
{
	static const char two[] =
		"Kernel panic - not syncing: one\nKernel panic - not syncing: two\n";
	struct panic_watch watch = { .len = 0 };

	(void)state;
	panic_watch(&watch, two, sizeof(two) - 1);
	assert_string_equal(watch.why, "one");
}

/* A line without end, and with zeros in it, costs nothing and hides what lies beyond the bound. */
static void test_endless_line(void **state)
{
	struct panic_watch watch = { .len = 0 };
	char much[1000];

	(void)state;
	memset(much, 'x', sizeof(much));
	much[10] = '\0';
	for (int i = 0; i < 1000; i++)
		panic_watch(&watch, much, sizeof(much));
	assert_int_equal(watch.len, VM_PANIC_LINE - 1);
	panic_watch(&watch, "\nKernel panic - not syncing: y\n", 31);
	assert_string_equal(watch.why, "y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen_in_one_piece),
		cmocka_unit_test(test_seen_however_it_is_cut),
		cmocka_unit_test(test_not_seen_before_its_line_ends),
		cmocka_unit_test(test_first_counts),
		cmocka_unit_test(test_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
