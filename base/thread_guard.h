/* SPDX-License-Identifier: BSD-2-Clause */
/* What a new thread does before anything else: it gives up what its work does not need. */
#ifndef BASE_THREAD_GUARD_H
#define BASE_THREAD_GUARD_H

#include <stddef.h>

/* What a helper thread is for. vCPU threads and the loop's have ways of their own (vm/sandbox/sandbox.h). */
enum thread_role {
	THREAD_IO,     /* reads and writes disks */
	THREAD_HELPER, /* anything else that may take long beside the loop */
};

/* Embedded in what knows how (vm/sandbox/sandbox.h); constant while threads use it. */
struct thread_guard {
	int (*enter)(const struct thread_guard *guard, enum thread_role role);
};

/*
 * To be the first words of a thread of @role, once it has its name. 0, or -errno, said: then the thread
 * must end without having done anything. @guard NULL: nothing to give up (tests, no sandbox).
 */
static inline int thread_guard_enter(const struct thread_guard *guard, enum thread_role role)
{
	return guard ? guard->enter(guard, role) : 0;
}

#endif
