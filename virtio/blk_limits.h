/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much passes through a disk in a second: bytes and requests. What has to wait stays in its ring, so a
 * reset has nothing to give back. Loop thread.
 */
#ifndef VIRTIO_BLK_LIMITS_H
#define VIRTIO_BLK_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/loop.h"
#include "virtio/rate.h"

struct blk_limits {
	struct loop_timer *timer; /* when more may pass; the loop's; NULL: no limits */
	struct rate bytes;	  /* of reads and writes */
	struct rate requests;	  /* of all kinds */
};

/* With limits, a timer of @loop calls @fn(@opaque) when what was held back may go on. 0 or -errno. */
int blk_limits_init(struct blk_limits *limits, uint64_t bytes_per_second,
		    uint64_t requests_per_second, struct loop *loop, loop_fn fn, void *opaque);

/* Whether a limit holds back what comes next; then the timer will fire. */
bool blk_limits_hold(struct blk_limits *limits);

/* A request of @bytes passes. */
void blk_limits_pay(struct blk_limits *limits, uint64_t bytes);

/* Nothing waits any more. What has passed still counts. */
void blk_limits_reset(struct blk_limits *limits);

#endif
