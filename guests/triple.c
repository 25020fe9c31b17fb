/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault with no way to handle it: a crash of the guest (x86: a triple fault). */
#include "lib/platform.h"
#include "lib/print.h"

u32 guest_main(void)
{
	print("triple: now\n");
	plat_crash();
}
