/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a split virtqueue, for tests: honest when used as meant, and able to write
 * anything anywhere for a hostile driver. Also the steps by which a driver brings up a device, and
 * an interrupt line that counts.
 *
 * Single thread, except the counting line. Failures of guest memory fail the running cmocka test.
 */
#ifndef TESTS_LIB_DRIVER_RING_H
#define TESTS_LIB_DRIVER_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "hw/irq.h"
#include "mm/memory.h"
#include "virtio/device.h"
#include "virtio/queue.h"

/* Flags of descriptors and rings (virtio 1.3, 2.7.5, 2.7.6, 2.7.8). */
enum {
	DR_NEXT = 1,
	DR_WRITE = 2,
	DR_INDIRECT = 4,
	DR_NO_INTERRUPT = 1,
	DR_NO_NOTIFY = 1,
};

struct driver_ring {
	struct guest_mem *mem;
	gpa_t desc;
	gpa_t avail;
	gpa_t used;
	uint16_t num;
	uint16_t avail_idx; /* entries offered so far */
	uint16_t used_idx;  /* entries taken back so far */
};

/* One buffer of a chain: @len bytes at @addr, that the device writes if @write. */
struct dr_buf {
	uint64_t addr;
	uint32_t len;
	bool write;
};

/* Bytes that a ring of @num entries takes, a multiple of 4096. */
uint64_t dr_bytes(uint16_t num);

/* Lays out a zeroed ring of @num entries at @base, which is a multiple of 16. */
void dr_init(struct driver_ring *ring, struct guest_mem *mem, gpa_t base, uint16_t num);

/* Where descriptor @index of a table at @table lies, and writes it: any values. */
gpa_t dr_desc_at(gpa_t table, uint32_t index);
void dr_write_desc(struct guest_mem *mem, gpa_t table, uint32_t index, uint64_t addr, uint32_t len,
		   uint16_t flags, uint16_t next);

/* Descriptor @index of the ring's own table: any values. */
void dr_desc(struct driver_ring *ring, uint32_t index, uint64_t addr, uint32_t len, uint16_t flags,
	     uint16_t next);

/* A chain of @count buffers in descriptors @first, @first + 1, ... ; returns @first. */
uint16_t dr_chain(struct driver_ring *ring, uint16_t first, const struct dr_buf *bufs,
		  unsigned count);

/* The same as an indirect table at @table, named by descriptor @index; returns @index. */
uint16_t dr_indirect(struct driver_ring *ring, uint16_t index, gpa_t table,
		     const struct dr_buf *bufs, unsigned count);

/* Offers the chain at @head: any value. */
void dr_offer(struct driver_ring *ring, uint16_t head);

/* Sets the available index, flags, or used_event, to any value. */
void dr_set_avail_idx(struct driver_ring *ring, uint16_t idx);
void dr_set_avail_flags(struct driver_ring *ring, uint16_t flags);
void dr_set_used_event(struct driver_ring *ring, uint16_t event);

/* What the device last stored. */
uint16_t dr_used_idx(const struct driver_ring *ring);
uint16_t dr_used_flags(const struct driver_ring *ring);
uint16_t dr_avail_event(const struct driver_ring *ring);

/* Takes back the next used entry; false if there is none. @id and @len may be NULL. */
bool dr_take_used(struct driver_ring *ring, uint32_t *id, uint32_t *len);

/* Small words of guest memory. */
void dr_store(struct guest_mem *mem, gpa_t to, const void *from, size_t len);
void dr_load(struct guest_mem *mem, gpa_t from, void *to, size_t len);

/* Hands the ring's addresses and size to @vq, as a transport would, without enabling it. */
void dr_set_queue(const struct driver_ring *ring, struct virtqueue *vq);

/* Whether two states of a queue are the same: set-up, indices and what is in flight. */
bool dr_same_queue(const struct virtqueue *a, const struct virtqueue *b);

/* Brings @dev from reset to FEATURES_OK with exactly @features; true if the device agrees. */
bool dr_negotiate(struct virtio_dev *dev, uint64_t features);

/* Sets up queue @index of @dev (which is at FEATURES_OK) with @ring; true if it is ready then. */
bool dr_setup_queue(struct virtio_dev *dev, unsigned index, const struct driver_ring *ring);

/* DRIVER_OK; true if the device is live then. */
bool dr_driver_ok(struct virtio_dev *dev);

/* An interrupt line that counts its pulses. */
struct count_irq {
	struct irq_line line; /* first: the line is cast back */
	atomic_uint pulses;
};

void count_irq_init(struct count_irq *irq);

#endif /* TESTS_LIB_DRIVER_RING_H */
