/* SPDX-License-Identifier: BSD-2-Clause */
/* Connects to a control socket and moves lines, with a limit on the time that the other side may take. */
#include "cli/ctl_talk.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/fd_message.h"
#include "vm/config.h"

/* --- time --- */

static int64_t now_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t deadline_of(const struct ctl_peer *peer)
{
	return now_ms() + (int64_t)peer->wait_s * 1000;
}

/* Until @events can be done without waiting: 0, -ETIMEDOUT after @deadline (-1: none), -errno. */
static int await(int fd, short events, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline < 0 ? -1 : deadline - now_ms();
		int r;

		if (deadline >= 0 && left < 0)
			left = 0;
		r = poll(&pfd, 1, (int)left);
		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int said(const struct ctl_peer *peer, int r)
{
	switch (r) {
	case -ETIMEDOUT:
		diag_error("ctl %s: the machine does not answer, for %u seconds now (--wait)",
			   peer->socket, peer->wait_s);
		break;
	case -EBADMSG:
		diag_error("ctl %s: the machine sends what no hvrun would send: no JSON object, or "
			   "one too long or too deep",
			   peer->socket);
		break;
	default:
		diag_error("ctl %s: the machine has gone, or is no hvrun", peer->socket);
		break;
	}
	return VM_STATUS_SYSTEM;
}

/* --- the connection --- */

/* A folder on the way may be for root alone, whose capabilities went with its effective identity. */
static void raise_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i].effective = data[i].permitted;
	(void)syscall(SYS_capset, &head, data);
}

/*
 * Root comes as the socket's owner: a machine in a user namespace of its own cannot tell root from anybody
 * else. 0 or -errno.
 */
static int connect_as_owner(int fd, const struct sockaddr_un *address)
{
	const struct sockaddr *to = (const struct sockaddr *)address;
	struct stat st;
	bool other = geteuid() == 0 && stat(address->sun_path, &st) == 0 && st.st_uid != 0 &&
		     seteuid(st.st_uid) == 0;
	int r;

	if (other)
		raise_capabilities();
	/* With a limit of time SIGCONT interrupts it, too: whoever goes on waits anew. */
	do
		r = connect(fd, to, sizeof(*address)) < 0 ? -errno : 0;
	while (r == -EINTR);
	return other && seteuid(0) < 0 ? -errno : r;
}

/* Who listens and lets nobody in makes connect() wait: for as long as a socket's sending may take. */
static int limit_connect(int fd, unsigned seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ? -errno : 0;
}

int ctl_connect(struct ctl_peer *peer)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = peer->socket;
	int fd;
	int r;

	if (strlen(path) >= sizeof(address.sun_path)) {
		diag_error("ctl: the socket's name %s is too long", path);
		return VM_STATUS_USAGE;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = fd < 0 ? -errno : limit_connect(fd, peer->wait_s);
	if (!r)
		r = connect_as_owner(fd, &address);
	if (r == 0) {
		peer->fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	if (r == -EAGAIN)
		return said(peer, -ETIMEDOUT);
	diag_error("ctl %s: cannot connect: %s%s", path, strerror(-r),
		   r == -ECONNREFUSED || r == -ENOENT ? "; no machine has this control socket"
						      : "");
	return VM_STATUS_NO_INPUT;
}

/* --- lines --- */

/* Some more bytes of the peer's: 0, -EPIPE if there will be none, -ETIMEDOUT, -EBADMSG or another -errno. */
static int receive(struct ctl_peer *peer, int64_t deadline)
{
	size_t room;
	char *to = ctl_input_room(&peer->in, &room);
	ssize_t n;
	int r = await(peer->fd, POLLIN, deadline);

	if (r < 0)
		return r;
	n = recv(peer->fd, to, room, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	peer->in.len += (size_t)n;
	return n ? 0 : -EPIPE;
}

/* Whether the file has changed since *@before, which it then has not. */
static bool has_grown(int file, struct timespec *before)
{
	struct stat st;
	bool grown;

	if (file < 0 || fstat(file, &st) < 0)
		return false;
	grown = st.st_mtim.tv_sec != before->tv_sec || st.st_mtim.tv_nsec != before->tv_nsec;
	*before = st.st_mtim;
	return grown;
}

int ctl_next(struct ctl_peer *peer, int growing, json_t **object)
{
	int64_t deadline = deadline_of(peer);
	struct timespec before = { 0 };
	int r;

	(void)has_grown(growing, &before);
	while ((r = ctl_input_next(&peer->in, object)) == -EAGAIN) {
		r = receive(peer, deadline);
		if (r == -ETIMEDOUT && has_grown(growing, &before))
			deadline = deadline_of(peer);
		else if (r < 0)
			break;
	}
	return r < 0 ? said(peer, r) : 0;
}

int ctl_next_event(struct ctl_peer *peer, json_t **object)
{
	int r;

	*object = NULL;
	while ((r = ctl_input_next(&peer->in, object)) == -EAGAIN) {
		r = receive(peer, -1);
		if (r < 0)
			break;
	}
	/* A machine that was killed ends in the middle of anything. */
	return r < 0 && r != -EPIPE && r != -ECONNRESET ? said(peer, r) : 0;
}

int ctl_send(const struct ctl_peer *peer, const char *text, size_t len, int file)
{
	int64_t deadline = deadline_of(peer);

	for (size_t at = 0; at < len;) {
		int r = await(peer->fd, POLLOUT, deadline);
		ssize_t n = r < 0 ? r
				  : fd_message_send(peer->fd, text + at, len - at, MSG_DONTWAIT,
						    &file, !at && file >= 0);

		if (n < 0 && n != -EAGAIN)
			return said(peer, (int)n);
		if (n > 0)
			at += (size_t)n;
	}
	return 0;
}
