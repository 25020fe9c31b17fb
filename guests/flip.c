/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second processor rewrites descriptors and request headers while the device reads them. Whatever
 * the device makes of it, it must be one of the two truths: memory beside the buffer stays as it
 * is, and the device serves after a reset. Needs two processors. Words: rounds=N.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { CANARY = 0x5ca1ab1e, HOLE = 0xd0000000 };

static struct vdevice dev;
static bool disk;
static struct vqueue queue;
static struct {
	u32 before[64];
	u64 buffer[64];
	u32 behind[64];
} area;
static volatile struct {
	u32 type, reserved;
	u64 sector;
} header;
static volatile u8 status;
static volatile u32 flips;

/* The other processor, for ever: the data's descriptor and the header, false and true again. */
static void flipper(u32 cpu)
{
	volatile struct vdesc *d = &queue.desc[1], *first = &queue.desc[0];

	(void)cpu;
	for (;;) {
		d->addr = HOLE;
		first->next = 7;
		d->addr = (uptr)area.buffer;
		first->next = 1;
		d->len = 0xffffffff;
		header.sector = ~0ULL;
		d->len = sizeof(area.buffer);
		header.type = 99;
		header.sector = 0;
		d->flags = VD_NEXT;
		header.type = 0;
		d->flags = VD_NEXT | VD_WRITE;
		d->flags = VD_INDIRECT;
		d->flags = VD_NEXT | VD_WRITE;
		flips++;
	}
}

static void start(void)
{
	CHECK(virtio_begin(&dev, VF_INDIRECT), 10);
	CHECK(virtio_queue(&dev, &queue, 0, 8), 11);
	virtio_go(&dev);
	queue.desc[0] = (struct vdesc){ (uptr)&header, disk ? 16 : 0, VD_NEXT, 1 };
	queue.desc[1] =
		(struct vdesc){ (uptr)area.buffer, sizeof(area.buffer), VD_NEXT | VD_WRITE, 2 };
	queue.desc[2] = (struct vdesc){ (uptr)&status, 1, VD_WRITE, 0 };
}

/* One request; true when the device answered it, false when it wants a reset. */
static bool request(void)
{
	u64 give_up = plat_cycles() + PATIENCE;
	struct vused_elem elem;

	/* For the random device the chain begins at the data: it reads nothing. */
	virtio_avail(&queue, disk ? 0 : 1);
	virtio_kick(&dev, &queue);
	while (!virtio_pending(&queue)) {
		if (virtio_status(&dev) & VS_NEEDS_RESET)
			return false;
		if (plat_cycles() > give_up)
			fail(12, "nothing happens any more");
	}
	virtio_take(&queue, &elem);
	return true;
}

/* The memory on both sides of the buffer, which no descriptor ever names. */
static void look_beside(const char *name, u32 round)
{
	u32 wrong = 0;

	for (u32 k = 0; k < ARRAY_SIZE(area.before); k++) {
		if (area.before[k] != CANARY && !wrong++)
			print("flip: %s, round %u: word %u before the buffer is %x\n", name, round,
			      k, area.before[k]);
		if (area.behind[k] != CANARY && !wrong++)
			print("flip: %s, round %u: word %u behind the buffer is %x\n", name, round,
			      k, area.behind[k]);
	}
	if (wrong) {
		print("flip: %u words beside the buffer were written\n", wrong);
		fail(13, "memory beside the buffer was written");
	}
}

static void play(const char *name, u32 rounds)
{
	u32 answers = 0;

	start();
	for (u32 i = 0; i < rounds; i++) {
		if (request())
			answers++;
		else
			start();
		look_beside(name, i);
	}
	print("flip: %s answered %u of %u\n", name, answers, rounds);
}

u32 guest_main(void)
{
	u32 rounds = (u32)cmdline_number("rounds", 200);

	for (u32 i = 0; i < ARRAY_SIZE(area.before); i++)
		area.before[i] = area.behind[i] = CANARY;
	if (!virtio_find(&dev, VIRTIO_RNG, 0))
		fail(1, "no virtio-rng");
	if (plat_cpu_start(1, flipper))
		fail(2, "the second processor does not start");
	play("virtio-rng", rounds);
	disk = true;
	if (virtio_find(&dev, VIRTIO_BLK, 0))
		play("virtio-blk", rounds);
	if (!flips)
		fail(3, "the second processor stood still");
	print("flip: done\n");
	return 0;
}
