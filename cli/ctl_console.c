/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal as a guest's console, through the control socket. */
#include "cli/ctl_console.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/io.h"
#include "cli/crash.h"
#include "cli/terminal.h"
#include "vm/config.h"

enum {
	CTRL_A = 0x01,
	PIECE = 4096,
};

/*
 * Takes keys for us out of @keys: Ctrl-A x leaves, Ctrl-A Ctrl-A is one Ctrl-A. How many bytes remain;
 * *@leave is set.
 */
static size_t filter(char *keys, size_t len, bool *escape, bool *leave)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		if (*escape) {
			*escape = false;
			if (keys[i] == 'x' || keys[i] == 'X')
				*leave = true;
			if (keys[i] != CTRL_A)
				continue;
		} else if (keys[i] == CTRL_A) {
			*escape = true;
			continue;
		}
		keys[kept++] = keys[i];
	}
	return kept;
}

/* The connection, and what was typed and not taken by the machine yet. */
struct wire {
	int fd;
	bool keys; /* typed on a terminal */
	bool escape;
	size_t len;
	char waiting[2 * PIECE];
};

/*
 * What was typed; false when there will be no more, or the user leaves. Whether the machine takes keys or not,
 * they are looked at, so that the user can leave; those that it has no room for are lost. Called with room for a
 * piece if they are no keys.
 */
static bool move_input(struct wire *wire, bool *leave)
{
	char piece[PIECE];
	ssize_t n = read(STDIN_FILENO, piece, sizeof(piece));
	size_t len;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	len = wire->keys ? filter(piece, (size_t)n, &wire->escape, leave) : (size_t)n;
	if (*leave)
		return false;
	len = size_min(len, sizeof(wire->waiting) - wire->len);
	memcpy(wire->waiting + wire->len, piece, len);
	wire->len += len;
	return true;
}

/* False when the machine has gone. */
static bool send_waiting(struct wire *wire)
{
	ssize_t n = send(wire->fd, wire->waiting, wire->len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	wire->len -= (size_t)n;
	memmove(wire->waiting, wire->waiting + n, wire->len);
	return true;
}

static bool move_output(int fd)
{
	char piece[PIECE];
	ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	return n > 0 && write_full(STDOUT_FILENO, piece, (size_t)n) == 0;
}

static void copy(struct wire *wire)
{
	bool ended = false; /* the end of our input is not the end of the console */
	bool leave = false;

	while (!leave) {
		bool room = wire->keys || wire->len <= sizeof(wire->waiting) - PIECE;
		struct pollfd fds[2] = {
			{ .fd = wire->fd, .events = (short)(POLLIN | (wire->len ? POLLOUT : 0)) },
			{ .fd = !ended && room ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		if ((fds[0].revents & ~POLLOUT) && !move_output(wire->fd))
			return;
		/* Who can no more be written to may have something to say yet. */
		if ((fds[0].revents & POLLOUT) && !send_waiting(wire))
			wire->len = 0;
		if (fds[1].revents)
			ended = !move_input(wire, &leave);
	}
}

int ctl_console(int fd, const char *first, size_t len)
{
	struct wire wire = { .fd = fd };

	crash_prepare();
	wire.keys = terminal_enter(STDIN_FILENO);
	if (write_full(STDOUT_FILENO, first, len) == 0)
		copy(&wire);
	terminal_leave();
	return VM_STATUS_OK;
}
