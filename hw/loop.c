/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: epoll, with calls from other threads.
 *
 * One thread at a time owns the loop: the one in loop_run, or for the length of a call one in
 * loop_call that found nobody there. Sources are touched by the owner only and need no lock; the
 * ownership itself and the list of waiting calls have one. A caller that waits takes the loop
 * over as soon as it is free, so a call completes however it meets loop_stop.
 */
#include "hw/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "hw/loop_sources.h"

enum {
	BATCH = 32, /* events fetched at a time */
	NS_PER_S = 1000000000,
};

struct loop_timer {
	struct loop_timer *next;
	int fd;
};

struct call {
	struct call *next;
	loop_fn fn;
	void *opaque;
	pthread_t caller;
	bool done;
};

struct loop {
	int wakefd;
	atomic_bool stop;

	struct loop_sources sources; /* of the owner */
	struct loop_timer *timers;
	const struct call *served; /* the call of another thread that is under way, of the owner */

	struct lock lock RANKED(loop);
	struct cond changed; /* a call is done, or the loop has no owner any more */
	bool owned GUARDED_BY(&lock);
	pthread_t owner GUARDED_BY(&lock);
	struct call *calls GUARDED_BY(&lock);
	struct call **calls_end GUARDED_BY(&lock);
};

/* --- who owns the loop --- */

static bool owned_by_us(struct loop *loop) REQUIRES(&loop->lock)
{
	return loop->owned && pthread_equal(loop->owner, pthread_self());
}

static void own(struct loop *loop) REQUIRES(&loop->lock)
{
	loop->owned = true;
	loop->owner = pthread_self();
}

static void disown(struct loop *loop)
{
	lock_take(&loop->lock);
	loop->owned = false;
	cond_broadcast(&loop->changed);
	lock_drop(&loop->lock);
}

void loop_wake(struct loop *loop)
{
	const uint64_t one = 1;

	/* EAGAIN: the counter is at its end, so the loop is being woken already. */
	while (write(loop->wakefd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void enqueue(struct loop *loop, struct call *call) REQUIRES(&loop->lock)
{
	*loop->calls_end = call;
	loop->calls_end = &call->next;
}

static void unlink_call(struct loop *loop, struct call *call) REQUIRES(&loop->lock)
{
	struct call **at = &loop->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	if (!call->next)
		loop->calls_end = at;
}

/* Runs the calls that wait now; those that come meanwhile wake the loop again. */
static void run_calls(struct loop *loop)
{
	const struct call *outer = loop->served;
	struct call *call;

	lock_take(&loop->lock);
	call = loop->calls;
	loop->calls = NULL;
	loop->calls_end = &loop->calls;
	while (call) {
		/* Once it is done, the call is gone from its caller's stack. */
		struct call *next = call->next;

		lock_drop(&loop->lock);
		loop->served = call;
		call->fn(call->opaque);
		loop->served = outer;
		lock_take(&loop->lock);
		call->done = true;
		cond_broadcast(&loop->changed);
		call = next;
	}
	lock_drop(&loop->lock);
}

void loop_call(struct loop *loop, loop_fn fn, void *opaque)
{
	struct call call = { .fn = fn, .opaque = opaque, .caller = pthread_self() };
	bool ours;

	lock_take(&loop->lock);
	ours = owned_by_us(loop);
	if (!ours && loop->owned) {
		enqueue(loop, &call);
		loop_wake(loop);
		while (!call.done && loop->owned)
			lock_wait(&loop->lock, &loop->changed);
		if (call.done) {
			lock_drop(&loop->lock);
			return;
		}
		unlink_call(loop, &call);
	}
	if (!ours)
		own(loop);
	lock_drop(&loop->lock);
	fn(opaque);
	if (!ours)
		disown(loop);
}

bool loop_caller(const struct loop *loop, pthread_t *caller)
{
	if (!loop->served)
		return false;
	*caller = loop->served->caller;
	return true;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	loop_wake(loop);
}

/* --- sources --- */

int loop_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *opaque)
{
	return loop_sources_add(&loop->sources, fd, events,
				&(struct loop_source){ .fd_fn = fn, .opaque = opaque });
}

int loop_add_eventfd(struct loop *loop, int fd, loop_fn fn, void *opaque)
{
	return loop_sources_add(&loop->sources, fd, EPOLLIN,
				&(struct loop_source){ .counter_fn = fn, .opaque = opaque });
}

int loop_add_doorbell(struct loop *loop, int fd, loop_fn fn, void *opaque)
{
	return loop_sources_add(&loop->sources, fd, EPOLLIN | EPOLLET,
				&(struct loop_source){ .edge_fn = fn, .opaque = opaque });
}

int loop_mod(struct loop *loop, int fd, uint32_t events)
{
	return loop_sources_mod(&loop->sources, fd, events);
}

int loop_del(struct loop *loop, int fd)
{
	return loop_sources_del(&loop->sources, fd);
}

/* --- timers: a timerfd each, so that arming needs no lock and is one system call --- */

int loop_timer_add(struct loop *loop, loop_fn fn, void *opaque, struct loop_timer **out)
{
	struct loop_timer *timer = (struct loop_timer *)calloc(1, sizeof(*timer));
	int err;

	if (!timer)
		return -ENOMEM;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->fd < 0) {
		err = -errno;
		free(timer);
		return err;
	}
	err = loop_add_eventfd(loop, timer->fd, fn, opaque);
	if (err) {
		(void)close(timer->fd);
		free(timer);
		return err;
	}
	timer->next = loop->timers;
	loop->timers = timer;
	*out = timer;
	return 0;
}

void loop_timer_arm(struct loop_timer *timer, uint64_t ns)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(ns / NS_PER_S),
		.it_value.tv_nsec = (long)(ns % NS_PER_S),
	};

	(void)timerfd_settime(timer->fd, 0, &when, NULL);
}

/* --- turning --- */

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
	struct loop_source source;
	uint32_t events;
	uint64_t counter;

	if (!loop_sources_look(&loop->sources, event->data.u64, &source))
		return;
	events = event->events & (source.events | EPOLLERR | EPOLLHUP);
	if (events == 0)
		return;
	if (source.fd_fn) {
		source.fd_fn(source.opaque, events);
		return;
	}
	if (source.edge_fn) {
		source.edge_fn(source.opaque);
		return;
	}
	/* A timer that was disarmed meanwhile has nothing to read, and does not fire. */
	if (read(source.fd, &counter, sizeof(counter)) == (ssize_t)sizeof(counter))
		source.counter_fn(source.opaque);
}

static void on_wake(void *opaque)
{
	run_calls((struct loop *)opaque);
}

/* One wait of the owner and what it brought; -EINTR where it brought a signal. */
static int turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[BATCH];
	int n = epoll_wait(loop->sources.epfd, events, BATCH, timeout_ms);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n && !atomic_load(&loop->stop); i++)
		dispatch(loop, &events[i]);
	return n;
}

int loop_serve_until(struct loop *loop, bool (*done)(void *opaque), void *opaque)
{
	struct pollfd woken = { .fd = loop->wakefd, .events = POLLIN };
	uint64_t counter;

	for (;;) {
		/* First emptied, then looked at: what comes later fills it again. */
		while (read(loop->wakefd, &counter, sizeof(counter)) < 0 && errno == EINTR)
			;
		run_calls(loop);
		if (done(opaque))
			return 0;
		if (poll(&woken, 1, -1) < 0 && errno != EINTR)
			return -errno;
	}
}

static void own_when_free(struct loop *loop)
{
	lock_take(&loop->lock);
	while (loop->owned)
		lock_wait(&loop->lock, &loop->changed);
	own(loop);
	lock_drop(&loop->lock);
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	int n = -EINTR;

	own_when_free(loop);
	while (n == -EINTR && !atomic_load(&loop->stop))
		n = turn(loop, timeout_ms);
	disown(loop);
	return n == -EINTR ? 0 : n;
}

void loop_hold(struct loop *loop)
{
	own_when_free(loop);
}

void loop_release(struct loop *loop)
{
	disown(loop);
}

static bool is_ours(struct loop *loop)
{
	bool ours;

	lock_take(&loop->lock);
	ours = owned_by_us(loop);
	lock_drop(&loop->lock);
	return ours;
}

int loop_run(struct loop *loop)
{
	bool held = is_ours(loop);
	int n = 0;

	if (!held)
		own_when_free(loop);
	while ((n >= 0 || n == -EINTR) && !atomic_load(&loop->stop))
		n = turn(loop, -1);
	if (!held)
		disown(loop);
	return n < 0 && n != -EINTR ? n : 0;
}

/* --- life --- */

int loop_create(struct loop **out)
{
	struct loop *loop = (struct loop *)calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	lock_init(&loop->lock, LOCK_RANK_LOOP, "loop");
	cond_init(&loop->changed);
	atomic_init(&loop->stop, false);
	lock_take(&loop->lock);
	loop->calls_end = &loop->calls;
	lock_drop(&loop->lock);
	loop->wakefd = -1;
	loop->sources.epfd = epoll_create1(EPOLL_CLOEXEC);
	err = loop->sources.epfd < 0 ? -errno : 0;
	if (!err) {
		loop->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = loop->wakefd < 0 ? -errno
				       : loop_add_eventfd(loop, loop->wakefd, on_wake, loop);
	}
	if (err) {
		loop_destroy(loop);
		return err;
	}
	*out = loop;
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->timers) {
		struct loop_timer *timer = loop->timers;

		loop->timers = timer->next;
		(void)close(timer->fd);
		free(timer);
	}
	if (loop->wakefd >= 0)
		(void)close(loop->wakefd);
	if (loop->sources.epfd >= 0)
		(void)close(loop->sources.epfd);
	loop_sources_free(&loop->sources);
	cond_destroy(&loop->changed);
	lock_destroy(&loop->lock);
	free(loop);
}
