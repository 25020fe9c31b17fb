/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leave the road: run in the hole above RAM, where no host finds an instruction. The run must end
 * with a report, never hang.
 */
#include "lib/platform.h"
#include "lib/print.h"

u32 guest_main(void)
{
	void (*nowhere)(void) = (void (*)(void))0xd0000000UL;

	print("badop: now\n");
	nowhere();
	return 1;
}
