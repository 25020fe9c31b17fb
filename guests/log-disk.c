/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A log on the first disk: sector N gets its own number as eight-byte words over and over, then a flush, and
 * when that is answered the number goes to the console. Whoever kills hvrun finds every number that was
 * printed in the file. Words: sync (each write is durable by itself: the driver leaves FLUSH out).
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

#define BLK_FLUSH (1ULL << 9)

enum { OUT = 1, FLUSH = 4, SECTOR = 512 };

static struct vdevice dev;
static struct vqueue queue;
static u8 data[SECTOR] __attribute__((aligned(512)));

static void request(u32 type, u64 sector)
{
	static struct {
		u32 type, reserved;
		u64 sector;
	} header;
	static volatile u8 status;
	struct vused_elem elem;
	struct vbuf bufs[3] = {
		{ (uptr)&header, sizeof(header), false },
		{ (uptr)data, SECTOR, false },
		{ (uptr)&status, 1, true },
	};

	header.type = type;
	header.sector = sector;
	status = 0x55;
	if (type == FLUSH)
		bufs[1] = bufs[2];
	virtio_put(&queue, 0, bufs, type == FLUSH ? 2 : 3, false);
	virtio_kick(&dev, &queue);
	if (!virtio_take(&queue, &elem) || status != 0)
		fail(2, "request %u for sector %U: status %u", type, sector, status);
}

u32 guest_main(void)
{
	bool sync = cmdline_has("sync");
	u64 sectors;

	if (!virtio_find(&dev, VIRTIO_BLK, 0) || !virtio_begin(&dev, sync ? 0 : BLK_FLUSH) ||
	    !virtio_queue(&dev, &queue, 0, 8))
		fail(1, "no disk");
	virtio_go(&dev);
	sectors = mmio_read32(dev.base + VM_CONFIG);
	for (u64 n = 0; n < sectors; n++) {
		plat_copy(data, &n, 8);
		plat_copy(data + 8, data, SECTOR - 8); /* overlaps: repeats the number */
		request(OUT, n);
		if (!sync)
			request(FLUSH, 0);
		print("%U\n", n);
	}
	plat_sleep_for_ever();
}
