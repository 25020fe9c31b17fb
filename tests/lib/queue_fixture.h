/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest memory with every kind of neighbour, and one enabled virtqueue in it, for tests of the
 * queue: used as the cmocka setup and teardown of each test, with the fixture in *state.
 */
#ifndef TESTS_LIB_QUEUE_FIXTURE_H
#define TESTS_LIB_QUEUE_FIXTURE_H

#include "tests/lib/driver_ring.h"

/* The memory map of the fixture. LOW and HIGH touch; then nothing; ROM; nothing; a hole; BIG. */
enum {
	QF_LOW = 0x0,
	QF_SEAM = 0x100000, /* end of LOW, start of HIGH */
	QF_END = 0x200000,  /* end of HIGH: nothing behind it */
	QF_ROM = 0x300000,
	QF_ROM_SIZE = 0x10000,
	QF_HOLE = 0x400000,
	QF_HOLE_SIZE = 0x1000,
	QF_BIG = 0x2000000,
	QF_BIG_SIZE = 0x2000000, /* 32 MiB: 128 of these are 2^32 bytes */

	QF_RING = 0x10000,
	QF_TABLE = 0x40000,  /* for an indirect table */
	QF_BUFFER = 0x80000, /* for buffers, up to the seam and beyond */
	QF_NUM = 16,	     /* entries of the queue; offered: QF_NUM_MAX */
	QF_NUM_MAX = 256,
};

struct queue_fixture {
	struct guest_mem *mem;
	struct driver_ring ring;
	struct virtqueue vq;
	struct vq_chain chain;
};

/* With QF_NUM entries, indirect descriptors, and without the event index. */
int queue_fixture_setup(void **state);
int queue_fixture_teardown(void **state);

/* Resets queue and ring, and enables the queue anew with @num entries and these features. */
void queue_fixture_restart(struct queue_fixture *f, uint16_t num, bool event_idx, bool indirect);

/* Offers one chain of these buffers at descriptor 0 and pops it; the answer of vq_pop. */
int queue_fixture_pop(struct queue_fixture *f, const struct dr_buf *bufs, unsigned count);

/* Fails unless each segment of the chain lies in guest RAM and the sums are right. */
void queue_fixture_check_chain(const struct queue_fixture *f, const struct vq_chain *chain);

/* The queue refuses what is offered with the words @why, then gives nothing until it is reset. */
void queue_fixture_refuses(struct queue_fixture *f, const char *why);

#endif /* TESTS_LIB_QUEUE_FIXTURE_H */
