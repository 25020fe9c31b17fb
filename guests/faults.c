/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses that no driver makes: where nothing is, and of odd sizes where something is. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/virtio.h"

/* All ones of SIZE bytes. */
static u64 ones(u32 size)
{
	return size == 8 ? ~0ULL : (1ULL << size * 8) - 1;
}

static void read_nothing(uptr address)
{
	for (u32 size = 1; size <= 8; size *= 2) {
		u64 value = 0;

		if (plat_probe_read(address, size, &value))
			fail(1, "read of %u bytes at %X: fault", size, address);
		if (value != ones(size))
			fail(2, "read of %u bytes at %X, where nothing is: %X", size, address,
			     value);
	}
}

/* The largest size, up to 8, that OFFSET is a multiple of. */
static u32 aligned_to(u32 offset)
{
	return offset & 7 ? offset & -offset : 8;
}

/* Every size at every offset in and around a window: any value will do, but an answer must come. */
static void odd_sizes(uptr base)
{
	static const u16 offsets[] = { 0x000, 0x001, 0x002, 0x003, 0x006, 0x00c, 0x00e, 0x011,
				       0x033, 0x035, 0x046, 0x061, 0x062, 0x071, 0x0fd, 0x0ff,
				       0x100, 0x101, 0x103, 0x107, 0x13f, 0x1f9, 0x1fd, 0x1ff,
				       0x200, 0x7fc, 0xff8, 0xffd, 0xffe, 0xfff };

	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		uptr at = base + offsets[i];
		u32 most = plat_odd_accesses() ? 8 : aligned_to(offsets[i]);
		u64 value;

		for (u32 size = 1; size <= most; size *= 2)
			plat_probe_read(at, size, &value);
		if (offsets[i] == 0x0fd || offsets[i] == 0x035)
			continue;
		*(volatile u8 *)at = 0xff;
		if (most >= 2)
			*(volatile u16 *)at = 0xffff;
		if (most >= 4 && offsets[i] & 3)
			*(volatile u32 *)at = 0xffffffff;
		if (most >= 8)
			*(volatile u64 *)at = ~0ULL;
	}
}

u32 guest_main(void)
{
	u32 windows = 0;
	u64 value;

	read_nothing(0xd0000000);
	read_nothing(0xc0010000);
	read_nothing(0xfec80000);
	print("faults: nothing reads as ones\n");

	for (u32 i = 0; i < plat_virtio_windows(); i++) {
		uptr base = plat_virtio_window(i);

		if (mmio_read32(base) != VM_MAGIC_VALUE)
			continue;
		windows++;
		odd_sizes(base);
		if (mmio_read32(base) != VM_MAGIC_VALUE || mmio_read32(base + VM_VERSION) != 2)
			fail(3, "window %u is gone after odd accesses", i);
		/* The window must still serve a proper driver's first step. */
		mmio_write32(base + VM_STATUS, 0);
		if (mmio_read32(base + VM_STATUS))
			fail(4, "window %u does not reset after odd accesses", i);
	}
	print("faults: %u windows stand odd accesses\n", windows);

	/* Beyond the mapped 4 GiB: a page fault, taken and survived. */
	if (!plat_probe_read(0x7000000000UL, 8, &value))
		fail(5, "no fault where nothing is mapped");
	print("faults: a page fault is taken\n");
	return windows ? 0 : 6;
}
