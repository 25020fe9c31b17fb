/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/diag: one line, one write, safe to show, cut with dots, errno kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "tests/lib/capture.h"

static void say_error(void *arg)
{
	diag_error("%s", (const char *)arg);
}

static void assert_line(const char *text, const char *expected)
{
	struct captured out;

	capture_child(&out, say_error, (void *)(uintptr_t)text);
	assert_true(WIFEXITED(out.status));
	assert_string_equal(out.text, expected);
}

static void plain(void **state)
{
	(void)state;
	assert_line("disk root.img: size 1000 is odd", "hvrun: disk root.img: size 1000 is odd\n");
	assert_line("", "hvrun: \n");
}

static void escapes_control_characters(void **state)
{
	(void)state;
	assert_line("a\nhvrun: b\r\x1b[2J\t\x7f", "hvrun: a\\x0ahvrun: b\\x0d\\x1b[2J\\x09\\x7f\n");
}

static void keeps_good_utf8_only(void **state)
{
	(void)state;
	assert_line("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		    "hvrun: \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n");
	/* C1 control, overlong slash, surrogate, beyond U+10FFFF, lone and cut sequences */
	assert_line("\xc2\x9b", "hvrun: \\xc2\\x9b\n");
	assert_line("\xc0\xaf", "hvrun: \\xc0\\xaf\n");
	assert_line("\xed\xa0\x80", "hvrun: \\xed\\xa0\\x80\n");
	assert_line("\xf4\x90\x80\x80", "hvrun: \\xf4\\x90\\x80\\x80\n");
	assert_line("\x80z", "hvrun: \\x80z\n");
	assert_line("\xe2\x82", "hvrun: \\xe2\\x82\n");
	assert_line("\xff", "hvrun: \\xff\n");
}

static void cuts_long_lines(void **state)
{
	char text[3 * DIAG_MAX];
	struct captured out;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	capture_child(&out, say_error, text);
	assert_int_equal(out.len, DIAG_MAX);
	assert_string_equal(out.text + DIAG_MAX - 5, "x...\n");

	/* Escapes quadruple: the cut never splits one. */
	memset(text, 1, sizeof(text) - 1);
	capture_child(&out, say_error, text);
	assert_true(out.len <= DIAG_MAX);
	assert_string_equal(out.text + out.len - 8, "\\x01...\n");
}

static void longest_whole_line(void **state)
{
	char text[DIAG_MAX];
	struct captured out;
	size_t fits = DIAG_MAX - strlen("hvrun: ") - strlen("...\n");

	(void)state;
	memset(text, 'y', sizeof(text));
	text[fits] = '\0';
	capture_child(&out, say_error, text);
	assert_int_equal(out.len, DIAG_MAX - 3);
	assert_string_equal(out.text + out.len - 2, "y\n");
	text[fits] = 'y';
	text[fits + 1] = '\0';
	capture_child(&out, say_error, text);
	assert_int_equal(out.len, DIAG_MAX);
	assert_string_equal(out.text + out.len - 4, "...\n");
}

static void print_kinds(void *arg)
{
	(void)arg;
	errno = EXDEV;
	diag_warn("w %d", 1);
	diag_note("n %s", "2");
	if (errno != EXDEV)
		diag_error("errno was lost");
}

static void kinds_and_errno(void **state)
{
	struct captured out;

	(void)state;
	capture_child(&out, print_kinds, NULL);
	assert_string_equal(out.text, "hvrun: warning: w 1\nhvrun: n 2\n");
}

static void print_closed(void *arg)
{
	(void)arg;
	(void)close(STDERR_FILENO);
	diag_error("nobody hears this");
	_exit(7);
}

static void closed_stderr_is_survived(void **state)
{
	struct captured out;

	(void)state;
	capture_child(&out, print_closed, NULL);
	assert_true(WIFEXITED(out.status));
	assert_int_equal(WEXITSTATUS(out.status), 7);
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(escapes_control_characters),
		cmocka_unit_test(keeps_good_utf8_only),
		cmocka_unit_test(cuts_long_lines),
		cmocka_unit_test(longest_whole_line),
		cmocka_unit_test(kinds_and_errno),
		cmocka_unit_test(closed_stderr_is_survived),
	};

	return cmocka_run_group_tests_name("base_diag", tests, NULL, NULL);
}
