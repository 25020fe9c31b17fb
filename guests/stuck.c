/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk that has answered, with a second read in flight, and a driver that does not wait for it: it resets the device, and reads again
 * once that is over. Word: end (it ends the run in place of the reset; with reboot it resets the machine).
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { SECTOR = 512, IN = 0, OTHER = 8, SIZE = 8, CANARY = 0x5a };

static struct vdevice dev;
static struct vqueue queue;
static u8 data[SECTOR];
static struct {
	u32 type, reserved;
	u64 sector;
} header;
static volatile u8 status;

static void start(void)
{
	if (!virtio_find(&dev, VIRTIO_BLK, 0) || !virtio_begin(&dev, 0) ||
	    !virtio_queue(&dev, &queue, 0, SIZE))
		fail(100, "no disk");
	virtio_go(&dev);
}

static void ask(u64 sector)
{
	struct vbuf bufs[3] = {
		{ (uptr)&header, sizeof(header), false },
		{ (uptr)data, SECTOR, true },
		{ (uptr)&status, 1, true },
	};

	header.type = IN;
	header.sector = sector;
	status = 0x55;
	virtio_put(&queue, 0, bufs, 3, false);
	virtio_kick(&dev, &queue);
}

static void answered(u64 sector)
{
	struct vused_elem elem;

	ask(sector);
	if (!virtio_take(&queue, &elem) || status != 0)
		fail(103, "the disk answers %u", status);
}

u32 guest_main(void)
{
	start();
	answered(0);
	ask(OTHER);
	print("stuck: asked\n");
	/* For the device to have taken it. */
	for (u64 begin = plat_cycles(); plat_cycles() - begin < 200000000;)
		plat_relax();
	if (cmdline_has("reboot"))
		plat_reset();
	if (cmdline_has("end"))
		return 0;
	print("stuck: resets\n");
	virtio_reset(&dev);
	if (virtio_status(&dev) != 0)
		fail(101, "status %u after a reset", virtio_status(&dev));
	plat_fill(data, CANARY, SECTOR);
	print("stuck: reset\n");
	start();
	for (u32 i = 0; i < SECTOR; i++)
		if (data[i] != CANARY)
			fail(102, "byte %u was written after the reset", i);
	answered(OTHER);
	print("stuck: read '%c'\n", data[0]);
	return 0;
}
