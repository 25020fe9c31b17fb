/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw mode and back.
 *
 * A signal handler is given nothing but a number, so what it restores must be reachable from a
 * static object: `saved`. This is the one mutable global of hvrun. It is filled before the terminal
 * is touched and never written again, except for the flag.
 */
#include "cli/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct {
	int fd;
	struct termios before; /* as the user's shell had it */
	struct termios raw;
	atomic_bool active; /* the terminal is to be raw */
} saved = { .fd = -1 };

void terminal_leave(void)
{
	int keep = errno;

	if (atomic_exchange(&saved.active, false))
		(void)tcsetattr(saved.fd, TCSANOW, &saved.before);
	errno = keep;
}

/*
 * The shell put the terminal to its own liking while we were stopped. In the background this stops
 * the process again (SIGTTOU) until it is brought to the front: what any full-screen program does.
 */
static void on_continue(int sig)
{
	int keep = errno;

	(void)sig;
	if (atomic_load(&saved.active))
		(void)tcsetattr(saved.fd, TCSANOW, &saved.raw);
	errno = keep;
}

bool terminal_is_background(int fd)
{
	pid_t front = tcgetpgrp(fd);

	return front >= 0 && front != getpgrp();
}

bool terminal_enter(int fd)
{
	struct sigaction action = { .sa_handler = on_continue, .sa_flags = SA_RESTART };

	if (tcgetattr(fd, &saved.before) != 0 || terminal_is_background(fd))
		return false;
	saved.fd = fd;
	saved.raw = saved.before;
	saved.raw.c_iflag &=
		~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	saved.raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	saved.raw.c_cc[VMIN] = 1;
	saved.raw.c_cc[VTIME] = 0;

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGCONT, &action, NULL);
	(void)atexit(terminal_leave);

	atomic_store(&saved.active, true);
	if (tcsetattr(fd, TCSANOW, &saved.raw) == 0)
		return true;
	atomic_store(&saved.active, false);
	return false;
}
