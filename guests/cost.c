/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that can be timed: exits of one kind, or reads of a disk, and how many cycles one took. Words:
 * exits=N status reads of virtio's window (the guest leaves to hvrun for each), reads=N reads of 4 KiB
 * one after the other from disk 0.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { IN = 0, SECTOR = 512, PIECE = 4096, UNTOUCHED = 0x55 };

static struct vdevice dev;
static struct vqueue queue;
static struct {
	u32 type, reserved;
	u64 sector;
} header;
static u8 bytes[PIECE] __attribute__((aligned(4096)));
static volatile u8 status;

static void read_disk(u64 sector)
{
	struct vbuf bufs[3] = {
		{ (uptr)&header, sizeof(header), false },
		{ (uptr)bytes, PIECE, true },
		{ (uptr)&status, 1, true },
	};
	struct vused_elem elem;

	header.type = IN;
	header.sector = sector;
	status = UNTOUCHED;
	virtio_put(&queue, 0, bufs, 3, false);
	virtio_kick(&dev, &queue);
	if (!virtio_take(&queue, &elem) || status != 0)
		fail(5, "reading sector %U: status %u", sector, status);
}

static void say(const char *what, u32 n, u64 cycles)
{
	print("cost: %u %s, %U cycles each\n", n, what, n ? cycles / n : 0);
}

u32 guest_main(void)
{
	u32 exits = (u32)cmdline_number("exits", 0);
	u32 reads = (u32)cmdline_number("reads", 0);
	u64 begin;

	if (!virtio_find(&dev, reads ? VIRTIO_BLK : VIRTIO_RNG, 0))
		fail(1, "no device");
	CHECK(virtio_begin(&dev, 0), 2);
	CHECK(virtio_queue(&dev, &queue, 0, 16), 3);
	virtio_go(&dev);
	begin = plat_cycles();
	/* An acknowledgement of nothing: answered on the vCPU's thread. */
	for (u32 i = 0; i < exits; i++)
		mmio_write32(dev.base + VM_INTERRUPT_ACK, 0);
	say("exits", exits, plat_cycles() - begin);
	begin = plat_cycles();
	for (u32 i = 0; i < reads; i++)
		read_disk((u64)(i % 1024) * (PIECE / SECTOR));
	say("reads", reads, plat_cycles() - begin);
	return 0;
}
