/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranked locks: the mutex, and in debug builds the list of what each thread holds.
 */
#include "base/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#if HVRUN_DEBUG
#include "base/diag.h"

#define HELD_MAX 16

struct held {
	const struct lock *lock;
	const char *where;
};

/* What this thread holds, in the order of taking. Each thread sees only its own. */
static _Thread_local struct held held[HELD_MAX];
static _Thread_local unsigned int held_count;

/*
 * A breach of the locking rules is a defect that could hang or corrupt a guest; a debug build
 * stops at once, where the cause is still on the stack.
 */
__attribute__((noreturn)) static void breach(void)
{
	abort(); /* check-layers: allowed, debug builds only */
}

static struct held *find_held(const struct lock *lock)
{
	for (unsigned int i = 0; i < held_count; i++)
		if (held[i].lock == lock)
			return &held[i];
	return NULL;
}

static void note_take(const struct lock *lock, const char *where)
{
	const struct held *same = find_held(lock);

	if (same) {
		diag_error("lock %s: taken twice, at %s and before that at %s", lock->name, where,
			   same->where);
		breach();
	}
	for (unsigned int i = 0; i < held_count; i++) {
		const struct lock *other = held[i].lock;

		if (lock->rank > other->rank)
			continue;
		diag_error("lock %s (rank %d): taken out of order at %s, while %s (rank %d) is "
			   "held since %s",
			   lock->name, (int)lock->rank, where, other->name, (int)other->rank,
			   held[i].where);
		breach();
	}
	if (held_count == HELD_MAX) {
		diag_error("lock %s: taken at %s while %d others are held, the most allowed",
			   lock->name, where, HELD_MAX);
		breach();
	}
	held[held_count++] = (struct held){ .lock = lock, .where = where };
}

static void note_drop(const struct lock *lock, const char *where)
{
	struct held *h = find_held(lock);

	if (!h) {
		diag_error("lock %s: dropped at %s by a thread that does not hold it", lock->name,
			   where);
		breach();
	}
	for (held_count--; h < &held[held_count]; h++)
		*h = h[1];
}

static void note_wait(const struct lock *lock, const char *where)
{
	note_drop(lock, where);
	if (held_count) {
		diag_error("lock %s: waited with at %s, while %s is held since %s", lock->name,
			   where, held[0].lock->name, held[0].where);
		breach();
	}
}

NO_THREAD_SAFETY_ANALYSIS
void lock_take_at(struct lock *lock, const char *where)
{
	note_take(lock, where);
	(void)pthread_mutex_lock(&lock->mutex);
}

NO_THREAD_SAFETY_ANALYSIS
void lock_drop_at(struct lock *lock, const char *where)
{
	note_drop(lock, where);
	(void)pthread_mutex_unlock(&lock->mutex);
}

NO_THREAD_SAFETY_ANALYSIS
void lock_assert_held_at(struct lock *lock, const char *where)
{
	if (find_held(lock))
		return;
	diag_error("lock %s: not held at %s, where it must be", lock->name, where);
	breach();
}

static void note_destroy(const struct lock *lock)
{
	const struct held *h = find_held(lock);

	if (!h)
		return;
	diag_error("lock %s: destroyed while held since %s", lock->name, h->where);
	breach();
}

#else

static inline void note_take(const struct lock *lock, const char *where)
{
	(void)lock;
	(void)where;
}

static inline void note_wait(const struct lock *lock, const char *where)
{
	(void)lock;
	(void)where;
}

static inline void note_destroy(const struct lock *lock)
{
	(void)lock;
}

#endif /* HVRUN_DEBUG */

void lock_init(struct lock *lock, enum lock_rank rank, const char *name)
{
	(void)pthread_mutex_init(&lock->mutex, NULL);
	lock->rank = rank;
	lock->name = name;
}

void lock_destroy(struct lock *lock)
{
	note_destroy(lock);
	(void)pthread_mutex_destroy(&lock->mutex);
}

NO_THREAD_SAFETY_ANALYSIS
void lock_wait_at(struct lock *lock, struct cond *cond, const char *where)
{
	note_wait(lock, where);
	(void)pthread_cond_wait(&cond->cond, &lock->mutex);
	note_take(lock, where);
}

NO_THREAD_SAFETY_ANALYSIS
void cond_init(struct cond *cond)
{
	(void)pthread_cond_init(&cond->cond, NULL);
}

void cond_destroy(struct cond *cond)
{
	(void)pthread_cond_destroy(&cond->cond);
}

void cond_signal(struct cond *cond)
{
	(void)pthread_cond_signal(&cond->cond);
}

void cond_broadcast(struct cond *cond)
{
	(void)pthread_cond_broadcast(&cond->cond);
}
