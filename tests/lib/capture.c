/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A child process whose standard error is read by the test.
 */
#include "tests/lib/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

#ifdef HVRUN_COVERAGE
void __gcov_dump(void); /* of the compiler: a child that leaves by _exit() would not be counted */
#else
static void __gcov_dump(void)
{
}
#endif

void capture_child(struct captured *out, void (*fn)(void *arg), void *arg)
{
	const struct rlimit no_core = { 0, 0 };
	int fds[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)dup2(fds[1], STDERR_FILENO);
		(void)close(fds[0]);
		(void)close(fds[1]);
		fn(arg);
		__gcov_dump();
		_exit(0);
	}
	(void)close(fds[1]);
	n = read_full(fds[0], out->text, sizeof(out->text) - 1);
	(void)close(fds[0]);
	assert_true(n >= 0);
	out->len = (size_t)n;
	out->text[n] = '\0';
	assert_int_equal(waitpid(pid, &out->status, 0), pid);
}
