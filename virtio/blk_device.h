/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the block device share: its state. Nobody else's. */
#ifndef VIRTIO_BLK_DEVICE_H
#define VIRTIO_BLK_DEVICE_H

#include <stdatomic.h>
#include <stdint.h>

#include "virtio/blk_complain.h"
#include "virtio/blk_config.h"
#include "virtio/blk_limits.h"
#include "virtio/blk_request.h"
#include "virtio/device.h"
#include "virtio/io_uring.h"

enum { BLK_REQUESTS = 64 }; /* in flight at once */

struct blk {
	struct virtio_dev *dev;
	struct blk_rules rules;
	atomic_bool stop;     /* of rules: while what is in flight is not wanted any more */
	struct io_pool *pool; /* NULL: everything is done on the loop */
	struct io_ring *ring; /* NULL: not by io_uring */
	uint64_t ring_bytes;  /* of requests that it has */
	uint8_t config[BLK_CONFIG_SIZE];
	struct blk_complaints complaints;

	/* A bit for each queue. */
	uint32_t waiting; /* chains may wait in it for a free request, or for a limit */
	uint32_t news;	  /* chains were returned to it, and the driver was not told yet */
	unsigned turn;	  /* the queue that is looked at first when several wait */

	struct blk_limits limits;

	struct vq_chain chain;	      /* the one being judged */
	uint8_t unused[BLK_REQUESTS]; /* stack of indices: the last one used is the next */
	unsigned unused_count;
	struct blk_request *requests; /* BLK_REQUESTS; pages never used are never touched */
};

/* virtio/blk.c: what the device does. */
extern const struct virtio_type blk_type;

/* virtio/blk.c, on the loop: requests came back from the pool or the ring; a limit lets more pass. */
void blk_ended(void *opaque);
void blk_carry_on(void *opaque);

/* virtio/blk_create.c: frees what there is, also of a half-made device; @loop knows its descriptors. */
void blk_free(struct blk *blk, struct loop *loop);

#endif
