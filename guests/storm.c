/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Thousands of accesses by dice to the virtio windows: any register, size and value, in any state.
 * Then each random device and disk must serve after a reset. Words: seed=N, rounds=N.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { HOLE = 0xd0000000 };

static u64 dice = 88172645463325252ULL;
static struct vqueue queue;
static u64 buffer[64];
/* Where queues may lie: a device that takes such an address as true writes here. */
static u8 arena[65536] __attribute__((aligned(65536)));

static u32 roll(u32 sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (u32)(dice >> 32) % sides;
}

/* A value for the register at OFFSET; queue addresses never point at our own code or tables. */
static u64 pick_value(u32 offset)
{
	if (offset >= VM_DESC && offset < VM_USED + 8) {
		switch (roll(4)) {
		case 0:
			return HOLE + roll(1 << 20);
		case 1:
			return ~0ULL;
		default:
			return offset & 4 ? 0 : (uptr)arena;
		}
	}
	switch (roll(8)) {
	case 0:
		return ~0ULL;
	case 1:
		return 1ULL << roll(64);
	case 2:
		return (1ULL << roll(64)) - 1;
	case 3:
		return VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK | VS_DRIVER_OK;
	case 4:
		return dice;
	default:
		return roll(16);
	}
}

static void access(uptr window)
{
	static const u16 known[] = { VM_MAGIC,	    VM_DEVICE,	      VM_FEATURES,  VM_FEATURES_SEL,
				     VM_DRIVER,	    VM_DRIVER_SEL,    VM_QUEUE_SEL, VM_QUEUE_MAX,
				     VM_QUEUE_SIZE, VM_QUEUE_READY,   VM_NOTIFY,    VM_INTERRUPT,
				     VM_STATUS,	    VM_INTERRUPT_ACK, VM_DESC,	    VM_DESC + 4,
				     VM_AVAIL,	    VM_AVAIL + 4,     VM_USED,	    VM_USED + 4,
				     VM_GENERATION, VM_CONFIG,	      0xb0,	    0xc0 };
	u32 offset = roll(8) ? known[roll(ARRAY_SIZE(known))] : roll(0x1000 - 7);
	u64 value = pick_value(offset);
	u32 kind = roll(12);
	uptr at;

	if (!plat_odd_accesses())
		offset &= kind == 2 || kind == 3 ? ~7U : ~3U;
	at = window + offset;
	switch (kind) {
	case 0:
		*(volatile u8 *)at = (u8)value;
		break;
	case 1:
		*(volatile u16 *)at = (u16)value;
		break;
	case 2:
		*(volatile u64 *)at = value;
		break;
	case 3:
		(void)*(volatile u64 *)at;
		break;
	case 4:
		(void)*(volatile u16 *)at;
		break;
	case 5:
		(void)*(volatile u32 *)at;
		break;
	default:
		*(volatile u32 *)at = (u32)value;
	}
}

/* After all that: a good request. */
static void serves(struct vdevice *dev, bool disk)
{
	static struct {
		u32 type, reserved;
		u64 sector;
	} header;
	static volatile u8 status;
	struct vbuf disk_bufs[3] = {
		{ (uptr)&header, 16, false },
		{ (uptr)buffer, sizeof(buffer), true },
		{ (uptr)&status, 1, true },
	};
	struct vused_elem elem;

	CHECK(virtio_begin(dev, 0), 2);
	CHECK(virtio_queue(dev, &queue, 0, 8), 3);
	virtio_go(dev);
	status = 0x55;
	if (disk)
		virtio_put(&queue, 0, disk_bufs, 3, false);
	else
		virtio_put(&queue, 0, &disk_bufs[1], 1, false);
	virtio_kick(dev, &queue);
	if (!virtio_take(&queue, &elem))
		fail(4, "window %u is dead (status %x)", dev->window, virtio_status(dev));
	if (disk && status != 0)
		fail(5, "window %u: a read ends with status %u", dev->window, status);
}

u32 guest_main(void)
{
	u32 rounds = (u32)cmdline_number("rounds", 2000), served = 0;
	struct vdevice dev;

	dice += cmdline_number("seed", 1) << 20;
	for (u32 i = 0; i < rounds; i++)
		access(plat_virtio_window(roll(8) ? roll(3) : roll(plat_virtio_windows())));
	for (u32 i = 0; virtio_find(&dev, VIRTIO_RNG, i); i++, served++)
		serves(&dev, false);
	for (u32 i = 0; virtio_find(&dev, VIRTIO_BLK, i); i++, served++)
		serves(&dev, true);
	print("storm: %u accesses, %u devices serve\n", rounds, served);
	return served ? 0 : 1;
}
