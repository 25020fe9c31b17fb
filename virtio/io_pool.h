/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A few threads that do what may block, for a device whose state belongs to its loop.
 *
 * Jobs are structures of the caller, linked through their first member; the pool allocates nothing
 * after it is made, so its length is bounded by the jobs that exist. Finished jobs gather in a
 * list, and an eventfd wakes the loop once for as many as there are by then. Behind a job that took no time the
 * loop is not woken as long as such jobs wait: 16 of them make one wake, and one interrupt of the guest.
 */
#ifndef VIRTIO_IO_POOL_H
#define VIRTIO_IO_POOL_H

#include <stdbool.h>

#include "base/thread_guard.h"

enum { IO_POOL_MAX_THREADS = 16 };

struct io_pool;

/* Embed in what is to be done. From submit until reaped it belongs to the pool. */
struct io_job {
	struct io_job *next;
	bool quick; /* likely to take some tens of microseconds: what ended before may wait for it */
};

/* Does @job; runs on a thread of the pool, may block. */
typedef void (*io_run_fn)(struct io_job *job);

/*
 * Starts @threads (1 to IO_POOL_MAX_THREADS) threads, with all signals blocked, and waits until
 * each of them has come up, so that a sandbox that forbids to start threads may close right after.
 * @name, at most 15 bytes, is the threads' name for ps. @guard (NULL: none) takes from each what a
 * THREAD_IO does not need. 0; -EINVAL or -errno, and nothing is left.
 */
int io_pool_create(unsigned threads, const char *name, io_run_fn run,
		   const struct thread_guard *guard, struct io_pool **out);

/*
 * Does what was submitted, joins the threads, frees. Jobs not reaped stay the caller's. NULL is ok.
 */
void io_pool_destroy(struct io_pool *pool);

/* The eventfd that becomes readable when there is something to reap; owned by the pool. */
int io_pool_eventfd(const struct io_pool *pool);

/* Gives @job to the threads. Jobs start in this order and finish in any. Any thread. */
void io_pool_submit(struct io_pool *pool, struct io_job *job);

/* The finished jobs, linked by next in the order in which they finished; NULL for none. */
struct io_job *io_pool_reap(struct io_pool *pool);

/*
 * The jobs that no thread has begun, linked by next: they are the caller's again. What has been done may not
 * have been told of then: to be followed by io_pool_reap; of what is done later the eventfd tells. NULL for none.
 */
struct io_job *io_pool_cancel(struct io_pool *pool);

#endif
