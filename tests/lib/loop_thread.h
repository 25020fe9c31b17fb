/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop that runs in a thread of its own while a test plays the vCPUs. Failures fail the running cmocka test. */
#ifndef TESTS_LIB_LOOP_THREAD_H
#define TESTS_LIB_LOOP_THREAD_H

#include <pthread.h>

#include "hw/loop.h"

struct loop_thread {
	struct loop *loop;
	pthread_t thread;
};

void loop_thread_start(struct loop_thread *t, struct loop *loop);

/* Stops the loop, and waits until its thread has ended. */
void loop_thread_end(struct loop_thread *t);

#endif
