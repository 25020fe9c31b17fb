/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a daemon that has been taken over: it may print for ever, and is not listened to for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "vm/daemon.h"

enum { TALKS_MAX = 1000 };

/* A clock that a second passes on with each wait, and a pipe in which there is always a byte more. */
static struct {
	time_t now;
	unsigned waits;
	int to; /* the other end of the daemon's words; -1: as in the C library */
} fake = { .to = -1 };

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	assert_int_equal(count, 1);
	assert_true(timeout > 0);
	fake.now++;
	if (++fake.waits > TALKS_MAX)
		return 0;
	assert_int_equal(write(fake.to, "x", 1), 1);
	fds->revents = POLLIN;
	return 1;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	(void)clock;
	*out = (struct timespec){ .tv_sec = fake.now };
	return 0;
}

/* Its keeper has killed it, and a child of it goes on printing. */
static void prints_for_ever(void **state)
{
	struct daemon daemon = { .name = "fake", .keeper = -1 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	daemon.words = ends[0];
	fake.to = ends[1];
	daemon_end(&daemon);
	assert_in_range(fake.waits, 10, 15); /* its time to end, and to be killed: 12 seconds */
	assert_int_equal(daemon.words, -1);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_for_ever),
	};

	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
