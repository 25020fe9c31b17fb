/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cycles from a doorbell to the handler of the device's interrupt, by way of virtio-rng. Words:
 * rounds=N. Prints least, median and most; the clock is the processor's cycle counter.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { MAX_ROUNDS = 200 };

static struct vdevice dev;
static struct vqueue queue;
static u64 buffer;
static volatile u64 arrived;
static u64 took[MAX_ROUNDS];

static void handler(void)
{
	arrived = plat_cycles();
	mmio_write32(dev.base + VM_INTERRUPT_ACK, 1);
}

/* Put the newest of N entries in its place among the ordered others. */
static void insert(u32 n)
{
	for (u32 i = n - 1; i > 0 && took[i] < took[i - 1]; i--) {
		u64 t = took[i];

		took[i] = took[i - 1];
		took[i - 1] = t;
	}
}

u32 guest_main(void)
{
	u32 rounds = (u32)cmdline_number("rounds", 50);
	struct vbuf buf = { (uptr)&buffer, sizeof(buffer), true };

	CHECK(rounds > 0 && rounds <= MAX_ROUNDS, 2);
	if (!virtio_find(&dev, VIRTIO_RNG, 0))
		fail(1, "no virtio-rng");
	CHECK(virtio_begin(&dev, VF_EVENT_IDX), 3);
	CHECK(virtio_queue(&dev, &queue, 0, 4), 4);
	virtio_go(&dev);
	plat_irq_on(plat_virtio_irq(dev.window), false, handler);
	for (u32 i = 0; i < rounds; i++) {
		struct vused_elem elem;
		u64 begin;

		arrived = 0;
		virtio_want_irq(&dev, &queue);
		virtio_put(&queue, 0, &buf, 1, false);
		begin = plat_cycles();
		virtio_kick(&dev, &queue);
		while (!arrived)
			plat_wait_irq();
		CHECK(virtio_take(&queue, &elem), 5);
		took[i] = arrived - begin;
		insert(i + 1);
	}
	print("latency: cycles min %U median %U max %U of %u\n", took[0], took[rounds / 2],
	      took[rounds - 1], rounds);
	return 0;
}
