/* SPDX-License-Identifier: BSD-2-Clause */
/* base/cutoff: a write that would wait for ever comes back, and nothing else is cut off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cutoff.h"

static const uint64_t one = 1, full = UINT64_MAX - 1;

static void waits_no_longer(void **state)
{
	struct cutoff cutoff = { 0 };
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t count;
	sigset_t set;

	(void)state;
	/* Also where whoever started us had the signal blocked. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	assert_int_equal(cutoff_init(&cutoff), 0);
	(void)alarm(60);
	assert_int_equal(cutoff_write(&cutoff, fd, &one, 8, 5), 0);
	assert_int_equal(read(fd, &count, 8), 8);
	assert_int_equal(count, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(write(fd, &full, 8), 8);
		assert_int_equal(cutoff_write(&cutoff, fd, &one, 8, 5), -ETIMEDOUT);
		assert_int_equal(read(fd, &count, 8), 8);
		assert_true(count == full);
	}
	(void)alarm(0);
	close(fd);
	cutoff_fini(&cutoff);
	cutoff_fini(&cutoff);
}

/* The timer rests between two calls: no signal comes when nothing is to be cut off. */
static void rests(void **state)
{
	struct cutoff cutoff = { 0 };
	struct timespec pause = { .tv_nsec = 30000000 };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	assert_int_equal(cutoff_init(&cutoff), 0);
	assert_int_equal(write(fd, &full, 8), 8);
	assert_int_equal(cutoff_write(&cutoff, fd, &one, 8, 1), -EAGAIN);
	assert_int_equal(nanosleep(&pause, NULL), 0);
	assert_int_equal(cutoff_write(&cutoff, -1, &one, 8, 1), -EBADF);
	assert_int_equal(nanosleep(&pause, NULL), 0);
	close(fd);
	cutoff_fini(&cutoff);
}

static void *elsewhere(void *opaque)
{
	assert_int_equal(cutoff_write(opaque, -1, &one, 8, 1), -EPERM);
	return NULL;
}

static void another_thread(void **state)
{
	struct cutoff cutoff = { 0 };
	pthread_t thread;

	(void)state;
	assert_int_equal(cutoff_init(&cutoff), 0);
	assert_int_equal(pthread_create(&thread, NULL, elsewhere, &cutoff), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	cutoff_fini(&cutoff);
}

/* A write that nobody expects to wait is interrupted when it does, each time, and the kernel is not asked for each. */
static void soon(void **state)
{
	struct cutoff cutoff = { 0 };
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t count;
	long armed;

	(void)state;
	assert_int_equal(cutoff_init(&cutoff), 0);
	(void)alarm(60);
	for (unsigned i = 0; i < 2; i++) {
		cutoff_soon(&cutoff);
		assert_int_equal(write(fd, &full, 8), 8);
		cutoff_soon(&cutoff);
		assert_int_equal(write(fd, &one, 8), -1);
		assert_int_equal(errno, EINTR);
		assert_int_equal(read(fd, &count, 8), 8);
	}
	cutoff_soon(&cutoff);
	armed = cutoff.armed_ms;
	for (unsigned i = 0; i < 3; i++)
		cutoff_soon(&cutoff);
	assert_true(cutoff.armed_ms == armed || cutoff.armed_ms - armed >= 250);
	(void)alarm(0);
	close(fd);
	cutoff_fini(&cutoff);
}

static void pass(long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0)
		assert_int_equal(errno, EINTR);
}

/* A machine that stands still just before the write: the first signal finds nobody, the next one does. */
static void soon_and_late(void **state)
{
	struct timespec second = { .tv_sec = 1 };
	struct cutoff cutoff = { 0 };
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(cutoff_init(&cutoff), 0);
	(void)alarm(60);
	assert_int_equal(write(fd, &full, 8), 8);
	cutoff_soon(&cutoff);
	pass(600);
	assert_int_equal(write(fd, &one, 8), -1);
	assert_int_equal(errno, EINTR);
	cutoff_done(&cutoff);
	/* One more comes, and then no other. */
	for (unsigned i = 0; i < 600 && cutoff.armed_ms; i++)
		pass(100);
	assert_int_equal(cutoff.armed_ms, 0);
	assert_int_equal(nanosleep(&second, NULL), 0);
	(void)alarm(0);
	close(fd);
	cutoff_fini(&cutoff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_no_longer),
		cmocka_unit_test(rests),
		cmocka_unit_test(soon),
		cmocka_unit_test(soon_and_late),
		cmocka_unit_test(another_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
