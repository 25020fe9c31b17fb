/* SPDX-License-Identifier: BSD-2-Clause */
/* A write that is cut off by a signal of a timer's. */
#include "base/cutoff.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

/* glibc has the member and not the name that timer_create(2) gives it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/*
 * The signal itself is what interrupts. One that finds nothing to be cut off is the last, until somebody asks again:
 * what it touches is this thread's own, which is outside of cutoff_soon to cutoff_done then.
 */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	static const struct itimerspec off;
	struct cutoff *cutoff = info->si_value.sival_ptr;
	int err = errno;

	(void)sig;
	(void)context;
	if (info->si_code != SI_TIMER || cutoff->busy)
		return;
	(void)timer_settime(cutoff->timer, 0, &off, NULL);
	cutoff->armed_ms = 0;
	errno = err;
}

int cutoff_init(struct cutoff *cutoff)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGUSR1,
				  .sigev_value.sival_ptr = cutoff };
	sigset_t set;
	int r;

	event.sigev_notify_thread_id = gettid();
	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigaction(SIGUSR1, &action, NULL) < 0)
		return -errno;
	r = pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	if (r)
		return -r;
	if (timer_create(CLOCK_MONOTONIC, &event, &cutoff->timer) < 0)
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
	cutoff->busy = true;
	arm(cutoff, ms);
	n = write(fd, data, len);
	err = n < 0 ? errno : 0;
	arm(cutoff, 0);
	cutoff->busy = false;
	if (err == EINTR)
		return -ETIMEDOUT;
	return n == (ssize_t)len ? 0 : -(err ? err : EIO);
}

void cutoff_soon(struct cutoff *cutoff)
{
	enum { FIRES_MS = 500, GOOD_FOR_MS = 250 };
	struct timespec now;
	long now_ms;

	cutoff->busy = true; /* from here on armed_ms is ours */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (!cutoff->owner || (cutoff->armed_ms && now_ms - cutoff->armed_ms < GOOD_FOR_MS))
		return;
	cutoff->armed_ms = now_ms;
	arm(cutoff, FIRES_MS);
}

void cutoff_done(struct cutoff *cutoff)
{
	cutoff->busy = false;
}
