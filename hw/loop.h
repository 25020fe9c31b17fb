/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop (epoll): the one thread that owns the state of the devices registered with it.
 *
 * loop_add, loop_mod, loop_del and timers may be called on the loop's own thread, or before loop_run
 * by the builder. loop_call and loop_stop may be called from any thread.
 */
#ifndef HW_LOOP_H
#define HW_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;

/* @events is what epoll reported (EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR). */
typedef void (*loop_fd_fn)(void *opaque, uint32_t events);
typedef void (*loop_fn)(void *opaque);

/* A loop in *@out, owned by the caller (loop_destroy). 0 or the negative errno of epoll/eventfd. */
int loop_create(struct loop **out);

/* Frees the loop and its timers; closes none of the registered descriptors. NULL is allowed. */
void loop_destroy(struct loop *loop);

/* Calls @fn(@opaque) when @fd has one of @events. 0, -EEXIST, -EPERM (a regular file) or -errno. */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *opaque);

/* Changes the events of @fd; 0 keeps it registered but silent. 0 or -ENOENT. */
int loop_mod(struct loop *loop, int fd, uint32_t events);

/*
 * Forgets @fd; its callback is not called again, not even for events already fetched. Call it
 * before the descriptor is closed. 0 or -ENOENT.
 */
int loop_del(struct loop *loop, int fd);

/*
 * Like loop_add for an eventfd: the counter is read before @fn is called, and @fn is not called
 * when there is nothing to read. @fd should be non-blocking (EFD_NONBLOCK).
 */
int loop_add_eventfd(struct loop *loop, int fd, loop_fn fn, void *opaque);

/*
 * Calls @fn(@opaque) once or more after each write to the eventfd @fd, without reading its counter,
 * which saves a system call; for doorbells, where a call too many does no harm. Whoever empties the
 * counter before the call has happened takes the call back.
 */
int loop_add_doorbell(struct loop *loop, int fd, loop_fn fn, void *opaque);

/* A one-shot timer (a timerfd), disarmed, owned by the loop. 0 or -errno. */
int loop_timer_add(struct loop *loop, loop_fn fn, void *opaque, struct loop_timer **out);

/*
 * Arms @timer to fire once @ns nanoseconds from now; 0 disarms it. Any thread, any lock held: it
 * takes none.
 */
void loop_timer_arm(struct loop_timer *timer, uint64_t ns);

/*
 * Runs until loop_stop. Returns 0, or the negative errno of epoll_wait. One thread at a time; a
 * second one waits until the first has returned.
 */
int loop_run(struct loop *loop);

/*
 * One turn by hand, for tests and fuzzers: waits at most @timeout_ms milliseconds (-1: for ever, 0:
 * not at all) and calls what is ready. Returns the number of ready sources, or -errno. A wait that a
 * signal interrupts (SIGCONT does, too) begins again. Does nothing after loop_stop.
 */
int loop_turn(struct loop *loop, int timeout_ms);

/*
 * The calling thread is the loop's from now on, whether it runs the loop or not, until loop_release:
 * nobody else becomes it meanwhile, and calls wait until loop_run or loop_serve_until looks at them. For a
 * program whose other threads may not do what devices do. Before loop_run, not nested.
 */
void loop_hold(struct loop *loop);
void loop_release(struct loop *loop);

/* Makes loop_run return after the callback under way; sticky. Any thread. */
void loop_stop(struct loop *loop);

/*
 * Runs @fn(@opaque) on the loop's thread and returns when it has run. On the loop's own thread it
 * is a plain call. While no thread runs the loop (before loop_run, after loop_stop) the caller
 * becomes the loop's thread for the length of the call, one caller at a time; so a call always
 * completes. (Held by loop_hold, it waits for the holder.) This is how a vCPU thread changes the state of a device that belongs to the loop.
 * The caller holds no lock (base/lock.h), for it may wait. Must not be called from two loops at
 * each other.
 */
void loop_call(struct loop *loop, loop_fn fn, void *opaque);

/*
 * On the loop's own thread: whose loop_call is being run, in *@caller. False outside of one, and in one that its own
 * thread runs.
 */
bool loop_caller(const struct loop *loop, pthread_t *caller);

/*
 * On the loop's own thread, from a callback: runs the calls of other threads (loop_call) and nothing
 * else until @done(@opaque) is true, which is asked at first and after each loop_wake. For whoever
 * must wait there for a thread that may itself be waiting for the loop. The calls change devices
 * while the callback is under way, so it must not be a device's. 0, or the negative errno of poll.
 */
int loop_serve_until(struct loop *loop, bool (*done)(void *opaque), void *opaque);

/* Makes loop_serve_until ask again. Any thread, any lock held: it takes none. */
void loop_wake(struct loop *loop);

#endif
