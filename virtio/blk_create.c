/* SPDX-License-Identifier: BSD-2-Clause */
/* How a block device comes to be, with its threads, its ring and its place on the loop, and how it goes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/diag.h"
#include "virtio/blk_device.h"
#include "virtio/devices.h"

enum { QUEUE_SIZE = 256 };

/* Also for a half-made device. */
void blk_free(struct blk *blk, struct loop *loop)
{
	if (blk->ring)
		(void)loop_del(loop, io_ring_eventfd(blk->ring));
	io_ring_destroy(blk->ring);
	if (blk->pool)
		(void)loop_del(loop, io_pool_eventfd(blk->pool));
	io_pool_destroy(blk->pool);
	disk_close(blk->rules.disk);
	if (blk->requests)
		(void)munmap(blk->requests, BLK_REQUESTS * sizeof(*blk->requests));
	free(blk);
}

/* Runs on a thread of the pool. */
static void run_job(struct io_job *job)
{
	blk_request_run((struct blk_request *)job);
}

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
	requests = mmap(NULL, BLK_REQUESTS * sizeof(*blk->requests), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (requests == MAP_FAILED) {
		diag_error("disk %s: no memory", config->disk->name);
		blk_free(blk, NULL);
		return -ENOMEM;
	}
	blk->requests = requests;
	for (unsigned i = 0; i < BLK_REQUESTS; i++)
		blk->unused[i] = (uint8_t)i;
	blk->unused_count = BLK_REQUESTS;
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
		err = loop_add_doorbell(loop, io_pool_eventfd(blk->pool), blk_ended, blk);
	return err ? failed(blk->rules.disk, "starting I/O threads", err) : 0;
}

static int start_ring(struct blk *blk, struct loop *loop)
{
	int err = -EOPNOTSUPP;

	/* Every request needs a place to go when the ring does not take it. */
	if (blk->pool && blk->rules.disk->fd >= 0)
		err = io_ring_create(blk->rules.disk->fd, BLK_REQUESTS, &blk->ring);
	if (err == 0)
		err = loop_add_eventfd(loop, io_ring_eventfd(blk->ring), blk_ended, blk);
	if (err < 0)
		diag_error("disk %s: io_uring is not to be had here (%s); leave out --io-uring",
			   blk->rules.disk->name, strerror(-err));
	return err;
}

static int start_limits(struct blk *blk, const struct virtio_blk_config *config, struct loop *loop)
{
	int err = blk_limits_init(&blk->limits, config->bytes_per_second,
				  config->requests_per_second, loop, blk_carry_on, blk);

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
