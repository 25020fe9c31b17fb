/* SPDX-License-Identifier: BSD-2-Clause */
/* Hand a status to the host: 42, or what status=N on the command line says. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

u32 guest_main(void)
{
	u32 status = (u32)cmdline_number("status", 42);

	print("status: %u\n", status);
	return status;
}
