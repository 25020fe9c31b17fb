/* SPDX-License-Identifier: BSD-2-Clause */
/* hw/plic: gateways, priorities, enables, thresholds, claim and completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "hw/bus.h"
#include "hw/plic.h"

enum {
	SOURCES = 70, /* three words, the last not full */
	CONTEXTS = 3,
	ENABLE = 0x2000,
	CONTEXT = 0x200000,
	CLAIM = 4,
};

static const uint64_t base = 0x0c000000;

struct board {
	struct bus *bus;
	struct plic *plic;
	bool pin[CONTEXTS];
	unsigned int changes;
	struct irq_line line[SOURCES + 1];
};

static void drive(void *opaque, unsigned context, bool level)
{
	struct board *b = (struct board *)opaque;

	assert_in_range(context, 0, CONTEXTS - 1);
	assert_int_not_equal(b->pin[context], level);
	b->pin[context] = level;
	b->changes++;
}

static int setup(void **state)
{
	struct board *b = (struct board *)calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(bus_create(&b->bus), 0);
	assert_int_equal(plic_create(b->bus, base, SOURCES, CONTEXTS, drive, b, &b->plic), 0);
	for (unsigned int i = 1; i <= SOURCES; i++) {
		plic_line(b->plic, i, &b->line[i]);
		assert_int_equal(b->line[i].gsi, i);
		assert_int_equal(b->line[i].eventfd, -1);
	}
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = (struct board *)*state;

	bus_destroy(b->bus);
	plic_destroy(b->plic);
	free(b);
	return 0;
}

static uint32_t get(struct board *b, uint64_t offset)
{
	uint8_t data[4];

	assert_true(bus_read(b->bus, BUS_MMIO, base + offset, data, 4));
	return le32_load(data);
}

static void put(struct board *b, uint64_t offset, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	assert_true(bus_write(b->bus, BUS_MMIO, base + offset, data, 4));
}

static uint64_t enable(unsigned int context, unsigned int word)
{
	return ENABLE + 0x80 * context + 4 * word;
}

static uint64_t claim(unsigned int context)
{
	return CONTEXT + 0x1000 * context + CLAIM;
}

static uint64_t threshold(unsigned int context)
{
	return CONTEXT + 0x1000 * context;
}

/* Source @source with @priority for @context alone. */
static void open_source(struct board *b, unsigned int context, unsigned int source,
			uint32_t priority)
{
	uint64_t at = enable(context, source / 32);

	put(b, 4 * source, priority);
	put(b, at, get(b, at) | UINT32_C(1) << source % 32);
}

static void nothing_interrupts_at_first(void **state)
{
	struct board *b = (struct board *)*state;

	for (unsigned int i = 1; i <= SOURCES; i++)
		irq_pulse(&b->line[i]);
	assert_int_equal(b->changes, 0);
	assert_int_equal(get(b, 0x1000), 0xfffffffe);
	assert_int_equal(get(b, 0x1004), 0xffffffff);
	assert_int_equal(get(b, 0x1008), 0x7f);
	assert_int_equal(get(b, 0x100c), 0);
	for (unsigned int i = 0; i < CONTEXTS; i++)
		assert_int_equal(get(b, claim(i)), 0);
	/* Priority 0 never interrupts, whatever is enabled. */
	put(b, enable(0, 0), 0xffffffff);
	assert_int_equal(b->changes, 0);
	assert_int_equal(get(b, claim(0)), 0);
	/* The priority alone was missing. */
	put(b, 4 * 5, 1);
	assert_true(b->pin[0]);
	assert_false(b->pin[1]);
}

static void edge_is_claimed_once(void **state)
{
	struct board *b = (struct board *)*state;

	open_source(b, 1, 40, 3);
	irq_pulse(&b->line[40]);
	assert_true(b->pin[1]);
	assert_false(b->pin[0] || b->pin[2]);
	assert_int_equal(get(b, 0x1004), 1 << 8);
	assert_int_equal(get(b, claim(0)), 0); /* not its own */
	assert_int_equal(get(b, claim(1)), 40);
	assert_false(b->pin[1]);
	assert_int_equal(get(b, 0x1004), 0);
	assert_int_equal(get(b, claim(1)), 0);
	put(b, claim(1), 40);
	assert_false(b->pin[1]);
	assert_int_equal(b->changes, 2);
}

/* A virtio device may interrupt again before its driver has come to the end of the last one. */
static void edge_in_service_is_kept(void **state)
{
	struct board *b = (struct board *)*state;

	open_source(b, 0, 7, 1);
	irq_pulse(&b->line[7]);
	assert_int_equal(get(b, claim(0)), 7);
	irq_pulse(&b->line[7]);
	irq_pulse(&b->line[7]);
	assert_false(b->pin[0]);
	assert_int_equal(get(b, claim(0)), 0);
	put(b, claim(0), 7);
	assert_true(b->pin[0]);
	assert_int_equal(get(b, claim(0)), 7);
	put(b, claim(0), 7);
	assert_false(b->pin[0]);
}

static void level_interrupts_until_it_falls(void **state)
{
	struct board *b = (struct board *)*state;

	open_source(b, 0, 1, 1);
	irq_set(&b->line[1], true);
	assert_true(b->pin[0]);
	assert_int_equal(get(b, claim(0)), 1);
	assert_false(b->pin[0]);
	irq_set(&b->line[1], true); /* no news */
	assert_false(b->pin[0]);
	put(b, claim(0), 1);
	assert_true(b->pin[0]); /* still high */
	assert_int_equal(get(b, claim(0)), 1);
	irq_set(&b->line[1], false);
	put(b, claim(0), 1);
	assert_false(b->pin[0]);
	/* One that falls before anybody looked was none. */
	irq_set(&b->line[1], true);
	assert_true(b->pin[0]);
	irq_set(&b->line[1], false);
	assert_false(b->pin[0]);
	assert_int_equal(get(b, claim(0)), 0);
}

static void highest_priority_then_lowest_number(void **state)
{
	static const uint8_t order[] = { 69, 33, 70, 2, 3, 32 };
	struct board *b = (struct board *)*state;

	open_source(b, 2, 3, 1);
	open_source(b, 2, 32, 1);
	open_source(b, 2, 2, 1);
	open_source(b, 2, 70, 6);
	open_source(b, 2, 33, 6);
	open_source(b, 2, 69, 7);
	for (size_t i = 0; i < sizeof(order); i++)
		irq_pulse(&b->line[order[sizeof(order) - 1 - i]]);
	for (size_t i = 0; i < sizeof(order); i++) {
		assert_true(b->pin[2]);
		assert_int_equal(get(b, claim(2)), order[i]);
	}
	assert_false(b->pin[2]);
}

static void threshold_holds_back_the_pin_not_the_claim(void **state)
{
	struct board *b = (struct board *)*state;

	open_source(b, 0, 10, 4);
	put(b, threshold(0), 4);
	irq_pulse(&b->line[10]);
	assert_false(b->pin[0]);
	put(b, threshold(0), 3);
	assert_true(b->pin[0]);
	put(b, threshold(0), 7);
	assert_false(b->pin[0]);
	assert_int_equal(get(b, claim(0)), 10);
	/* Three bits are kept. */
	put(b, threshold(0), 0xfffffff9);
	assert_int_equal(get(b, threshold(0)), 1);
	put(b, 4 * 10, 0xfffffffb);
	assert_int_equal(get(b, 4 * 10), 3);
}

static void completion_counts_only_if_enabled(void **state)
{
	struct board *b = (struct board *)*state;

	open_source(b, 0, 12, 1);
	irq_pulse(&b->line[12]);
	assert_int_equal(get(b, claim(0)), 12);
	irq_pulse(&b->line[12]);
	put(b, claim(1), 12); /* not enabled there */
	assert_false(b->pin[0]);
	put(b, claim(0), 13);
	put(b, claim(0), 0);
	put(b, claim(0), SOURCES + 1);
	put(b, claim(0), 1024 + 12);
	put(b, claim(0), UINT32_MAX);
	assert_false(b->pin[0]);
	put(b, claim(0), 12);
	assert_true(b->pin[0]);
}

/* Two harts see the pin; the one that comes first takes it. */
static void first_claim_wins(void **state)
{
	struct board *b = (struct board *)*state;

	open_source(b, 0, 9, 1);
	open_source(b, 1, 9, 1);
	irq_pulse(&b->line[9]);
	assert_true(b->pin[0] && b->pin[1]);
	assert_int_equal(get(b, claim(1)), 9);
	assert_false(b->pin[0] || b->pin[1]);
	assert_int_equal(get(b, claim(0)), 0);
	put(b, claim(0), 9); /* either may complete */
	irq_pulse(&b->line[9]);
	assert_true(b->pin[0] && b->pin[1]);
}

static void what_is_not_there_reads_zero(void **state)
{
	static const uint64_t places[] = { 0,	     4 * (SOURCES + 1), 0xffc,	0x1080,	  0x1ffc,
					   0x2180,   0x1ffffc,		0x3000, 0x203000, 0x200008,
					   0x200ffc, PLIC_SIZE - 4 };
	struct board *b = (struct board *)*state;
	uint8_t data[8];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		put(b, places[i], 0xffffffff);
		assert_int_equal(get(b, places[i]), 0);
	}
	put(b, 0x1000, 0xffffffff); /* pending is read only */
	assert_int_equal(get(b, 0x1000), 0);
	/* Source 0 and what is beyond the last cannot be enabled. */
	put(b, enable(0, 0), 0xffffffff);
	assert_int_equal(get(b, enable(0, 0)), 0xfffffffe);
	put(b, enable(0, 2), 0xffffffff);
	assert_int_equal(get(b, enable(0, 2)), 0x7f);
	put(b, enable(0, 3), 0xffffffff);
	assert_int_equal(get(b, enable(0, 3)), 0);
	/* Other sizes and places. */
	put(b, 4 * 6, 5);
	memset(data, 0xff, sizeof(data));
	assert_true(bus_write(b->bus, BUS_MMIO, base + 24, data, 8));
	assert_true(bus_write(b->bus, BUS_MMIO, base + 24, data, 1));
	assert_true(bus_write(b->bus, BUS_MMIO, base + 24, data, 2));
	assert_true(bus_write(b->bus, BUS_MMIO, base + 22, data, 4));
	assert_int_equal(get(b, 4 * 6), 5);
	assert_true(bus_read(b->bus, BUS_MMIO, base + 24, data, 8));
	assert_int_equal(le64_load(data), 0);
	memset(data, 0xff, sizeof(data));
	assert_true(bus_read(b->bus, BUS_MMIO, base + 25, data, 4));
	assert_int_equal(le32_load(data), 0);
}

static void disabling_takes_the_pin_down(void **state)
{
	struct board *b = (struct board *)*state;

	open_source(b, 0, 64, 1);
	irq_pulse(&b->line[64]);
	assert_true(b->pin[0]);
	put(b, enable(0, 2), 0);
	assert_false(b->pin[0]);
	put(b, enable(0, 2), 1);
	assert_true(b->pin[0]);
	put(b, 4 * 64, 0);
	assert_false(b->pin[0]);
}

static void numbers_out_of_range_are_refused(void **state)
{
	struct board *b = (struct board *)*state;
	struct plic *plic = NULL;

	assert_int_equal(plic_create(b->bus, 0x20000000, 0, 1, drive, b, &plic), -EINVAL);
	assert_int_equal(plic_create(b->bus, 0x20000000, 1024, 1, drive, b, &plic), -EINVAL);
	assert_int_equal(plic_create(b->bus, 0x20000000, 1, 0, drive, b, &plic), -EINVAL);
	assert_int_equal(plic_create(b->bus, 0x20000000, 1, 15873, drive, b, &plic), -EINVAL);
	assert_int_equal(plic_create(b->bus, base, 1, 1, drive, b, &plic), -EEXIST);
	assert_null(plic);
	plic_destroy(NULL);
	/* The most there can be: the last register of the last context is within the window. */
	assert_int_equal(plic_create(b->bus, 0x20000000, 1023, 15872, drive, b, &plic), 0);
	put(b, 0x20000000 - base + threshold(15871), 7);
	assert_int_equal(get(b, 0x20000000 - base + threshold(15871)), 7);
	put(b, 0x20000000 - base + enable(15871, 31), 0xffffffff);
	assert_int_equal(get(b, 0x20000000 - base + enable(15871, 31)), 0xffffffff);
	put(b, 0x20000000 - base + 4 * 1023, 2);
	assert_int_equal(get(b, 0x20000000 - base + 4 * 1023), 2);
	bus_destroy(b->bus);
	b->bus = NULL;
	plic_destroy(plic);
}

#define ON_BOARD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOARD(nothing_interrupts_at_first),
		ON_BOARD(edge_is_claimed_once),
		ON_BOARD(edge_in_service_is_kept),
		ON_BOARD(level_interrupts_until_it_falls),
		ON_BOARD(highest_priority_then_lowest_number),
		ON_BOARD(threshold_holds_back_the_pin_not_the_claim),
		ON_BOARD(completion_counts_only_if_enabled),
		ON_BOARD(first_claim_wins),
		ON_BOARD(what_is_not_there_reads_zero),
		ON_BOARD(disabling_takes_the_pin_down),
		ON_BOARD(numbers_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
