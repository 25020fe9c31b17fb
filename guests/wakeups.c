/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to a disk by a driver that only halts, and never looks twice: a doorbell that is not heard, or
 * an interrupt that does not come, leaves it halted for ever. One to three requests are in flight, rung for
 * one by one after pauses of all lengths, so that a device which goes to sleep is met at every step of it.
 * Words: disk=N (from 0), rounds=N, plain (without event index). The disk stays as it is.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { FLIGHT = 3, CHAIN = 3, SECTOR = 512, DEFAULT_ROUNDS = 500, PAUSES = 97, UNTOUCHED = 0x55 };

struct header {
	u32 type, reserved;
	u64 sector;
};

static struct vdevice dev;
static struct vqueue queue;
static struct header headers[FLIGHT];
static u8 data[FLIGHT][SECTOR];
static volatile u8 statuses[FLIGHT];
static volatile u32 interrupts;

static void handler(void)
{
	interrupts++;
	mmio_write32(dev.base + VM_INTERRUPT_ACK, 1);
}

static void wait_a_little(u32 steps)
{
	for (volatile u32 i = 0; i < steps; i++)
		;
}

/* Reads sector 0. */
static void begin(u32 slot)
{
	const struct vbuf bufs[CHAIN] = {
		{ (uptr)&headers[slot], sizeof(headers[slot]), false },
		{ (uptr)data[slot], SECTOR, true },
		{ (uptr)&statuses[slot], 1, true },
	};

	statuses[slot] = UNTOUCHED;
	virtio_put(&queue, slot * CHAIN, bufs, CHAIN, false);
	virtio_kick(&dev, &queue);
}

/* All that are in flight; sleeps whenever none is done. */
static void end(u32 flight)
{
	struct vused_elem elem;

	while (flight) {
		if (!virtio_pending(&queue)) {
			virtio_want_irq(&dev, &queue);
			if (!virtio_pending(&queue))
				plat_wait_irq();
			continue;
		}
		CHECK(virtio_take(&queue, &elem), 5);
		CHECK(elem.id % CHAIN == 0 && elem.id / CHAIN < FLIGHT, 6);
		CHECK(statuses[elem.id / CHAIN] == 0, 7);
		flight--;
	}
}

u32 guest_main(void)
{
	u32 rounds = (u32)cmdline_number("rounds", DEFAULT_ROUNDS);
	u32 requests = 0;

	if (!virtio_find(&dev, VIRTIO_BLK, (u32)cmdline_number("disk", 0)))
		fail(1, "no such disk");
	CHECK(virtio_begin(&dev, cmdline_has("plain") ? 0 : VF_EVENT_IDX), 2);
	CHECK(virtio_queue(&dev, &queue, 0, 16), 3);
	virtio_go(&dev);
	plat_irq_on(plat_virtio_irq(dev.window), false, handler);
	for (u32 round = 0; round < rounds; round++) {
		u32 flight = 1 + round % FLIGHT; /* two on average */

		for (u32 i = 0; i < flight; i++) {
			begin(i);
			wait_a_little(round * 7 % PAUSES);
		}
		end(flight);
		requests += flight;
	}
	print("wakeups: %u requests, none was slept through\n", requests);
	return 0;
}
