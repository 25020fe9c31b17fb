/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads beside the main one: which signals reach them, their stacks, and what is said when there is none. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/thread.h"

struct seen {
	sigset_t blocked;
	size_t stack;
};

static void *look(void *opaque)
{
	struct seen *seen = opaque;
	pthread_attr_t attr;

	(void)pthread_sigmask(SIG_BLOCK, NULL, &seen->blocked);
	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		(void)pthread_attr_getstacksize(&attr, &seen->stack);
		(void)pthread_attr_destroy(&attr);
	}
	return opaque;
}

static struct seen start(size_t stack, int open)
{
	struct seen seen = { .stack = 0 };
	pthread_t thread;
	void *out = NULL;

	assert_int_equal(thread_start(&thread, stack, open, look, &seen), 0);
	assert_int_equal(pthread_join(thread, &out), 0);
	assert_ptr_equal(out, &seen);
	return seen;
}

/* All are blocked but a thread's own mistakes and the one that it asks for. */
static void signals(void **state)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
	static const int others[] = { SIGTERM, SIGINT, SIGUSR1, SIGWINCH, SIGCHLD, SIGPIPE };

	(void)state;
	for (int open = 0; open < 2; open++) {
		struct seen seen = start(THREAD_STACK, open ? SIGUSR1 : 0);

		for (size_t i = 0; i < ARRAY_SIZE(own); i++)
			assert_int_equal(sigismember(&seen.blocked, own[i]), 0);
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			assert_int_equal(sigismember(&seen.blocked, others[i]),
					 !open || others[i] != SIGUSR1);
	}
}

/* The caller's mask is what it was, whatever it was. */
static void mask_of_the_caller(void **state)
{
	sigset_t some, now, before;

	(void)state;
	sigemptyset(&some);
	sigaddset(&some, SIGUSR2);
	(void)pthread_sigmask(SIG_BLOCK, &some, &before);
	(void)start(0, 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, &now);
	assert_int_equal(sigismember(&now, SIGUSR2), 1);
	assert_int_equal(sigismember(&now, SIGTERM), 0);
}

static void stacks(void **state)
{
	(void)state;
	assert_true(start(THREAD_STACK, 0).stack >= THREAD_STACK); /* a sanitizer may add its own */
	assert_true(start(16 * THREAD_STACK, 0).stack >= 16 * THREAD_STACK);
	assert_true(start(0, 0).stack > 0);
}

/* A stack that no system has, and one below what any thread needs. */
static void refused(void **state)
{
	pthread_t thread;
	sigset_t now;

	(void)state;
	assert_int_equal(thread_start(&thread, (size_t)1 << 62, 0, look, NULL), -EAGAIN);
	assert_int_equal(thread_start(&thread, 1, 0, look, NULL), -EINVAL);
	(void)pthread_sigmask(SIG_BLOCK, NULL, &now);
	assert_int_equal(sigismember(&now, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals),
		cmocka_unit_test(mask_of_the_caller),
		cmocka_unit_test(stacks),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
