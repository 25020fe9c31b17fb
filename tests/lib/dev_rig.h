/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device on a bench, for tests: guest memory, a loop turned by hand, a driver, and a disk
 * whose timing and failures the test decides.
 *
 * The test thread is driver and loop at once, so nothing happens between two lines of a test but
 * what the device's own threads do. Failures fail the running cmocka test.
 */
#ifndef TESTS_LIB_DEV_RIG_H
#define TESTS_LIB_DEV_RIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "hw/loop.h"
#include "tests/lib/driver_ring.h"
#include "virtio/device.h"
#include "virtio/disk.h"

enum {
	RIG_RAM = 8 << 20,   /* bytes of RAM, at 0 */
	RIG_DATA = 1 << 20,  /* from here on nothing of the rig's lies in it */
	RIG_QUEUES = 8,	     /* at most */
	RIG_WAIT_MS = 60000, /* before a test gives up */
};

struct dev_rig {
	struct guest_mem *mem;
	struct loop *loop;
	struct virtio_dev *dev; /* set by the test with the line below, freed by rig_fini */
	struct count_irq irq;
	struct driver_ring ring[RIG_QUEUES];
	uint64_t features;  /* negotiated */
	unsigned pulses;    /* seen by rig_used */
	unsigned ring_size; /* of each queue; the test may change it before rig_start */
};

void rig_init(struct dev_rig *rig);
void rig_fini(struct dev_rig *rig);

/* From reset to DRIVER_OK with @features and VERSION_1, and @queues fresh rings. */
void rig_start(struct dev_rig *rig, uint64_t features, unsigned queues);

/* Turns the loop until nothing is ready. */
void rig_settle(struct dev_rig *rig);

/* The same, and until the device is busy with nothing. */
void rig_await(struct dev_rig *rig);

/*
 * Offers the chain of @count buffers in descriptors from @first on, in queue @queue, and rings the
 * doorbell if the device wants it.
 */
void rig_offer(struct dev_rig *rig, unsigned queue, uint16_t first, const struct dr_buf *bufs,
	       unsigned count);

/* The same for a chain that lies in the ring already, at @head. */
void rig_offer_head(struct dev_rig *rig, unsigned queue, uint16_t head);

/*
 * Turns the loop until the next used entry of @queue. A driver sleeps until an interrupt: one that
 * is owed and does not come fails the test.
 */
void rig_used(struct dev_rig *rig, unsigned queue, uint32_t *id, uint32_t *len);

/* rig_offer from descriptor 0 on, then rig_used: the used length. */
uint32_t rig_do(struct dev_rig *rig, unsigned queue, const struct dr_buf *bufs, unsigned count);

/* Guest memory at @at as the test sees it. */
uint8_t *rig_at(struct dev_rig *rig, uint64_t at);

/* The driver resets, and waits for it. */
void rig_reset(struct dev_rig *rig);

/* Whether the device has given up on the driver. */
bool rig_broken(const struct dev_rig *rig);

/*
 * threats row 12: calls @create with no descriptor free, then with one more each time until it succeeds. A failure must
 * leave no device, and what it opened closed; the eighth try at the latest succeeds.
 */
void rig_create_fails(int (*create)(struct dev_rig *rig, struct virtio_dev **dev));

/* A disk in memory. Counters are of calls begun. */
struct stub_disk {
	struct disk disk; /* first */
	uint8_t *data;	  /* disk.size bytes */
	atomic_uint reads, writes, durable, flushes, discards, zeroes;
	atomic_uint running, most; /* inside a blocking call now, and at most ever */
	atomic_uint outside;	   /* calls whose range is not on the disk */
	atomic_uint fail_after;	   /* calls that succeed before all fail; UINT32_MAX: never */
	int fail_with;		   /* -errno */
	bool nowait;		   /* serves DISK_NOWAIT at once, else -EAGAIN */
	atomic_bool *closed;	   /* set by close, if not NULL */
	struct lock lock;
	struct cond opened;
	bool shut GUARDED_BY(&lock); /* blocking calls wait until it is opened */
	atomic_uint users;	     /* the device, and who keeps it */
};

/* @size bytes of zeroes; freed by close, as the device does. */
struct stub_disk *stub_disk_new(uint64_t size);

/* Makes blocking calls wait, or go on. */
void stub_disk_shut(struct stub_disk *stub, bool shut);

/* Waits until @count blocking calls are inside. */
void stub_disk_wait(struct stub_disk *stub, unsigned count);

/* Whoever looks at a disk that its device may have closed keeps it before, and leaves it then. */
void stub_disk_keep(struct stub_disk *stub);
void stub_disk_leave(struct stub_disk *stub);

#endif /* TESTS_LIB_DEV_RIG_H */
