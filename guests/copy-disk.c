/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies the first disk to the second, in requests of ever other lengths and thus alignments, so that
 * the host can compare what the guest saw; what cannot be read is left out. Not a byte passes through
 * the processor. Words: only=N: this one sector alone.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { IN = 0, OUT = 1 };
enum { OK = 0, IOERR = 1, UNTOUCHED = 0x55 };
enum { SECTOR = 512, SIZE = 64, MOST = 128 };

struct disk {
	struct vdevice dev;
	struct vqueue queue;
	u64 capacity;
};

static struct disk disks[2];
static struct {
	u32 type, reserved;
	u64 sector;
} header;
static volatile u8 status;
static u8 data[MOST * SECTOR] __attribute__((aligned(16)));

static u8 request(struct disk *disk, u32 type, u64 sector, u32 count)
{
	struct vbuf bufs[3] = {
		{ (uptr)&header, sizeof(header), false },
		{ (uptr)data, count * SECTOR, type == IN },
		{ (uptr)&status, 1, true },
	};
	struct vused_elem elem;

	header.type = type;
	header.sector = sector;
	status = UNTOUCHED;
	virtio_put(&disk->queue, 5, bufs, 3, false);
	virtio_kick(&disk->dev, &disk->queue);
	if (!virtio_take(&disk->queue, &elem))
		fail(10, "no answer; device status %x", virtio_status(&disk->dev));
	return status;
}

static void start(struct disk *disk, u32 index)
{
	struct vdevice *dev = &disk->dev;

	if (!virtio_find(dev, VIRTIO_BLK, index))
		fail(1, "there is no disk %u", index);
	CHECK(virtio_begin(dev, 0), 2);
	CHECK(virtio_queue(dev, &disk->queue, 0, SIZE), 3);
	virtio_go(dev);
	disk->capacity = mmio_read32(dev->base + VM_CONFIG) |
			 (u64)mmio_read32(dev->base + VM_CONFIG + 4) << 32;
}

u32 guest_main(void)
{
	u64 only = cmdline_number("only", ~0ULL);
	u64 sector = only == ~0ULL ? 0 : only;
	u64 end, first_bad = ~0ULL;
	u32 errors = 0, turn = 0;

	start(&disks[0], 0);
	start(&disks[1], 1);
	CHECK(disks[1].capacity >= disks[0].capacity, 5);
	end = only == ~0ULL ? disks[0].capacity : only + 1;
	while (sector < end) {
		u32 count = 1 + turn++ * 7 % MOST;
		u8 answer;

		if (count > end - sector)
			count = (u32)(end - sector);
		answer = request(&disks[0], IN, sector, count);
		if (answer == OK) {
			CHECK(request(&disks[1], OUT, sector, count) == OK, 6);
		} else {
			CHECK(answer == IOERR, 4);
			errors++;
			if (first_bad == ~0ULL)
				first_bad = sector;
		}
		sector += count;
	}
	print("copy-disk: %U sectors, %u errors\n", disks[0].capacity, errors);
	if (errors)
		print("copy-disk: the first at or after sector %U\n", first_bad);
	return errors ? 3 : 0;
}
