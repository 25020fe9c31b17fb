/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a split virtqueue and of the status machine, for tests.
 */
#include "tests/lib/driver_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/le.h"

enum {
	DESC_SIZE = 16,
	RING_HEAD = 4,
	USED_ENTRY = 8,
	PAGE = 4096,
};

void dr_store(struct guest_mem *mem, gpa_t to, const void *from, size_t len)
{
	assert_int_equal(mem_write(mem, to, from, len), 0);
}

void dr_load(struct guest_mem *mem, gpa_t from, void *to, size_t len)
{
	assert_int_equal(mem_read(mem, from, to, len), 0);
}

static void store16(const struct driver_ring *ring, gpa_t to, uint16_t value)
{
	assert_int_equal(mem_store16(ring->mem, to, value), 0);
}

static uint16_t load16(const struct driver_ring *ring, gpa_t from)
{
	uint16_t value;

	assert_int_equal(mem_load16(ring->mem, from, &value), 0);
	return value;
}

static uint64_t avail_offset(uint16_t num)
{
	return (uint64_t)DESC_SIZE * num;
}

static uint64_t used_offset(uint16_t num)
{
	return u64_align_down(avail_offset(num) + RING_HEAD + 2 * ((uint64_t)num + 1) + 3, 4);
}

uint64_t dr_bytes(uint16_t num)
{
	uint64_t end = used_offset(num) + RING_HEAD + (uint64_t)USED_ENTRY * num + 2;

	return u64_align_down(end + PAGE - 1, PAGE);
}

void dr_init(struct driver_ring *ring, struct guest_mem *mem, gpa_t base, uint16_t num)
{
	*ring = (struct driver_ring){
		.mem = mem,
		.desc = base,
		.avail = gpa_add(base, avail_offset(num)),
		.used = gpa_add(base, used_offset(num)),
		.num = num,
	};
	assert_int_equal(mem_fill(mem, base, 0, (size_t)dr_bytes(num)), 0);
}

gpa_t dr_desc_at(gpa_t table, uint32_t index)
{
	return gpa_add(table, (uint64_t)index * DESC_SIZE);
}

void dr_write_desc(struct guest_mem *mem, gpa_t table, uint32_t index, uint64_t addr, uint32_t len,
		   uint16_t flags, uint16_t next)
{
	uint8_t raw[DESC_SIZE];

	le64_store(raw, addr);
	le32_store(raw + 8, len);
	le16_store(raw + 12, flags);
	le16_store(raw + 14, next);
	dr_store(mem, dr_desc_at(table, index), raw, sizeof(raw));
}

void dr_desc(struct driver_ring *ring, uint32_t index, uint64_t addr, uint32_t len, uint16_t flags,
	     uint16_t next)
{
	dr_write_desc(ring->mem, ring->desc, index, addr, len, flags, next);
}

static void write_chain(struct guest_mem *mem, gpa_t table, uint16_t first,
			const struct dr_buf *bufs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		dr_write_desc(mem, table, first + i, bufs[i].addr, bufs[i].len,
			      (uint16_t)((bufs[i].write ? DR_WRITE : 0) |
					 (i + 1 < count ? DR_NEXT : 0)),
			      (uint16_t)(i + 1 < count ? first + i + 1 : 0));
}

uint16_t dr_chain(struct driver_ring *ring, uint16_t first, const struct dr_buf *bufs,
		  unsigned count)
{
	write_chain(ring->mem, ring->desc, first, bufs, count);
	return first;
}

uint16_t dr_indirect(struct driver_ring *ring, uint16_t index, gpa_t table,
		     const struct dr_buf *bufs, unsigned count)
{
	write_chain(ring->mem, table, 0, bufs, count);
	dr_desc(ring, index, table.v, count * DESC_SIZE, DR_INDIRECT, 0);
	return index;
}

void dr_offer(struct driver_ring *ring, uint16_t head)
{
	uint64_t slot = ring->avail_idx % ring->num;

	store16(ring, gpa_add(ring->avail, RING_HEAD + 2 * slot), head);
	dr_set_avail_idx(ring, (uint16_t)(ring->avail_idx + 1));
}

void dr_set_avail_idx(struct driver_ring *ring, uint16_t idx)
{
	ring->avail_idx = idx;
	store16(ring, gpa_add(ring->avail, 2), idx);
}

void dr_set_avail_flags(struct driver_ring *ring, uint16_t flags)
{
	store16(ring, ring->avail, flags);
}

void dr_set_used_event(struct driver_ring *ring, uint16_t event)
{
	store16(ring, gpa_add(ring->avail, RING_HEAD + 2 * (uint64_t)ring->num), event);
}

uint16_t dr_used_idx(const struct driver_ring *ring)
{
	return load16(ring, gpa_add(ring->used, 2));
}

uint16_t dr_used_flags(const struct driver_ring *ring)
{
	return load16(ring, ring->used);
}

uint16_t dr_avail_event(const struct driver_ring *ring)
{
	return load16(ring, gpa_add(ring->used, RING_HEAD + USED_ENTRY * (uint64_t)ring->num));
}

bool dr_take_used(struct driver_ring *ring, uint32_t *id, uint32_t *len)
{
	uint64_t slot = ring->used_idx % ring->num;
	uint8_t entry[USED_ENTRY];

	if (dr_used_idx(ring) == ring->used_idx)
		return false;
	dr_load(ring->mem, gpa_add(ring->used, RING_HEAD + USED_ENTRY * slot), entry,
		sizeof(entry));
	if (id)
		*id = le32_load(entry);
	if (len)
		*len = le32_load(entry + 4);
	ring->used_idx++;
	return true;
}

void dr_set_queue(const struct driver_ring *ring, struct virtqueue *vq)
{
	vq->num = ring->num;
	vq->desc = ring->desc;
	vq->avail = ring->avail;
	vq->used = ring->used;
}

bool dr_same_queue(const struct virtqueue *a, const struct virtqueue *b)
{
	return a->num == b->num && a->desc.v == b->desc.v && a->avail.v == b->avail.v &&
	       a->used.v == b->used.v && a->ready == b->ready && a->broken == b->broken &&
	       a->event_idx == b->event_idx && a->indirect == b->indirect &&
	       a->avail_idx == b->avail_idx && a->next_avail == b->next_avail &&
	       a->next_used == b->next_used && a->signalled == b->signalled &&
	       a->in_flight == b->in_flight;
}

bool dr_negotiate(struct virtio_dev *dev, uint64_t features)
{
	uint32_t status = VIRTIO_S_ACKNOWLEDGE;

	virtio_set_status(dev, 0);
	(void)virtio_dev_settle(dev, -1);
	virtio_set_status(dev, status);
	status |= VIRTIO_S_DRIVER;
	virtio_set_status(dev, status);
	virtio_set_driver_features(dev, 0, (uint32_t)features);
	virtio_set_driver_features(dev, 1, (uint32_t)(features >> 32));
	virtio_set_status(dev, status | VIRTIO_S_FEATURES_OK);
	return virtio_status(dev) & VIRTIO_S_FEATURES_OK;
}

bool dr_setup_queue(struct virtio_dev *dev, unsigned index, const struct driver_ring *ring)
{
	virtio_queue_set(dev, index, VIRTIO_Q_NUM, ring->num);
	virtio_queue_set(dev, index, VIRTIO_Q_DESC_LOW, (uint32_t)ring->desc.v);
	virtio_queue_set(dev, index, VIRTIO_Q_DESC_HIGH, (uint32_t)(ring->desc.v >> 32));
	virtio_queue_set(dev, index, VIRTIO_Q_AVAIL_LOW, (uint32_t)ring->avail.v);
	virtio_queue_set(dev, index, VIRTIO_Q_AVAIL_HIGH, (uint32_t)(ring->avail.v >> 32));
	virtio_queue_set(dev, index, VIRTIO_Q_USED_LOW, (uint32_t)ring->used.v);
	virtio_queue_set(dev, index, VIRTIO_Q_USED_HIGH, (uint32_t)(ring->used.v >> 32));
	virtio_queue_set_ready(dev, index, 1);
	return virtio_queue_ready(dev, index);
}

bool dr_driver_ok(struct virtio_dev *dev)
{
	virtio_set_status(dev, virtio_status(dev) | VIRTIO_S_DRIVER_OK);
	return (virtio_status(dev) & (VIRTIO_S_DRIVER_OK | VIRTIO_S_NEEDS_RESET)) ==
	       VIRTIO_S_DRIVER_OK;
}

static void count_pulse(struct irq_line *line)
{
	struct count_irq *irq = (struct count_irq *)line;

	atomic_fetch_add(&irq->pulses, 1);
}

static void count_set(struct irq_line *line, bool level)
{
	(void)line;
	(void)level;
}

void count_irq_init(struct count_irq *irq)
{
	*irq = (struct count_irq){
		.line = { .set = count_set, .pulse = count_pulse, .eventfd = -1 },
	};
}
