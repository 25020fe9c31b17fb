/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any virtio device on a bench with its driver, its back-end and one request of each kind, so that what
 * every device has to stand is tested for all of them by one program (tests/unit/test_every_device.c):
 * features left out, rings of all sizes, resets in flight, a loop that rests. A new device gets all that
 * by a struct bench_kind and its row in that program's table.
 *
 * The test thread is driver, loop and back-end. Failures fail the running cmocka test.
 */
#ifndef TESTS_LIB_BENCH_H
#define TESTS_LIB_BENCH_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/dev_rig.h"

struct bench;

/* A feature that means nothing, or may not be taken, without others. */
struct bench_need {
	uint64_t bit, needs;
};

struct bench_kind {
	const char *name;
	/* Makes the device and its rig, and sets b->rig; not started. */
	void (*open)(struct bench *b);
	/* After the test: frees all of it. */
	void (*close)(struct bench *b);
	/* How many queues a driver with @features sets up. */
	unsigned (*queues)(uint64_t features);
	/*
	 * One request of each kind that b->rig->features allow, by bench_do and bench_await, each answer
	 * judged. Called several times after a start (b->fresh: the first), and after one that a reset has cut
	 * anywhere.
	 */
	void (*drive)(struct bench *b);
	/* Another thread or process serves the rings: does so, for a chain just offered. NULL: the device. */
	void (*serve)(struct bench *b, unsigned queue);
	struct bench_need needs[12]; /* up to one whose bit is 0 */
};

struct bench {
	const struct bench_kind *kind;
	struct dev_rig *rig;
	void *priv; /* the kind's own */
	bool fresh; /* nothing was driven since the start */

	/* Of the test's driver, for all that is driven from now on. */
	bool rests;	/* the loop rests for a moment while a request is there */
	int cut_at;	/* the request (from 0 on) in whose flight the driver resets; -1: none */
	unsigned turns; /* of the loop before it rests, or before the driver resets */
	unsigned steps; /* requests so far */
	jmp_buf cut;	/* where that goes on */
};

void bench_open(struct bench *b, const struct bench_kind *kind);
void bench_close(struct bench *b);

/* From reset to a driver with @features and VERSION_1, and rings of b->rig->ring_size entries. */
void bench_start(struct bench *b, uint64_t features);

/* kind->drive, and the device is well after it. */
void bench_drive(struct bench *b);

/* @features without @bit and all that needs it. */
uint64_t bench_without(const struct bench_kind *kind, uint64_t features, uint64_t bit);

/* @bit with all that it needs. */
uint64_t bench_alone(const struct bench_kind *kind, uint64_t bit);

/*
 * Offers a chain in queue @queue, in descriptor @first or from there on: as an indirect table where that was
 * agreed on and there are several buffers.
 */
void bench_offer(struct bench *b, unsigned queue, uint16_t first, const struct dr_buf *bufs,
		 unsigned count);

/* Waits for the next used entry of @queue. */
void bench_await(struct bench *b, unsigned queue, uint32_t *id, uint32_t *len);

/* Both, with descriptor 0: the used length. */
uint32_t bench_do(struct bench *b, unsigned queue, const struct dr_buf *bufs, unsigned count);

/* The kinds there are. bench_net wants an ioctl() of the test's. */
extern const struct bench_kind bench_blk, bench_blk_ro, bench_net, bench_rng, bench_console,
	bench_vsock, bench_balloon, bench_pmem, bench_fs;

#endif
