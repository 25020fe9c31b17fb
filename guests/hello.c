/* SPDX-License-Identifier: BSD-2-Clause */
/* Print a line, show the command line, power off. */
#include "lib/platform.h"
#include "lib/print.h"

u32 guest_main(void)
{
	print("hello: a guest of hvrun\n");
	print("hello: command line: %s\n", plat_cmdline());
	plat_poweroff();
}
