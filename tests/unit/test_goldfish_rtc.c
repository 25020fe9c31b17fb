/* SPDX-License-Identifier: BSD-2-Clause */
/* hw/goldfish_rtc: time, setting it, the alarm and its interrupt, under a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/le.h"
#include "hw/goldfish_rtc.h"

enum {
	TIME_LOW = 0x00,
	TIME_HIGH = 0x04,
	ALARM_LOW = 0x08,
	ALARM_HIGH = 0x0c,
	IRQ_ENABLED = 0x10,
	CLEAR_ALARM = 0x14,
	ALARM_STATUS = 0x18,
	CLEAR_INTERRUPT = 0x1c,
};

static const uint64_t base = 0x00101000;
static const uint64_t start = UINT64_C(1790000000123456789);
static const uint64_t ms = 1000000;

struct board {
	struct loop *loop;
	struct bus *bus;
	struct goldfish_rtc *rtc;
	struct irq_line line;
	uint64_t now;
	bool level;
};

static void line_set(struct irq_line *line, bool level)
{
	struct board *b = (struct board *)line->opaque;

	assert_true(level != b->level);
	b->level = level;
}

static uint64_t test_clock(void *opaque)
{
	return ((struct board *)opaque)->now;
}

static int setup(void **state)
{
	struct board *b = (struct board *)calloc(1, sizeof(*b));

	assert_non_null(b);
	b->now = start;
	b->line = (struct irq_line){ .set = line_set, .opaque = b, .eventfd = -1 };
	assert_int_equal(loop_create(&b->loop), 0);
	assert_int_equal(bus_create(&b->bus), 0);
	assert_int_equal(
		goldfish_rtc_create(b->loop, b->bus, base, &b->line, test_clock, b, &b->rtc), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = (struct board *)*state;

	bus_destroy(b->bus);
	goldfish_rtc_destroy(b->rtc);
	loop_destroy(b->loop);
	free(b);
	return 0;
}

static uint32_t get(struct board *b, uint64_t reg)
{
	uint8_t data[4];

	assert_true(bus_read(b->bus, BUS_MMIO, base + reg, data, 4));
	return le32_load(data);
}

static void put(struct board *b, uint64_t reg, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	assert_true(bus_write(b->bus, BUS_MMIO, base + reg, data, 4));
}

static uint64_t get_time(struct board *b)
{
	uint64_t low = get(b, TIME_LOW);

	return (uint64_t)get(b, TIME_HIGH) << 32 | low;
}

static void set_alarm(struct board *b, uint64_t at)
{
	put(b, ALARM_HIGH, (uint32_t)(at >> 32));
	put(b, ALARM_LOW, (uint32_t)at);
}

static void tells_the_hosts_time(void **state)
{
	struct board *b = (struct board *)*state;
	uint32_t low;

	assert_true(get_time(b) == start);
	b->now += 5;
	assert_true(get_time(b) == start + 5);
	/* The halves belong together, even if the low one runs over between the readings. */
	b->now = start | 0xffffffff;
	low = get(b, TIME_LOW);
	b->now++;
	assert_int_equal(low, 0xffffffff);
	assert_int_equal(get(b, TIME_HIGH), start >> 32);
	assert_int_equal(get(b, TIME_LOW), 0);
	assert_int_equal(get(b, TIME_HIGH), (start >> 32) + 1);
}

static void can_be_set(void **state)
{
	struct board *b = (struct board *)*state;

	put(b, TIME_HIGH, 7);
	assert_true(get_time(b) == start); /* not yet */
	put(b, TIME_LOW, 9);
	assert_true(get_time(b) == (UINT64_C(7) << 32 | 9));
	b->now += 1000;
	assert_true(get_time(b) == (UINT64_C(7) << 32 | 1009));
}

static void alarm_in_the_past_comes_at_once(void **state)
{
	struct board *b = (struct board *)*state;

	set_alarm(b, start);
	assert_false(b->level); /* not let through */
	assert_int_equal(get(b, ALARM_STATUS), 0);
	put(b, IRQ_ENABLED, 3);
	assert_int_equal(get(b, IRQ_ENABLED), 1);
	assert_true(b->level);
	put(b, IRQ_ENABLED, 2);
	assert_false(b->level);
	put(b, IRQ_ENABLED, 1);
	assert_true(b->level);
	put(b, CLEAR_INTERRUPT, 1);
	assert_false(b->level);
}

static void alarm_comes_when_it_is_due(void **state)
{
	struct board *b = (struct board *)*state;

	put(b, IRQ_ENABLED, 1);
	set_alarm(b, start + ms);
	assert_int_equal(get(b, ALARM_STATUS), 1);
	assert_int_equal(get(b, ALARM_LOW), (uint32_t)(start + ms));
	assert_int_equal(get(b, ALARM_HIGH), (start + ms) >> 32);
	/* The host's clock stands still: the timer comes, the alarm does not, and waits on. */
	assert_int_equal(loop_turn(b->loop, 60000), 1);
	assert_false(b->level);
	b->now += ms;
	assert_int_equal(loop_turn(b->loop, 60000), 1);
	assert_true(b->level);
	assert_int_equal(get(b, ALARM_STATUS), 0);
}

static void alarm_can_be_cleared(void **state)
{
	struct board *b = (struct board *)*state;

	put(b, IRQ_ENABLED, 1);
	set_alarm(b, start + ms);
	put(b, CLEAR_ALARM, 0);
	assert_int_equal(get(b, ALARM_STATUS), 0);
	b->now += 2 * ms;
	(void)loop_turn(b->loop, 20);
	assert_false(b->level);
}

/* A guest that sets its clock past its alarm has it then. */
static void setting_the_clock_moves_the_alarm(void **state)
{
	struct board *b = (struct board *)*state;

	put(b, IRQ_ENABLED, 1);
	set_alarm(b, start + 3600 * 1000 * ms);
	put(b, TIME_HIGH, (uint32_t)((start + 7200 * 1000 * ms) >> 32));
	put(b, TIME_LOW, 0);
	assert_true(b->level);
}

static void other_sizes_are_nothing(void **state)
{
	struct board *b = (struct board *)*state;
	uint8_t data[8];

	memset(data, 0xff, sizeof(data));
	assert_true(bus_write(b->bus, BUS_MMIO, base + IRQ_ENABLED, data, 1));
	assert_true(bus_write(b->bus, BUS_MMIO, base + IRQ_ENABLED, data, 8));
	assert_int_equal(get(b, IRQ_ENABLED), 0);
	assert_true(bus_read(b->bus, BUS_MMIO, base, data, 8));
	assert_int_equal(le64_load(data), 0);
	put(b, 0x20, 1);
	assert_int_equal(get(b, 0x20), 0);
	assert_int_equal(get(b, 0xffc), 0);
	assert_int_equal(get(b, CLEAR_ALARM), 0);
}

static void host_clock_is_the_hosts(void **state)
{
	time_t before = time(NULL);
	uint64_t now = goldfish_host_clock(NULL) / UINT64_C(1000000000);

	(void)state;
	/* time() may lag the clock by a tick. */
	assert_in_range(now, before, time(NULL) + 1);
}

static void taken_place_is_refused(void **state)
{
	struct board *b = (struct board *)*state;
	struct goldfish_rtc *rtc = NULL;

	assert_int_equal(goldfish_rtc_create(b->loop, b->bus, base, &b->line, test_clock, b, &rtc),
			 -EEXIST);
	assert_null(rtc);
	goldfish_rtc_destroy(NULL);
}

#define ON_BOARD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOARD(tells_the_hosts_time),
		ON_BOARD(can_be_set),
		ON_BOARD(alarm_in_the_past_comes_at_once),
		ON_BOARD(alarm_comes_when_it_is_due),
		ON_BOARD(alarm_can_be_cleared),
		ON_BOARD(setting_the_clock_moves_the_alarm),
		ON_BOARD(other_sizes_are_nothing),
		cmocka_unit_test(host_clock_is_the_hosts),
		ON_BOARD(taken_place_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
