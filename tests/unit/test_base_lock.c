/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/lock: what a debug build must abort on, with both places named, and what must work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/lock.h"
#include "tests/lib/capture.h"

static struct lock outer = LOCK_INITIALIZER(LOCK_RANK_VM, "outer");
static struct lock inner = LOCK_INITIALIZER(LOCK_RANK_DEVICE, "inner");
static struct lock other = LOCK_INITIALIZER(LOCK_RANK_DEVICE, "other");

/* The breaches below are what the analysis would refuse to compile. */

NO_THREAD_SAFETY_ANALYSIS
static void take_twice(void *arg)
{
	(void)arg;
	lock_take(&outer);
	lock_take(&outer);
}

static void take_out_of_order(void *arg)
{
	(void)arg;
	lock_take(&inner);
	lock_take(&outer);
	lock_drop(&outer);
	lock_drop(&inner);
}

static void take_two_of_one_rank(void *arg)
{
	(void)arg;
	lock_take(&inner);
	lock_take(&other);
	lock_drop(&other);
	lock_drop(&inner);
}

NO_THREAD_SAFETY_ANALYSIS
static void drop_unheld(void *arg)
{
	(void)arg;
	lock_drop(&inner);
}

NO_THREAD_SAFETY_ANALYSIS
static void *drop_here(void *arg)
{
	lock_drop((struct lock *)arg);
	return NULL;
}

NO_THREAD_SAFETY_ANALYSIS
static void drop_in_other_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	lock_take(&inner);
	(void)pthread_create(&thread, NULL, drop_here, &inner);
	(void)pthread_join(thread, NULL);
}

static void wait_with_another(void *arg)
{
	struct cond cond;

	(void)arg;
	cond_init(&cond);
	lock_take(&outer);
	lock_take(&inner);
	lock_wait(&inner, &cond);
	lock_drop(&inner);
	lock_drop(&outer);
}

NO_THREAD_SAFETY_ANALYSIS
static void destroy_held(void *arg)
{
	struct lock lock;

	(void)arg;
	lock_init(&lock, LOCK_RANK_LEAF, "local");
	lock_take(&lock);
	lock_destroy(&lock);
}

static void assert_unheld(void *arg)
{
	(void)arg;
	lock_assert_held(&inner);
}

NO_THREAD_SAFETY_ANALYSIS
static void take_too_many(void *arg)
{
	static struct lock many[17];

	(void)arg;
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++) {
		lock_init(&many[i], (enum lock_rank)(i + 1), "one of many");
		lock_take(&many[i]);
	}
}

/* fn must end by SIGABRT, after a line with every word of words in that order. */
static void assert_aborts(void (*fn)(void *), const char *const *words, size_t count)
{
	struct captured out;
	const char *at = out.text;

	capture_child(&out, fn, NULL);
	for (size_t i = 0; i < count; i++) {
		at = strstr(at, words[i]);
		if (!at)
			print_error("no '%s' in: %s\n", words[i], out.text);
		assert_non_null(at);
		at += strlen(words[i]);
	}
	assert_true(WIFSIGNALED(out.status));
	assert_int_equal(WTERMSIG(out.status), SIGABRT);
}

#define ASSERT_ABORTS(fn, ...)                                                  \
	do {                                                                    \
		static const char *const words_[] = { "hvrun: ", __VA_ARGS__ }; \
		assert_aborts((fn), words_, ARRAY_SIZE(words_));                \
	} while (0)

#define HERE "test_base_lock.c:"

static void breaches_abort(void **state)
{
	(void)state;
	ASSERT_ABORTS(take_twice, "lock outer: taken twice, at ", HERE, " and before that at ",
		      HERE);
	ASSERT_ABORTS(take_out_of_order, "lock outer (rank 1): taken out of order at ", HERE,
		      "while inner (rank ", "is held since ", HERE);
	ASSERT_ABORTS(take_two_of_one_rank, "lock other", "out of order", HERE, "inner", HERE);
	ASSERT_ABORTS(drop_unheld, "lock inner: dropped at ", HERE, "does not hold it");
	ASSERT_ABORTS(drop_in_other_thread, "lock inner: dropped at ", HERE, "does not hold it");
	ASSERT_ABORTS(wait_with_another, "lock inner: waited with at ", HERE, "outer", HERE);
	ASSERT_ABORTS(destroy_held, "lock local: destroyed while held since ", HERE);
	ASSERT_ABORTS(assert_unheld, "lock inner: not held at ", HERE);
	ASSERT_ABORTS(take_too_many, "taken at ", HERE, "16 others");
}

/* The two places of a report are the two lines, not one of them twice. */
static void both_places_are_named(void **state)
{
	int first = 0, second = 0;
	struct captured out;
	const char *at;

	(void)state;
	capture_child(&out, take_out_of_order, NULL);
	at = strstr(out.text, HERE);
	assert_non_null(at);
	assert_int_equal(sscanf(at, HERE "%d", &second), 1);
	at = strstr(at + 1, HERE);
	assert_non_null(at);
	assert_int_equal(sscanf(at, HERE "%d", &first), 1);
	assert_int_equal(second, first + 1);
}

static void right_order_works(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) { /* more often than the list of held locks is long */
		lock_take(&outer);
		lock_take(&inner);
		lock_assert_held(&outer);
		lock_assert_held(&inner);
		lock_drop(&outer); /* dropping in any order is allowed */
		lock_drop(&inner);
	}
	lock_take(&other);
	lock_drop(&other);
}

struct counter {
	struct lock lock;
	struct cond changed;
	uint64_t hits GUARDED_BY(&lock);
};

static void *count(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < 1000; i++) {
		lock_take(&c->lock);
		c->hits++;
		cond_broadcast(&c->changed);
		lock_drop(&c->lock);
	}
	return NULL;
}

static void threads_exclude_and_wake(void **state)
{
	struct counter c = { .hits = 0 };
	pthread_t threads[4];

	(void)state;
	lock_init(&c.lock, LOCK_RANK_LEAF, "counter");
	cond_init(&c.changed);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, &c), 0);
	lock_take(&c.lock);
	while (c.hits < 4000)
		lock_wait(&c.lock, &c.changed);
	lock_assert_held(&c.lock);
	assert_int_equal(c.hits, 4000);
	lock_drop(&c.lock);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	cond_destroy(&c.changed);
	lock_destroy(&c.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(breaches_abort),
		cmocka_unit_test(both_places_are_named),
		cmocka_unit_test(right_order_works),
		cmocka_unit_test(threads_exclude_and_wake),
	};

	return cmocka_run_group_tests_name("base_lock", tests, NULL, NULL);
}
