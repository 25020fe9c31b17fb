/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits on how much passes in a second (virtio/rate.h). */
#include "virtio/rate.h"

#include "base/checked.h"

uint64_t rate_wait(const struct rate *rate, uint64_t now)
{
	uint64_t from;

	if (!rate->per_second || rate->paid_until <= RATE_BURST_NS)
		return 0;
	from = rate->paid_until - RATE_BURST_NS;
	return from > now ? from - now : 0;
}

void rate_charge(struct rate *rate, uint64_t now, uint64_t units)
{
	uint64_t speed = u64_min(rate->per_second, INT64_MAX);
	uint64_t cost;

	if (!speed)
		return;
	if (rate->paid_until < now) {
		rate->paid_until = now;
		rate->rest = 0;
	}
	/* 2^32 units by 10^9 nanoseconds, and a rest below 2^63, fit in 64 bits. */
	cost = u64_min(units, UINT32_MAX) * UINT64_C(1000000000) + rate->rest;
	rate->paid_until += cost / speed;
	rate->rest = cost % speed;
}
