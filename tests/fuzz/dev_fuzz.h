/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzz targets of virtio devices share: a small guest whose driver is the input.
 *
 * The input is a first byte of features and then steps. A step begins with a byte whose low two
 * bits say what it does:
 *	0  writes into guest memory: two bytes of address, one of length, then the bytes
 *	1  kicks queue (bits 2 and up, modulo their number), and lets the device work until nothing is to be done
 *	2  something of the device type
 *	3  resets the device and brings it up again
 * The rings lie at fixed places, so the input shapes every byte of them.
 */
#ifndef TESTS_FUZZ_DEV_FUZZ_H
#define TESTS_FUZZ_DEV_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/le.h"
#include "hw/loop.h"
#include "mm/memory.h"
#include "virtio/device.h"

enum {
	FUZZ_RAM = 0x10000,
	FUZZ_RING = 0x400, /* of queue i at i times this: descriptors, then the rings */
	FUZZ_AVAIL = 0x100,
	FUZZ_USED = 0x200,
	FUZZ_QUEUE = 16,   /* entries */
	FUZZ_TURNS = 5000, /* of the loop for one kick; more is a hang */
	FUZZ_KICKS = 64,   /* in one input */
};

struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* The next @len bytes, fewer at the end. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t *len)
{
	const uint8_t *at = in->at;

	if (*len > in->left)
		*len = in->left;
	in->at += *len;
	in->left -= *len;
	return at;
}

/* Broken expectations end the run, with or without sanitizers. */
static inline void fuzz_expect(bool fine)
{
	if (!fine)
		__builtin_trap();
}

struct fuzz_bench {
	struct guest_mem *mem;
	struct loop *loop;
	struct virtio_dev *dev;
};

static inline void fuzz_open(struct fuzz_bench *b)
{
	fuzz_expect(mem_create(&b->mem) == 0);
	fuzz_expect(mem_add(b->mem, gpa(0), FUZZ_RAM, MEM_RAM) == 0);
	fuzz_expect(loop_create(&b->loop) == 0);
}

static inline void fuzz_close(struct fuzz_bench *b)
{
	loop_destroy(b->loop);
	mem_destroy(b->mem);
}

static inline void fuzz_start(struct fuzz_bench *b, uint64_t features)
{
	struct virtio_dev *dev = b->dev;

	features = (features & dev->features) | VIRTIO_F_VERSION_1;
	virtio_set_status(dev, 0);
	virtio_set_status(dev, 1);
	virtio_set_status(dev, 3);
	virtio_set_driver_features(dev, 0, (uint32_t)features);
	virtio_set_driver_features(dev, 1, (uint32_t)(features >> 32));
	virtio_set_status(dev, 11);
	for (uint32_t q = 0; q < dev->queue_count; q++) {
		virtio_queue_set(dev, q, VIRTIO_Q_NUM, FUZZ_QUEUE);
		virtio_queue_set(dev, q, VIRTIO_Q_DESC_LOW, q * FUZZ_RING);
		virtio_queue_set(dev, q, VIRTIO_Q_AVAIL_LOW, q * FUZZ_RING + FUZZ_AVAIL);
		virtio_queue_set(dev, q, VIRTIO_Q_USED_LOW, q * FUZZ_RING + FUZZ_USED);
		virtio_queue_set_ready(dev, q, 1);
	}
	virtio_set_status(dev, 15);
	fuzz_expect(virtio_status(dev) & VIRTIO_S_DRIVER_OK);
}

static inline void fuzz_settle(struct fuzz_bench *b)
{
	for (unsigned turns = 0; loop_turn(b->loop, 0) > 0; turns++)
		fuzz_expect(turns < FUZZ_TURNS);
}

/* What step 2 does; may be NULL. */
typedef void (*fuzz_own_fn)(struct fuzz_bench *b, struct fuzz_input *in);

/* The steps, with a driver that takes @features as far as they are offered. */
static inline void fuzz_steps(struct fuzz_bench *b, const uint8_t *data, size_t size,
			      uint64_t features, fuzz_own_fn own)
{
	struct fuzz_input in = { data, size };
	unsigned kicks = 0;

	fuzz_start(b, features);
	while (in.left > 0 && kicks < FUZZ_KICKS) {
		uint8_t step = fuzz_byte(&in);
		const uint8_t *bytes;
		uint64_t addr;
		size_t len;

		switch (step & 3) {
		case 0:
			addr = fuzz_byte(&in);
			addr |= (uint64_t)fuzz_byte(&in) << 8;
			len = fuzz_byte(&in);
			bytes = fuzz_bytes(&in, &len); /* which may cut len: not in one call */
			(void)mem_write(b->mem, gpa(addr), bytes, len);
			break;
		case 1:
			kicks++;
			virtio_kick(b->dev, (step >> 2) % b->dev->queue_count);
			fuzz_settle(b);
			break;
		case 2:
			if (own)
				own(b, &in);
			break;
		default:
			fuzz_start(b, features);
			fuzz_settle(b);
			kicks++;
		}
	}
	fuzz_settle(b);
}

/* The steps behind a first byte, which chooses features. */
static inline void fuzz_run(struct fuzz_bench *b, const uint8_t *data, size_t size, fuzz_own_fn own)
{
	uint8_t first = size > 0 ? data[0] : 0;

	fuzz_steps(b, data + (size > 0), size - (size > 0),
		   (uint64_t)(first & 3) << 28 | (uint64_t)(first >> 2) << 9 | (first >> 2), own);
}

#endif /* TESTS_FUZZ_DEV_FUZZ_H */
