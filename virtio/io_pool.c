/* SPDX-License-Identifier: BSD-2-Clause */
/* A few threads that do what may block: one lock, a list of what waits, a list of what is done. */
#include "virtio/io_pool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/lock.h"
#include "base/thread.h"

/* How many finished jobs wait for the next one, and what the last of them may have taken, in nanoseconds. */
enum { GATHER_JOBS = 16, GATHER_NS = 100 * 1000 };

struct job_list {
	struct io_job *head;
	struct io_job *tail;
};

struct io_pool {
	io_run_fn run;
	int eventfd;
	const char *name;
	const struct thread_guard *guard;
	unsigned threads; /* started */
	pthread_t thread[IO_POOL_MAX_THREADS];

	struct lock lock RANKED(disk);
	struct cond work;  /* something waits, or stop */
	struct cond quiet; /* unfinished fell to 0, or another thread is up */
	struct job_list waiting GUARDED_BY(&lock);
	struct job_list done GUARDED_BY(&lock);
	bool told GUARDED_BY(&lock);	       /* the loop was woken for done */
	unsigned untold GUARDED_BY(&lock);     /* in done, if it was not */
	unsigned unfinished GUARDED_BY(&lock); /* submitted and not yet in done */
	unsigned up GUARDED_BY(&lock);
	int refused GUARDED_BY(&lock); /* -errno of a thread's guard: it ended at once */
	bool stop GUARDED_BY(&lock);
};

static void list_add(struct job_list *list, struct io_job *job)
{
	job->next = NULL;
	if (list->head)
		list->tail->next = job;
	else
		list->head = job;
	list->tail = job;
}

static struct io_job *list_take(struct job_list *list)
{
	struct io_job *job = list->head;

	if (job)
		list->head = job->next;
	return job;
}

/* Waits for a job: NULL when the pool stops and nothing waits any more. */
static struct io_job *next_job(struct io_pool *pool) REQUIRES(&pool->lock)
{
	while (!pool->waiting.head && !pool->stop)
		lock_wait(&pool->lock, &pool->work);
	return list_take(&pool->waiting);
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Does @job: whether it was as quick as it said. */
static bool run_job(const struct io_pool *pool, struct io_job *job)
{
	bool quick = job->quick;
	int64_t start = quick ? now_ns() : 0;

	pool->run(job);
	return quick && now_ns() - start < GATHER_NS;
}

/*
 * Files a finished job: whether the loop is to be woken, once a list. If both this one and the next are
 * @quick, whoever finishes that one decides.
 */
static bool finish_job(struct io_pool *pool, struct io_job *job, bool quick) REQUIRES(&pool->lock)
{
	const struct io_job *next = pool->waiting.head;

	if (!pool->done.head) {
		pool->told = false;
		pool->untold = 0;
	}
	list_add(&pool->done, job);
	if (--pool->unfinished == 0)
		cond_broadcast(&pool->quiet);
	if (pool->told || (quick && next && next->quick && ++pool->untold < GATHER_JOBS))
		return false;
	pool->told = true;
	return true;
}

static void *pool_thread(void *opaque)
{
	struct io_pool *pool = opaque;
	const uint64_t one = 1;
	struct io_job *job;
	int refused;

	(void)pthread_setname_np(pthread_self(), pool->name);
	refused = thread_guard_enter(pool->guard, THREAD_IO);
	lock_take(&pool->lock);
	pool->up++;
	cond_broadcast(&pool->quiet);
	if (refused) {
		pool->refused = refused;
		lock_drop(&pool->lock);
		return NULL;
	}
	while ((job = next_job(pool)) != NULL) {
		bool wake, quick;

		lock_drop(&pool->lock);
		quick = run_job(pool, job);
		lock_take(&pool->lock);
		wake = finish_job(pool, job, quick);
		lock_drop(&pool->lock);
		/* Fails only if the counter is full, and then the loop is awake anyway. */
		if (wake)
			(void)write_full(pool->eventfd, &one, sizeof(one));
		lock_take(&pool->lock);
	}
	lock_drop(&pool->lock);
	return NULL;
}

static int start_threads(struct io_pool *pool, unsigned threads)
{
	int err = 0;

	while (pool->threads < threads && err == 0) {
		err = thread_start(&pool->thread[pool->threads], THREAD_STACK, 0, pool_thread,
				   pool);
		if (err == 0)
			pool->threads++;
	}

	lock_take(&pool->lock);
	while (pool->up < pool->threads)
		lock_wait(&pool->lock, &pool->quiet);
	if (!err)
		err = pool->refused;
	lock_drop(&pool->lock);
	return err;
}

int io_pool_create(unsigned threads, const char *name, io_run_fn run,
		   const struct thread_guard *guard, struct io_pool **out)
{
	struct io_pool *pool;
	int err;

	if (threads == 0 || threads > IO_POOL_MAX_THREADS)
		return -EINVAL;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->eventfd < 0) {
		err = -errno;
		free(pool);
		return err;
	}
	pool->run = run;
	pool->name = name;
	pool->guard = guard;
	lock_init(&pool->lock, LOCK_RANK_DISK, "I/O pool");
	cond_init(&pool->work);
	cond_init(&pool->quiet);
	err = start_threads(pool, threads);
	if (err < 0) {
		io_pool_destroy(pool);
		return err;
	}
	*out = pool;
	return 0;
}

void io_pool_destroy(struct io_pool *pool)
{
	if (!pool)
		return;
	lock_take(&pool->lock);
	pool->stop = true;
	cond_broadcast(&pool->work);
	lock_drop(&pool->lock);
	for (unsigned i = 0; i < pool->threads; i++)
		(void)pthread_join(pool->thread[i], NULL);
	cond_destroy(&pool->work);
	cond_destroy(&pool->quiet);
	lock_destroy(&pool->lock);
	(void)close(pool->eventfd);
	free(pool);
}

int io_pool_eventfd(const struct io_pool *pool)
{
	return pool->eventfd;
}

void io_pool_submit(struct io_pool *pool, struct io_job *job)
{
	lock_take(&pool->lock);
	list_add(&pool->waiting, job);
	pool->unfinished++;
	lock_drop(&pool->lock);
	/* Not before: a thread that takes the CPU at once would only find the lock held, and go back to sleep. */
	cond_signal(&pool->work);
}

struct io_job *io_pool_reap(struct io_pool *pool)
{
	struct io_job *jobs;

	lock_take(&pool->lock);
	jobs = pool->done.head;
	pool->done.head = NULL;
	lock_drop(&pool->lock);
	return jobs;
}

struct io_job *io_pool_cancel(struct io_pool *pool)
{
	struct io_job *jobs;

	lock_take(&pool->lock);
	jobs = pool->waiting.head;
	pool->waiting.head = NULL;
	for (const struct io_job *job = jobs; job; job = job->next)
		pool->unfinished--;
	if (pool->unfinished == 0)
		cond_broadcast(&pool->quiet);
	lock_drop(&pool->lock);
	return jobs;
}
