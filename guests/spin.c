/* SPDX-License-Identifier: BSD-2-Clause */
/* Never end: busy with interrupts off, or asleep with the word "sleep". */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

u32 guest_main(void)
{
	print("spin: for ever\n");
	if (cmdline_has("sleep"))
		plat_sleep_for_ever();
	plat_hang();
}
