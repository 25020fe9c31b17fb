/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The balloon: memory is touched, handed over as the machine asks, reported free, taken back. The test
 * outside looks at what hvrun has resident at each line, and asks by the control socket.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum {
	PAGE = 4096,
	FIRST = 32 << 20, /* the memory that is used: from here */
	SIZE = 32 << 20,  /* so much */
	LIST = 256,	  /* pages handed over at a time */
	NUM_PAGES = VM_CONFIG,
	ACTUAL = VM_CONFIG + 4,
	POISON = VM_CONFIG + 12,
};

#define F_STATS	    (1ULL << 1)
#define F_POISON    (1ULL << 4)
#define F_REPORTING (1ULL << 5)

static struct vdevice dev;
static struct vqueue inflate, deflate, stats, report;
static u32 list[LIST];

static void touch(u8 byte)
{
	for (uptr at = FIRST; at < FIRST + SIZE; at += PAGE)
		*(volatile u8 *)at = byte;
}

/* Offers one buffer and waits for it. */
static void ask(struct vqueue *queue, u64 at, u32 len, bool device_writes)
{
	struct vbuf buf = { at, len, device_writes };
	struct vused_elem elem;

	virtio_put(queue, 0, &buf, 1, false);
	virtio_kick(&dev, queue);
	if (!virtio_take(queue, &elem))
		fail(2, "no answer in queue %u; status %x", queue->index, virtio_status(&dev));
}

/* Hands over, or takes back, @count pages from @first on. */
static void move(struct vqueue *queue, u32 first, u32 count)
{
	while (count) {
		u32 n = count < LIST ? count : LIST;

		for (u32 i = 0; i < n; i++)
			list[i] = first + i;
		ask(queue, (uptr)list, n * 4, false);
		first += n;
		count -= n;
	}
}

/* Waits until the machine wants another number of pages than @now. */
static u32 await_target(u32 now)
{
	u64 give_up = plat_cycles() + PATIENCE;
	u32 target;

	while ((target = mmio_read32(dev.base + NUM_PAGES)) == now) {
		if (plat_cycles() > give_up)
			fail(3, "nobody asked for anything");
		plat_relax();
	}
	return target;
}

static void bring_up(u64 features)
{
	CHECK(virtio_begin(&dev, features | VF_EVENT_IDX), 5);
	CHECK(virtio_queue(&dev, &inflate, 0, 64), 6);
	CHECK(virtio_queue(&dev, &deflate, 1, 64), 6);
	if (features & F_STATS)
		CHECK(virtio_queue(&dev, &stats, 2, 64), 6);
	if (features & F_REPORTING)
		CHECK(virtio_queue(&dev, &report, features & F_STATS ? 3 : 2, 64), 6);
	virtio_go(&dev);
}

static void offer_stats(void)
{
	static u8 stat[10] = { 4 }; /* free memory */
	struct vbuf buf = { (uptr)stat, sizeof(stat), false };

	stat[3] = 0x20; /* 8192 bytes */
	virtio_put(&stats, 0, &buf, 1, false);
	virtio_kick(&dev, &stats);
}

u32 guest_main(void)
{
	u64 give_up;
	u32 pages;

	if (!virtio_find(&dev, VIRTIO_BALLOON, 0))
		fail(1, "no virtio-balloon");
	bring_up(F_STATS | F_POISON | F_REPORTING);
	touch(1);
	offer_stats();
	print("balloon: touched\n");

	pages = await_target(0);
	move(&inflate, FIRST / PAGE, pages);
	mmio_write32(dev.base + ACTUAL, pages);
	print("balloon: inflated %u\n", pages);

	/* All is free, but a kernel that poisons free pages wants to find that: nothing is taken. */
	pages = await_target(pages);
	mmio_write32(dev.base + POISON, 0xaaaaaaaa);
	ask(&report, FIRST + SIZE / 2, SIZE / 2, true);
	CHECK(*(volatile u8 *)(FIRST + SIZE / 2) == 1, 7);
	mmio_write32(dev.base + POISON, 0);
	ask(&report, FIRST + SIZE / 2, SIZE / 2, true);
	CHECK(*(volatile u8 *)(FIRST + SIZE / 2) == 0, 8);
	print("balloon: reported\n");

	pages = await_target(pages);
	CHECK(!pages, 9);
	move(&deflate, FIRST / PAGE, SIZE / 2 / PAGE);
	mmio_write32(dev.base + ACTUAL, 0);
	for (uptr at = FIRST; at < FIRST + SIZE; at += 64 * PAGE)
		CHECK(*(volatile u8 *)at == 0, 10);
	touch(2);
	print("balloon: deflated\n");
	(void)await_target(0);

	/* Another driver, with fewer features; a page that is none breaks the device, not the machine. */
	bring_up(F_REPORTING);
	ask(&report, FIRST, PAGE, true);
	CHECK(*(volatile u8 *)FIRST == 0, 11);
	list[0] = 0xffffffff;
	virtio_put(&inflate, 0, &(struct vbuf){ (uptr)list, 4, false }, 1, false);
	virtio_kick(&dev, &inflate);
	give_up = plat_cycles() + PATIENCE;
	while (!(virtio_status(&dev) & VS_NEEDS_RESET))
		CHECK(plat_cycles() < give_up, 12);
	bring_up(0);
	move(&inflate, FIRST / PAGE, 1);
	print("balloon: all is well\n");
	return 0;
}
