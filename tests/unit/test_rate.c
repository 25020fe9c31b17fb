/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits on how much passes in a second, by a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/checked.h"
#include "virtio/rate.h"

#define SECOND UINT64_C(1000000000)

/* How many steps of @units pass from @*now on in @span, by a caller that is always there. */
static uint64_t passes(struct rate *rate, uint64_t *now, uint64_t span, uint64_t units)
{
	uint64_t end = *now + span;
	uint64_t steps = 0;

	for (;;) {
		uint64_t wait = rate_wait(rate, *now);

		*now += wait;
		if (*now >= end)
			break;
		/* Who waits for as long as was said may go on then. */
		assert_int_equal(rate_wait(rate, *now), 0);
		rate_charge(rate, *now, units);
		steps++;
	}
	*now = end;
	return steps;
}

static void no_limit(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(rate_wait(&rate, 5), 0);
		rate_charge(&rate, 5, UINT32_MAX);
	}
}

/* In ten seconds ten times the limit passes, and at most a burst and one step more. */
static void average(void **state)
{
	static const struct {
		uint64_t per_second, units;
	} cases[] = { { 1, 1 },
		      { 5, 1 },
		      { 100, 1 },
		      { 30000, 1 },
		      { 1 << 20, 512 },
		      { 1 << 20, 4096 },
		      { 1000, 4096 },
		      { 999999937, 512 },
		      { 100 << 20, 4096 },
		      { 10 << 20, 1 << 20 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rate rate = { .per_second = cases[i].per_second };
		uint64_t now = 7 * SECOND;
		uint64_t got = passes(&rate, &now, 10 * SECOND, cases[i].units) * cases[i].units;

		assert_true(got >= 10 * cases[i].per_second);
		assert_true(got <= 10 * cases[i].per_second + cases[i].per_second / 10 +
					   2 * cases[i].units);
	}
}

/* An hour of rest saves up no more than a burst. */
static void burst(void **state)
{
	struct rate rate = { .per_second = 1000 };
	uint64_t now = SECOND, at_once = 0;

	(void)state;
	(void)passes(&rate, &now, SECOND, 1);
	now += 3600 * SECOND;
	for (; rate_wait(&rate, now) == 0; at_once++)
		rate_charge(&rate, now, 1);
	assert_in_range(at_once, 100, 101);
}

/* What is larger than a burst passes, and is paid for afterwards. */
static void large(void **state)
{
	struct rate rate = { .per_second = 1000 };

	(void)state;
	assert_int_equal(rate_wait(&rate, 0), 0);
	rate_charge(&rate, 0, 60000);
	assert_int_equal(rate_wait(&rate, 0), 60 * SECOND - RATE_BURST_NS);
	assert_int_equal(rate_wait(&rate, 59 * SECOND), SECOND - RATE_BURST_NS);
	assert_int_equal(rate_wait(&rate, 60 * SECOND), 0);
}

/* The ends of the numbers: no wrap that would let all pass, or nothing for ever. */
static void extremes(void **state)
{
	struct rate slow = { .per_second = 1 }, quick = { .per_second = UINT64_MAX };

	(void)state;
	rate_charge(&slow, SECOND, UINT64_MAX); /* counts as 2^32 */
	assert_int_equal(rate_wait(&slow, SECOND), UINT32_MAX * SECOND - RATE_BURST_NS);
	rate_charge(&quick, SECOND, UINT32_MAX);
	assert_int_equal(rate_wait(&quick, SECOND), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit), cmocka_unit_test(average),	cmocka_unit_test(burst),
		cmocka_unit_test(large),    cmocka_unit_test(extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
