/* SPDX-License-Identifier: BSD-2-Clause */
/* A device's interrupt through the interrupt controller: one for each answer, acknowledged. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/virtio.h"

enum { ROUNDS = 10 };

static struct vdevice dev;
static struct vqueue queue;
static u64 words[2];
static volatile u32 count;

static void handler(void)
{
	u32 why = mmio_read32(dev.base + VM_INTERRUPT);

	if (why != 1)
		fail(2, "InterruptStatus is %x, should be 1", why);
	mmio_write32(dev.base + VM_INTERRUPT_ACK, why);
	if (mmio_read32(dev.base + VM_INTERRUPT))
		fail(3, "InterruptStatus stays after the acknowledgement");
	count++;
}

static void round_trip(u32 expected)
{
	struct vbuf buf = { (uptr)words, sizeof(words), true };
	struct vused_elem elem;

	virtio_want_irq(&dev, &queue);
	virtio_put(&queue, 0, &buf, 1, false);
	virtio_kick(&dev, &queue);
	while (count < expected)
		plat_wait_irq();
	if (!virtio_pending(&queue))
		fail(4, "interrupt %u came without a used buffer", expected);
	virtio_take(&queue, &elem);
}

u32 guest_main(void)
{
	u32 expected = 0;

	if (!virtio_find(&dev, VIRTIO_RNG, 0))
		fail(1, "no virtio-rng");
	plat_irq_on(plat_virtio_irq(dev.window), false, handler);
	for (u32 event_idx = 0; event_idx < 2; event_idx++) {
		CHECK(virtio_begin(&dev, event_idx ? VF_EVENT_IDX : 0), 5);
		CHECK(virtio_queue(&dev, &queue, 0, 4), 6);
		virtio_go(&dev);
		for (u32 i = 0; i < ROUNDS; i++)
			round_trip(++expected);
		print("irq: %u interrupts%s\n", count, event_idx ? ", event index" : "");
	}
	if (count != expected)
		fail(7, "%u interrupts, should be %u", count, expected);
	return 0;
}
