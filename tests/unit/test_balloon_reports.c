/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-balloon: free pages that the guest reports, what is found in them later, and the queue
 * of reports by either numbering.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/lib/balloon_rig.h"

static void report(struct dev_rig *rig, unsigned queue)
{
	/* As Linux does: the free pages themselves are the buffers. */
	const struct dr_buf bufs[] = {
		{ PAGES, 4 * PAGE, true },
		{ PAGES + 8 * PAGE + 1, 2 * PAGE, true }, /* one whole page lies in it */
		{ PAGES + 16 * PAGE, PAGE - 1, true },	  /* and none in this */
	};

	assert_int_equal(rig_do(rig, queue, bufs, 3), 0);
}

static void free_pages(void **state)
{
	struct dev_rig rig;
	unsigned before;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	before = balloon_rig_resident(&rig);
	report(&rig, REPORT_QUEUE);
	assert_int_equal(before - balloon_rig_resident(&rig), 5);
	assert_int_equal(balloon_rig_look(&rig).reported, 5 * PAGE);
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0), 4);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 4 * PAGE, 0x5a), 5);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 9 * PAGE, 0), 1);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 10 * PAGE, 0x5a),
			 (RIG_RAM - PAGES) / PAGE - 10);
	rig_fini(&rig);
}

/* One that is longer than what the host is asked for at once leaves no page out where it is cut. */
static void long_report(void **state)
{
	const uint64_t at = 1 << 30, size = 192 << 20;
	const struct dr_buf buf = { at + 100, (uint32_t)size - 200, true };
	struct dev_rig rig;

	(void)state;
	rig_init(&rig);
	assert_int_equal(mem_add(rig.mem, gpa(at), size, MEM_RAM), 0);
	assert_int_equal(virtio_balloon_create(rig.mem, rig.loop, &rig.dev), 0);
	rig_start(&rig, ALL_FEATURES, 5);
	for (uint64_t cut = 0; cut <= size; cut += 64 << 20) {
		for (int64_t page = -2; page < 3; page++) {
			if (cut + (uint64_t)page * PAGE < size)
				assert_int_equal(mem_write(rig.mem,
							   gpa(at + cut + (uint64_t)page * PAGE),
							   "x", 1),
						 0);
		}
	}
	assert_int_equal(rig_do(&rig, REPORT_QUEUE, &buf, 1), 0);
	assert_int_equal(balloon_rig_look(&rig).reported, size - 2 * PAGE);
	for (uint64_t page = 0; page < size; page += PAGE) {
		bool kept = page == 0 || page == size - PAGE; /* not whole in the report */
		uint8_t byte = 1;

		assert_int_equal(mem_read(rig.mem, gpa(at + page), &byte, 1), 0);
		assert_int_equal(byte, kept ? 'x' : 0);
	}
	rig_fini(&rig);
}

/* Long reports by both of the numbers that the queue may have, in turns of the loop: each comes back where it was offered. */
static void two_report_queues(void **state)
{
	struct dr_buf bufs[40];
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	for (unsigned i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct dr_buf){ PAGES, RIG_RAM - PAGES, true };
	rig_offer(&rig, 4, 0, bufs, ARRAY_SIZE(bufs));
	rig_offer(&rig, 3, 0, bufs, ARRAY_SIZE(bufs));
	rig_used(&rig, 3, NULL, NULL);
	rig_used(&rig, 4, NULL, NULL);
	assert_int_equal(balloon_rig_look(&rig).reported,
			 2 * ARRAY_SIZE(bufs) * (uint64_t)(RIG_RAM - PAGES));
	assert_int_equal(dr_used_idx(&rig.ring[3]), 1);
	assert_int_equal(dr_used_idx(&rig.ring[4]), 1);
	rig_fini(&rig);
}

/* A driver that says what is in its free pages finds just that there afterwards. */
static void poison_is_found_again(void **state)
{
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	balloon_rig_set_config(&rig, 12, 0x5a5a5a5a);
	report(&rig, REPORT_QUEUE);
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0x5a), (RIG_RAM - PAGES) / PAGE);
	assert_int_equal(balloon_rig_look(&rig).reported, 0);
	balloon_rig_set_config(&rig, 12, 0);
	report(&rig, REPORT_QUEUE);
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0), 4);
	rig_fini(&rig);

	/* Not negotiated: then a free page is nothing or zeroes, whatever is written there. */
	balloon_rig_open(&rig, REPORTING, 3);
	balloon_rig_set_config(&rig, 12, 0x5a5a5a5a);
	report(&rig, 2);
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0), 4);
	rig_fini(&rig);
}

/* Each feature off alone, and both ways to number the queue of free pages. */
static void features_one_by_one(void **state)
{
	static const struct {
		uint64_t features;
		unsigned queue;
		bool reports;
	} cases[] = {
		{ ALL_FEATURES, 4, true },
		{ ALL_FEATURES, 3, true },
		{ ALL_FEATURES & ~STATS, 4, true },
		{ ALL_FEATURES & ~STATS, 2, true },
		{ ALL_FEATURES & ~STATS, 3, false },
		{ ALL_FEATURES & ~REPORTING, 3, false },
		{ ALL_FEATURES & ~REPORTING, 4, false },
		{ ALL_FEATURES & ~OOM, 4, true },
		{ ALL_FEATURES & ~POISON, 4, true },
		{ 0, 2, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct dr_buf buf = { PAGES, 4 * PAGE, true };
		const uint32_t pfn = PAGES / PAGE + 100;
		struct dev_rig rig;

		balloon_rig_open(&rig, cases[i].features, 5);
		rig_offer(&rig, cases[i].queue, 0, &buf, 1);
		rig_settle(&rig);
		assert_int_equal(dr_used_idx(&rig.ring[cases[i].queue]), cases[i].reports);
		assert_int_equal(balloon_rig_pages(&rig, PAGES, 0), cases[i].reports ? 4 : 0);
		balloon_rig_hand_over(&rig, &pfn, 1);
		assert_int_equal(balloon_rig_pages(&rig, PAGES + 100 * PAGE, 0), 1);
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_pages),	       cmocka_unit_test(long_report),
		cmocka_unit_test(two_report_queues),   cmocka_unit_test(poison_is_found_again),
		cmocka_unit_test(features_one_by_one),
	};

	return cmocka_run_group_tests_name("balloon_reports", tests, NULL, NULL);
}
