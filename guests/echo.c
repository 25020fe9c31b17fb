/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console input: all bytes are counted and added up until one 'q' comes, then the sums are printed.
 * Words: irq (wait by interrupt, else by polling), loud (send each byte back).
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

enum { MODULUS = 65521 };

static volatile u32 interrupts;
static volatile bool done;
static u32 count, a = 1, b; /* Adler-32: it sees order and content */
static bool loud;

/* Take all that waits. */
static void drain(void)
{
	int c;

	while (!done && (c = plat_getc()) >= 0) {
		if (c == 'q') {
			done = true;
			break;
		}
		count++;
		a += (u32)c;
		if (a >= MODULUS)
			a -= MODULUS;
		b += a;
		if (b >= MODULUS)
			b -= MODULUS;
		if (loud)
			plat_putc((char)c);
	}
}

static void handler(void)
{
	interrupts++;
	drain();
}

u32 guest_main(void)
{
	loud = cmdline_has("loud");
	print("echo: ready\n");
	if (cmdline_has("irq")) {
		plat_irq_on(plat_console_irq(), false, handler);
		plat_console_irq_enable();
		while (!done)
			plat_wait_irq();
		if (!interrupts)
			fail(1, "no interrupt came");
	} else {
		while (!done) {
			drain();
			plat_relax();
		}
	}
	print("echo: %u bytes, sum %u %u\n", count, a, b);
	return 0;
}
