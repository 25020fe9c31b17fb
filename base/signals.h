/* SPDX-License-Identifier: BSD-2-Clause */
/* Which signals a helper thread leaves to the main thread. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <signal.h>

/*
 * Sets *@set to all signals but those by which the kernel tells a thread of its own mistake. Those
 * must never be blocked: the kernel would then kill the process at once, without the handler that
 * puts the terminal back and names a system call that the sandbox refused (cli/crash.c). To be the
 * mask of every thread but the main one. Any thread.
 */
static inline void signals_fill(sigset_t *set)
{
	sigfillset(set);
	sigdelset(set, SIGSEGV);
	sigdelset(set, SIGBUS);
	sigdelset(set, SIGFPE);
	sigdelset(set, SIGILL);
	sigdelset(set, SIGABRT);
	sigdelset(set, SIGTRAP);
	sigdelset(set, SIGSYS);
}

#endif
