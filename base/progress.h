/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shows on a terminal how far work has come that takes longer than half a second: one line of standard
 * error, written over and over, and gone in the end. Where standard error is no terminal nothing is
 * ever shown. One piece of work is one thread's at a time; no lock, no state besides the struct.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what, *name; /* "verifying kernel", its file's name */
	uint64_t total;		 /* of whatever is counted; 0: not known */
	uint64_t begun_ns, shown_ns;
	bool on;    /* standard error is a terminal */
	bool shown; /* there is a line of ours on it */
};

/*
 * Begins the work @what on @name, of which there is @total; both strings outlive it. Looks at standard error
 * (an ioctl) unless @wanted is false; then nothing is shown.
 */
void progress_begin(struct progress *progress, bool wanted, const char *what, const char *name,
		    uint64_t total);

/* @done of it is done; to be called as often as is convenient. Reads the clock, and writes 5 times a second. */
void progress_step(struct progress *progress, uint64_t done);

/* The line goes. Before any other word on standard error. */
void progress_end(struct progress *progress);

#endif
