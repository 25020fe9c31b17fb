/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon's socket has no name for long; its end: it may print for ever, and is not listened to for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vm/daemon/daemon.h"

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

static struct {
	char dir[32];
	unsigned signals;
	bool still_there; /* the folder was, when a signal came */
} folder;

/* In place of the C library's: a folder, and at once a signal that would end the run. */
char *mkdtemp(char *template)
{
	(void)snprintf(strchr(template, 'X'), 7, "%06u", (unsigned)getpid() % 1000000U);
	assert_int_equal(mkdir(template, 0700), 0);
	(void)snprintf(folder.dir, sizeof(folder.dir), "%s", template);
	(void)raise(SIGTERM);
	return template;
}

static void on_term(int signal)
{
	(void)signal;
	folder.signals++;
	folder.still_there = access(folder.dir, F_OK) == 0;
}

/* The folder in which the socket has its name for a moment is gone before a signal can end the run. */
static void a_signal_leaves_no_folder(void **state)
{
	const struct sigaction act = { .sa_handler = on_term };
	int listener = -1, ours = -1;

	(void)state;
	assert_int_equal(sigaction(SIGTERM, &act, NULL), 0);
	assert_int_equal(daemon_socket(&listener, &ours), 0);
	assert_int_equal(folder.signals, 1);
	assert_false(folder.still_there);
	assert_int_equal(access(folder.dir, F_OK), -1);
	close(listener);
	close(ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_for_ever),
		cmocka_unit_test(a_signal_leaves_no_folder),
	};

	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
