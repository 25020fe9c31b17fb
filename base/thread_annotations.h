/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for clang's thread-safety attributes (clang -Wthread-safety); nothing under gcc.
 *
 * They say which lock guards which data and what a function does to locks; `make check` compiles
 * everything with the analysis on. Use with struct lock of base/lock.h; a lock is named by its
 * address:
 *
 *	struct counter {
 *		struct lock lock;
 *		uint64_t hits GUARDED_BY(&lock);
 *	};
 *	static void count_locked(struct counter *c) REQUIRES(&c->lock);
 *
 * A field's attribute may name a sibling field in C only since clang 20, behind an option; so
 * `make check` runs the analysis with clang 22 and defines HVRUN_GUARDED_BY, and older compilers
 * see nothing there. There the analysis proves that this field of some object of the type is locked,
 * not of which object (REQUIRES on a function does tell objects apart); TSan runs look for the rest.
 */
#ifndef BASE_THREAD_ANNOTATIONS_H
#define BASE_THREAD_ANNOTATIONS_H

#ifdef __clang__
#define THREAD_ANNOTATION(x) __attribute__((x))
#else
#define THREAD_ANNOTATION(x)
#endif

/* The type is a lock; name is how messages call it. */
#define CAPABILITY(name) THREAD_ANNOTATION(capability(name))

#ifdef HVRUN_GUARDED_BY
#define THREAD_FIELD_ANNOTATION(x) THREAD_ANNOTATION(x)
#else
#define THREAD_FIELD_ANNOTATION(x)
#endif

/* The field may be read or written only with the lock held. */
#define GUARDED_BY(lock) THREAD_FIELD_ANNOTATION(guarded_by(lock))

/* What the pointer points to may be used only with the lock held. */
#define PT_GUARDED_BY(lock) THREAD_FIELD_ANNOTATION(pt_guarded_by(lock))

/* In what order locks are taken (RANKED of base/lock.h); proven where both are held in one function. */
#define ACQUIRED_AFTER(lock)  THREAD_FIELD_ANNOTATION(acquired_after(lock))
#define ACQUIRED_BEFORE(lock) THREAD_FIELD_ANNOTATION(acquired_before(lock))

/* The caller holds the locks, before and after. */
#define REQUIRES(...) THREAD_ANNOTATION(requires_capability(__VA_ARGS__))

/* The function takes the locks and returns holding them. */
#define ACQUIRE(...) THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))

/* The function takes the lock if it returns the given value. */
#define TRY_ACQUIRE(...) THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))

/* The caller holds the locks; the function lets them go. */
#define RELEASE(...) THREAD_ANNOTATION(release_capability(__VA_ARGS__))

/* The caller must not hold the locks: the function takes them itself. */
#define EXCLUDES(...) THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

/* After the call, the lock is known to be held (checked at run time). */
#define ASSERT_HELD(lock) THREAD_ANNOTATION(assert_capability(lock))

/* The function is the machinery of a lock itself and is not analysed. */
#define NO_THREAD_SAFETY_ANALYSIS THREAD_ANNOTATION(no_thread_safety_analysis)

#endif /* BASE_THREAD_ANNOTATIONS_H */
