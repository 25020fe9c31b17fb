/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw mode, and the signal handlers that end it.
 *
 * A signal handler is given nothing but a number, so what it restores must be reachable from a
 * static object: `saved`. This is the one mutable global of hvrun. It is filled before the handlers
 * are there and never written again, except for the flag.
 */
#include "cli/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/checked.h"

static struct {
	int fd;
	struct termios before; /* as the user's shell had it */
	struct termios raw;
	atomic_bool active; /* the terminal is to be raw */
} saved = { .fd = -1 };

/* Signals that end the process and may come while the terminal is raw. */
static const int fatal_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGSEGV,
				     SIGBUS, SIGFPE, SIGILL,  SIGABRT, SIGSYS,	SIGTRAP };

void terminal_leave(void)
{
	int keep = errno;

	if (atomic_exchange(&saved.active, false))
		(void)tcsetattr(saved.fd, TCSANOW, &saved.before);
	errno = keep;
}

/* The handler's own signal is blocked and has its default action again: raised, it waits until the
 * handler returns, then ends the process with the state that caused it still on the stack. */
static void on_fatal(int sig)
{
	terminal_leave();
	(void)raise(sig);
}

/* The shell put the terminal to its own liking while we were stopped. In the background this stops
 * the process again (SIGTTOU) until it is brought to the front: what any full-screen program does. */
static void on_continue(int sig)
{
	int keep = errno;

	(void)sig;
	if (atomic_load(&saved.active))
		(void)tcsetattr(saved.fd, TCSANOW, &saved.raw);
	errno = keep;
}

/* Handles @sig unless somebody (nohup, a sanitizer) has decided on it already. */
static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	struct sigaction old;

	(void)sigemptyset(&action.sa_mask);
	if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		(void)sigaction(sig, &action, NULL);
}

/* A stack for handlers, since the usual one may be what overflowed. Main thread only: the others
 * run their handlers on their own stacks. */
static void prepare_stack(void)
{
	static unsigned char stack[64 * 1024];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	stack_t old;

	if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE))
		(void)sigaltstack(&alternate, NULL);
}

bool terminal_is_background(int fd)
{
	pid_t front = tcgetpgrp(fd);

	return front >= 0 && front != getpgrp();
}

bool terminal_enter(int fd)
{
	if (tcgetattr(fd, &saved.before) != 0 || terminal_is_background(fd))
		return false;
	saved.fd = fd;
	saved.raw = saved.before;
	saved.raw.c_iflag &=
		~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	saved.raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	saved.raw.c_cc[VMIN] = 1;
	saved.raw.c_cc[VTIME] = 0;

	prepare_stack();
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		handle(fatal_signals[i], on_fatal, SA_ONSTACK | (int)SA_RESETHAND);
	handle(SIGCONT, on_continue, SA_ONSTACK | SA_RESTART);
	(void)atexit(terminal_leave);

	atomic_store(&saved.active, true);
	if (tcsetattr(fd, TCSANOW, &saved.raw) == 0)
		return true;
	atomic_store(&saved.active, false);
	return false;
}
