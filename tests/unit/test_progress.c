/* SPDX-License-Identifier: BSD-2-Clause */
/* base/progress: on a terminal a line appears after half a second, and goes; elsewhere nothing is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pty.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/progress.h"

enum { SHOWN_MAX = 4096 };

/* Instead of the C library's: time passes when the work says so, however busy this machine is. */
static struct timespec now = { .tv_sec = 1000 };

int clock_gettime(clockid_t clock, struct timespec *at)
{
	if (clock != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, clock, at);
	*at = now;
	return 0;
}

static void pass(unsigned ms)
{
	now.tv_nsec += (long)ms * 1000000;
	now.tv_sec += now.tv_nsec / 1000000000;
	now.tv_nsec %= 1000000000;
}

/* Work of @ms in ten steps with standard error as @fd, and what has come out at @from. */
static void work(int fd, int from, unsigned ms, bool wanted, uint64_t total, char shown[SHOWN_MAX])
{
	static const char end = '\004';
	struct progress progress;
	int old = dup(STDERR_FILENO);
	size_t used = 0;

	assert_true(old >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	progress_begin(&progress, wanted, "verifying kernel", "a\033[2Jname", total);
	for (uint64_t done = 0; done <= 10; done++) {
		progress_step(&progress, done * 10);
		pass(ms / 10);
	}
	progress_end(&progress);
	assert_true(dup2(old, STDERR_FILENO) >= 0);
	close(old);
	/* A terminal hands its bytes on when it likes: until a byte that stands for their end. */
	assert_int_equal(write(fd, &end, 1), 1);
	do {
		ssize_t n = read(from, shown + used, SHOWN_MAX - used);

		assert_true(n > 0);
		used += (size_t)n;
	} while (shown[used - 1] != end);
	shown[used - 1] = '\0';
}

static void on_a_terminal(void **state)
{
	static const char line[] = "\rhvrun: verifying kernel a?[2Jname: ";
	char shown[SHOWN_MAX];
	int master, slave;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	work(slave, master, 100, true, 100, shown); /* quick work says nothing */
	assert_string_equal(shown, "");
	work(slave, master, 1000, true, 100, shown);
	assert_memory_equal(shown, line, sizeof(line) - 1);
	assert_non_null(strstr(shown, " %"));
	assert_null(strstr(shown, "  0 %"));
	assert_string_equal(shown + strlen(shown) - 4, "\r\033[K");
	work(slave, master, 700, true, 0, shown); /* nobody knows how much there is */
	assert_non_null(strstr(shown, "name ..."));
	work(slave, master, 700, false, 100, shown);
	assert_string_equal(shown, "");
	close(master);
	close(slave);
}

static void elsewhere(void **state)
{
	char shown[SHOWN_MAX];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	work(ends[1], ends[0], 700, true, 100, shown);
	assert_string_equal(shown, "");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_a_terminal),
		cmocka_unit_test(elsewhere),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
