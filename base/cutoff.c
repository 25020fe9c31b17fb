/* SPDX-License-Identifier: BSD-2-Clause */
/* A write that is cut off by a signal of a timer's. */
#include "base/cutoff.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* glibc has the member and not the name that timer_create(2) gives it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void on_signal(int sig)
{
	(void)sig;
}

int cutoff_init(struct cutoff *cutoff)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	sigset_t set;

	event.sigev_notify_thread_id = gettid();
	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigaction(SIGUSR1, &action, NULL) < 0 || pthread_sigmask(SIG_UNBLOCK, &set, NULL) ||
	    timer_create(CLOCK_MONOTONIC, &event, &cutoff->timer) < 0)
		return -errno;
	cutoff->owner = gettid();
	return 0;
}

void cutoff_fini(struct cutoff *cutoff)
{
	if (cutoff->owner)
		(void)timer_delete(cutoff->timer);
	cutoff->owner = 0;
}

/* Again and again, since the first signal may come before the call has begun. 0 disarms. */
static void arm(const struct cutoff *cutoff, unsigned ms)
{
	const struct timespec after = { .tv_nsec = (long)ms * 1000000 };
	const struct itimerspec when = { .it_interval = after, .it_value = after };

	(void)timer_settime(cutoff->timer, 0, &when, NULL);
}

int cutoff_write(struct cutoff *cutoff, int fd, const void *data, size_t len, unsigned ms)
{
	ssize_t n;
	int err;

	if (cutoff->owner != gettid())
		return -EPERM;
	arm(cutoff, ms);
	n = write(fd, data, len);
	err = n < 0 ? errno : 0;
	arm(cutoff, 0);
	if (err == EINTR)
		return -ETIMEDOUT;
	return n == (ssize_t)len ? 0 : -(err ? err : EIO);
}
