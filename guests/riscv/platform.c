/* SPDX-License-Identifier: BSD-2-Clause */
/* riscv64: ways out, traps, time; what its board shares with others is dt/board.c. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "riscv/riscv.h"

/* The map of arch/riscv/layout.h; board_init() looks whether the tree says the same. */
const struct board board = { .virtio_base = 0x10001000, .virtio_irq = 16 };

enum {
	CAUSE_LOAD_PAGE_FAULT = 13,
	EXT_RESET = 0x53525354,
	RESET_OFF = 0,
	RESET_COLD = 1,
};

extern const u8 probe_read_1[], probe_read_2[], probe_read_4[], probe_read_8[];
extern const u8 probe_reads_end[], probe_faulted[];

static u64 ns_per_tick;

/* The interrupt of that node as the controller counts: controller, source, perhaps its kind. */
u32 board_irq(const char *prefix, u32 n)
{
	u32 len;
	const u8 *cells = fdt_prop(fdt_node(prefix, n), "interrupts-extended", &len);

	CHECK(cells && (len == 8 || len == 12), STATUS_BAD_HOST);
	return fdt_u32(cells + 4);
}

_Noreturn void plat_start(const u8 *tree)
{
	const u8 *ticks;
	u32 len;

	board_init(tree);
	ticks = fdt_prop(fdt_node("cpus", 0), "timebase-frequency", &len);
	CHECK(ticks && fdt_u32(ticks), STATUS_BAD_HOST);
	ns_per_tick = 1000000000 / fdt_u32(ticks);
	plat_exit(guest_main());
}

/* Returns where to go on. */
u64 trap(u64 cause, u64 pc, u64 address)
{
	if (cause >> 63) {
		interrupt(cause << 1 >> 1);
		return pc;
	}
	if (cause == CAUSE_LOAD_PAGE_FAULT && pc >= (u64)probe_read_1 && pc < (u64)probe_reads_end)
		return (u64)probe_faulted;
	fail(STATUS_EXCEPTION, "exception %U at %X, address %X", cause, pc, address);
}

bool plat_probe_read(uptr address, u32 size, u64 *value)
{
	const u8 *code = size == 1   ? probe_read_1
			 : size == 2 ? probe_read_2
			 : size == 4 ? probe_read_4
				     : probe_read_8;
	register u64 a0 __asm__("a0") = address;
	register u64 a1 __asm__("a1");

	__asm__ volatile("jalr %2" : "+r"(a0), "=&r"(a1) : "r"(code) : "ra", "memory");
	*value = a0;
	return a1;
}

/* KVM takes no access to a device that is not aligned: the guest would be at its end. */
bool plat_odd_accesses(void)
{
	return false;
}

_Noreturn void plat_poweroff(void)
{
	sbi(EXT_RESET, 0, RESET_OFF, 0, 0);
	plat_hang();
}

_Noreturn void plat_reset(void)
{
	sbi(EXT_RESET, 0, RESET_COLD, 0, 0);
	plat_hang();
}

/* Across the border of two words where nothing is: KVM does not do that for us. */
_Noreturn void plat_crash(void)
{
	__asm__ volatile("ld zero, (%0)" : : "r"(0x0f000001UL) : "memory");
	plat_hang();
}

_Noreturn void plat_hang(void)
{
	clear_csr(sstatus, 2);
	for (;;)
		plat_relax();
}

_Noreturn void plat_sleep_for_ever(void)
{
	write_csr(sie, 0);
	for (;;)
		__asm__ volatile("wfi");
}

/* Nanoseconds, by the clock's own steps. */
u64 plat_cycles(void)
{
	return read_csr(time) * ns_per_tick;
}

void plat_relax(void)
{
	__asm__ volatile("nop" : : : "memory");
}

void plat_mb(void)
{
	__asm__ volatile("fence iorw, iorw" : : : "memory");
}
