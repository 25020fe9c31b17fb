/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent memory: the file's bytes are there, with zeroes behind them; stores change nothing; a flush is
 * answered. With the word cut it then reads the file's end over and over, until the test outside cuts it off.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

static struct vdevice dev;
static struct vqueue queue;

static u64 config64(u32 offset)
{
	return mmio_read32(dev.base + VM_CONFIG + offset) |
	       (u64)mmio_read32(dev.base + VM_CONFIG + offset + 4) << 32;
}

static void flush(void)
{
	static u32 request, answer = 0x5a5a5a5a;
	struct vbuf bufs[2] = { { (uptr)&request, 4, false }, { (uptr)&answer, 4, true } };
	struct vused_elem elem;

	virtio_put(&queue, 0, bufs, 2, false);
	virtio_kick(&dev, &queue);
	if (!virtio_take(&queue, &elem))
		fail(3, "a flush was not answered");
	CHECK(elem.len == 4 && *(volatile u32 *)&answer == 0, 4);
}

u32 guest_main(void)
{
	u64 at, size, bytes = cmdline_number("bytes", 0);
	volatile u8 *first, *last;

	if (!virtio_find(&dev, VIRTIO_PMEM, (u32)cmdline_number("which", 0)))
		fail(1, "no virtio-pmem");
	CHECK(virtio_begin(&dev, 0), 2);
	CHECK(virtio_queue(&dev, &queue, 0, 8), 2);
	virtio_go(&dev);
	at = config64(0);
	size = config64(8);
	CHECK(size >= bytes && !(at & 0x1fffff) && !(size & 0x1fffff), 5);
	first = plat_map(at);
	last = plat_map(at + bytes - 1);
	print("pmem: %U bytes, begins with %c, ends with %c\n", size, (char)*first, (char)*last);
	CHECK(size == bytes || *(volatile u8 *)plat_map(at + size - 1) == 0, 6);
	*first = '!';
	CHECK(*first != '!', 7);
	flush();
	print("pmem: all is well\n");
	while (cmdline_has("cut")) {
		u8 byte = *last; /* once: between two reads the file may be cut */

		if (byte == 0xff) /* nothing is there any more, and this host tells us so */
			return 9;
		CHECK(byte == 'z', 8);
	}
	return 0;
}
