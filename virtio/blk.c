/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block device (virtio 1.3, section 5.2): takes requests from its queues in batches, serves what
 * the host's page cache holds at once, and hands the rest to a pool of I/O threads.
 *
 * Only the loop's thread touches the queues. A fixed number of requests bounds memory: when all are
 * in flight, chains wait in the ring. See docs/devices/blk.md.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/checked.h"
#include "base/diag.h"
#include "virtio/blk_complain.h"
#include "virtio/blk_config.h"
#include "virtio/blk_limits.h"
#include "virtio/blk_request.h"
#include "virtio/devices.h"
#include "virtio/io_uring.h"
#include "virtio/take.h"

enum {
	QUEUE_SIZE = 256,
	REQUESTS = 64,		/* in flight at once */
	BATCH_CHAINS = 64,	/* taken before other sources of the loop get a turn */
	BATCH_BYTES = 2 << 20,	/* served at once before that */
	TRY_BYTES = 256 * 1024, /* the longest transfer done on the loop */
	RING_BYTES = 16 << 20,	/* with io_uring at once, which cannot be told to leave them */
};

struct blk {
	struct virtio_dev *dev;
	struct blk_rules rules;
	atomic_bool stop;     /* of rules */
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

	struct vq_chain chain;	  /* the one being judged */
	uint8_t unused[REQUESTS]; /* stack of indices: the last one used is the next */
	unsigned unused_count;
	struct blk_request *requests; /* REQUESTS; pages never used are never touched */
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

/* The one place where a request goes back to the driver. */
static void complete(struct blk *blk, struct blk_request *req)
{
	bool ok = req->status == BLK_S_OK;

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
		if (!whole) {
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

/* Runs on a thread of the pool. */
static void run_job(struct io_job *job)
{
	blk_request_run((struct blk_request *)job);
}

/* Requests were completed, or a limit lets more pass: chains may wait, each queue's first in turn. */
static void carry_on(struct blk *blk)
{
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

static void on_timer(void *opaque)
{
	carry_on(opaque);
}

/* Finished requests came back from the pool. */
static void jobs_done(void *opaque)
{
	struct blk *blk = opaque;
	struct io_job *job = io_pool_reap(blk->pool);

	while (job) {
		struct io_job *next = job->next;

		complete(blk, (struct blk_request *)job);
		job = next;
	}
	carry_on(blk);
}

/* Transfers ended on the ring. */
static void ring_done(void *opaque)
{
	struct blk *blk = opaque;

	reap_ring(blk);
	carry_on(blk);
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
 * Waits for what is being done, and forgets it. What no thread has begun is not done any more: 64 requests of
 * gigabytes would hold the loop for hours; nor are more than 16 MiB of a long one. io_uring ends what it has,
 * which is never more than RING_BYTES.
 */
static void blk_reset(struct virtio_dev *dev)
{
	struct blk *blk = blk_of(dev);
	const struct blk_request *req;
	bool whole;

	blk->waiting = 0;
	blk->news = 0;
	blk_limits_reset(&blk->limits);
	while (blk->ring && io_ring_in_flight(blk->ring) > 0) {
		io_ring_wait(blk->ring);
		while ((req = reap_one(blk, &whole)) != NULL)
			put_request(blk, req);
	}
	if (!blk->pool)
		return;
	atomic_store(&blk->stop, true);
	put_jobs(blk, io_pool_cancel(blk->pool));
	io_pool_drain(blk->pool);
	put_jobs(blk, io_pool_reap(blk->pool));
	atomic_store(&blk->stop, false);
}

static void blk_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	memcpy(data, blk_of(dev)->config + offset, len);
}

/* Also for a half-made device. */
static void blk_free(struct blk *blk, struct loop *loop)
{
	if (blk->ring)
		(void)loop_del(loop, io_ring_eventfd(blk->ring));
	io_ring_destroy(blk->ring);
	if (blk->pool)
		(void)loop_del(loop, io_pool_eventfd(blk->pool));
	io_pool_destroy(blk->pool);
	disk_close(blk->rules.disk);
	if (blk->requests)
		(void)munmap(blk->requests, REQUESTS * sizeof(*blk->requests));
	free(blk);
}

static void blk_destroy(struct virtio_dev *dev)
{
	blk_free(blk_of(dev), dev->loop);
}

static const struct virtio_type blk_type = {
	.name = "blk",
	.id = 2,
	.config_read = blk_config_read,
	.ready = blk_ready,
	.queue_kick = blk_kick,
	.reset = blk_reset,
	.destroy = blk_destroy,
};

static unsigned blk_queues(const struct virtio_blk_config *config)
{
	return config->queues ? config->queues : 1;
}

/* The device's state without its place on the loop. */
static int blk_new(const struct virtio_blk_config *config, struct blk **out)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	void *requests;

	if (!blk) {
		diag_error("disk %s: no memory", config->disk->name);
		disk_close(config->disk);
		return -ENOMEM;
	}
	blk->rules.disk = config->disk;
	blk->rules.stop = &blk->stop;
	/* Not by calloc, which would touch all of it where it hands out memory that was freed. */
	requests = mmap(NULL, REQUESTS * sizeof(*blk->requests), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (requests == MAP_FAILED) {
		diag_error("disk %s: no memory", config->disk->name);
		blk_free(blk, NULL);
		return -ENOMEM;
	}
	blk->requests = requests;
	for (unsigned i = 0; i < REQUESTS; i++)
		blk->unused[i] = (uint8_t)i;
	blk->unused_count = REQUESTS;
	blk_id_fill(blk->rules.id, config->disk, config->serial);
	blk_config_fill(blk->config, config->disk, blk_queues(config));
	*out = blk;
	return 0;
}

/* Says that making the device failed; returns @err. */
static int failed(const struct disk *disk, const char *what, int err)
{
	diag_error("disk %s: %s failed: %s", disk->name, what, strerror(-err));
	return err;
}

static int start_pool(struct blk *blk, const struct virtio_blk_config *config, struct loop *loop)
{
	int err;

	if (config->threads == 0)
		return 0;
	err = io_pool_create(config->threads, "hvrun-disk", run_job, config->guard, &blk->pool);
	if (err == 0)
		err = loop_add_doorbell(loop, io_pool_eventfd(blk->pool), jobs_done, blk);
	return err ? failed(blk->rules.disk, "starting I/O threads", err) : 0;
}

static int start_ring(struct blk *blk, struct loop *loop)
{
	int err = -EOPNOTSUPP;

	/* Every request needs a place to go when the ring does not take it. */
	if (blk->pool && blk->rules.disk->fd >= 0)
		err = io_ring_create(blk->rules.disk->fd, REQUESTS, &blk->ring);
	if (err == 0)
		err = loop_add_eventfd(loop, io_ring_eventfd(blk->ring), ring_done, blk);
	if (err < 0)
		diag_error("disk %s: io_uring is not to be had here (%s); leave out --io-uring",
			   blk->rules.disk->name, strerror(-err));
	return err;
}

static int start_limits(struct blk *blk, const struct virtio_blk_config *config, struct loop *loop)
{
	int err = blk_limits_init(&blk->limits, config->bytes_per_second,
				  config->requests_per_second, loop, on_timer, blk);

	return err < 0 ? failed(blk->rules.disk, "making its timer", err) : 0;
}

/* Makes the shared part of the device. */
static int make_dev(struct blk *blk, unsigned queues, unsigned index, struct guest_mem *mem,
		    struct loop *loop)
{
	struct disk *disk = blk->rules.disk;
	char name[sizeof(blk->dev->name)];
	int err = -ENOMEM;

	(void)snprintf(name, sizeof(name), "blk%u", index);
	blk->dev = calloc(1, sizeof(*blk->dev));
	if (blk->dev)
		err = virtio_dev_init(blk->dev, &blk_type, name, mem, loop, queues, QUEUE_SIZE,
				      blk_features(disk, queues), BLK_CONFIG_SIZE);
	if (err < 0) {
		free(blk->dev);
		return failed(disk, "making the device", err);
	}
	blk->dev->priv = blk;
	return 0;
}

int virtio_blk_create(const struct virtio_blk_config *config, unsigned index, struct guest_mem *mem,
		      struct loop *loop, struct virtio_dev **out)
{
	struct blk *blk;
	int err;

	err = blk_new(config, &blk);
	if (err < 0)
		return err;
	err = start_pool(blk, config, loop);
	if (err == 0 && config->io_uring)
		err = start_ring(blk, loop);
	if (err == 0)
		err = start_limits(blk, config, loop);
	if (err == 0)
		err = make_dev(blk, blk_queues(config), index, mem, loop);
	if (err < 0) {
		blk_free(blk, loop);
		return err;
	}
	*out = blk->dev;
	return 0;
}

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
