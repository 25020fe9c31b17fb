/* SPDX-License-Identifier: BSD-2-Clause */
/* arm64: the serial console, ways out, exceptions, and what the device tree says of the machine. */
#include "lib/platform.h"
#include "arm64/arm64.h"
#include "lib/print.h"
#include "lib/string.h"

/* The map of arch/arm64/layout.h; plat_start() looks whether the tree says the same. */
enum {
	VIRTIO_BASE = 0x0a000000,
	VIRTIO_WINDOWS = 32,
	VIRTIO_SIZE = 0x1000,
	VIRTIO_IRQ = 32 + 16,
	CLASS_DATA_ABORT = 0x25,
	PSCI_OFF = 0x84000008,
	PSCI_RESET = 0x84000009,
};

extern const u8 probe_read_1[], probe_read_2[], probe_read_4[], probe_read_8[];
extern const u8 probe_reads_end[], probe_faulted[];

static const char *command_line = "";
static uptr serial, exit_register;
static u32 serial_irq;

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

/* The interrupt of that node as the controller counts. */
static u32 irq_of(const char *prefix, u32 n)
{
	u32 len;
	const u8 *cells = fdt_prop(fdt_node(prefix, n), "interrupts", &len);

	CHECK(cells && len == 12 && fdt_u32(cells) == 0, STATUS_BAD_HOST);
	return 32 + fdt_u32(cells + 4);
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
	for (u32 i = 0; fdt_node("virtio_mmio@", i); i++) {
		CHECK(address_of("virtio_mmio@", i) == plat_virtio_window(i), STATUS_BAD_HOST);
		CHECK(irq_of("virtio_mmio@", i) == plat_virtio_irq(i), STATUS_BAD_HOST);
	}
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

void plat_fill(void *to, u8 byte, uptr size)
{
	u8 *at = to;

	for (; size; size--)
		*at++ = byte;
}

/* Forward, by words first: an overlap repeats what lies before it, as x86's does. */
void plat_copy(void *to, const void *from, uptr size)
{
	u8 *t = to;
	const u8 *f = from;

	for (; size >= 8; size -= 8, t += 8, f += 8) {
		*(u64 *)t = *(const u64 *)f;
		barrier();
	}
	for (; size; size--) {
		*t++ = *f++;
		barrier();
	}
}
