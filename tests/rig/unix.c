/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix PATH [BYTES]: a client of a unix socket. Standard input goes to it, and what comes from it to
 * standard output, until the other end closes or BYTES have come. L1's busybox has none.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* Moves one buffer: bytes, 0 at the end. */
static ssize_t move(int from, int to)
{
	static char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	for (ssize_t done = 0; done < n;) {
		ssize_t w = write(to, buf + done, (size_t)(n - done));

		if (w < 0)
			return -1;
		done += w;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	long long left = argc > 2 ? atoll(argv[2]) : -1;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct pollfd fds[2] = { { 0, POLLIN, 0 }, { fd, POLLIN, 0 } };

	if (argc < 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(argv[1]);
	while (left != 0) {
		ssize_t n;

		if (poll(fds, 2, -1) < 0)
			return fail("poll");
		if (fds[0].revents && (n = move(0, fd)) <= 0) {
			if (n < 0)
				return fail("write");
			fds[0].fd = -1;
			shutdown(fd, SHUT_WR);
		}
		if (fds[1].revents) {
			n = move(fd, 1);
			if (n <= 0)
				return n < 0 ? fail("read") : 0;
			left -= left > 0 ? (n < left ? n : left) : 0;
		}
	}
	return 0;
}
