/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop for a test, and one that runs in a thread of its own. Failures fail the running cmocka test. */
#ifndef TESTS_LIB_LOOP_THREAD_H
#define TESTS_LIB_LOOP_THREAD_H

#include <pthread.h>

#include "hw/loop.h"

/* A cmocka test's: makes a loop in *@state, and destroys it. */
int loop_setup(void **state);
int loop_teardown(void **state);

struct loop_thread {
	struct loop *loop;
	pthread_t id;
};

void loop_thread_start(struct loop_thread *t, struct loop *loop);

/* Waits until the loop, which somebody stops, and its thread have ended; or stops it before that. */
void loop_thread_wait(struct loop_thread *t);
void loop_thread_end(struct loop_thread *t);

#endif
