/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor's own timer: one shot, then periodic. */
#include "lib/platform.h"
#include "lib/print.h"

static volatile u32 ticks;

static void tick(void)
{
	ticks++;
}

u32 guest_main(void)
{
	u64 begin = plat_cycles(), end;

	plat_timer_start(2000000, false, tick);
	while (ticks < 1)
		plat_wait_irq();
	end = plat_cycles();
	print("timer: one shot\n");
	if (end - begin < 1000)
		fail(1, "the timer fired after %U cycles", end - begin);
	plat_timer_start(1000000, true, tick);
	while (ticks < 6)
		plat_wait_irq();
	plat_timer_stop();
	print("timer: periodic\n");
	return 0;
}
