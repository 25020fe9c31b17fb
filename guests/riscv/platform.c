/* SPDX-License-Identifier: BSD-2-Clause */
/* riscv64: the serial console, ways out, traps, and what the device tree says of the machine. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "riscv/riscv.h"

/* The map of arch/riscv/layout.h; plat_start() looks whether the tree says the same. */
enum {
	VIRTIO_BASE = 0x10001000,
	VIRTIO_WINDOWS = 32,
	VIRTIO_SIZE = 0x1000,
	VIRTIO_IRQ = 16,
	CAUSE_LOAD_PAGE_FAULT = 13,
	EXT_RESET = 0x53525354,
	RESET_OFF = 0,
	RESET_COLD = 1,
};

extern const u8 probe_read_1[], probe_read_2[], probe_read_4[], probe_read_8[];
extern const u8 probe_reads_end[], probe_faulted[];

static const char *command_line = "";
static uptr serial, exit_register;
static u32 serial_irq;
static u64 ns_per_tick;

/* The first address in "reg" of the node named PREFIX, number N; 0 if there is none. */
static u64 address_of(const char *prefix, u32 n)
{
	const u8 *node = fdt_node(prefix, n), *reg;
	u32 len;

	if (!node)
		return 0;
	reg = fdt_prop(node, "reg", &len);
	CHECK(reg && len == 16, STATUS_BAD_HOST);
	return fdt_u64(reg);
}

/* The interrupt of that node as the controller counts: controller, source, perhaps its kind. */
static u32 irq_of(const char *prefix, u32 n)
{
	u32 len;
	const u8 *cells = fdt_prop(fdt_node(prefix, n), "interrupts-extended", &len);

	CHECK(cells && (len == 8 || len == 12), STATUS_BAD_HOST);
	return fdt_u32(cells + 4);
}

_Noreturn void plat_start(const u8 *tree)
{
	const u8 *line;
	u32 len;

	fdt_init(tree);
	exit_register = (uptr)address_of("exit@", 0);
	serial = (uptr)address_of("serial@", 0);
	if (serial)
		serial_irq = irq_of("serial@", 0);
	CHECK(fdt_node("chosen", 0), STATUS_BAD_HOST);
	line = fdt_prop(fdt_node("chosen", 0), "bootargs", &len);
	if (line)
		command_line = (const char *)line;
	line = fdt_prop(fdt_node("cpus", 0), "timebase-frequency", &len);
	CHECK(line && fdt_u32(line), STATUS_BAD_HOST);
	ns_per_tick = 1000000000 / fdt_u32(line);
	for (u32 i = 0; fdt_node("virtio_mmio@", i); i++) {
		CHECK(address_of("virtio_mmio@", i) == plat_virtio_window(i), STATUS_BAD_HOST);
		CHECK(irq_of("virtio_mmio@", i) == plat_virtio_irq(i), STATUS_BAD_HOST);
	}
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

void plat_putc(char c)
{
	if (!serial)
		return;
	while (!(*(volatile u8 *)(serial + 5) & 0x20))
		plat_relax();
	*(volatile u8 *)serial = (u8)c;
}

int plat_getc(void)
{
	if (!serial || !(*(volatile u8 *)(serial + 5) & 1))
		return -1;
	return *(volatile u8 *)serial;
}

u32 plat_console_irq(void)
{
	return serial_irq;
}

void plat_console_irq_enable(void)
{
	*(volatile u8 *)(serial + 2) = 0x01; /* FIFO on, trigger at 1 */
	*(volatile u8 *)(serial + 4) = 0x0b; /* DTR, RTS, OUT2 */
	*(volatile u8 *)(serial + 1) = 0x01; /* received data */
}

_Noreturn void plat_exit(u32 status)
{
	mmio_write32(exit_register, status);
	plat_hang();
}

void plat_pvpanic(u8 events)
{
	volatile u8 *device = (volatile u8 *)(uptr)address_of("pvpanic@", 0);

	CHECK(device && *device == 3, STATUS_BAD_HOST);
	*device = events;
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

const char *plat_cmdline(void)
{
	return command_line;
}

bool plat_ram_region(u32 i, u64 *start, u64 *size)
{
	const u8 *node = fdt_node("memory@", i), *reg;
	u32 len;

	if (!node)
		return false;
	reg = fdt_prop(node, "reg", &len);
	CHECK(reg && len == 16, STATUS_BAD_HOST);
	*start = fdt_u64(reg);
	*size = fdt_u64(reg + 8);
	return true;
}

/* The first 128 GiB are mapped. */
void *plat_map(u64 gpa)
{
	CHECK(gpa < 128ULL << 30, STATUS_BAD_GUEST);
	return (void *)(uptr)gpa;
}

u32 plat_virtio_windows(void)
{
	return VIRTIO_WINDOWS;
}

uptr plat_virtio_window(u32 i)
{
	return VIRTIO_BASE + i * (uptr)VIRTIO_SIZE;
}

u32 plat_virtio_irq(u32 i)
{
	return VIRTIO_IRQ + i;
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

void plat_fill(void *to, u8 byte, uptr size)
{
	u8 *at = to;

	for (; size; size--)
		*at++ = byte;
}

/* Forward, by words where both are aligned: an overlap repeats what lies before it, as x86's does. */
void plat_copy(void *to, const void *from, uptr size)
{
	u8 *t = to;
	const u8 *f = from;

	if (!(((uptr)t | (uptr)f) & 7)) {
		for (; size >= 8; size -= 8, t += 8, f += 8) {
			*(u64 *)t = *(const u64 *)f;
			barrier();
		}
	}
	for (; size; size--) {
		*t++ = *f++;
		barrier();
	}
}
