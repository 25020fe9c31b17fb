/* SPDX-License-Identifier: BSD-2-Clause */
/* base/fd_message: whatever comes with the bytes, what is not wanted does not stay open, and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd_message.h"
#include "tests/lib/open_fds.h"
#include "tests/lib/send_fds.h"

struct pair {
	int ours, theirs;
	unsigned before; /* descriptors open */
};

static struct pair open_pair(int type)
{
	struct pair p;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
	p = (struct pair){ .ours = ends[0], .theirs = ends[1] };
	p.before = open_fds();
	return p;
}

static void close_pair(struct pair *p)
{
	assert_int_equal(open_fds(), p->before);
	close(p->ours);
	if (p->theirs >= 0)
		close(p->theirs);
}

static bool same_file(int a, int b)
{
	struct stat at, bt;

	return fstat(a, &at) == 0 && fstat(b, &bt) == 0 && at.st_ino == bt.st_ino &&
	       at.st_dev == bt.st_dev;
}

static ssize_t receive(const struct pair *p, void *to, size_t len, unsigned most,
		       struct fd_message *got)
{
	return fd_message_receive(p->ours, to, len, MSG_DONTWAIT, most, got);
}

/* Every number sent, at every number wanted: as many as are wanted, in order, and it is known that there were more. */
static void as_many_as_wanted(void **state)
{
	(void)state;
	for (unsigned most = 0; most <= FD_MESSAGE_MAX + 1; most++) {
		for (unsigned sent = 0; sent <= SEND_FDS_MAX; sent++) {
			unsigned limit = most < FD_MESSAGE_MAX ? most : FD_MESSAGE_MAX;
			struct pair p = open_pair(SOCK_STREAM);
			struct fd_message got = { .count = 0 };
			char text[4];

			assert_int_equal(send_fds(p.theirs, "abcd", 4, p.theirs, sent), 4);
			assert_int_equal(receive(&p, text, 4, most, &got), 4);
			assert_memory_equal(text, "abcd", 4);
			assert_int_equal(got.count, sent < limit ? sent : limit);
			assert_int_equal(got.cut, sent > limit);
			assert_int_equal(open_fds(), p.before + got.count);
			for (unsigned i = 0; i < got.count; i++) {
				assert_int_equal(fcntl(got.fd[i], F_GETFD), FD_CLOEXEC);
				assert_true(same_file(got.fd[i], p.theirs));
			}
			fd_message_close(&got);
			assert_false(got.cut || got.count);
			close_pair(&p);
		}
	}
}

/* A message in pieces, each with descriptors: they add up in their order, and the limit is of all together. */
static void pieces_add_up(void **state)
{
	struct pair p = open_pair(SOCK_STREAM);
	struct fd_message got = { .count = 0 };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char text[8];
	int fd;

	(void)state;
	assert_true(null >= 0 && zero >= 0);
	assert_int_equal(send_fds(p.theirs, "abcd", 4, null, 1), 4);
	assert_int_equal(send_fds(p.theirs, "ef", 2, zero, 2), 2);
	/* Short: the descriptor comes with the first byte, and once. */
	assert_int_equal(receive(&p, text, 1, 2, &got), 1);
	assert_int_equal(got.count, 1);
	assert_int_equal(receive(&p, text + 1, 2, 2, &got), 2);
	assert_int_equal(got.count, 1);
	assert_false(got.cut);
	assert_int_equal(receive(&p, text + 3, 5, 2, &got), 3);
	assert_memory_equal(text, "abcdef", 6);
	assert_int_equal(got.count, 2);
	assert_true(got.cut);
	assert_int_equal(receive(&p, text, 8, 2, &got), -EAGAIN);
	fd = fd_message_take(&got);
	assert_true(same_file(fd, null));
	close(fd);
	fd = fd_message_take(&got);
	assert_true(same_file(fd, zero));
	close(fd);
	assert_int_equal(fd_message_take(&got), -1);
	close(null);
	close(zero);
	close_pair(&p);
}

/* What could not be opened for want of numbers is told from what was not sent. */
static void no_room_for_descriptors(void **state)
{
	struct pair p = open_pair(SOCK_STREAM);
	struct fd_message got = { .count = 0 };
	struct rlimit old, none;
	char byte;
	ssize_t n;

	(void)state;
	assert_int_equal(send_fds(p.theirs, "a", 1, p.theirs, 1), 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ 0, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	n = receive(&p, &byte, 1, 1, &got);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(n, 1);
	assert_int_equal(got.count, 0);
	assert_true(got.cut);
	close_pair(&p);
}

/* Its last words and what came with them are heard, then its end; nobody is told by a signal. */
static void peer_gone(void **state)
{
	struct pair p = open_pair(SOCK_STREAM);
	struct fd_message got = { .count = 0 };
	char text[4];

	(void)state;
	assert_int_equal(receive(&p, text, 4, 1, &got), -EAGAIN);
	assert_int_equal(send_fds(p.theirs, "ab", 2, p.ours, 1), 2);
	close(p.theirs);
	p.theirs = -1;
	p.before--;
	assert_int_equal(receive(&p, text, 4, 1, &got), 2);
	assert_int_equal(got.count, 1);
	assert_int_equal(receive(&p, text, 4, 1, &got), 0);
	assert_int_equal(got.count, 1);
	assert_int_equal(fd_message_send(p.ours, "a", 1, 0, &p.ours, 1), -EPIPE);
	fd_message_close(&got);
	close_pair(&p);
}

/* A socket of messages: one that is too long is none, and its descriptors are the holder's all the same. */
static void truncated(void **state)
{
	struct pair p = open_pair(SOCK_SEQPACKET);
	struct fd_message got = { .count = 0 };
	char text[4];

	(void)state;
	assert_int_equal(send_fds(p.theirs, "abcde", 5, p.theirs, 1), 5);
	assert_int_equal(send_fds(p.theirs, "abcd", 4, p.theirs, 0), 4);
	assert_int_equal(send_fds(p.theirs, "", 0, p.theirs, 1), 0);
	assert_int_equal(receive(&p, text, 4, 1, &got), -EMSGSIZE);
	assert_int_equal(got.count, 1);
	fd_message_close(&got);
	assert_int_equal(receive(&p, text, 4, 1, &got), 4);
	assert_int_equal(got.count, 0);
	assert_int_equal(receive(&p, text, 4, 1, &got), 0);
	assert_int_equal(got.count, 1);
	fd_message_close(&got);
	close_pair(&p);
}

static void sends_as_many_as_there_may_be(void **state)
{
	struct pair p = open_pair(SOCK_STREAM);
	struct fd_message got = { .count = 0 };
	int fds[FD_MESSAGE_MAX + 1];
	char text[4];

	(void)state;
	for (unsigned i = 0; i <= FD_MESSAGE_MAX; i++)
		fds[i] = i % 2 ? p.ours : p.theirs;
	assert_int_equal(fd_message_send(p.theirs, "a", 1, 0, fds, FD_MESSAGE_MAX + 1), -EINVAL);
	assert_int_equal(receive(&p, text, 4, FD_MESSAGE_MAX, &got), -EAGAIN);
	assert_int_equal(fd_message_send(p.theirs, "abc", 3, 0, fds, FD_MESSAGE_MAX), 3);
	assert_int_equal(receive(&p, text, 4, FD_MESSAGE_MAX, &got), 3);
	assert_int_equal(got.count, FD_MESSAGE_MAX);
	assert_false(got.cut);
	for (unsigned i = 0; i < FD_MESSAGE_MAX; i++)
		assert_true(same_file(got.fd[i], fds[i]));
	fd_message_close(&got);
	assert_int_equal(fd_message_send(p.theirs, "d", 1, 0, NULL, 0), 1);
	assert_int_equal(receive(&p, text, 4, FD_MESSAGE_MAX, &got), 1);
	assert_int_equal(got.count, 0);
	close_pair(&p);
}

/* Who does not read makes nobody wait who does not want to. */
static void no_room_to_send(void **state)
{
	static const char bytes[4096];
	struct pair p = open_pair(SOCK_STREAM);
	ssize_t n = 0;

	(void)state;
	for (unsigned i = 0; n >= 0; i++) {
		assert_true(i < 100000);
		n = fd_message_send(p.ours, bytes, sizeof(bytes), MSG_DONTWAIT, &p.ours, 1);
	}
	assert_int_equal(n, -EAGAIN);
	close_pair(&p);
}

static void nothing(int signal)
{
	(void)signal;
}

struct waiter {
	int fd;
	pthread_t whom;
};

static void *interrupt(void *opaque)
{
	const struct waiter *waiter = opaque;
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (unsigned i = 0; i < 5; i++) {
		(void)nanosleep(&pause, NULL);
		(void)pthread_kill(waiter->whom, SIGUSR1);
	}
	(void)send_fds(waiter->fd, "a", 1, waiter->fd, 1);
	return NULL;
}

static void signals_are_not_seen(void **state)
{
	const struct sigaction action = { .sa_handler = nothing }; /* without SA_RESTART */
	struct sigaction before;
	struct pair p = open_pair(SOCK_STREAM);
	struct waiter waiter = { p.theirs, pthread_self() };
	struct fd_message got = { .count = 0 };
	pthread_t thread;
	char byte = 0;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	(void)alarm(300);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, &waiter), 0);
	assert_int_equal(fd_message_receive(p.ours, &byte, 1, 0, 1, &got), 1);
	assert_int_equal(byte, 'a');
	assert_int_equal(got.count, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)alarm(0);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	fd_message_close(&got);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_wanted),
		cmocka_unit_test(pieces_add_up),
		cmocka_unit_test(no_room_for_descriptors),
		cmocka_unit_test(peer_gone),
		cmocka_unit_test(truncated),
		cmocka_unit_test(sends_as_many_as_there_may_be),
		cmocka_unit_test(no_room_to_send),
		cmocka_unit_test(signals_are_not_seen),
	};

	return cmocka_run_group_tests_name("base_fd_message", tests, NULL, NULL);
}
