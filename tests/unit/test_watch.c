/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/console/watch, panic, lines: lines however they are cut, panics, patterns, the last lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "vm/console/watch.h"

static const char boot_log[] =
	"[    1.0] Run /init as init process\r\n"
	"[    1.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\r\n"
	"[    1.2] CPU: 0 PID: 1 Comm: init\r\n";

static struct watch *new_watch(const char *until, const char *fail_on)
{
	struct watch *watch = malloc(sizeof(*watch));

	assert_non_null(watch);
	watch_init(watch, until, fail_on);
	return watch;
}

static void end_watch(struct watch *watch)
{
	watch_release(watch);
	free(watch);
}

static void put(struct watch *watch, const char *text)
{
	watch_output(watch, text, strlen(text));
}

static void test_panic_seen_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sizeof(boot_log) - 1; cut++) {
		struct watch *watch = new_watch(NULL, NULL);

		watch_output(watch, boot_log, cut);
		watch_output(watch, boot_log + cut, sizeof(boot_log) - 1 - cut);
		assert_true(watch->panic.seen);
		assert_true(watch->init_seen);
		assert_int_equal(watch->verdict, WATCH_NONE);
		assert_string_equal(watch->panic.why,
				    "Attempted to kill init! exitcode=0x0000000b");
		end_watch(watch);
	}
}

static void test_panic_not_seen_before_its_line_ends(void **state)
{
	struct watch *watch = new_watch(NULL, NULL);

	(void)state;
	put(watch, "Kernel panic - not sync");
	assert_false(watch->panic.seen);
	put(watch, "\nKernel panic - not syncing");
	assert_false(watch->panic.seen);
	put(watch, "\n");
	assert_true(watch->panic.seen);
	assert_string_equal(watch->panic.why, "");
	end_watch(watch);
}

/* The first one counts; later ones (a panic in the panic) do not change the story. */
static void test_panic_first_counts(void **state)
{
	struct watch *watch = new_watch(NULL, NULL);

	(void)state;
	put(watch, "Kernel panic - not syncing: one\nKernel panic - not syncing: two\n");
	assert_string_equal(watch->panic.why, "one");
	end_watch(watch);
}

/* A kernel that prints its last line hangs; the line alone, without a panic before it, is nothing. */
static void test_panic_that_hangs(void **state)
{
	struct watch *watch = new_watch(NULL, NULL);

	(void)state;
	put(watch, "[1.0] ---[ end Kernel panic - not syncing: old news ]---\n");
	assert_true(watch->panic.seen);
	assert_int_equal(watch->verdict, WATCH_NONE);
	put(watch, "[1.1] ---[ end Kernel panic - not syncing: x ]---\n");
	assert_int_equal(watch->verdict, WATCH_PANIC);
	end_watch(watch);
}

/* One that rests before it resets has said all, and is stopped where it is. */
static void test_panic_that_rests(void **state)
{
	struct watch *watch = new_watch(NULL, NULL);

	(void)state;
	put(watch, "[1.0] Rebooting in 1 seconds..\n");
	assert_int_equal(watch->verdict, WATCH_NONE);
	put(watch, "[1.1] Kernel panic - not syncing: x\n[1.1] Call Trace:\n");
	assert_int_equal(watch->verdict, WATCH_NONE);
	put(watch, "[1.2] Rebooting in 1 seconds..\n");
	assert_int_equal(watch->verdict, WATCH_PANIC);
	end_watch(watch);
}

/* A line without end, and with zeros in it, costs nothing and hides what lies beyond the bound. */
static void test_endless_line(void **state)
{
	struct watch *watch = new_watch(NULL, NULL);
	char much[1000];

	(void)state;
	memset(much, 'x', sizeof(much));
	much[10] = '\0';
	for (int i = 0; i < 1000; i++)
		watch_output(watch, much, sizeof(much));
	assert_int_equal(watch->lines.len, VM_LINE_MAX - 1);
	assert_int_equal(watch->lines.count, 0);
	put(watch, "\nKernel panic - not syncing: y\n");
	assert_string_equal(watch->panic.why, "y");
	assert_int_equal(watch->lines.count, 2);
	end_watch(watch);
}

/* The reason of a panic is cut, not lost, however long the line is. */
static void test_long_reason(void **state)
{
	struct watch *watch = new_watch(NULL, NULL);
	char why[VM_LINE_MAX * 2];

	(void)state;
	memset(why, 'w', sizeof(why));
	put(watch, "Kernel panic - not syncing: ");
	watch_output(watch, why, sizeof(why));
	put(watch, "\n");
	assert_int_equal(strlen(watch->panic.why), VM_PANIC_WHY - 1);
	end_watch(watch);
}

static void collect(void *opaque, const char *line)
{
	strcat(opaque, line);
	strcat(opaque, "|");
}

static void test_last_lines_are_kept(void **state)
{
	struct watch *watch = new_watch(NULL, NULL);
	char all[1024] = "";
	char want[1024] = "";
	char line[32];

	(void)state;
	put(watch, "a\r\n\r\n\nb\n");
	lines_each(&watch->lines, collect, all);
	assert_string_equal(all, "a|b|");
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		put(watch, line);
	}
	put(watch, "half");
	watch_end(watch);
	all[0] = '\0';
	lines_each(&watch->lines, collect, all);
	for (int i = 81; i < 100; i++) {
		snprintf(line, sizeof(line), "line %d|", i);
		strcat(want, line);
	}
	strcat(want, "half|");
	assert_string_equal(all, want);
	end_watch(watch);
}

static void test_until_and_fail_on(void **state)
{
	struct watch *watch = new_watch("^login: $", "FAIL|BUG:");

	(void)state;
	put(watch, "no login: here\nlogin: ");
	assert_int_equal(watch->verdict, WATCH_NONE);
	/* The prompt has no end; it counts when nothing more comes. */
	watch_quiet(watch);
	assert_int_equal(watch->verdict, WATCH_UNTIL);
	assert_string_equal(watch->verdict_line, "login: ");
	/* The first one counts. */
	put(watch, "\nFAIL\n");
	assert_int_equal(watch->verdict, WATCH_UNTIL);
	/* A quiet look does not end the line. */
	end_watch(watch);

	watch = new_watch("both", "both");
	put(watch, "both");
	assert_int_equal(watch->verdict, WATCH_NONE);
	watch_end(watch);
	assert_int_equal(watch->verdict, WATCH_FAIL_ON);
	end_watch(watch);
}

static void test_patterns_are_judged(void **state)
{
	char why[128];
	char *much = malloc(MATCH_PATTERN_MAX + 2);

	(void)state;
	assert_int_equal(match_judge("^ok ([0-9]+)$", why, sizeof(why)), 0);
	assert_int_equal(match_judge("a\\.b\\\\1", why, sizeof(why)), 0);
	assert_int_equal(match_judge("", why, sizeof(why)), -22);
	assert_int_equal(match_judge("(unclosed", why, sizeof(why)), -22);
	assert_int_equal(match_judge("(a)\\1", why, sizeof(why)), -22);
	assert_non_null(strstr(why, "back-reference"));
	memset(much, 'x', MATCH_PATTERN_MAX + 1);
	much[MATCH_PATTERN_MAX + 1] = '\0';
	assert_int_equal(match_judge(much, why, sizeof(why)), -22);
	much[MATCH_PATTERN_MAX] = '\0';
	assert_int_equal(match_judge(much, why, sizeof(why)), 0);
	free(much);
}

/*
 * A guest that plays with a pattern of many states: its lines build the automaton anew again and
 * again, which stays within bounds and goes on finding.
 */
/* What would take gigabytes to compile is refused before; what people write is not. */
static void test_patterns_stay_small(void **state)
{
	static const char *const heavy[] = {
		"a+++++++++++++++++++++++++++++++++++++++++",
		"((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+",
		"(a{100}){100}",
		"a{1,30000}",
		"[^]+a]{99}{99}",
		"(x|(y{40}z{40}){60})",
	};
	static const char *const light[] = {
		"a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s+t+u+v+w+x+y+z+",
		"^[[:space:]]*(([0-9]{1,3}\\.){3}[0-9]{1,3})( +up)?$",
		"[]+*{9}]+(\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+)",
		"a{255}",
		"(Kernel panic|BUG:|Oops).*",
	};
	char why[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heavy); i++) {
		assert_int_equal(match_judge(heavy[i], why, sizeof(why)), -22);
		assert_non_null(strstr(why, "repetitions"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(light); i++)
		assert_int_equal(match_judge(light[i], why, sizeof(why)), 0);
}

static void test_hostile_lines_for_a_pattern(void **state)
{
	struct watch *watch = new_watch("^(a|b)*a(a|b){12}c$", NULL);
	uint32_t random = 1;
	char line[VM_LINE_MAX];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		for (size_t j = 0; j < 200; j++) {
			random = random * 1664525 + 1013904223;
			line[j] = random >> 31 ? 'a' : 'b';
		}
		line[200] = '\n';
		watch_output(watch, line, 201);
		assert_int_equal(watch->verdict, WATCH_NONE);
		assert_true(watch->until.spent <= MATCH_BUDGET);
	}
	put(watch, "bbabbbbbbbbbbbbc\n");
	assert_int_equal(watch->verdict, WATCH_UNTIL);
	end_watch(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_panic_seen_however_it_is_cut),
		cmocka_unit_test(test_panic_not_seen_before_its_line_ends),
		cmocka_unit_test(test_panic_first_counts),
		cmocka_unit_test(test_panic_that_hangs),
		cmocka_unit_test(test_panic_that_rests),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_long_reason),
		cmocka_unit_test(test_last_lines_are_kept),
		cmocka_unit_test(test_until_and_fail_on),
		cmocka_unit_test(test_patterns_are_judged),
		cmocka_unit_test(test_patterns_stay_small),
		cmocka_unit_test(test_hostile_lines_for_a_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
