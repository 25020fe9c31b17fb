/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reset the machine as often as times=N (2) says, then end with that number as status. Memory does not
 * outlive a reset: the first four bytes of the first disk count.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { IN = 0, OUT = 1, SECTOR = 512 };

static struct vdevice dev;
static struct vqueue queue;
static u8 data[SECTOR] __attribute__((aligned(16)));

static void request(u32 type)
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
	status = 0x55;
	virtio_put(&queue, 0, bufs, 3, false);
	virtio_kick(&dev, &queue);
	if (!virtio_take(&queue, &elem) || status != 0)
		fail(101, "the disk answers %u", status);
}

u32 guest_main(void)
{
	u32 times = (u32)cmdline_number("times", 2);
	u32 *count = (u32 *)data;

	if (!virtio_find(&dev, VIRTIO_BLK, 0) || !virtio_begin(&dev, 0) ||
	    !virtio_queue(&dev, &queue, 0, 8))
		fail(100, "no disk");
	virtio_go(&dev);
	request(IN);
	print("again: boot %u\n", *count + 1);
	if (*count >= times)
		return *count;
	++*count;
	request(OUT);
	plat_reset();
}
