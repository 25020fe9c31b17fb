/* SPDX-License-Identifier: BSD-2-Clause */
/* Print a line, show the command line, power off. Words: lines=N (that many numbered lines more). */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

u32 guest_main(void)
{
	u32 lines = (u32)cmdline_number("lines", 0);

	print("hello: a guest of hvrun\n");
	print("hello: command line: %s\n", plat_cmdline());
	for (u32 i = 1; i <= lines; i++)
		print("hello: line %u\n", i);
	plat_poweroff();
}
