/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vsock serve ADDRESS COUNT: sends back what COUNT connections send, each until its end.
 * vsock load ADDRESS COUNT BYTES: opens COUNT connections at once, sends BYTES of a pattern on each, wants
 * them back, ends its direction and wants the end.
 * ADDRESS: vsock:CID:PORT (CID -1: any), unix:PATH, or hybrid:PATH:PORT (a client of --vsock's socket).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* it wants sys/socket.h before it */

enum { MAX = 4000, PIECE = 4096 };

struct conn {
	long sent, got;
	int cut;
};

static struct pollfd fds[MAX];
static struct conn conns[MAX];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int make(const char *address, int listening, char *port)
{
	struct sockaddr_vm vm = { .svm_family = AF_VSOCK };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr *to = (struct sockaddr *)&un;
	socklen_t len = sizeof(un);
	const char *rest = strchr(address, ':') + 1;
	int fd, r;

	*port = 0;
	if (address[0] == 'v') {
		vm.svm_cid = (unsigned)atol(rest);
		vm.svm_port = (unsigned)atol(strchr(rest, ':') + 1);
		to = (struct sockaddr *)&vm;
		len = sizeof(vm);
	} else {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", rest);
		if (address[0] == 'h') {
			strcpy(port, strchr(un.sun_path, ':') + 1);
			*strchr(un.sun_path, ':') = 0;
		}
	}
	fd = socket(to->sa_family, SOCK_STREAM, 0);
	if (fd < 0)
		fail("socket");
	r = listening ? bind(fd, to, len) : connect(fd, to, len);
	for (int tries = 0; r < 0 && !listening && tries < 300; tries++) {
		usleep(100000); /* nobody is there yet, or as many wait as there can */
		close(fd);
		fd = socket(to->sa_family, SOCK_STREAM, 0);
		r = connect(fd, to, len);
	}
	if (r < 0 || (listening && listen(fd, 128) < 0))
		fail(address);
	return fd;
}

/* A client of the hybrid kind says where to, and hears that it is there; or is hung up on, and 0 comes back. */
static int say_hello(int fd, const char *port)
{
	char line[128];
	size_t len = 0;

	snprintf(line, sizeof(line), "CONNECT %s\n", port);
	if (write(fd, line, strlen(line)) < 0)
		fail("write");
	do {
		if (len == sizeof(line))
			fail("no OK");
		if (read(fd, line + len, 1) != 1)
			return 0;
	} while (line[len++] != '\n');
	if (memcmp(line, "OK ", 3) != 0)
		fail("something else than OK");
	return 1;
}

/* Connected to whom @address names. Nobody is there yet, or as many wait as there can: again, for a while. */
static int connected(const char *address)
{
	char port[64];

	for (int tries = 0; tries < 300; tries++) {
		int fd = make(address, 0, port);

		if (!port[0] || say_hello(fd, port))
			return fd;
		close(fd);
		usleep(100000);
	}
	errno = ECONNREFUSED;
	fail("no OK");
	return -1;
}

/* What came of connection @i goes back; at its end it is closed. */
static void echo(int i)
{
	static char buf[65536];
	ssize_t n = read(fds[i].fd, buf, sizeof(buf));

	for (ssize_t done = 0; done < n;) {
		ssize_t w = write(fds[i].fd, buf + done, (size_t)(n - done));

		if (w < 0)
			fail("write");
		done += w;
	}
	if (n > 0) {
		conns[i].got += n;
		return;
	}
	close(fds[i].fd);
	fds[i].fd = -1;
}

/* Whether place @i has no connection yet. One that ended without a byte was none: its client did not wait for the
 * answer (Linux gives a vsock two seconds), and comes again. */
static int is_free(int i)
{
	return fds[i].fd < 0 && conns[i].got == 0;
}

static void serve(const char *address, int count)
{
	char port[64];
	int listener = make(address, 1, port), left = count, come = 0;

	for (int i = 1; i <= count; i++)
		fds[i].fd = -1;
	while (left) {
		fds[0] = (struct pollfd){ come < count ? listener : -1, POLLIN, 0 };
		if (poll(fds, (nfds_t)count + 1, -1) < 0)
			fail("poll");
		for (int i = 1; i <= count; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			echo(i);
			if (is_free(i))
				come--;
			else if (fds[i].fd < 0)
				left--;
		}
		for (int i = 1; fds[0].revents && i <= count; i++) {
			if (!is_free(i))
				continue;
			fds[i] = (struct pollfd){ accept(listener, NULL, NULL), POLLIN, 0 };
			if (fds[i].fd < 0)
				fail("accept");
			come++;
			break;
		}
	}
}

static unsigned char pattern(int i, long at)
{
	return (unsigned char)((at * 7 + at / 251 + i) & 0xff);
}

/* Sends a piece, never so much ahead of the echo that both ends would wait. */
static void send_some(int i, long bytes)
{
	unsigned char buf[PIECE];
	long n = bytes - conns[i].sent < PIECE ? bytes - conns[i].sent : PIECE;

	for (long k = 0; k < n; k++)
		buf[k] = pattern(i, conns[i].sent + k);
	n = write(fds[i].fd, buf, (size_t)n);
	if (n < 0)
		fail("write");
	conns[i].sent += n;
}

/* 1 when the connection is over. */
static int receive_some(int i, long bytes)
{
	unsigned char buf[PIECE];
	ssize_t n = read(fds[i].fd, buf, sizeof(buf));

	if (n < 0)
		fail("read");
	if (n == 0) {
		errno = ENODATA;
		if (conns[i].got != bytes)
			fail("the end came early");
		close(fds[i].fd);
		fds[i].fd = -1;
		return 1;
	}
	for (ssize_t k = 0; k < n; k++)
		if (buf[k] != pattern(i, conns[i].got + k))
			fail("other bytes came back");
	conns[i].got += n;
	return 0;
}

static void load(const char *address, int count, long bytes)
{
	int left = count;

	for (int i = 0; i < count; i++)
		fds[i].fd = connected(address);
	while (left) {
		for (int i = 0; i < count; i++)
			fds[i].events = (short)(POLLIN |
						(conns[i].sent < bytes &&
								 conns[i].sent - conns[i].got < 8192
							 ? POLLOUT
							 : 0));
		if (poll(fds, (nfds_t)count, -1) < 0)
			fail("poll");
		for (int i = 0; i < count; i++) {
			if (fds[i].fd < 0)
				continue;
			if (fds[i].revents & POLLOUT)
				send_some(i, bytes);
			if (conns[i].sent == bytes && !conns[i].cut) {
				conns[i].cut = 1;
				shutdown(fds[i].fd, SHUT_WR);
			}
			if (fds[i].revents & (POLLIN | POLLHUP))
				left -= receive_some(i, bytes);
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = { MAX + 50, MAX + 50 };
	int count = argc > 3 ? atoi(argv[3]) : 0;

	if (count < 1 || count >= MAX)
		return 2;
	setrlimit(RLIMIT_NOFILE, &files);
	if (strcmp(argv[1], "serve") == 0)
		serve(argv[2], count);
	else
		load(argv[2], count, argc > 4 ? atol(argv[4]) : 1);
	printf("%s: %d connections, all is well\n", argv[1], count);
	return 0;
}
