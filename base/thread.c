/* SPDX-License-Identifier: BSD-2-Clause */
/* The one place where threads are made that leave signals to the main one. */
#include "base/thread.h"

#include <signal.h>

static void left_to_main(sigset_t *set, int open)
{
	static const int own_mistakes[] = { SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
					    SIGABRT, SIGTRAP, SIGSYS };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(own_mistakes) / sizeof(own_mistakes[0]); i++)
		sigdelset(set, own_mistakes[i]);
	if (open)
		sigdelset(set, open);
}

int thread_start(pthread_t *thread, size_t stack, int open, void *(*run)(void *opaque),
		 void *opaque)
{
	pthread_attr_t attr;
	sigset_t set, old;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	if (stack)
		err = pthread_attr_setstacksize(&attr, stack);
	if (!err) {
		left_to_main(&set, open);
		(void)pthread_sigmask(SIG_SETMASK, &set, &old);
		err = pthread_create(thread, &attr, run, opaque);
		(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	(void)pthread_attr_destroy(&attr);
	return -err;
}
