/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the split virtqueue: the input is a driver that writes what it likes into rings, tables and
 * memory, and a device that takes and returns chains in any order. What must hold is checked after
 * each step; a breach aborts.
 *
 * Input: a byte that gives the queue's size (1 << n), one of features, then steps: an operation and its
 * operands, at most MAX_STEPS.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/le.h"
#include "mm/memory.h"
#include "virtio/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	LOW_SIZE = 0x4000, /* RAM from 0; then more RAM, of another region */
	RAM_SIZE = 0x8000,
	ROM = 0x9000,
	HOLE = 0xa000,
	DESC = 0x0000, /* up to 64 descriptors: 1 KiB */
	AVAIL = 0x0400,
	USED = 0x0800,
	TABLE = 0x1000, /* up to 1024 entries in an indirect table, across the regions' seam */
	NUM_MAX = 64,
	MAX_STEPS = 4096,
};

enum op {
	OP_DESC,
	OP_TABLE,
	OP_POKE,
	OP_OFFER,
	OP_INDEX,
	OP_FLAGS,
	OP_POP,
	OP_UNPOP,
	OP_PUSH,
	OP_SIGNAL,
	OP_KICK_OFF,
	OP_KICK_ON,
	OP_RESTART,
	OP_LONG_TABLE,
	OP_GEOMETRY,
	OPS,
};

struct input {
	const uint8_t *data;
	size_t left;
};

struct run {
	struct guest_mem *mem;
	struct virtqueue vq;
	struct vq_chain chain;
	struct input in;
	uint16_t avail_idx;
	uint16_t pushed; /* entries that must stand in the used ring's index */
	uint64_t held;	 /* heads in flight, one bit each */
	bool event_idx;
	bool indirect;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static uint16_t word(struct input *in)
{
	uint16_t low = byte(in);

	return (uint16_t)(low | byte(in) << 8);
}

/* Addresses near every edge of the memory map. */
static uint64_t address(struct input *in)
{
	static const uint64_t base[] = {
		0,   TABLE,    LOW_SIZE - 4, LOW_SIZE + 0x100, RAM_SIZE - 4, RAM_SIZE,
		ROM, ROM - 16, HOLE,	     UINT64_MAX - 7,   0x100000000,  UINT64_C(1) << 63,
	};
	uint8_t which = byte(in);

	return base[which % (sizeof(base) / sizeof(base[0]))] + byte(in);
}

static uint32_t length(struct input *in)
{
	static const uint32_t lens[] = { 0,    1,      15,     16,	   17,	       512,
					 4096, 0x4000, 0x8000, 0x7fffffff, 0x80000000, UINT32_MAX };
	uint8_t which = byte(in);

	/* Small lengths are mostly indirect tables: multiples of 16. */
	if (which >= 128)
		return (which - 128U) * 16;
	return lens[which % (sizeof(lens) / sizeof(lens[0]))];
}

static void write_desc(struct run *run, uint64_t table, unsigned entries)
{
	uint8_t raw[16];
	unsigned index = byte(&run->in) % entries;

	le64_store(raw, address(&run->in));
	le32_store(raw + 8, length(&run->in));
	le16_store(raw + 12, byte(&run->in) & 0xf);
	le16_store(raw + 14, byte(&run->in));
	check(mem_write(run->mem, gpa(table + index * 16), raw, sizeof(raw)) == 0);
}

static void restart(struct run *run)
{
	uint16_t num = run->vq.num ? (uint16_t)run->vq.num : NUM_MAX;

	vq_reset(&run->vq);
	run->vq.num = num;
	run->vq.desc = gpa(DESC);
	run->vq.avail = gpa(AVAIL);
	run->vq.used = gpa(USED);
	check(vq_enable(&run->vq, run->event_idx, run->indirect) == 0);
	check(mem_fill(run->mem, gpa(AVAIL), 0, TABLE - AVAIL) == 0);
	run->avail_idx = 0;
	run->pushed = 0;
	run->held = 0;
}

/* A whole table of equal buffers, named by descriptor 0. */
static void long_table(struct run *run)
{
	unsigned entries = 1U + byte(&run->in) * 4U;
	uint8_t len = byte(&run->in) % 32, flags = byte(&run->in) & 2;
	uint8_t raw[16] = { 0 };

	le32_store(raw + 8, len);
	for (unsigned i = 0; i < entries; i++) {
		le16_store(raw + 12, (uint16_t)(flags | (i + 1 < entries ? 1 : 0)));
		le16_store(raw + 14, (uint16_t)(i + 1));
		check(mem_write(run->mem, gpa(TABLE + i * 16), raw, sizeof(raw)) == 0);
	}
	le64_store(raw, TABLE);
	le32_store(raw + 8, entries * 16);
	le16_store(raw + 12, 4);
	check(mem_write(run->mem, gpa(DESC), raw, sizeof(raw)) == 0);
}

/* A queue of any shape: enabled only if it is well formed and whole in RAM. */
static void geometry(struct run *run)
{
	struct virtqueue vq;

	vq_init(&vq, run->mem, NUM_MAX);
	vq.num = byte(&run->in) % 2 ? 1U << byte(&run->in) % 32 : length(&run->in);
	vq.desc = gpa(address(&run->in));
	vq.avail = gpa(address(&run->in));
	vq.used = gpa(address(&run->in));
	if (vq_enable(&vq, false, false)) {
		check(!vq.ready && vq.why);
		return;
	}
	check(vq.ready && vq.num > 0 && vq.num <= NUM_MAX && !(vq.num & (vq.num - 1)));
	check(vq.desc.v % 16 == 0 && vq.avail.v % 2 == 0 && vq.used.v % 4 == 0);
	check(vq.desc.v + vq.num * 16 <= RAM_SIZE && vq.avail.v + 6 + vq.num * 2 <= RAM_SIZE &&
	      vq.used.v + 6 + vq.num * 8 <= RAM_SIZE);
	check(vq_pop(&vq, &run->chain) <= 1);
}

static bool in_region(const struct run *run, const struct iovec *seg, bool write)
{
	size_t count;
	const struct mem_region *region = mem_regions(run->mem, &count);

	for (; count; count--, region++) {
		uintptr_t host = (uintptr_t)region->host, at = (uintptr_t)seg->iov_base;

		if (host && at >= host && at - host < region->size &&
		    seg->iov_len <= region->size - (at - host))
			return region->kind == MEM_RAM || !write;
	}
	return false;
}

static void check_chain(const struct run *run)
{
	const struct vq_chain *c = &run->chain;
	unsigned all = (unsigned)c->out_segs + c->in_segs;
	uint64_t len[2] = { 0, 0 };

	check(c->head < run->vq.num && !(run->held >> c->head & 1));
	check(all <= VQ_MAX_SEGS);
	for (unsigned i = 0; i < all; i++) {
		bool write = i >= c->out_segs;

		check(c->iov[i].iov_len > 0 && in_region(run, &c->iov[i], write));
		len[write] += c->iov[i].iov_len;
	}
	check(len[0] == c->out_len && len[1] == c->in_len);
	check(len[0] + len[1] <= UINT64_C(1) << 32);
}

static void pop(struct run *run)
{
	uint8_t buf[64];
	bool was_broken = run->vq.broken;
	int r = vq_pop(&run->vq, &run->chain);

	if (r != 1) {
		check(r == 0 || (r == -EPROTO && !was_broken && run->vq.broken && run->vq.why));
		return;
	}
	check(!was_broken);
	check_chain(run);
	run->held |= UINT64_C(1) << run->chain.head;
	check(vq_chain_read(&run->chain, 0, buf, sizeof(buf)) <= run->chain.out_len);
	check(vq_chain_write(&run->chain, run->chain.in_len / 2, buf, sizeof(buf)) <=
	      run->chain.in_len);
}

static void unpop(struct run *run)
{
	uint16_t before = run->vq.in_flight;

	vq_unpop(&run->vq);
	if (run->vq.in_flight != before) {
		check(run->held >> run->chain.head & 1);
		run->held &= ~(UINT64_C(1) << run->chain.head);
	}
}

static void push(struct run *run)
{
	uint16_t head = byte(&run->in) % 128, before = run->vq.in_flight;

	vq_push(&run->vq, head, word(&run->in));
	if (run->vq.in_flight == before)
		return;
	check(run->held >> head & 1);
	run->held &= ~(UINT64_C(1) << head);
	run->pushed++;
}

/* The device's own index is the device's; chains may have written over the rings, so look at vq. */
static void check_queue(const struct run *run)
{
	const struct virtqueue *vq = &run->vq;

	check(vq->in_flight == (uint16_t)__builtin_popcountll(run->held));
	check(vq->in_flight <= vq->num);
	check(vq->next_used == run->pushed);
	check((uint16_t)(vq->next_avail - vq->next_used) == vq->in_flight);
	check(vq->broken == (vq->why != NULL));
}

static void offer(struct run *run)
{
	uint16_t slot = (uint16_t)(run->avail_idx % run->vq.num);

	check(mem_store16(run->mem, gpa(AVAIL + 4 + 2 * (uint64_t)slot), byte(&run->in) % 72) == 0);
	check(mem_store16(run->mem, gpa(AVAIL + 2), ++run->avail_idx) == 0);
}

static void step(struct run *run)
{
	uint8_t value;

	switch ((enum op)(byte(&run->in) % OPS)) {
	case OP_DESC:
		write_desc(run, DESC, NUM_MAX);
		break;
	case OP_TABLE:
		write_desc(run, TABLE, 256);
		break;
	case OP_POKE:
		value = byte(&run->in);
		check(mem_write(run->mem, gpa(word(&run->in) % RAM_SIZE), &value, 1) == 0);
		break;
	case OP_OFFER:
		offer(run);
		break;
	case OP_INDEX:
		run->avail_idx = word(&run->in);
		check(mem_store16(run->mem, gpa(AVAIL + 2), run->avail_idx) == 0);
		break;
	case OP_FLAGS:
		check(mem_store16(run->mem, gpa(AVAIL), byte(&run->in)) == 0);
		break;
	case OP_POP:
		pop(run);
		break;
	case OP_UNPOP:
		unpop(run);
		break;
	case OP_PUSH:
		push(run);
		break;
	case OP_SIGNAL:
		check(!vq_should_signal(&run->vq) || !run->vq.broken);
		check(!vq_should_signal(&run->vq));
		break;
	case OP_KICK_OFF:
		vq_disable_kick(&run->vq);
		break;
	case OP_KICK_ON:
		check(!vq_enable_kick(&run->vq) || !run->vq.broken);
		break;
	case OP_RESTART:
		restart(run);
		break;
	case OP_LONG_TABLE:
		long_table(run);
		break;
	case OP_GEOMETRY:
	case OPS:
		geometry(run);
		break;
	}
	check_queue(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest_mem *mem;
	struct run run = { .in = { data, size } };
	uint8_t features;

	if (!mem) {
		check(mem_create(&mem) == 0);
		check(mem_add(mem, gpa(0), LOW_SIZE, MEM_RAM) == 0);
		check(mem_add(mem, gpa(LOW_SIZE), RAM_SIZE - LOW_SIZE, MEM_RAM) == 0);
		check(mem_add(mem, gpa(ROM), 0x1000, MEM_READONLY) == 0);
		check(mem_add(mem, gpa(HOLE), 0x1000, MEM_HOLE) == 0);
	}
	check(mem_fill(mem, gpa(0), 0, RAM_SIZE) == 0);
	run.mem = mem;
	vq_init(&run.vq, mem, NUM_MAX);
	run.vq.num = 1U << byte(&run.in) % 7;
	features = byte(&run.in);
	run.event_idx = features & 1;
	run.indirect = features & 2;
	restart(&run);
	for (unsigned i = 0; i < MAX_STEPS && run.in.left; i++)
		step(&run);
	return 0;
}
