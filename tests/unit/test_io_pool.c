/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a pool of I/O threads wakes its loop: at once for what ended, or after the quick jobs that wait, and
 * never too late for anybody to come and take what is done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio/io_pool.h"

enum { JOBS = 48, ROUNDS = 200 };

static struct io_pool *pool;
static atomic_uint taken; /* jobs that were reaped */
static sem_t entered, gate;

enum what {
	NOTHING,
	SLEEP, /* a millisecond */
	LOOP,  /* be the loop: take what is done */
	GATE,  /* tell that it runs, and wait */
};

struct work {
	struct io_job job; /* first */
	enum what what;
	bool woken; /* the loop was, when this began */
};

static bool loop_woken(void)
{
	struct pollfd p = { .fd = io_pool_eventfd(pool), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void be_the_loop(void)
{
	uint64_t count;

	if (loop_woken())
		assert_int_equal(read(io_pool_eventfd(pool), &count, sizeof(count)), sizeof(count));
	for (struct io_job *job = io_pool_reap(pool); job; job = job->next)
		atomic_fetch_add(&taken, 1);
}

static void run(struct io_job *job)
{
	struct work *work = (struct work *)job;

	work->woken = loop_woken();
	if (work->what == SLEEP)
		(void)usleep(1000);
	if (work->what == LOOP)
		be_the_loop();
	if (work->what == GATE) {
		(void)sem_post(&entered);
		while (sem_wait(&gate) != 0)
			;
	}
}

static void open_pool(unsigned threads)
{
	atomic_store(&taken, 0);
	assert_int_equal(sem_init(&entered, 0, 0), 0);
	assert_int_equal(sem_init(&gate, 0, 0), 0);
	assert_int_equal(io_pool_create(threads, "test", run, NULL, &pool), 0);
}

static void close_pool(void)
{
	io_pool_destroy(pool);
	(void)sem_destroy(&entered);
	(void)sem_destroy(&gate);
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		;
}

/*
 * Has one thread do @work one after another, all of it waiting before the second begins; the first and the
 * last wait at the gate. Returns when the last one waits there.
 */
static void line_up(struct work *work, unsigned count)
{
	work[0].what = work[count - 1].what = GATE;
	io_pool_submit(pool, &work[0].job);
	wait_for(&entered);
	for (unsigned i = 1; i < count; i++)
		io_pool_submit(pool, &work[i].job);
	(void)sem_post(&gate);
	wait_for(&entered);
}

/* The last job goes on; everything must have come back then. */
static void finish(unsigned count)
{
	(void)sem_post(&gate);
	while (atomic_load(&taken) < count) {
		struct pollfd p = { .fd = io_pool_eventfd(pool), .events = POLLIN };

		assert_int_equal(poll(&p, 1, 60000), 1);
		be_the_loop();
	}
	assert_int_equal(atomic_load(&taken), count);
}

/* The first of a list wakes the loop, and no other one. */
static void told_at_once(void **state)
{
	struct work work[JOBS] = { 0 };
	uint64_t count;

	(void)state;
	open_pool(1);
	work[1].what = LOOP;
	line_up(work, JOBS);
	for (unsigned i = 1; i < JOBS; i++)
		assert_true(work[i].woken);
	assert_int_equal(read(io_pool_eventfd(pool), &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	be_the_loop();
	finish(JOBS);
	close_pool();
}

/*
 * Quick jobs gather, 16 at most. On a busy machine one of them may take long and be told of: in some round
 * none does.
 */
static void quick_ones_gather(void **state)
{
	unsigned gathered = 0;

	(void)state;
	open_pool(1);
	for (unsigned round = 0; round < ROUNDS && gathered < 16; round++) {
		struct work work[JOBS] = { 0 };
		unsigned first = 2;

		for (unsigned i = 1; i < JOBS; i++)
			work[i].job.quick = true;
		work[1].what = LOOP;
		atomic_store(&taken, 0);
		line_up(work, JOBS);
		while (first < JOBS && !work[first].woken)
			first++;
		/* Jobs 1 to first - 1 ended before. */
		assert_in_range(first - 1, 1, 16);
		if (gathered < first - 1)
			gathered = first - 1;
		for (unsigned i = first; i < JOBS; i++)
			assert_true(work[i].woken);
		finish(JOBS);
	}
	assert_int_equal(gathered, 16);
	close_pool();
}

/* Nothing waits for a job that may take long, nor behind one that did. */
static void slow_ones_hold_nobody(void **state)
{
	struct work work[6] = { 0 };

	(void)state;
	open_pool(1);
	work[1].what = LOOP;
	work[1].job.quick = work[2].job.quick = true; /* 3 is not */
	line_up(work, 6);
	assert_true(work[3].woken);
	finish(6);
	atomic_store(&taken, 0);
	for (unsigned i = 0; i < 6; i++)
		work[i] = (struct work){ .job.quick = true };
	work[1].what = LOOP;
	work[2].what = SLEEP;
	line_up(work, 6);
	assert_true(work[3].woken);
	finish(6);
	close_pool();
}

/* The last one tells, however many threads there are. */
static void last_one_tells(void **state)
{
	(void)state;
	open_pool(4);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct work work[JOBS] = { 0 };

		atomic_store(&taken, 0);
		for (unsigned i = 0; i < JOBS; i++) {
			work[i].job.quick = i % 7 != 6;
			io_pool_submit(pool, &work[i].job);
		}
		while (atomic_load(&taken) < JOBS) {
			struct pollfd p = { .fd = io_pool_eventfd(pool), .events = POLLIN };

			assert_int_equal(poll(&p, 1, 60000), 1);
			be_the_loop();
		}
	}
	close_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_at_once),
		cmocka_unit_test(quick_ones_gather),
		cmocka_unit_test(slow_ones_hold_nobody),
		cmocka_unit_test(last_one_tells),
	};

	return cmocka_run_group_tests_name("io_pool", tests, NULL, NULL);
}
