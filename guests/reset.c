/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset the machine. */
#include "lib/platform.h"
#include "lib/print.h"

u32 guest_main(void)
{
	print("reset: now\n");
	plat_reset();
}
