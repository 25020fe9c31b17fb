/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A write that may wait for ever, cut off: for descriptors whose flags another process can change, since
 * O_NONBLOCK is a flag of the open file and not of who holds it.
 *
 * By a timer whose signal interrupts the call. The signal is SIGUSR1, to the thread itself; who handles it
 * besides must do nothing in its handler and restart nothing, as vcpu_prepare_process does.
 */
#ifndef BASE_CUTOFF_H
#define BASE_CUTOFF_H

#include <signal.h>
#include <stddef.h>
#include <time.h>

struct cutoff {
	timer_t timer;
	int owner; /* the thread's id; 0: not made */
	volatile sig_atomic_t
		busy; /* between cutoff_soon and cutoff_done: the signal comes again and again */
	volatile long armed_ms; /* when cutoff_soon asked for the signal last; 0: none is to come */
};

/* For calls of the thread that runs this, whose mask then lets SIGUSR1 through. 0 or -errno; nothing is said. */
int cutoff_init(struct cutoff *cutoff);

/* Also of one that was never made, if it is all zeroes. */
void cutoff_fini(struct cutoff *cutoff);

/*
 * One write of @len bytes, all or none. 0; -ETIMEDOUT when it waited for @ms milliseconds (1 to 999), and was
 * given up; -EAGAIN where the descriptor does not wait; -EPERM on another thread than the owner; -errno.
 */
int cutoff_write(struct cutoff *cutoff, int fd, const void *data, size_t len, unsigned ms);

/*
 * For writes that are frequent and hardly ever wait: one between these two that waits is interrupted (EINTR) half
 * a second later at most, whenever it began. Takes a system call every quarter of a second at most. On the owner
 * thread.
 */
void cutoff_soon(struct cutoff *cutoff);
void cutoff_done(struct cutoff *cutoff);

#endif
