/* SPDX-License-Identifier: BSD-2-Clause */
/* The random device: it fills what it is given, with something new each time. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

static struct vdevice dev;
static struct vqueue queue;
static u64 first[8], second[8];

/* Ask for the buffer's bytes, all of it or what the device likes to give; returns the count. */
static u32 ask(u64 *buffer, u32 size)
{
	struct vbuf buf = { (uptr)buffer, size, true };
	struct vused_elem elem;

	virtio_put(&queue, 3, &buf, 1, false);
	virtio_kick(&dev, &queue);
	if (!virtio_take(&queue, &elem))
		fail(2, "no answer; device status %x", virtio_status(&dev));
	if (elem.id != 3)
		fail(3, "used element of chain %u, asked with chain 3", elem.id);
	if (elem.len == 0 || elem.len > size)
		fail(4, "device says it wrote %u bytes of %u", elem.len, size);
	return elem.len;
}

u32 guest_main(void)
{
	u32 got;

	if (!virtio_find(&dev, VIRTIO_RNG, 0))
		fail(1, "no virtio-rng");
	CHECK(virtio_begin(&dev, VF_INDIRECT | VF_EVENT_IDX), 5);
	CHECK(virtio_queue(&dev, &queue, 0, 8), 6);
	virtio_go(&dev);
	got = ask(first, sizeof(first));
	if (got < 8)
		fail(7, "only %u bytes of randomness", got);
	ask(second, 32);
	if (!first[0] || first[0] == first[1] || first[0] == second[0])
		fail(8, "not random: %X %X %X", first[0], first[1], second[0]);
	for (u32 i = 4; i < 8; i++)
		if (second[i])
			fail(9, "the device wrote behind the buffer");
	print("virtio-rng: %u bytes, all is well\n", got);
	return 0;
}
