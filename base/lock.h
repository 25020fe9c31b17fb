/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranked locks: mutexes that cannot be taken twice, nor in an order that could deadlock.
 *
 * Each lock has a rank. A thread may take a lock only if its rank is greater than the rank of
 * every lock that the thread holds already. Debug builds (HVRUN_DEBUG, which all test builds set)
 * keep a list of the locks that each thread holds, and abort with both places named on a breach:
 * taking twice, taking out of order, dropping what is not held, waiting with another lock held,
 * destroying a held lock. Release builds are a plain mutex.
 *
 * At compile time clang checks the annotations of base/thread_annotations.h: which lock guards what, and
 * where one function holds two locks, their order too (RANKED).
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>
#include <stdint.h>

#include "base/thread_annotations.h"

/*
 * The order in which locks are taken, outermost first. Two locks of one rank are never held
 * together. Keep this list in step with the locks that exist; say here what each rank guards.
 */
enum lock_rank {
	LOCK_RANK_VM = 1, /* the machine's life: why and when it stops */
	LOCK_RANK_VCPU,	  /* one vCPU's run state */
	LOCK_RANK_BUS,	  /* windows added and removed */
	LOCK_RANK_DEVICE, /* registers and state of one device */
	LOCK_RANK_QUEUE,  /* one virtqueue, or a device's requests in flight */
	LOCK_RANK_DISK,	  /* a disk's metadata, or its pool of I/O threads */
	LOCK_RANK_IRQ,	  /* an interrupt controller or line emulated here */
	LOCK_RANK_MEMORY, /* the list of memory regions */
	LOCK_RANK_LOOP,	  /* an event loop's list of sources */
	LOCK_RANK_LEAF,	  /* nothing is taken under it: logs, counters */
};

/* A mutex with a place in the order. Set up by lock_init() or LOCK_INITIALIZER; never copied. */
struct CAPABILITY("lock") lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
	const char *name; /* how messages call it; outlives the lock */
};

/*
 * The order of enum lock_rank again, for clang: marks that nobody takes, each after the one before it. A
 * lock that is a field says RANKED(device) and lies between the two marks of its rank, so that it may not
 * be taken while one of a later rank is held. Two of one rank are for the check at run time.
 */
#ifdef HVRUN_GUARDED_BY
extern struct lock lock_from_vm;
extern struct lock lock_to_vm ACQUIRED_AFTER(&lock_from_vm);
extern struct lock lock_from_vcpu ACQUIRED_AFTER(&lock_to_vm);
extern struct lock lock_to_vcpu ACQUIRED_AFTER(&lock_from_vcpu);
extern struct lock lock_from_bus ACQUIRED_AFTER(&lock_to_vcpu);
extern struct lock lock_to_bus ACQUIRED_AFTER(&lock_from_bus);
extern struct lock lock_from_device ACQUIRED_AFTER(&lock_to_bus);
extern struct lock lock_to_device ACQUIRED_AFTER(&lock_from_device);
extern struct lock lock_from_queue ACQUIRED_AFTER(&lock_to_device);
extern struct lock lock_to_queue ACQUIRED_AFTER(&lock_from_queue);
extern struct lock lock_from_disk ACQUIRED_AFTER(&lock_to_queue);
extern struct lock lock_to_disk ACQUIRED_AFTER(&lock_from_disk);
extern struct lock lock_from_irq ACQUIRED_AFTER(&lock_to_disk);
extern struct lock lock_to_irq ACQUIRED_AFTER(&lock_from_irq);
extern struct lock lock_from_memory ACQUIRED_AFTER(&lock_to_irq);
extern struct lock lock_to_memory ACQUIRED_AFTER(&lock_from_memory);
extern struct lock lock_from_loop ACQUIRED_AFTER(&lock_to_memory);
extern struct lock lock_to_loop ACQUIRED_AFTER(&lock_from_loop);
extern struct lock lock_from_leaf ACQUIRED_AFTER(&lock_to_loop);
extern struct lock lock_to_leaf ACQUIRED_AFTER(&lock_from_leaf);
#endif
#define RANKED(rank) ACQUIRED_AFTER(&lock_from_##rank) ACQUIRED_BEFORE(&lock_to_##rank)

/* What threads wait on, with a lock held. Its clock is CLOCK_MONOTONIC. */
struct cond {
	pthread_cond_t cond;
};

#define LOCK_STRING_(x) #x
#define LOCK_STRING(x)	LOCK_STRING_(x)
#define LOCK_HERE	__FILE__ ":" LOCK_STRING(__LINE__)

/* The start value of a lock that is never destroyed. */
#define LOCK_INITIALIZER(rank_, name_)                                               \
	{                                                                            \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (rank_), .name = (name_) \
	}

/* Set up a lock that nobody uses yet. name must outlive the lock. Cannot fail on Linux. */
void lock_init(struct lock *lock, enum lock_rank rank, const char *name);

/* Give up a lock that nobody holds or will use again. */
void lock_destroy(struct lock *lock);

/* Take the lock, waiting for it as long as it takes. Not for signal handlers. */
#define lock_take(lock) lock_take_at((lock), LOCK_HERE)

/* Let the lock go; the calling thread holds it. Any order of dropping is allowed. */
#define lock_drop(lock) lock_drop_at((lock), LOCK_HERE)

/* Let the lock go, wait for the condition, take the lock again. May wake without cause. */
#define lock_wait(lock, cond) lock_wait_at((lock), (cond), LOCK_HERE)

/* State that the calling thread holds the lock; debug builds check it. */
#define lock_assert_held(lock) lock_assert_held_at((lock), LOCK_HERE)

/* Set up a condition that nobody waits on yet. */
void cond_init(struct cond *cond);

/* Give up a condition that nobody waits on. */
void cond_destroy(struct cond *cond);

/* Wake one thread, or all, that wait on the condition. */
void cond_signal(struct cond *cond);
void cond_broadcast(struct cond *cond);

/* What the macros above call; where is "file:line" of the caller, a string constant. */
void lock_wait_at(struct lock *lock, struct cond *cond, const char *where) REQUIRES(lock);

#if HVRUN_DEBUG

void lock_take_at(struct lock *lock, const char *where) ACQUIRE(lock);
void lock_drop_at(struct lock *lock, const char *where) RELEASE(lock);
void lock_assert_held_at(struct lock *lock, const char *where) ASSERT_HELD(lock);

#else

static inline void lock_take_at(struct lock *lock, const char *where) ACQUIRE(lock);

NO_THREAD_SAFETY_ANALYSIS
static inline void lock_take_at(struct lock *lock, const char *where)
{
	(void)where;
	(void)pthread_mutex_lock(&lock->mutex);
}

static inline void lock_drop_at(struct lock *lock, const char *where) RELEASE(lock);

NO_THREAD_SAFETY_ANALYSIS
static inline void lock_drop_at(struct lock *lock, const char *where)
{
	(void)where;
	(void)pthread_mutex_unlock(&lock->mutex);
}

static inline void lock_assert_held_at(struct lock *lock, const char *where) ASSERT_HELD(lock);

NO_THREAD_SAFETY_ANALYSIS
static inline void lock_assert_held_at(struct lock *lock, const char *where)
{
	(void)lock;
	(void)where;
}

#endif /* HVRUN_DEBUG */

#endif /* BASE_LOCK_H */
