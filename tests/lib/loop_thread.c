/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop for a test, and a thread for it. */
#include "tests/lib/loop_thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int loop_setup(void **state)
{
	struct loop *loop;

	assert_int_equal(loop_create(&loop), 0);
	*state = loop;
	return 0;
}

int loop_teardown(void **state)
{
	loop_destroy(*state);
	loop_destroy(NULL);
	return 0;
}

static void *run(void *loop)
{
	assert_int_equal(loop_run(loop), 0);
	return NULL;
}

void loop_thread_start(struct loop_thread *t, struct loop *loop)
{
	t->loop = loop;
	assert_int_equal(pthread_create(&t->id, NULL, run, loop), 0);
}

void loop_thread_wait(struct loop_thread *t)
{
	assert_int_equal(pthread_join(t->id, NULL), 0);
}

void loop_thread_end(struct loop_thread *t)
{
	loop_stop(t->loop);
	loop_thread_wait(t);
}
