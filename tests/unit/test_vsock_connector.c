/* SPDX-License-Identifier: BSD-2-Clause */
/* What hvrun and its connector send each other (vm/vsock_connector.h), when one of them is an enemy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/open_fds.h"
#include "tests/lib/send_fds.h"
#include "vm/vsock.h"
#include "vm/vsock_connector.h"

/* What there is room for: of what does not fit, qemu-user leaves some open itself. */
enum { PASSED_MAX = 2 };

static void send_with(int to, const void *bytes, size_t len, unsigned count)
{
	assert_int_equal(send_fds(to, bytes, len, to, count), len);
}

/* One descriptor is the caller's; of several none, and none stays open. */
static void test_as_many_descriptors_as_wanted(void **state)
{
	struct vsock_answer answer = { .cookie = 5 }, got;
	int ends[2], fd;
	unsigned before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	before = open_fds();
	for (unsigned count = 0; count <= PASSED_MAX; count++) {
		send_with(ends[0], &answer, sizeof(answer), count);
		assert_int_equal(vsock_receive(ends[1], &got, sizeof(got), &fd), sizeof(got));
		assert_int_equal(got.cookie, 5);
		assert_true((fd >= 0) == (count == 1));
		if (fd >= 0) {
			assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
			close(fd);
		}
		assert_int_equal(open_fds(), before);
	}
	close(ends[0]);
	close(ends[1]);
}

/* What is longer than a message is none. */
static void test_a_long_message_is_told_from_a_whole_one(void **state)
{
	char bytes[sizeof(struct vsock_answer) + 1] = { 0 };
	struct vsock_answer got;
	int ends[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	send_with(ends[0], bytes, sizeof(bytes), 0);
	assert_int_equal(vsock_receive(ends[1], &got, sizeof(got), &fd), sizeof(got) + 1);
	close(ends[0]);
	assert_int_equal(vsock_receive(ends[1], &got, sizeof(got), &fd), 0);
	assert_int_equal(fd, -1);
	close(ends[1]);
}

/* The connector keeps nothing that a taken-over hvrun gives it, and answers all that is an ask. */
static void test_the_connector_keeps_nothing(void **state)
{
	struct vsock_ask ask = { .port = 9, .boot = 3 };
	struct vsock_answer got;
	int ends[2], fd;
	unsigned before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	before = open_fds();
	for (unsigned i = 0; i < 8; i++) {
		ask.cookie = i;
		send_with(ends[0], &ask, sizeof(ask), i % (PASSED_MAX + 1));
	}
	send_with(ends[0], &ask, sizeof(ask) - 1, 1);
	send_with(ends[0], &ask, sizeof(ask), 1); /* nobody looks at it any more */
	vsock_connector_serve(ends[1], "/nowhere/socket");
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(vsock_receive(ends[0], &got, sizeof(got), &fd), sizeof(got));
		assert_int_equal(got.cookie, i);
		assert_int_equal(got.boot, 3);
		assert_int_equal(got.err, ENOENT);
		assert_int_equal(fd, -1);
	}
	assert_true(recv(ends[0], &got, sizeof(got), MSG_DONTWAIT) < 0);
	assert_int_equal(open_fds(), before);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_descriptors_as_wanted),
		cmocka_unit_test(test_a_long_message_is_told_from_a_whole_one),
		cmocka_unit_test(test_the_connector_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
