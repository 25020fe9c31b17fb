/* SPDX-License-Identifier: BSD-2-Clause */
/* hw/loop: sources, doorbells and timers, those that are removed or added within a callback too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "hw/loop.h"
#include "tests/lib/loop_thread.h"

enum { MS = 1000000 };

/* A source that counts its calls and what they reported. */
struct seen {
	struct loop *loop;
	int fd;
	unsigned int calls;
	uint32_t events;
	int del; /* a descriptor to forget when called, or -1 */
};

static void see(void *opaque, uint32_t events)
{
	struct seen *s = (struct seen *)opaque;

	s->calls++;
	s->events = events;
	if (s->del >= 0)
		assert_int_equal(loop_del(s->loop, s->del), 0);
}

static void count(void *opaque)
{
	++*(unsigned int *)opaque;
}

static void ring(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

/* Turns the loop until @counter is @want, for at most a minute. */
static void turn_until(struct loop *loop, const unsigned int *counter, unsigned int want)
{
	const uint64_t end = now_ns() + 60000ULL * MS;

	while (*counter < want && now_ns() < end)
		assert_true(loop_turn(loop, 100) >= 0);
	assert_int_equal(*counter, want);
}

static void source_is_called(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct seen s = { .loop = loop, .del = -1 };
	int fds[2];
	char c;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(loop_add(loop, fds[0], EPOLLIN, see, &s), 0);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(s.calls, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(loop_turn(loop, 0), 1);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.events, EPOLLIN);
	/* Level triggered: what was not read is told again. */
	assert_int_equal(loop_turn(loop, 0), 1);
	assert_int_equal(s.calls, 2);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(loop_turn(loop, 0), 0);
	(void)close(fds[1]);
	assert_int_equal(loop_turn(loop, 0), 1);
	assert_int_equal(s.events, EPOLLHUP);
	assert_int_equal(loop_del(loop, fds[0]), 0);
	(void)close(fds[0]);
}

static void a_silent_source_is_not_called(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct seen s = { .loop = loop, .del = -1 };
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(loop_add(loop, fds[0], 0, see, &s), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	/* Not even the hang-up, which epoll reports unasked. */
	(void)close(fds[1]);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(loop_mod(loop, fds[0], EPOLLIN), 0);
	assert_int_equal(loop_turn(loop, 0), 1);
	assert_int_equal(s.calls, 1);
	assert_int_equal(loop_mod(loop, fds[0], 0), 0);
	assert_int_equal(loop_mod(loop, fds[0], 0), 0);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(s.calls, 1);
	assert_int_equal(loop_del(loop, fds[0]), 0);
	(void)close(fds[0]);
}

static void sources_that_are_refused(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct seen s = { .loop = loop, .del = -1 };
	char path[] = "/tmp/hvrun-test-loop-XXXXXX";
	int file = mkstemp(path), fds[2];

	assert_true(file >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(loop_add(loop, file, EPOLLIN, see, &s), -EPERM);
	assert_int_equal(loop_add(loop, -1, EPOLLIN, see, &s), -EBADF);
	assert_int_equal(loop_add(loop, 1000000, EPOLLIN, see, &s), -EBADF);
	assert_int_equal(loop_mod(loop, fds[0], EPOLLIN), -ENOENT);
	assert_int_equal(loop_mod(loop, -1, EPOLLIN), -ENOENT);
	assert_int_equal(loop_del(loop, fds[0]), -ENOENT);
	assert_int_equal(loop_del(loop, -1), -ENOENT);
	assert_int_equal(loop_add(loop, fds[0], EPOLLIN, see, &s), 0);
	assert_int_equal(loop_add(loop, fds[0], EPOLLIN, see, &s), -EEXIST);
	assert_int_equal(loop_del(loop, fds[0]), 0);
	assert_int_equal(loop_del(loop, fds[0]), -ENOENT);
	/* What was refused left nothing behind. */
	assert_int_equal(loop_add(loop, fds[0], EPOLLIN, see, &s), 0);
	assert_int_equal(loop_del(loop, fds[0]), 0);
	(void)close(file);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* More than one table's worth and more than one batch, added from within a callback. */
struct crowd {
	struct loop *loop;
	int fds[100];
	unsigned int calls;
};

static void add_crowd(void *opaque)
{
	struct crowd *c = (struct crowd *)opaque;

	for (size_t i = 0; i < 100; i++) {
		c->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_int_equal(loop_add_eventfd(c->loop, c->fds[i], count, &c->calls), 0);
		ring(c->fds[i]);
	}
}

static void many_sources_at_once(void **state)
{
	struct crowd c = { .loop = (struct loop *)*state };
	int first = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_int_equal(loop_add_eventfd(c.loop, first, add_crowd, &c), 0);
	turn_until(c.loop, &c.calls, 100);
	/* Counters were read: nobody is ready any more. */
	assert_int_equal(loop_turn(c.loop, 0), 0);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(loop_del(c.loop, c.fds[i]), 0);
		(void)close(c.fds[i]);
	}
	assert_int_equal(loop_del(c.loop, first), 0);
	(void)close(first);
}

/* A doorbell is called once for what was rung meanwhile, and its counter is left to its owner. */
static void doorbell_rings_on_the_edge(void **state)
{
	struct loop *loop = (struct loop *)*state;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	unsigned int calls = 0;
	uint64_t counter = 0;

	assert_int_equal(loop_add_doorbell(loop, fd, count, &calls), 0);
	assert_int_equal(loop_turn(loop, 0), 0);
	ring(fd);
	ring(fd);
	assert_int_equal(loop_turn(loop, 0), 1);
	assert_int_equal(calls, 1);
	assert_int_equal(loop_turn(loop, 0), 0);
	ring(fd);
	assert_int_equal(loop_turn(loop, 0), 1);
	assert_int_equal(calls, 2);
	assert_int_equal(read(fd, &counter, sizeof(counter)), sizeof(counter));
	assert_int_equal(counter, 3);
	/* Rung and taken back. */
	ring(fd);
	assert_int_equal(read(fd, &counter, sizeof(counter)), sizeof(counter));
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(calls, 2);
	assert_int_equal(loop_del(loop, fd), 0);
	(void)close(fd);
}

/* Two ready sources fetched together, each of which forgets the other: only one is called. */
static void deleted_source_is_not_called(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct seen a = { .loop = loop }, b = { .loop = loop };

	a.fd = b.del = eventfd(1, EFD_CLOEXEC);
	b.fd = a.del = eventfd(1, EFD_CLOEXEC);
	assert_int_equal(loop_add(loop, a.fd, EPOLLIN, see, &a), 0);
	assert_int_equal(loop_add(loop, b.fd, EPOLLIN, see, &b), 0);
	assert_int_equal(loop_turn(loop, 0), 2);
	assert_int_equal(a.calls + b.calls, 1);
	(void)loop_del(loop, a.fd);
	(void)loop_del(loop, b.fd);
	(void)close(a.fd);
	(void)close(b.fd);
}

/* The same, where the slot (and even the descriptor's number) is taken anew within the callback. */
struct swap {
	struct loop *loop;
	int other;
	unsigned int calls;
	struct seen late; /* the newcomer, which is not ready */
};

static void replace_other(void *opaque)
{
	struct swap *s = (struct swap *)opaque;

	if (s->calls++)
		return;
	assert_int_equal(loop_del(s->loop, s->other), 0);
	(void)close(s->other);
	assert_int_equal(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), s->other);
	assert_int_equal(loop_add(s->loop, s->other, EPOLLIN, see, &s->late), 0);
}

static void newcomer_gets_no_old_events(void **state)
{
	struct loop *loop = (struct loop *)*state;
	int a = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), b = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	struct swap s = { .loop = loop, .other = b, .late = { .loop = loop, .del = -1 } };
	unsigned int early = 0;

	assert_int_equal(loop_add_eventfd(loop, a, replace_other, &s), 0);
	assert_int_equal(loop_add_eventfd(loop, b, count, &early), 0);
	assert_int_equal(loop_turn(loop, 0), 2);
	/* epoll reports in the order in which they became ready, so a came first. */
	assert_int_equal(s.calls, 1);
	assert_int_equal(early, 0);
	assert_int_equal(s.late.calls, 0);
	ring(b);
	turn_until(loop, &s.late.calls, 1);
	(void)loop_del(loop, a);
	(void)loop_del(loop, b);
	(void)close(a);
	(void)close(b);
}

static void del_itself(void *opaque, uint32_t events)
{
	struct seen *s = (struct seen *)opaque;

	(void)events;
	s->calls++;
	assert_int_equal(loop_del(s->loop, s->fd), 0);
	(void)close(s->fd);
}

static void delete_within_callback(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct seen s = { .loop = loop, .fd = eventfd(1, EFD_CLOEXEC) };

	assert_int_equal(loop_add(loop, s.fd, EPOLLIN, del_itself, &s), 0);
	assert_int_equal(loop_turn(loop, 0), 1);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(s.calls, 1);
}

static void timer_fires_once(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct loop_timer *timer;
	unsigned int fired = 0;
	uint64_t start;

	assert_int_equal(loop_timer_add(loop, count, &fired, &timer), 0);
	assert_int_equal(loop_turn(loop, 20), 0);
	start = now_ns();
	loop_timer_arm(timer, 5 * MS);
	turn_until(loop, &fired, 1);
	assert_true(now_ns() - start >= 5 * MS);
	assert_int_equal(loop_turn(loop, 20), 0);
	assert_int_equal(fired, 1);
	loop_timer_arm(timer, 1);
	turn_until(loop, &fired, 2);
}

static void timer_can_be_disarmed(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct loop_timer *timer;
	unsigned int fired = 0;

	assert_int_equal(loop_timer_add(loop, count, &fired, &timer), 0);
	loop_timer_arm(timer, 1 * MS);
	loop_timer_arm(timer, 0);
	assert_int_equal(loop_turn(loop, 20), 0);
	/* Even when it has run out already, but was not told. */
	loop_timer_arm(timer, 1);
	(void)usleep(5000);
	loop_timer_arm(timer, 0);
	assert_int_equal(loop_turn(loop, 20), 0);
	assert_int_equal(fired, 0);
	/* Armed anew: only the last time counts. */
	loop_timer_arm(timer, 3600ULL * 1000 * MS);
	loop_timer_arm(timer, 1 * MS);
	turn_until(loop, &fired, 1);
}

struct rearm {
	struct loop_timer *timer;
	unsigned int fired;
};

static void rearm(void *opaque)
{
	struct rearm *r = (struct rearm *)opaque;

	if (++r->fired < 5)
		loop_timer_arm(r->timer, 1 * MS);
}

static void timer_rearms_itself(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct rearm r = { 0 };

	assert_int_equal(loop_timer_add(loop, rearm, &r, &r.timer), 0);
	loop_timer_arm(r.timer, 1 * MS);
	turn_until(loop, &r.fired, 5);
	assert_int_equal(loop_turn(loop, 10), 0);
}

static int rung_by_a_signal;

static void on_alarm(int sig)
{
	const uint64_t one = 1;

	(void)sig;
	(void)!write(rung_by_a_signal, &one, sizeof(one));
}

/* A signal interrupts the wait and brings what is waited for: one turn all the same. */
static void an_interrupted_wait_goes_on(void **state)
{
	struct loop *loop = (struct loop *)*state;
	struct sigaction action = { .sa_handler = on_alarm }, before;
	const struct itimerval soon = { .it_value.tv_usec = 20000 };
	unsigned int calls = 0;

	rung_by_a_signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(loop_add_eventfd(loop, rung_by_a_signal, count, &calls), 0);
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(loop_turn(loop, 60000), 1);
	assert_int_equal(calls, 1);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
	assert_int_equal(loop_del(loop, rung_by_a_signal), 0);
	(void)close(rung_by_a_signal);
}

int main(void)
{
#define ON_LOOP(fn) cmocka_unit_test_setup_teardown(fn, loop_setup, loop_teardown)
	const struct CMUnitTest tests[] = {
		ON_LOOP(source_is_called),
		ON_LOOP(a_silent_source_is_not_called),
		ON_LOOP(sources_that_are_refused),
		ON_LOOP(many_sources_at_once),
		ON_LOOP(doorbell_rings_on_the_edge),
		ON_LOOP(deleted_source_is_not_called),
		ON_LOOP(newcomer_gets_no_old_events),
		ON_LOOP(delete_within_callback),
		ON_LOOP(timer_fires_once),
		ON_LOOP(timer_can_be_disarmed),
		ON_LOOP(timer_rearms_itself),
		ON_LOOP(an_interrupted_wait_goes_on),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
