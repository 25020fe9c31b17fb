/* SPDX-License-Identifier: BSD-2-Clause */
/* hw/loop: calls from other threads before, during and after the run, and stops among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "hw/loop.h"
#include "tests/lib/loop_thread.h"

static void note_thread(void *opaque)
{
	*(pthread_t *)opaque = pthread_self();
}

static void call_runs_on_the_loop(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct loop_thread thread;
	pthread_t ran;

	/* Nobody there: here. */
	loop_call(loop, note_thread, &ran);
	assert_true(pthread_equal(ran, pthread_self()));
	loop_thread_start(&thread, loop);
	/* It may take a moment until the thread owns the loop. */
	do
		loop_call(loop, note_thread, &ran);
	while (!pthread_equal(ran, thread.id));
	loop_thread_end(&thread);
	loop_call(loop, note_thread, &ran);
	assert_true(pthread_equal(ran, pthread_self()));
}

static void stop_is_sticky(void **state)
{
	struct loop *loop = (struct loop *)*state;

	loop_stop(loop);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(loop_turn(loop, -1), 0);
}

struct nest {
	struct loop *loop;
	unsigned int depth;
};

static void nest(void *opaque)
{
	struct nest *n = (struct nest *)opaque;

	if (++n->depth < 5)
		loop_call(n->loop, nest, n);
}

static void calls_nest(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct nest n = { .loop = loop };
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	loop_call(loop, nest, &n);
	assert_int_equal(n.depth, 5);
	n.depth = 0;
	assert_int_equal(loop_add_eventfd(loop, fd, nest, &n), 0);
	assert_int_equal(loop_turn(loop, 0), 1);
	assert_int_equal(n.depth, 5);
	assert_int_equal(loop_del(loop, fd), 0);
	(void)close(fd);
}

/* What only the loop's thread may touch; plain, so that TSan sees a hole in the exclusion. */
struct shared {
	struct loop *loop;
	uint64_t sum;
	unsigned int inside;
	unsigned int timer_fired;
	struct loop_timer *timer;
};

static void add_one(void *opaque)
{
	struct shared *s = (struct shared *)opaque;

	assert_int_equal(s->inside++, 0);
	s->sum++;
	s->inside--;
	loop_timer_arm(s->timer, 1);
}

static void on_timer(void *opaque)
{
	struct shared *s = (struct shared *)opaque;

	assert_int_equal(s->inside, 0);
	s->timer_fired++;
}

enum { HAMMERS = 4, BLOWS = 2000 };

static void *hammer(void *arg)
{
	struct shared *s = (struct shared *)arg;

	for (unsigned int i = 0; i < BLOWS; i++)
		loop_call(s->loop, add_one, s);
	return NULL;
}

/* Threads hammer while the loop starts, runs, and (when @early) stops in the middle. */
static void hammer_loop(struct loop *loop, bool early)
{
	struct shared s = { .loop = loop };
	struct loop_thread thread;
	pthread_t hammers[HAMMERS];

	assert_int_equal(loop_timer_add(loop, on_timer, &s, &s.timer), 0);
	for (size_t i = 0; i < HAMMERS; i++)
		assert_int_equal(pthread_create(&hammers[i], NULL, hammer, &s), 0);
	loop_thread_start(&thread, loop);
	if (early) {
		(void)usleep(2000);
		loop_stop(loop);
	}
	for (size_t i = 0; i < HAMMERS; i++)
		assert_int_equal(pthread_join(hammers[i], NULL), 0);
	loop_thread_end(&thread);
	assert_int_equal(s.sum, HAMMERS * BLOWS);
	assert_int_equal(s.inside, 0);
}

static void threads_hammer(void **state)
{
	hammer_loop((struct loop *)*state, false);
}

static void stop_during_calls(void **state)
{
	hammer_loop((struct loop *)*state, true);
}

/* The stop comes from inside a call, with others waiting behind it. */
static void stop_here(void *opaque)
{
	loop_stop((struct loop *)opaque);
}

static void stop_within_a_call(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < 50; round++) {
		struct shared s = { 0 };
		struct loop_thread thread;
		pthread_t hammers[2];

		assert_int_equal(loop_create(&s.loop), 0);
		assert_int_equal(loop_timer_add(s.loop, on_timer, &s, &s.timer), 0);
		loop_thread_start(&thread, s.loop);
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&hammers[i], NULL, hammer, &s), 0);
		loop_call(s.loop, stop_here, s.loop);
		loop_thread_wait(&thread);
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(pthread_join(hammers[i], NULL), 0);
		assert_int_equal(s.sum, 2 * BLOWS);
		loop_destroy(s.loop);
	}
}

/* Calls must not starve sources: a source made ready under constant calls, which end when it was served, is served. */
enum { PATIENCE_S = 60 };

struct siege {
	struct shared shared;
	atomic_bool served;
	time_t end; /* of patience */
};

static time_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void serve(void *opaque)
{
	atomic_store((atomic_bool *)opaque, true);
}

static void *besiege(void *arg)
{
	struct siege *s = (struct siege *)arg;

	while (!atomic_load(&s->served) && now_s() < s->end)
		loop_call(s->shared.loop, add_one, &s->shared);
	return NULL;
}

static void calls_do_not_starve_sources(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct siege s = { .shared.loop = loop, .end = now_s() + PATIENCE_S };
	struct loop_thread thread;
	pthread_t hammers[HAMMERS], ran;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_int_equal(loop_timer_add(loop, on_timer, &s.shared, &s.shared.timer), 0);
	assert_int_equal(loop_add_eventfd(loop, fd, serve, &s.served), 0);
	loop_thread_start(&thread, loop);
	/* Whoever calls does it himself until the thread owns the loop. */
	do
		loop_call(loop, note_thread, &ran);
	while (!pthread_equal(ran, thread.id));
	for (size_t i = 0; i < HAMMERS; i++)
		assert_int_equal(pthread_create(&hammers[i], NULL, besiege, &s), 0);
	assert_int_equal(eventfd_write(fd, 1), 0);
	for (size_t i = 0; i < HAMMERS; i++)
		assert_int_equal(pthread_join(hammers[i], NULL), 0);
	assert_true(atomic_load(&s.served) && now_s() < s.end);
	loop_thread_end(&thread);
	(void)close(fd);
}

struct asked {
	struct loop *loop;
	bool known;
	pthread_t caller;
};

static bool is_known(void *opaque)
{
	const struct asked *a = opaque;

	return a->known;
}

static void who_asks(void *opaque)
{
	struct asked *a = opaque;

	a->known = loop_caller(a->loop, &a->caller);
}

static void *ask(void *opaque)
{
	struct asked *a = opaque;

	loop_call(a->loop, who_asks, a);
	return NULL;
}

/* The loop knows for whom it does what it does. */
static void caller_is_known(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct asked a = { .loop = loop };
	pthread_t thread;

	loop_call(loop, who_asks, &a);
	assert_false(a.known);
	loop_hold(loop);
	assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
	assert_int_equal(loop_serve_until(loop, is_known, &a), 0);
	assert_true(pthread_equal(a.caller, thread));
	who_asks(&a);
	assert_false(a.known);
	loop_release(loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
#define ON_LOOP(fn) cmocka_unit_test_setup_teardown(fn, loop_setup, loop_teardown)
	const struct CMUnitTest tests[] = {
		ON_LOOP(call_runs_on_the_loop),
		ON_LOOP(stop_is_sticky),
		ON_LOOP(calls_nest),
		ON_LOOP(caller_is_known),
		ON_LOOP(threads_hammer),
		ON_LOOP(stop_during_calls),
		cmocka_unit_test(stop_within_a_call),
		ON_LOOP(calls_do_not_starve_sources),
	};

	return cmocka_run_group_tests_name("loop_calls", tests, NULL, NULL);
}
