/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: epoll, with calls from other threads.
 *
 * One thread at a time owns the loop: the one in loop_run, or for the length of a call one in
 * loop_call that found nobody there. Sources are touched by the owner only and need no lock; the
 * ownership itself and the list of waiting calls have one. A caller that waits takes the loop
 * over as soon as it is free, so a call completes however it meets loop_stop.
 *
 * epoll keeps, instead of a pointer, the slot of a source and the slot's generation: an event that
 * was fetched for a source that is gone finds another generation and is dropped.
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

enum {
	BATCH = 32, /* events fetched at a time */
	NS_PER_S = 1000000000,
};

struct source {
	int fd; /* -1: the slot is free */
	uint32_t generation;
	uint32_t events; /* 0: not in the epoll set */
	loop_fd_fn fd_fn;
	loop_fn counter_fn; /* in place of fd_fn: read the 8 byte counter, then call this */
	loop_fn edge_fn;    /* in place of both: just call this */
	void *opaque;
};

struct loop_timer {
	struct loop_timer *next;
	int fd;
};

struct call {
	struct call *next;
	loop_fn fn;
	void *opaque;
	bool done;
};

struct loop {
	int epfd;
	int wakefd;
	atomic_bool stop;

	struct source *sources; /* of the owner */
	size_t slots;
	uint32_t *by_fd; /* 1 + the slot of each descriptor below @fds; 0: none */
	size_t fds;
	size_t first_free; /* no slot before it is free */
	struct loop_timer *timers;

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
	struct call *call;

	lock_take(&loop->lock);
	call = loop->calls;
	loop->calls = NULL;
	loop->calls_end = &loop->calls;
	while (call) {
		/* Once it is done, the call is gone from its caller's stack. */
		struct call *next = call->next;

		lock_drop(&loop->lock);
		call->fn(call->opaque);
		lock_take(&loop->lock);
		call->done = true;
		cond_broadcast(&loop->changed);
		call = next;
	}
	lock_drop(&loop->lock);
}

void loop_call(struct loop *loop, loop_fn fn, void *opaque)
{
	struct call call = { .fn = fn, .opaque = opaque };
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

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	loop_wake(loop);
}

/* --- sources --- */

static uint64_t source_key(size_t slot, const struct source *source)
{
	return (uint64_t)source->generation << 32 | slot;
}

static struct source *find_fd(struct loop *loop, int fd)
{
	if ((size_t)fd >= loop->fds || !loop->by_fd[fd])
		return NULL;
	return &loop->sources[loop->by_fd[fd] - 1];
}

/* Room to find descriptor @fd by its number. */
static bool know_fd(struct loop *loop, int fd)
{
	size_t fds = loop->fds ? loop->fds : 64;
	uint32_t *more;

	if ((size_t)fd < loop->fds)
		return true;
	while (fds <= (size_t)fd)
		fds *= 2;
	more = (uint32_t *)reallocarray(loop->by_fd, fds, sizeof(*more));
	if (!more)
		return false;
	for (size_t i = loop->fds; i < fds; i++)
		more[i] = 0;
	loop->by_fd = more;
	loop->fds = fds;
	return true;
}

static void take_slot(struct loop *loop, struct source *source, int fd)
{
	source->fd = fd;
	loop->by_fd[fd] = (uint32_t)(source - loop->sources) + 1;
}

static void leave_slot(struct loop *loop, struct source *source)
{
	loop->by_fd[source->fd] = 0;
	source->fd = -1;
	if ((size_t)(source - loop->sources) < loop->first_free)
		loop->first_free = (size_t)(source - loop->sources);
}

/* A free slot, growing the table where there is none; NULL without memory. */
static struct source *free_slot(struct loop *loop)
{
	struct source *source, *more;
	size_t slots = loop->slots ? loop->slots * 2 : 8;

	for (; loop->first_free < loop->slots; loop->first_free++)
		if (loop->sources[loop->first_free].fd < 0)
			return &loop->sources[loop->first_free];
	more = (struct source *)reallocarray(loop->sources, slots, sizeof(*more));
	if (!more)
		return NULL;
	for (size_t i = loop->slots; i < slots; i++)
		more[i] = (struct source){ .fd = -1 };
	source = &more[loop->slots];
	loop->sources = more;
	loop->slots = slots;
	return source;
}

/*
 * Makes the epoll set say @events. A silent source leaves the set, since epoll reports errors and
 * hang-ups even of a source that asks for nothing, again and again.
 */
static int set_events(struct loop *loop, struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int op = EPOLL_CTL_MOD;

	event.data.u64 = source_key((size_t)(source - loop->sources), source);
	if (source->events == events)
		return 0;
	if (source->events == 0)
		op = EPOLL_CTL_ADD;
	else if (events == 0)
		op = EPOLL_CTL_DEL;
	if (epoll_ctl(loop->epfd, op, source->fd, &event) < 0)
		return -errno;
	source->events = events;
	return 0;
}

static int add_source(struct loop *loop, int fd, uint32_t events, const struct source *fns)
{
	struct source *source;
	int err;

	if (fd < 0)
		return -EBADF;
	if (find_fd(loop, fd))
		return -EEXIST;
	source = know_fd(loop, fd) ? free_slot(loop) : NULL;
	if (!source)
		return -ENOMEM;
	take_slot(loop, source, fd);
	source->events = 0;
	source->fd_fn = fns->fd_fn;
	source->counter_fn = fns->counter_fn;
	source->edge_fn = fns->edge_fn;
	source->opaque = fns->opaque;
	err = set_events(loop, source, events);
	if (err)
		leave_slot(loop, source);
	return err;
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *opaque)
{
	return add_source(loop, fd, events, &(struct source){ .fd_fn = fn, .opaque = opaque });
}

int loop_add_eventfd(struct loop *loop, int fd, loop_fn fn, void *opaque)
{
	return add_source(loop, fd, EPOLLIN,
			  &(struct source){ .counter_fn = fn, .opaque = opaque });
}

int loop_add_doorbell(struct loop *loop, int fd, loop_fn fn, void *opaque)
{
	return add_source(loop, fd, EPOLLIN | EPOLLET,
			  &(struct source){ .edge_fn = fn, .opaque = opaque });
}

int loop_mod(struct loop *loop, int fd, uint32_t events)
{
	struct source *source = fd < 0 ? NULL : find_fd(loop, fd);

	return source ? set_events(loop, source, events) : -ENOENT;
}

int loop_del(struct loop *loop, int fd)
{
	struct source *source = fd < 0 ? NULL : find_fd(loop, fd);

	if (!source)
		return -ENOENT;
	/* A descriptor that was closed first has left the set already. */
	(void)set_events(loop, source, 0);
	leave_slot(loop, source);
	source->generation++;
	return 0;
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
	size_t slot = (size_t)(event->data.u64 & UINT32_MAX);
	struct source source;
	uint32_t events;
	uint64_t counter;

	if (slot >= loop->slots)
		return;
	/* A copy: the callback may add sources, and the table then moves. */
	source = loop->sources[slot];
	events = event->events & (source.events | EPOLLERR | EPOLLHUP);
	if (source.fd < 0 || source.generation != event->data.u64 >> 32 || source.events == 0 ||
	    events == 0)
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

/* One wait of the owner and what it brought. */
static int turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[BATCH];
	int n = epoll_wait(loop->epfd, events, BATCH, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
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
	int n = 0;

	own_when_free(loop);
	if (!atomic_load(&loop->stop))
		n = turn(loop, timeout_ms);
	disown(loop);
	return n;
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
	while (n >= 0 && !atomic_load(&loop->stop))
		n = turn(loop, -1);
	if (!held)
		disown(loop);
	return n < 0 ? n : 0;
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
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	err = loop->epfd < 0 ? -errno : 0;
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
	if (loop->epfd >= 0)
		(void)close(loop->epfd);
	free(loop->sources);
	free(loop->by_fd);
	cond_destroy(&loop->changed);
	lock_destroy(&loop->lock);
	free(loop);
}
