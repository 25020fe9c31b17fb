/* SPDX-License-Identifier: BSD-2-Clause */
/* arm64: ways out, exceptions, time; what its board shares with others is dt/board.c. */
#include "lib/platform.h"
#include "arm64/arm64.h"
#include "lib/print.h"
#include "lib/string.h"

/* The map of arch/arm64/layout.h; board_init() looks whether the tree says the same. */
const struct board board = { .virtio_base = 0x0a000000, .virtio_irq = 32 + 16 };

enum {
	CLASS_DATA_ABORT = 0x25,
	PSCI_OFF = 0x84000008,
	PSCI_RESET = 0x84000009,
};

extern const u8 probe_read_1[], probe_read_2[], probe_read_4[], probe_read_8[];
extern const u8 probe_reads_end[], probe_faulted[];

/* The interrupt of that node as the controller counts. */
u32 board_irq(const char *prefix, u32 n)
{
	u32 len;
	const u8 *cells = fdt_prop(fdt_node(prefix, n), "interrupts", &len);

	CHECK(cells && len == 12 && fdt_u32(cells) == 0, STATUS_BAD_HOST);
	return 32 + fdt_u32(cells + 4);
}

_Noreturn void plat_start(const u8 *tree)
{
	board_init(tree);
	plat_exit(guest_main());
}

void exception(struct frame *frame)
{
	u64 esr = read_sysreg(esr_el1), elr = read_sysreg(elr_el1);

	if (frame->kind == 4 && esr >> 26 == CLASS_DATA_ABORT && elr >= (u64)probe_read_1 &&
	    elr < (u64)probe_reads_end) {
		write_sysreg(elr_el1, (u64)probe_faulted);
		return;
	}
	fail(STATUS_EXCEPTION, "exception %U ESR %X at %X, address %X", frame->kind, esr, elr,
	     read_sysreg(far_el1));
}

bool plat_probe_read(uptr address, u32 size, u64 *value)
{
	const u8 *code = size == 1   ? probe_read_1
			 : size == 2 ? probe_read_2
			 : size == 4 ? probe_read_4
				     : probe_read_8;
	register u64 x0 __asm__("x0") = address;
	register u64 x1 __asm__("x1");

	__asm__ volatile("blr %2" : "+r"(x0), "=r"(x1) : "r"(code) : "x30", "memory");
	*value = x0;
	return x1;
}

bool plat_odd_accesses(void)
{
	return true;
}

_Noreturn void plat_poweroff(void)
{
	psci(PSCI_OFF, 0, 0, 0);
	plat_hang();
}

_Noreturn void plat_reset(void)
{
	psci(PSCI_RESET, 0, 0, 0);
	plat_hang();
}

/* A pair of words where nothing is: no host can tell what was meant. */
_Noreturn void plat_crash(void)
{
	__asm__ volatile("ldp x0, x1, [%0]" : : "r"(0x0f000000UL) : "x0", "x1", "memory");
	plat_hang();
}

_Noreturn void plat_hang(void)
{
	__asm__ volatile("msr daifset, #15");
	for (;;)
		plat_relax();
}

_Noreturn void plat_sleep_for_ever(void)
{
	for (;;)
		__asm__ volatile("msr daifset, #15\n\twfi");
}

/* Thirds of a nanosecond, by the counter's own steps: x86's cycles, about, by which guests wait. */
u64 plat_cycles(void)
{
	__asm__ volatile("isb" : : : "memory");
	return read_sysreg(cntvct_el0) * (3000000000 / read_sysreg(cntfrq_el0));
}

void plat_relax(void)
{
	__asm__ volatile("yield" : : : "memory");
}

void plat_mb(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}
