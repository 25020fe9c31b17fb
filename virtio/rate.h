/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A limit on how much passes in a second: a token bucket, kept as the time at which all that has passed
 * would have passed at the limit's own speed. It holds no clock: the caller says what time it is.
 */
#ifndef VIRTIO_RATE_H
#define VIRTIO_RATE_H

#include <stdint.h>

/* What an idle time saves up for: as much as passes in this time may pass at once. */
#define RATE_BURST_NS UINT64_C(100000000)

struct rate {
	uint64_t per_second; /* units; 0: no limit */
	uint64_t paid_until; /* nanoseconds of the caller's clock */
	uint64_t rest;	     /* and this part of one more, in units of 1 / per_second */
};

/*
 * Nanoseconds from @now until something may pass, 0: at once. Whatever passes then may be larger than
 * what was saved up: the next waits for longer.
 */
uint64_t rate_wait(const struct rate *rate, uint64_t now);

/* @units, at most 2^32, pass at @now. */
void rate_charge(struct rate *rate, uint64_t now, uint64_t units);

#endif
