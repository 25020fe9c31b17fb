/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal as a guest's console, through the control socket. */
#include "cli/ctl_console.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
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

/* What was typed; false when there will be no more, or the user leaves. */
static bool move_input(int fd, bool keys, bool *escape, bool *leave)
{
	char piece[PIECE];
	ssize_t n = read(STDIN_FILENO, piece, sizeof(piece));
	size_t len;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	len = keys ? filter(piece, (size_t)n, escape, leave) : (size_t)n;
	if (*leave)
		return false;
	return write_full(fd, piece, len) == 0;
}

static bool move_output(int fd)
{
	char piece[PIECE];
	ssize_t n = read(fd, piece, sizeof(piece));

	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && write_full(STDOUT_FILENO, piece, (size_t)n) == 0;
}

static void copy(int fd, bool keys)
{
	struct pollfd fds[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	bool escape = false;
	bool leave = false;

	while (!leave) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents && !move_output(fd))
			return;
		/* The end of our input is not the end of the console. */
		if (fds[1].revents && !move_input(fd, keys, &escape, &leave))
			fds[1].fd = -1;
	}
}

int ctl_console(int fd, const char *first, size_t len)
{
	bool keys;

	crash_prepare();
	keys = terminal_enter(STDIN_FILENO);
	if (write_full(STDOUT_FILENO, first, len) == 0)
		copy(fd, keys);
	terminal_leave();
	return VM_STATUS_OK;
}
