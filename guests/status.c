/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hand a status to the host: 42, or what status=N on the command line says. Words: other (the last
 * processor does it), all (every processor tries).
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

static u32 status;

static void other(u32 cpu)
{
	if (cpu == plat_cpu_count() - 1 || cmdline_has("all"))
		plat_exit(status);
	plat_sleep_for_ever();
}

u32 guest_main(void)
{
	status = (u32)cmdline_number("status", 42);
	print("status: %u\n", status);
	if (cmdline_has("other") || cmdline_has("all")) {
		for (u32 cpu = 1; cpu < plat_cpu_count(); cpu++)
			if (plat_cpu_start(cpu, other))
				fail(99, "processor %u does not start", cpu);
		if (cmdline_has("other"))
			plat_sleep_for_ever();
	}
	return status;
}
