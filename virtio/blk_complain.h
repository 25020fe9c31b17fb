/* SPDX-License-Identifier: BSD-2-Clause */
/* What the user is told of a disk's failures: one line, then at most one every ten seconds. */
#ifndef VIRTIO_BLK_COMPLAIN_H
#define VIRTIO_BLK_COMPLAIN_H

#include <stdint.h>
#include <time.h>

#include "virtio/blk_request.h"

/* All zero at first. */
struct blk_complaints {
	time_t told;	 /* when the user last was, in seconds of CLOCK_MONOTONIC; 0: never */
	uint64_t unsaid; /* failures since */
};

/* @req failed on the disk. Loop thread. */
void blk_complain(struct blk_complaints *complaints, const struct blk_request *req);

#endif
