/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk with several queues, with limits, with rings of all sizes, and with a disk that grows; with
 * features left out: test_every_device.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/blk_words.h"
#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"

enum {
	SECTORS = 1024,
	QUEUES = 4,
	SLOTS = 80, /* requests of one queue; more than all that the device has, for QUEUES */
	SLOT = 0x800,
	STATUS = 0x20,
	PAYLOAD = 0x400,
	CONFIG_NUM_QUEUES = 34,
};

struct bench {
	struct dev_rig rig;
	struct stub_disk *stub;
};

static void open_bench(struct bench *b, struct virtio_blk_config config)
{
	rig_init(&b->rig);
	b->rig.ring_size = 256;
	b->stub = stub_disk_new(SECTORS * 512);
	for (unsigned i = 0; i < SECTORS; i++)
		memset(b->stub->data + i * 512, (int)(i % 251), 512);
	config.disk = &b->stub->disk;
	assert_int_equal(virtio_blk_create(&config, 0, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
}

static void close_bench(struct bench *b)
{
	assert_int_equal(atomic_load(&b->stub->outside), 0);
	rig_fini(&b->rig);
}

static uint8_t *slot(struct bench *b, unsigned queue, unsigned i)
{
	return rig_at(&b->rig, RIG_DATA + (uint64_t)(queue * SLOTS + i) * SLOT);
}

/* The buffers of request @i of @queue: one sector, or a range where it wants one. */
static void fill(struct bench *b, unsigned queue, unsigned i, uint32_t type, uint64_t sector,
		 struct dr_buf bufs[3])
{
	uint64_t at = RIG_DATA + (uint64_t)(queue * SLOTS + i) * SLOT;
	uint8_t *h = slot(b, queue, i);
	bool ranges = type == T_DISCARD || type == T_ZEROES;

	le32_store(h, type);
	le32_store(h + 4, 0);
	le64_store(h + 8, ranges ? 0 : sector);
	h[STATUS] = S_NONE;
	if (ranges) {
		le64_store(h + PAYLOAD, sector);
		le32_store(h + PAYLOAD + 8, 1);
		le32_store(h + PAYLOAD + 12, 0);
	}
	bufs[0] = (struct dr_buf){ at, 16, false };
	bufs[1] = (struct dr_buf){ at + PAYLOAD,
				   type == T_FLUSH    ? 0
				   : ranges	      ? 16
				   : type == T_GET_ID ? 20
						      : 512,
				   type == T_IN || type == T_GET_ID };
	bufs[2] = (struct dr_buf){ at + STATUS, 1, true };
}

static void offer(struct bench *b, unsigned queue, unsigned i, uint32_t type, uint64_t sector)
{
	struct dr_buf bufs[3];

	fill(b, queue, i, type, sector, bufs);
	rig_offer(&b->rig, queue, (uint16_t)(3 * i), bufs, 3);
}

/* Takes what comes back to @queue: requests 0 to count - 1, each once, and well. */
static void take_all(struct bench *b, unsigned queue, unsigned count)
{
	bool seen[SLOTS] = { false };

	for (unsigned n = 0; n < count; n++) {
		uint32_t id;

		rig_used(&b->rig, queue, &id, NULL);
		assert_int_equal(id % 3, 0);
		assert_true(id / 3 < count && !seen[id / 3]);
		seen[id / 3] = true;
		assert_int_equal(slot(b, queue, id / 3)[STATUS], S_OK);
	}
}

static uint8_t one(struct bench *b, uint32_t type, uint64_t sector)
{
	offer(b, 0, 0, type, sector);
	rig_used(&b->rig, 0, NULL, NULL);
	return slot(b, 0, 0)[STATUS];
}

static unsigned told_queues(struct bench *b)
{
	uint8_t config[2];

	virtio_config_read(b->rig.dev, CONFIG_NUM_QUEUES, config, 2);
	return le16_load(config);
}

static void queues_are_told(void **state)
{
	static const unsigned counts[] = { 0, 1, 2, 8, VIRTIO_MAX_QUEUES };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned n = counts[i] ? counts[i] : 1;
		struct bench b;

		open_bench(&b, (struct virtio_blk_config){ .threads = 1, .queues = counts[i] });
		assert_int_equal(b.rig.dev->queue_count, n);
		assert_int_equal(told_queues(&b), n);
		assert_int_equal((b.rig.dev->features & F_MQ) != 0, n > 1);
		close_bench(&b);
	}
}

/* More requests than the device has, in all queues: each comes back to its own, and none starves. */
static void all_queues(void **state)
{
	(void)state;
	for (unsigned nowait = 0; nowait < 2; nowait++) {
		struct bench b;

		open_bench(&b, (struct virtio_blk_config){ .threads = 3, .queues = QUEUES });
		b.stub->nowait = nowait;
		rig_start(&b.rig, F_FLUSH | F_MQ | (nowait ? VIRTIO_F_EVENT_IDX : 0), QUEUES);
		stub_disk_shut(b.stub, !nowait);
		for (unsigned i = 0; i < SLOTS; i++)
			for (unsigned q = 0; q < QUEUES; q++)
				offer(&b, q, i, T_IN, q * SLOTS + i);
		rig_settle(&b.rig);
		stub_disk_shut(b.stub, false);
		for (unsigned q = 0; q < QUEUES; q++)
			take_all(&b, q, SLOTS);
		for (unsigned q = 0; q < QUEUES; q++)
			for (unsigned i = 0; i < SLOTS; i++)
				assert_int_equal(slot(&b, q, i)[PAYLOAD], (q * SLOTS + i) % 251);
		close_bench(&b);
	}
}

/* Without MQ the driver knows of the first queue only. */
static void driver_without_mq(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, (struct virtio_blk_config){ .threads = 1, .queues = QUEUES });
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < SLOTS; i++)
		offer(&b, 0, i, T_OUT, i);
	take_all(&b, 0, SLOTS);
	virtio_kick(b.rig.dev, QUEUES - 1);
	rig_settle(&b.rig);
	assert_false(rig_broken(&b.rig));
	close_bench(&b);
}

static void reset_with_all_queues(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, (struct virtio_blk_config){ .threads = 2, .queues = QUEUES });
	for (unsigned round = 0; round < 8; round++) {
		rig_start(&b.rig, F_FLUSH | F_MQ, QUEUES);
		for (unsigned q = 0; q < QUEUES; q++)
			for (unsigned i = 0; i < SLOTS; i++)
				offer(&b, q, i, i % 3 ? T_IN : T_OUT, i);
		for (unsigned i = 0; i < round; i++)
			(void)loop_turn(b.rig.loop, 0);
		rig_reset(&b.rig);
		memset(rig_at(&b.rig, 0), 0x44, RIG_RAM);
		rig_settle(&b.rig);
		for (uint64_t i = 0; i < RIG_RAM; i++)
			if (*rig_at(&b.rig, i) != 0x44)
				fail_msg("byte %llx written after reset", (unsigned long long)i);
	}
	rig_start(&b.rig, F_FLUSH | F_MQ, QUEUES);
	for (unsigned q = 0; q < QUEUES; q++) {
		for (unsigned i = 0; i < SLOTS; i++)
			offer(&b, q, i, T_IN, i);
		take_all(&b, q, SLOTS);
	}
	close_bench(&b);
}

/* Limits. */

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Turns the loop until @count requests of queue 0 are done: how often it woke. */
static unsigned turns_until(struct bench *b, unsigned count)
{
	uint64_t end = now_ms() + RIG_WAIT_MS;
	unsigned turns = 0;

	while (dr_used_idx(&b->rig.ring[0]) < count) {
		int ready = loop_turn(b->rig.loop, 1000);

		assert_true(ready >= 0 && now_ms() < end);
		turns += ready > 0;
	}
	return turns;
}

/* Twenty requests take their time, and the loop sleeps meanwhile. */
static void limited(struct virtio_blk_config config, uint32_t type)
{
	uint64_t start = now_ms();
	struct bench b;
	unsigned turns;

	config.threads = 1;
	open_bench(&b, config);
	b.stub->nowait = true;
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 20; i++)
		offer(&b, 0, i, type, i);
	turns = turns_until(&b, 20);
	/* 50 a second: a tenth of them at once, and one more */
	assert_true(now_ms() - start >= 270);
	assert_in_range(turns, 1, 60);
	take_all(&b, 0, 20);
	close_bench(&b);
}

static void iops(void **state)
{
	(void)state;
	limited((struct virtio_blk_config){ .requests_per_second = 50 }, T_IN);
	limited((struct virtio_blk_config){ .requests_per_second = 50,
					    .bytes_per_second = UINT64_MAX },
		T_GET_ID);
}

static void bytes_per_second(void **state)
{
	struct bench b;

	(void)state;
	limited((struct virtio_blk_config){ .bytes_per_second = 50 * 512 }, T_OUT);
	/* What moves no bytes passes: at a second each, turns_until would lose patience. */
	open_bench(&b, (struct virtio_blk_config){ .threads = 1, .bytes_per_second = 1 });
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 75; i++)
		offer(&b, 0, i, T_FLUSH, 0);
	(void)turns_until(&b, 75);
	close_bench(&b);
}

/* Who is held back is forgotten by a reset and does not come back; what passed before still counts. */
static void reset_while_held_back(void **state)
{
	uint64_t start;
	struct bench b;

	(void)state;
	open_bench(&b, (struct virtio_blk_config){ .requests_per_second = 5 });
	rig_start(&b.rig, F_FLUSH, 1);
	start = now_ms();
	for (unsigned i = 0; i < 60; i++) /* twelve seconds: a slow machine has not done them all */
		offer(&b, 0, i, T_IN, i);
	rig_settle(&b.rig);
	assert_in_range(dr_used_idx(&b.rig.ring[0]), 1, 59);
	rig_reset(&b.rig);
	assert_int_equal(loop_turn(b.rig.loop, 400), 0);
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 3; i++)
		offer(&b, 0, i, T_IN, i + 100);
	take_all(&b, 0, 3);
	assert_int_equal(slot(&b, 0, 2)[PAYLOAD], 102);
	assert_true(now_ms() - start >= 500);
	close_bench(&b);
}

/* Rings of each size that the device takes, wrapped many times. */
static void ring_sizes(void **state)
{
	(void)state;
	for (unsigned size = 1; size <= 256; size *= 2) {
		struct bench b;

		open_bench(&b, (struct virtio_blk_config){ .threads = 1 });
		assert_int_equal(virtio_queue_num_max(b.rig.dev, 0), 256);
		b.rig.ring_size = size;
		rig_start(&b.rig, F_FLUSH | VIRTIO_F_INDIRECT_DESC, 1);
		for (unsigned i = 0; i < 3 * size + 5; i++) {
			struct dr_buf bufs[3];
			uint32_t id;

			/* A ring of one entry has room for indirect chains only. */
			fill(&b, 0, 0, i % 4 ? T_IN : T_OUT, i, bufs);
			if (size < 4 || i % 2) {
				dr_offer(&b.rig.ring[0],
					 dr_indirect(&b.rig.ring[0], (uint16_t)(i % size),
						     gpa(RIG_DATA + 0x300), bufs, 3));
				virtio_kick(b.rig.dev, 0);
			} else {
				rig_offer(&b.rig, 0, (uint16_t)(i % (size - 2)), bufs, 3);
			}
			rig_used(&b.rig, 0, &id, NULL);
			assert_int_equal(slot(&b, 0, 0)[STATUS], S_OK);
		}
		assert_false(rig_broken(&b.rig));
		close_bench(&b);
	}
}

/* A disk that grows. */

static uint64_t told_capacity(struct bench *b)
{
	uint8_t config[8];

	virtio_config_read(b->rig.dev, 0, config, 8);
	return le64_load(config);
}

static void growing(void **state)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);
	struct virtio_blk_config config = { .threads = 1 };
	uint32_t generation;
	struct bench b;

	(void)state;
	assert_int_equal(ftruncate(fd, 64 * 512), 0);
	assert_int_equal(disk_open_raw(dup(fd), "grow.img", false, false, &config.disk), 0);
	rig_init(&b.rig);
	b.rig.ring_size = 256;
	assert_int_equal(virtio_blk_create(&config, 0, b.rig.mem, b.rig.loop, &b.rig.dev), 0);
	rig_start(&b.rig, F_FLUSH, 1);
	assert_int_equal(told_capacity(&b), 64);
	assert_int_equal(one(&b, T_OUT, 64), S_IOERR);

	assert_int_equal(virtio_blk_resize(b.rig.dev, 63 * 512), -ERANGE);
	assert_int_equal(virtio_blk_resize(b.rig.dev, 64 * 512 + 1), -EINVAL);
	assert_int_equal(virtio_blk_resize(b.rig.dev, UINT64_MAX - 511), -EFBIG);
	assert_int_equal(told_capacity(&b), 64);
	assert_int_equal(virtio_isr_read(b.rig.dev) & VIRTIO_ISR_CONFIG, 0);

	generation = b.rig.dev->config_generation;
	assert_int_equal(virtio_blk_resize(b.rig.dev, 100 * 512), 0);
	assert_int_equal(told_capacity(&b), 100);
	assert_int_equal(virtio_blk_size(b.rig.dev), 100 * 512);
	assert_true(virtio_isr_read(b.rig.dev) & VIRTIO_ISR_CONFIG);
	assert_true(b.rig.dev->config_generation != generation);
	assert_int_equal(lseek(fd, 0, SEEK_END), 100 * 512);
	memset(slot(&b, 0, 0) + PAYLOAD, 0x6b, 512);
	assert_int_equal(one(&b, T_OUT, 99), S_OK);
	assert_int_equal(one(&b, T_IN, 64), S_OK);
	assert_int_equal(slot(&b, 0, 0)[PAYLOAD], 0);
	assert_int_equal(one(&b, T_IN, 100), S_IOERR);

	/* Somebody else made the file longer: what lies there stays. */
	assert_int_equal(ftruncate(fd, 200 * 512), 0);
	assert_int_equal(pwrite(fd, "kept", 4, 199 * 512), 4);
	assert_int_equal(virtio_blk_resize(b.rig.dev, 150 * 512), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 200 * 512);
	assert_int_equal(virtio_blk_resize(b.rig.dev, 200 * 512), 0);
	assert_int_equal(one(&b, T_IN, 199), S_OK);
	assert_memory_equal(slot(&b, 0, 0) + PAYLOAD, "kept", 4);
	rig_fini(&b.rig);
	(void)close(fd);
}

static void what_cannot_grow(void **state)
{
	struct virtio_blk_config config = { .threads = 0 };
	int fd = memfd_create("disk", MFD_CLOEXEC);
	char path[64];
	struct bench b;
	int ro;

	(void)state;
	open_bench(&b, config);
	assert_int_equal(virtio_blk_resize(b.rig.dev, 4096 * 512), -EOPNOTSUPP);
	close_bench(&b);

	/* A file that is only read may be seen longer when others made it so. */
	assert_int_equal(ftruncate(fd, 64 * 512), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(ro >= 0);
	assert_int_equal(disk_open_raw(ro, "ro.img", true, false, &config.disk), 0);
	rig_init(&b.rig);
	assert_int_equal(virtio_blk_create(&config, 0, b.rig.mem, b.rig.loop, &b.rig.dev), 0);
	assert_int_equal(virtio_blk_resize(b.rig.dev, 65 * 512), -EROFS);
	assert_int_equal(ftruncate(fd, 65 * 512), 0);
	assert_int_equal(virtio_blk_resize(b.rig.dev, 65 * 512), 0);
	assert_int_equal(told_capacity(&b), 65);
	rig_fini(&b.rig);

	rig_init(&b.rig);
	assert_int_equal(virtio_rng_create(b.rig.mem, b.rig.loop, &b.rig.dev), 0);
	assert_int_equal(virtio_blk_resize(b.rig.dev, 65 * 512), -EOPNOTSUPP);
	assert_int_equal(virtio_blk_size(b.rig.dev), 0);
	rig_fini(&b.rig);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_are_told),
		cmocka_unit_test(all_queues),
		cmocka_unit_test(driver_without_mq),
		cmocka_unit_test(reset_with_all_queues),
		cmocka_unit_test(iops),
		cmocka_unit_test(bytes_per_second),
		cmocka_unit_test(reset_while_held_back),
		cmocka_unit_test(ring_sizes),
		cmocka_unit_test(growing),
		cmocka_unit_test(what_cannot_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
