/* SPDX-License-Identifier: BSD-2-Clause */
/* Every region of RAM: its first and last byte can be written and read. Above 4 GiB too. */
#include "lib/platform.h"
#include "lib/print.h"

static void touch(u64 gpa)
{
	volatile u8 *at = plat_map(gpa);
	u8 before = *at;

	*at = (u8)(before ^ 0x5a);
	if (*at != (u8)(before ^ 0x5a))
		fail(1, "byte at %X does not hold what was written", gpa);
	*at = before;
}

u32 guest_main(void)
{
	u64 start, size, total = 0, end = 0;
	u32 i;

	for (i = 0; plat_ram_region(i, &start, &size); i++) {
		if (!size || start + size < start || start < end)
			fail(2, "region %X+%X is empty, wraps or is out of order", start, size);
		touch(start);
		touch(start + size - 1);
		print("mem: %X-%X\n", start, start + size - 1);
		end = start + size;
		total += size;
	}
	print("mem: %U KiB in %u regions\n", total / 1024, i);
	return i ? 0 : 3;
}
