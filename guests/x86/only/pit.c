/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 interval timer, by the IOAPIC pin that the MADT names for IRQ 0. */
#include "lib/platform.h"
#include "lib/print.h"
#include "x86/io.h"

static volatile u32 ticks;

static void tick(void)
{
	ticks++;
}

u32 guest_main(void)
{
	plat_irq_on(0, false, tick);
	out8(0x43, 0x34); /* channel 0, both bytes, rate generator */
	out8(0x40, 0x9c); /* 1.193182 MHz / 1180: about 1 ms */
	out8(0x40, 0x04);
	while (ticks < 3)
		plat_wait_irq();
	print("pit: ticks\n");
	return 0;
}
