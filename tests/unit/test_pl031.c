/* SPDX-License-Identifier: BSD-2-Clause */
/* hw/pl031: the counter, setting it, the alarm and its interrupt, under a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/le.h"
#include "hw/pl031.h"

enum {
	DR = 0x00,
	MR = 0x04,
	LR = 0x08,
	CR = 0x0c,
	IMSC = 0x10,
	RIS = 0x14,
	MIS = 0x18,
	ICR = 0x1c,
};

static const uint64_t base = 0x9010000;
static const uint64_t start = UINT64_C(1790000000);
static const uint64_t second = UINT64_C(1000000000);

struct board {
	struct loop *loop;
	struct bus *bus;
	struct pl031 *clock;
	struct irq_line line;
	uint64_t now; /* ns */
	bool level;
	unsigned changes;
};

static void line_set(struct irq_line *line, bool level)
{
	struct board *b = (struct board *)line->opaque;

	assert_true(level != b->level);
	b->level = level;
	b->changes++;
}

static uint64_t test_clock(void *opaque)
{
	return ((struct board *)opaque)->now;
}

static int setup(void **state)
{
	struct board *b = (struct board *)calloc(1, sizeof(*b));

	assert_non_null(b);
	b->now = start * second;
	b->line = (struct irq_line){ .set = line_set, .opaque = b, .eventfd = -1 };
	assert_int_equal(loop_create(&b->loop), 0);
	assert_int_equal(bus_create(&b->bus), 0);
	assert_int_equal(pl031_create(b->loop, b->bus, base, &b->line, test_clock, b, &b->clock),
			 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = (struct board *)*state;

	bus_destroy(b->bus);
	pl031_destroy(b->clock);
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

static void counts_the_hosts_seconds(void **state)
{
	struct board *b = (struct board *)*state;

	assert_int_equal(get(b, DR), start);
	b->now += second - 1;
	assert_int_equal(get(b, DR), start);
	b->now += 1;
	assert_int_equal(get(b, DR), start + 1);
	assert_int_equal(get(b, CR), 1);
	put(b, CR, 0);
	assert_int_equal(get(b, CR), 1);
	put(b, DR, 5);
	assert_int_equal(get(b, DR), start + 1);
}

static void can_be_set(void **state)
{
	struct board *b = (struct board *)*state;

	put(b, LR, 1000);
	assert_int_equal(get(b, DR), 1000);
	assert_int_equal(get(b, LR), 1000);
	b->now += 7 * second;
	assert_int_equal(get(b, DR), 1007);
	put(b, LR, UINT32_MAX);
	assert_int_equal(get(b, DR), UINT32_MAX);
	b->now += second;
	assert_int_equal(get(b, DR), 0);
	b->now += second;
	assert_int_equal(get(b, DR), 1);
}

/* The clock of the test runs ahead of the loop's timer, which then finds the alarm due. */
static void alarm_comes(void **state)
{
	struct board *b = (struct board *)*state;

	b->now += second - 1000000; /* so that the timer has a millisecond to wait */
	put(b, IMSC, 1);
	put(b, MR, (uint32_t)start + 1);
	assert_int_equal(get(b, RIS), 0);
	assert_false(b->level);
	b->now += 1000000;
	assert_true(loop_turn(b->loop, 60000) > 0);
	assert_true(b->level);
	assert_int_equal(get(b, RIS), 1);
	assert_int_equal(get(b, MIS), 1);
	put(b, IMSC, 0);
	assert_false(b->level);
	assert_int_equal(get(b, RIS), 1);
	assert_int_equal(get(b, MIS), 0);
	put(b, IMSC, 1);
	assert_true(b->level);
	put(b, ICR, 0);
	assert_true(b->level);
	put(b, ICR, 1);
	assert_false(b->level);
	assert_int_equal(get(b, RIS), 0);
	assert_int_equal(b->changes, 4);
}

/* A timer that fires before the host's clock has come there (it was set back) waits again. */
static void early_timer_waits_again(void **state)
{
	struct board *b = (struct board *)*state;

	put(b, IMSC, 1);
	b->now += second - 1000000;
	put(b, MR, (uint32_t)start + 1);
	assert_true(loop_turn(b->loop, 60000) > 0); /* the loop's clock went on, the host's not */
	assert_false(b->level);
	b->now += second;
	assert_true(loop_turn(b->loop, 60000) > 0);
	assert_true(b->level);
}

static void match_now_and_in_the_past(void **state)
{
	struct board *b = (struct board *)*state;

	put(b, IMSC, 1);
	put(b, MR, (uint32_t)start); /* equal: at once */
	assert_true(b->level);
	put(b, ICR, 1);
	assert_false(b->level);
	put(b, MR, (uint32_t)start - 1); /* 2^32 - 1 seconds ahead */
	assert_false(b->level);
	assert_int_equal(loop_turn(b->loop, 0), 0);
	/* Setting the clock to the match is a match too. */
	put(b, LR, (uint32_t)start - 1);
	assert_true(b->level);
}

static void says_what_it_is(void **state)
{
	static const uint8_t ids[] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	struct board *b = (struct board *)*state;

	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(get(b, 0xfe0 + 4 * i), ids[i]);
	assert_int_equal(get(b, 0xfdc), 0);
	assert_int_equal(get(b, 0x20), 0);
	assert_int_equal(PL031_PERIPHID, 0x00041031);
}

/* Only whole registers: nothing else is answered or written, and no offset reads beyond. */
static void odd_accesses_do_nothing(void **state)
{
	struct board *b = (struct board *)*state;
	uint8_t data[8];

	for (uint64_t reg = 0; reg < PL031_SIZE; reg++) {
		for (size_t len = 1; len <= 8; len++) {
			memset(data, 0xee, sizeof(data));
			if (reg + len > PL031_SIZE || (len == 4 && reg % 4 == 0))
				continue;
			assert_true(bus_read(b->bus, BUS_MMIO, base + reg, data, len));
			for (size_t i = 0; i < len; i++)
				assert_int_equal(data[i], 0);
			memset(data, 0xff, sizeof(data));
			assert_true(bus_write(b->bus, BUS_MMIO, base + reg, data, len));
		}
	}
	assert_int_equal(get(b, DR), start);
	assert_int_equal(get(b, MR) | get(b, LR) | get(b, IMSC) | get(b, RIS), 0);
	assert_int_equal(b->changes, 0);
}

static void host_clock_is_the_wall_clock(void **state)
{
	time_t before = time(NULL);
	uint64_t now = pl031_host_clock(NULL) / second;

	(void)state;
	/* time() may lag the clock by a tick. */
	assert_in_range(now, before, time(NULL) + 1);
}

static void a_taken_place_is_refused(void **state)
{
	struct board *b = (struct board *)*state;
	struct pl031 *second_clock = NULL;

	assert_int_equal(pl031_create(b->loop, b->bus, base + 0x800, &b->line, test_clock, b,
				      &second_clock),
			 -EEXIST);
	assert_null(second_clock);
	pl031_destroy(NULL);
}

#define ON_BOARD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOARD(counts_the_hosts_seconds),
		ON_BOARD(can_be_set),
		ON_BOARD(alarm_comes),
		ON_BOARD(early_timer_waits_again),
		ON_BOARD(match_now_and_in_the_past),
		ON_BOARD(says_what_it_is),
		ON_BOARD(odd_accesses_do_nothing),
		ON_BOARD(host_clock_is_the_wall_clock),
		ON_BOARD(a_taken_place_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
