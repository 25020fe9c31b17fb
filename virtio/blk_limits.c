/* SPDX-License-Identifier: BSD-2-Clause */
/* How much passes through a disk in a second, by the clock of the host. */
#include "virtio/blk_limits.h"

#include <time.h>

#include "base/checked.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int blk_limits_init(struct blk_limits *limits, uint64_t bytes_per_second,
		    uint64_t requests_per_second, struct loop *loop, loop_fn fn, void *opaque)
{
	limits->bytes.per_second = bytes_per_second;
	limits->requests.per_second = requests_per_second;
	if (!bytes_per_second && !requests_per_second)
		return 0;
	return loop_timer_add(loop, fn, opaque, &limits->timer);
}

bool blk_limits_hold(struct blk_limits *limits)
{
	uint64_t now, wait;

	if (!limits->timer)
		return false;
	now = now_ns();
	wait = u64_max(rate_wait(&limits->bytes, now), rate_wait(&limits->requests, now));
	if (wait > 0)
		loop_timer_arm(limits->timer, wait);
	return wait > 0;
}

void blk_limits_pay(struct blk_limits *limits, uint64_t bytes)
{
	uint64_t now;

	if (!limits->timer)
		return;
	now = now_ns();
	rate_charge(&limits->requests, now, 1);
	rate_charge(&limits->bytes, now, bytes);
}

void blk_limits_reset(struct blk_limits *limits)
{
	if (limits->timer)
		loop_timer_arm(limits->timer, 0);
}
