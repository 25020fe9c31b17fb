/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waits until its disk grows, by the interrupt that tells of it, and writes and reads the last sector then.
 * Words: times=N (1), disk=N.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { IN = 0, OUT = 1, SECTOR = 512, ISR_CONFIG = 2, IOERR = 1 };

static struct vdevice dev;
static struct vqueue queue;
static u8 data[SECTOR] __attribute__((aligned(16)));
static volatile u32 reasons;

static void handler(void)
{
	u32 isr = mmio_read32(dev.base + VM_INTERRUPT);

	mmio_write32(dev.base + VM_INTERRUPT_ACK, isr);
	reasons |= isr;
}

/* Read again as long as it changes meanwhile (4.2.2.2). */
static u64 capacity(void)
{
	u32 before;
	u64 sectors;

	do {
		before = mmio_read32(dev.base + VM_GENERATION);
		sectors = mmio_read32(dev.base + VM_CONFIG) |
			  (u64)mmio_read32(dev.base + VM_CONFIG + 4) << 32;
	} while (mmio_read32(dev.base + VM_GENERATION) != before);
	return sectors;
}

static u8 request(u32 type, u64 sector)
{
	static struct {
		u32 type, reserved;
		u64 sector;
	} header;
	static volatile u8 status;
	struct vused_elem elem;
	struct vbuf bufs[3] = {
		{ (uptr)&header, sizeof(header), false },
		{ (uptr)data, SECTOR, type == IN },
		{ (uptr)&status, 1, true },
	};

	header.type = type;
	header.sector = sector;
	virtio_put(&queue, 0, bufs, 3, false);
	virtio_kick(&dev, &queue);
	if (!virtio_take(&queue, &elem))
		fail(2, "no answer");
	return status;
}

u32 guest_main(void)
{
	u64 sectors;

	if (!virtio_find(&dev, VIRTIO_BLK, (u32)cmdline_number("disk", 0)) ||
	    !virtio_begin(&dev, 0) || !virtio_queue(&dev, &queue, 0, 8))
		fail(1, "no disk");
	plat_irq_on(plat_virtio_irq(dev.window), false, handler);
	virtio_go(&dev);
	sectors = capacity();
	for (u64 n = cmdline_number("times", 1); n > 0; n--) {
		CHECK(request(IN, sectors) == IOERR, 3);
		reasons = 0;
		/* Whoever reads this may make it grow at once: all that is of the old size is done. */
		print("grow: %U sectors\n", sectors);
		/* Told twice of one change is told once too often, and no more. */
		while (!(reasons & ISR_CONFIG) || capacity() == sectors) {
			reasons = 0;
			plat_wait_irq();
		}
		CHECK(capacity() > sectors, 4);
		sectors = capacity();
		memset(data, 0x67, SECTOR);
		CHECK(request(OUT, sectors - 1) == 0, 5);
		memset(data, 0, SECTOR);
		CHECK(request(IN, sectors - 1) == 0 && data[SECTOR - 1] == 0x67, 6);
		CHECK(request(IN, sectors - 2) == 0 && data[0] == 0, 7);
	}
	print("grow: %U sectors\n", sectors);
	return 0;
}
