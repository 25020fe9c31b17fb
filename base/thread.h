/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads beside the main one, and which signals they leave to it. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

enum { THREAD_STACK = 128 * 1024 }; /* bytes: our frames are small. Room for sanitizers */

/*
 * Starts @run(@opaque) as *@thread, to be joined by the caller, with a stack of @stack bytes (0: as large as the
 * system has them). All signals are blocked in it but @open (0: none is open) and those by which the kernel tells
 * a thread of its own mistake. The latter must never be blocked: the kernel would then kill the process at once,
 * without the handler that puts the terminal back and names a system call that the sandbox refused
 * (cli/crash.c). The caller's own mask is as before. 0 or -errno, with nothing said. Any thread.
 */
int thread_start(pthread_t *thread, size_t stack, int open, void *(*run)(void *opaque),
		 void *opaque);

#endif
