/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device on a bench, and a disk whose timing and failures the test decides. */
#include "tests/lib/dev_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio/devices.h"

void rig_init(struct dev_rig *rig)
{
	*rig = (struct dev_rig){ .ring_size = 64 };
	count_irq_init(&rig->irq);
	assert_int_equal(mem_create(&rig->mem), 0);
	assert_int_equal(mem_add(rig->mem, gpa(0), RIG_RAM, MEM_RAM), 0);
	assert_int_equal(loop_create(&rig->loop), 0);
}

void rig_fini(struct dev_rig *rig)
{
	virtio_dev_destroy(rig->dev);
	loop_destroy(rig->loop);
	mem_destroy(rig->mem);
}

void rig_start(struct dev_rig *rig, uint64_t features, unsigned queues)
{
	rig->dev->irq = &rig->irq.line;
	rig->features = features | VIRTIO_F_VERSION_1;
	assert_true(dr_negotiate(rig->dev, rig->features));
	for (unsigned i = 0; i < queues; i++) {
		dr_init(&rig->ring[i], rig->mem, gpa(i * 0x10000), (uint16_t)rig->ring_size);
		assert_true(dr_setup_queue(rig->dev, i, &rig->ring[i]));
	}
	assert_true(dr_driver_ok(rig->dev));
	rig_await(rig);
	rig->pulses = atomic_load(&rig->irq.pulses);
}

void rig_await(struct dev_rig *rig)
{
	unsigned waited = 0;

	while (rig->dev->type->busy && rig->dev->type->busy(rig->dev)) {
		assert_true(waited++ < RIG_WAIT_MS / 10);
		assert_true(loop_turn(rig->loop, 10) >= 0);
	}
	rig_settle(rig);
}

void rig_settle(struct dev_rig *rig)
{
	int n;

	while ((n = loop_turn(rig->loop, 0)) > 0)
		;
	assert_int_equal(n, 0);
}

/* Whether an index that went from @old to @now passed @event (2.7.7.2). */
static bool passed(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

void rig_offer_head(struct dev_rig *rig, unsigned queue, uint16_t head)
{
	struct driver_ring *ring = &rig->ring[queue];
	uint16_t old = ring->avail_idx;
	bool wanted;

	dr_offer(ring, head);
	if (rig->features & VIRTIO_F_EVENT_IDX)
		wanted = passed(dr_avail_event(ring), ring->avail_idx, old);
	else
		wanted = !(dr_used_flags(ring) & DR_NO_NOTIFY);
	if (wanted)
		virtio_kick(rig->dev, queue);
}

void rig_offer(struct dev_rig *rig, unsigned queue, uint16_t first, const struct dr_buf *bufs,
	       unsigned count)
{
	rig_offer_head(rig, queue, dr_chain(&rig->ring[queue], first, bufs, count));
}

void rig_used(struct dev_rig *rig, unsigned queue, uint32_t *id, uint32_t *len)
{
	struct driver_ring *ring = &rig->ring[queue];
	unsigned waited = 0;

	for (;;) {
		if (dr_take_used(ring, id, len))
			return;
		if (rig->features & VIRTIO_F_EVENT_IDX) {
			dr_set_used_event(ring, ring->used_idx);
			if (dr_take_used(ring, id, len))
				return;
		}
		while (atomic_load(&rig->irq.pulses) == rig->pulses) {
			assert_true(waited++ < RIG_WAIT_MS / 10);
			assert_true(loop_turn(rig->loop, 10) >= 0);
		}
		rig->pulses = atomic_load(&rig->irq.pulses);
	}
}

uint32_t rig_do(struct dev_rig *rig, unsigned queue, const struct dr_buf *bufs, unsigned count)
{
	uint32_t id, len;

	rig_offer(rig, queue, 0, bufs, count);
	rig_used(rig, queue, &id, &len);
	assert_int_equal(id, 0);
	return len;
}

uint8_t *rig_at(struct dev_rig *rig, uint64_t at)
{
	size_t count;

	assert_true(at <= RIG_RAM);
	return (uint8_t *)mem_regions(rig->mem, &count)->host + at;
}

void rig_reset(struct dev_rig *rig)
{
	virtio_set_status(rig->dev, 0);
	assert_true(virtio_dev_settle(rig->dev, -1));
	assert_int_equal(virtio_status(rig->dev), 0);
}

bool rig_broken(const struct dev_rig *rig)
{
	return virtio_status(rig->dev) & VIRTIO_S_NEEDS_RESET;
}

/* The lowest descriptor that is free. */
static int lowest_free(void)
{
	int fd = dup(0);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

void rig_create_fails(int (*create)(struct dev_rig *rig, struct virtio_dev **dev))
{
	struct rlimit old, limit;
	bool made = false;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned room = 0; !made; room++) {
		struct virtio_dev *dev = NULL;
		struct dev_rig rig;
		int before = lowest_free(), next;

		rig_init(&rig);
		next = lowest_free();
		limit = old;
		limit.rlim_cur = (rlim_t)next + room;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		made = create(&rig, &dev) == 0;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		assert_true(made == (dev != NULL));
		assert_true(room < 8);
		virtio_dev_destroy(dev);
		rig_fini(&rig);
		assert_int_equal(lowest_free(), before);
	}
}

static struct stub_disk *stub_of(struct disk *disk)
{
	return (struct stub_disk *)disk;
}

/* What each call does first: 0, or the failure that is due. */
static int begin(struct stub_disk *stub, uint64_t off, uint64_t len, bool block)
{
	unsigned left = atomic_load(&stub->fail_after);
	unsigned now;

	if (!range_fits(off, len, stub->disk.size) || off % 512 != 0 || len % 512 != 0) {
		atomic_fetch_add(&stub->outside, 1);
		return -EFAULT;
	}
	if (block) {
		now = atomic_fetch_add(&stub->running, 1) + 1;
		lock_take(&stub->lock);
		if (now > atomic_load(&stub->most))
			atomic_store(&stub->most, now);
		while (stub->shut)
			lock_wait(&stub->lock, &stub->opened);
		lock_drop(&stub->lock);
		atomic_fetch_sub(&stub->running, 1);
	}
	do {
		if (left == UINT32_MAX)
			return 0;
		if (left == 0)
			return stub->fail_with;
	} while (!atomic_compare_exchange_weak(&stub->fail_after, &left, left - 1));
	return 0;
}

static int stub_transfer(struct disk *disk, bool write, struct iovec *iov, unsigned n, uint64_t off,
			 unsigned flags)
{
	struct stub_disk *stub = stub_of(disk);
	int err;

	if ((flags & DISK_NOWAIT) && !stub->nowait)
		return -EAGAIN;
	atomic_fetch_add(write ? &stub->writes : &stub->reads, 1);
	if (flags & DISK_DURABLE)
		atomic_fetch_add(&stub->durable, 1);
	err = begin(stub, off, disk_iov_len(iov, n), !(flags & DISK_NOWAIT));
	for (unsigned i = 0; i < n && err == 0; i++) {
		if (write)
			memcpy(stub->data + off, iov[i].iov_base, iov[i].iov_len);
		else
			memcpy(iov[i].iov_base, stub->data + off, iov[i].iov_len);
		off += iov[i].iov_len;
	}
	return err;
}

static int stub_read(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, unsigned flags)
{
	return stub_transfer(disk, false, iov, n, off, flags);
}

static int stub_write(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off,
		      unsigned flags)
{
	return stub_transfer(disk, true, iov, n, off, flags);
}

static int stub_flush(struct disk *disk)
{
	atomic_fetch_add(&stub_of(disk)->flushes, 1);
	return begin(stub_of(disk), 0, 0, true);
}

static int stub_discard(struct disk *disk, uint64_t off, uint64_t len)
{
	atomic_fetch_add(&stub_of(disk)->discards, 1);
	return begin(stub_of(disk), off, len, true);
}

static int stub_write_zeroes(struct disk *disk, uint64_t off, uint64_t len, bool unmap)
{
	int err;

	(void)unmap;
	atomic_fetch_add(&stub_of(disk)->zeroes, 1);
	err = begin(stub_of(disk), off, len, true);
	if (err == 0)
		memset(stub_of(disk)->data + off, 0, len);
	return err;
}

static void stub_close(struct disk *disk)
{
	struct stub_disk *stub = stub_of(disk);

	if (stub->closed)
		atomic_store(stub->closed, true);
	stub_disk_leave(stub);
}

void stub_disk_keep(struct stub_disk *stub)
{
	(void)atomic_fetch_add(&stub->users, 1);
}

void stub_disk_leave(struct stub_disk *stub)
{
	if (atomic_fetch_sub(&stub->users, 1) != 1)
		return;
	lock_destroy(&stub->lock);
	cond_destroy(&stub->opened);
	free(stub->data);
	free(stub);
}

static const struct disk_ops stub_ops = {
	.read = stub_read,
	.write = stub_write,
	.flush = stub_flush,
	.discard = stub_discard,
	.write_zeroes = stub_write_zeroes,
	.close = stub_close,
};

struct stub_disk *stub_disk_new(uint64_t size)
{
	struct stub_disk *stub = calloc(1, sizeof(*stub));

	assert_non_null(stub);
	stub->disk.ops = &stub_ops;
	stub->disk.name = "stub";
	stub->disk.size = size;
	stub->disk.block_size = 512;
	stub->disk.unit = 512;
	stub->disk.fd = -1;
	stub->fail_after = UINT32_MAX;
	stub->fail_with = -EIO;
	stub->data = calloc(1, size);
	assert_non_null(stub->data);
	atomic_store(&stub->users, 1);
	lock_init(&stub->lock, LOCK_RANK_LEAF, "stub disk");
	cond_init(&stub->opened);
	return stub;
}

void stub_disk_shut(struct stub_disk *stub, bool shut)
{
	lock_take(&stub->lock);
	stub->shut = shut;
	cond_broadcast(&stub->opened);
	lock_drop(&stub->lock);
}

void stub_disk_wait(struct stub_disk *stub, unsigned count)
{
	for (unsigned i = 0; atomic_load(&stub->running) < count; i++) {
		assert_true(i < RIG_WAIT_MS);
		(void)usleep(1000);
	}
}
