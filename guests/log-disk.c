/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A log on the first disk: sector N gets its own number as eight-byte words over and over, then a flush, and
 * when that is answered the number goes to the console. Whoever kills hvrun finds every number that was
 * printed in the file. Words: sync (each write is durable by itself: the driver leaves FLUSH out); many (eight
 * sectors are written at once, then one flush for them).
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

#define BLK_FLUSH (1ULL << 9)

enum { OUT = 1, FLUSH = 4, SECTOR = 512, MANY = 8 };

static struct vdevice dev;
static struct vqueue queue;
static u8 data[MANY][SECTOR] __attribute__((aligned(512)));
static struct {
	u32 type, reserved;
	u64 sector;
} headers[MANY];
static volatile u8 statuses[MANY];

/* Makes request @slot of several available. */
static void put(u32 slot, u32 type, u64 sector)
{
	struct vbuf bufs[3] = {
		{ (uptr)&headers[slot], sizeof(headers[slot]), false },
		{ (uptr)data[slot], SECTOR, false },
		{ (uptr)&statuses[slot], 1, true },
	};

	headers[slot].type = type;
	headers[slot].sector = sector;
	statuses[slot] = 0x55;
	if (type == FLUSH)
		bufs[1] = bufs[2];
	virtio_put(&queue, slot * 3, bufs, type == FLUSH ? 2 : 3, false);
}

/* Notifies, and waits for the requests in slots 0 to @count - 1. */
static void finish(u32 count)
{
	struct vused_elem elem;

	virtio_kick(&dev, &queue);
	for (u32 i = 0; i < count; i++)
		if (!virtio_take(&queue, &elem))
			fail(2, "%u of %u requests came back", i, count);
	for (u32 i = 0; i < count; i++)
		if (statuses[i] != 0)
			fail(2, "request %u for sector %U: status %u", headers[i].type,
			     headers[i].sector, statuses[i]);
}

u32 guest_main(void)
{
	bool sync = cmdline_has("sync");
	u32 step = cmdline_has("many") ? MANY : 1;
	u64 sectors;

	if (!virtio_find(&dev, VIRTIO_BLK, 0) || !virtio_begin(&dev, sync ? 0 : BLK_FLUSH) ||
	    !virtio_queue(&dev, &queue, 0, 32))
		fail(1, "no disk");
	virtio_go(&dev);
	sectors = mmio_read32(dev.base + VM_CONFIG);
	for (u64 n = 0; n + step <= sectors; n += step) {
		for (u32 i = 0; i < step; i++) {
			u64 number = n + i;

			plat_copy(data[i], &number, 8);
			plat_copy(data[i] + 8, data[i],
				  SECTOR - 8); /* overlaps: repeats the number */
			put(i, OUT, number);
		}
		finish(step);
		if (!sync) {
			put(0, FLUSH, 0);
			finish(1);
		}
		for (u32 i = 0; i < step; i++)
			print("%U\n", n + i);
	}
	plat_sleep_for_ever();
}
