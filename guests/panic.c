/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Panic as a Linux kernel does: a line on the console, then the pvpanic device. Words: loaded (tell
 * that a crash kernel runs now, then power off), reset (no device; reset), hang (no device; the last
 * line of a kernel that stays, then nothing), poweroff.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

enum {
	PANICKED = 1,
	CRASH_LOADED = 2,
};

u32 guest_main(void)
{
	print("[    0.100000] Run /init as init process\n");
	print("[    0.123456] Kernel panic - not syncing: made up\n");
	print("panic: colours \x1b[31mred\x1b[0m\n");
	if (cmdline_has("reset"))
		plat_reset();
	if (cmdline_has("hang")) {
		print("[    0.123999] ---[ end Kernel panic - not syncing: made up ]---\n");
		plat_hang();
	}
	if (cmdline_has("loaded")) {
		plat_pvpanic(CRASH_LOADED);
		plat_poweroff();
	}
	plat_pvpanic(PANICKED);
	plat_hang();
}
