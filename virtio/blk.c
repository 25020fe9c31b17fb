/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block device (virtio 1.3, section 5.2): takes requests from its queues in batches, serves what
 * the host's page cache holds at once, and hands the rest to a pool of I/O threads.
 *
 * Only the loop's thread touches the queues. A fixed number of requests bounds memory: when all are
 * in flight, chains wait in the ring. See docs/devices/blk.md.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio/blk_device.h"
#include "virtio/devices.h"
#include "virtio/take.h"

enum {
	BATCH_CHAINS = 64,	/* taken before other sources of the loop get a turn */
	BATCH_BYTES = 2 << 20,	/* served at once before that */
	TRY_BYTES = 256 * 1024, /* the longest transfer done on the loop */
	RING_BYTES = 16 << 20,	/* with io_uring at once, which cannot be told to leave them */
};

static struct blk *blk_of(struct virtio_dev *dev)
{
	return dev->priv;
}

static struct blk_request *get_request(struct blk *blk)
{
	return &blk->requests[blk->unused[--blk->unused_count]];
}

static void put_request(struct blk *blk, const struct blk_request *req)
{
	blk->unused[blk->unused_count++] = (uint8_t)(req - blk->requests);
}

/* The one place where a request goes back to the driver, unless that has reset the device meanwhile. */
static void complete(struct blk *blk, struct blk_request *req)
{
	bool ok = req->status == BLK_S_OK;

	if (blk->stop) {
		put_request(blk, req);
		return;
	}
	if (req->error != 0 && req->status == BLK_S_IOERR)
		blk_complain(&blk->complaints, req);
	*req->status_byte = req->status;
	vq_push(&blk->dev->queues[req->queue], req->head, ok ? req->used_ok : req->used_bad);
	blk->news |= UINT32_C(1) << req->queue;
	put_request(blk, req);
}

/* Tells the driver of what was returned: one interrupt a queue at most. */
static void tell(struct blk *blk)
{
	for (unsigned i = 0; blk->news; i++) {
		if (blk->news & UINT32_C(1) << i)
			virtio_signal(blk->dev, i);
		blk->news &= ~(UINT32_C(1) << i);
	}
}

/*
 * Whether io_uring has the request now: it does reads and writes, the threads all else. What the kernel has
 * once, a reset has to wait for: so it gets no more at a time than that may be.
 */
static bool queue_on_ring(struct blk *blk, struct blk_request *req)
{
	bool write = req->type == BLK_T_OUT;

	if ((!write && req->type != BLK_T_IN) || blk->ring_bytes + req->len > RING_BYTES ||
	    !io_ring_queue(blk->ring, write, req->iov, req->segs, req->offset,
			   blk->rules.write_through, req))
		return false;
	blk->ring_bytes += req->len;
	return true;
}

/* The next request that came out of the ring, with *@whole; NULL for none. */
static struct blk_request *reap_one(struct blk *blk, bool *whole)
{
	int64_t result = 0;
	struct blk_request *req = io_ring_reap(blk->ring, &result);

	if (!req)
		return NULL;
	blk->ring_bytes -= req->len;
	*whole = result >= 0 && (uint64_t)result == req->len;
	return req;
}

/*
 * What came out of the ring. Anything but the whole transfer (a short one, an error, memory that
 * direct I/O refuses) is done again from the start by a thread, which finds out what is the matter.
 */
static void reap_ring(struct blk *blk)
{
	struct blk_request *req;
	bool whole;

	while ((req = reap_one(blk, &whole)) != NULL) {
		if (!whole && !blk->stop) {
			io_pool_submit(blk->pool, &req->job);
			continue;
		}
		req->status = BLK_S_OK;
		complete(blk, req);
	}
}

/* Starts what is queued on the ring; what the page cache holds ends at once. */
static void submit_ring(struct blk *blk)
{
	void *refused;

	while (io_ring_submit(blk->ring, &refused)) {
		struct blk_request *req = refused;

		blk->ring_bytes -= req->len;
		io_pool_submit(blk->pool, &req->job);
	}
	reap_ring(blk);
}

/* Serves the chain just taken from queue @index: the bytes moved, or to be moved, on the loop. */
static uint64_t serve(struct blk *blk, unsigned index)
{
	struct blk_request *req = get_request(blk);
	enum blk_verdict verdict = blk_request_parse(&blk->rules, &blk->chain, req);

	req->queue = (uint16_t)index;
	blk_limits_pay(&blk->limits, req->len);
	switch (verdict) {
	case BLK_BROKEN:
		put_request(blk, req);
		virtio_dev_broken(blk->dev, "a request has no room for its status");
		return 0;
	case BLK_ANSWERED:
		complete(blk, req);
		return 0;
	case BLK_RUN:
		break;
	}
	req->job.quick = req->type == BLK_T_OUT && req->len <= TRY_BYTES &&
			 blk->rules.disk->cached_writes && !blk->rules.write_through;
	if (blk->ring && queue_on_ring(blk, req))
		return req->len;
	if (blk->pool && (req->len > TRY_BYTES || !blk_request_try(req))) {
		io_pool_submit(blk->pool, &req->job);
		return 0;
	}
	if (!blk->pool)
		blk_request_run(req);
	complete(blk, req);
	return req->len;
}

/* Takes what waits in queue @index, as far as requests, limits and this turn's budget go. */
static void drain(struct blk *blk, unsigned index)
{
	struct virtio_dev *dev = blk->dev;
	unsigned chains = 0;
	uint64_t bytes = 0;

	blk->waiting &= ~(UINT32_C(1) << index);
	vq_disable_kick(&dev->queues[index]);
	for (;;) {
		if (blk->unused_count == 0 || blk_limits_hold(&blk->limits)) {
			blk->waiting |= UINT32_C(1) << index;
			break;
		}
		if (chains == BATCH_CHAINS || bytes >= BATCH_BYTES) {
			virtio_kick(dev, index);
			break;
		}
		if (!virtio_take(dev, index, &blk->chain))
			break;
		chains++;
		bytes += serve(blk, index);
	}
	if (blk->ring)
		submit_ring(blk);
	tell(blk);
}

static void blk_kick(struct virtio_dev *dev, unsigned index)
{
	drain(blk_of(dev), index);
}

/* Requests were completed, or a limit lets more pass: chains may wait, each queue's first in turn. */
void blk_carry_on(void *opaque)
{
	struct blk *blk = opaque;
	unsigned count = blk->dev->queue_count;
	uint32_t waiting = blk->waiting;

	for (unsigned i = 0; waiting && i < count; i++) {
		unsigned index = (blk->turn + i) % count;

		if (waiting & UINT32_C(1) << index)
			drain(blk, index);
	}
	blk->turn = blk->turn + 1 < count ? blk->turn + 1 : 0;
	tell(blk);
}

static bool blk_busy(const struct virtio_dev *dev)
{
	const struct blk *blk = dev->priv;

	return blk->unused_count < BLK_REQUESTS;
}

/* After a reset: all that was in flight is through. */
static void end_reset(struct blk *blk)
{
	if (!atomic_load(&blk->stop) || blk_busy(blk->dev))
		return;
	atomic_store(&blk->stop, false);
	virtio_dev_drained(blk->dev);
}

/* All that has ended, on the pool and on the ring. */
static void reap(struct blk *blk)
{
	struct io_job *job = blk->pool ? io_pool_reap(blk->pool) : NULL;

	while (job) {
		struct io_job *next = job->next;

		complete(blk, (struct blk_request *)job);
		job = next;
	}
	if (blk->ring)
		reap_ring(blk);
	end_reset(blk);
}

void blk_ended(void *opaque)
{
	struct blk *blk = opaque;

	reap(blk);
	blk_carry_on(blk);
}

static void blk_ready(struct virtio_dev *dev)
{
	struct blk *blk = blk_of(dev);

	blk->rules.write_through = !(dev->driver_features & BLK_F_FLUSH);
	blk->rules.discard = (dev->driver_features & BLK_F_DISCARD) != 0;
	blk->rules.write_zeroes = (dev->driver_features & BLK_F_WRITE_ZEROES) != 0;
}

static void put_jobs(struct blk *blk, const struct io_job *job)
{
	for (; job; job = job->next)
		put_request(blk, (const struct blk_request *)job);
}

/*
 * What no thread has begun is not done any more: 64 requests of gigabytes would take hours; nor are more than
 * 16 MiB of a long one. io_uring ends what it has, which is never more than RING_BYTES. What is left comes back
 * when its medium lets it, and is forgotten then.
 */
static void blk_reset(struct virtio_dev *dev)
{
	struct blk *blk = blk_of(dev);

	blk->waiting = 0;
	blk->news = 0;
	blk_limits_reset(&blk->limits);
	atomic_store(&blk->stop, true);
	if (blk->pool)
		put_jobs(blk, io_pool_cancel(blk->pool));
	reap(blk);
}

/* The counters first, then what they tell of: what comes later fills them again. */
static void blk_settle(struct virtio_dev *dev, int ms)
{
	struct blk *blk = blk_of(dev);
	struct pollfd fds[] = {
		{ .fd = blk->pool ? io_pool_eventfd(blk->pool) : -1, .events = POLLIN },
		{ .fd = blk->ring ? io_ring_eventfd(blk->ring) : -1, .events = POLLIN },
	};
	uint64_t count;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		while (fds[i].fd >= 0 && read(fds[i].fd, &count, sizeof(count)) < 0 &&
		       errno == EINTR)
			;
	reap(blk);
	if (blk_busy(dev))
		(void)poll(fds, ARRAY_SIZE(fds), ms);
}

static void blk_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	memcpy(data, blk_of(dev)->config + offset, len);
}

static void blk_destroy(struct virtio_dev *dev)
{
	blk_free(blk_of(dev), dev->loop);
}

const struct virtio_type blk_type = {
	.name = "blk",
	.id = 2,
	.config_read = blk_config_read,
	.ready = blk_ready,
	.queue_kick = blk_kick,
	.reset = blk_reset,
	.busy = blk_busy,
	.settle = blk_settle,
	.destroy = blk_destroy,
};

int virtio_blk_resize(struct virtio_dev *dev, uint64_t size)
{
	struct blk *blk = blk_of(dev);
	struct disk *disk;
	int err;

	if (dev->type != &blk_type)
		return -EOPNOTSUPP;
	disk = blk->rules.disk;
	if (!disk->ops->resize)
		return -EOPNOTSUPP;
	if (size % BLK_SECTOR != 0)
		return -EINVAL;
	if (size < disk->size)
		return -ERANGE;
	err = disk->ops->resize(disk, size);
	if (err < 0)
		return err;
	blk_config_fill(blk->config, disk, dev->queue_count);
	virtio_config_changed(dev);
	return 0;
}

uint64_t virtio_blk_size(const struct virtio_dev *dev)
{
	const struct blk *blk = dev->priv;

	return dev->type == &blk_type ? blk->rules.disk->size : 0;
}
