/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop in a thread of its own. */
#include "tests/lib/loop_thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void *run(void *loop)
{
	assert_int_equal(loop_run(loop), 0);
	return NULL;
}

void loop_thread_start(struct loop_thread *t, struct loop *loop)
{
	t->loop = loop;
	assert_int_equal(pthread_create(&t->thread, NULL, run, loop), 0);
}

void loop_thread_end(struct loop_thread *t)
{
	loop_stop(t->loop);
	assert_int_equal(pthread_join(t->thread, NULL), 0);
}
