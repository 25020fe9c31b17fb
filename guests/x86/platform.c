/* SPDX-License-Identifier: BSD-2-Clause */
/* x86: the serial console, ways out, and what boot_params says about the machine. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "x86/io.h"
#include "x86/x86.h"

/* Offsets in boot_params (Linux Documentation/arch/x86/zero-page.rst). */
enum {
	BP_RSDP = 0x70,
	BP_CMDLINE_HIGH = 0xc8,
	BP_E820_COUNT = 0x1e8,
	BP_CMDLINE = 0x228,
	BP_E820 = 0x2d0,
	E820_SIZE = 20,
	E820_RAM = 1,
};

static const u8 *boot_params;
static const char *command_line = "";

static u64 boot_param(u32 offset, u32 size)
{
	u64 v = 0;

	plat_copy(&v, boot_params + offset, size);
	return v;
}

_Noreturn void plat_start(const u8 *params)
{
	u64 line;

	boot_params = params;
	line = boot_param(BP_CMDLINE, 4) | boot_param(BP_CMDLINE_HIGH, 4) << 32;
	if (line)
		command_line = (const char *)(uptr)line;
	x86_idt_init();
	plat_exit(guest_main());
}

bool plat_odd_accesses(void)
{
	return true;
}

void plat_putc(char c)
{
	while (!(in8(PORT_COM1 + 5) & 0x20))
		plat_relax();
	out8(PORT_COM1, (u8)c);
}

int plat_getc(void)
{
	if (!(in8(PORT_COM1 + 5) & 1))
		return -1;
	return in8(PORT_COM1);
}

u32 plat_console_irq(void)
{
	return 4;
}

void plat_console_irq_enable(void)
{
	out8(PORT_COM1 + 2, 0x01); /* FIFO on, trigger at 1 */
	out8(PORT_COM1 + 4, 0x0b); /* DTR, RTS, OUT2: the interrupt gate of a PC */
	out8(PORT_COM1 + 1, 0x01); /* received data */
}

_Noreturn void plat_exit(u32 status)
{
	out32(PORT_EXIT, status);
	plat_hang();
}

_Noreturn void plat_poweroff(void)
{
	out8(PORT_SLEEP, 0x20 | 5 << 2);
	plat_hang();
}

_Noreturn void plat_reset(void)
{
	while (in8(PORT_I8042) & 2)
		plat_relax();
	out8(PORT_I8042, 0xfe);
	plat_hang();
}

_Noreturn void plat_crash(void)
{
	static const u16 empty[5];

	__asm__ volatile("lidt %0\n\tud2" : : "m"(empty));
	plat_hang();
}

void plat_pvpanic(u8 events)
{
	CHECK(in8(PORT_PVPANIC) == 3, STATUS_BAD_HOST);
	out8(PORT_PVPANIC, events);
}

_Noreturn void plat_hang(void)
{
	__asm__ volatile("cli");
	for (;;)
		plat_relax();
}

_Noreturn void plat_sleep_for_ever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

const char *plat_cmdline(void)
{
	return command_line;
}

bool plat_ram_region(u32 i, u64 *start, u64 *size)
{
	u32 count = (u32)boot_param(BP_E820_COUNT, 1);

	for (u32 at = 0; at < count; at++) {
		u32 entry = BP_E820 + at * E820_SIZE;

		if (boot_param(entry + 16, 4) != E820_RAM || i--)
			continue;
		*start = boot_param(entry, 8);
		*size = boot_param(entry + 8, 8);
		return true;
	}
	return false;
}

void *plat_map(u64 gpa)
{
	static u64 tables[4][512] __attribute__((aligned(4096)));
	static u32 used;
	u64 *pml4, *pdpt, *pd, cr3;

	if (gpa < 1ULL << 32)
		return (void *)gpa;
	CHECK(gpa < 1ULL << 39, STATUS_BAD_GUEST);
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	pml4 = (u64 *)(cr3 & ~0xfffULL);
	pdpt = (u64 *)(pml4[0] & ~0xfffULL) + (gpa >> 30);
	if (!*pdpt) {
		CHECK(used < ARRAY_SIZE(tables), STATUS_BAD_GUEST);
		*pdpt = (u64)tables[used++] | 3;
	}
	pd = (u64 *)(*pdpt & ~0xfffULL) + (gpa >> 21 & 511);
	*pd = (gpa & ~0x1fffffULL) | 0x83;
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
	return (void *)gpa;
}

u32 plat_cpu_count(void)
{
	x86_acpi_init(boot_param(BP_RSDP, 8));
	return x86_acpi_cpus();
}

/* The windows and lines of arch/x86/layout.h; the DSDT says the same to systems that read it. */
static const u8 virtio_lines[] = { 5, 6, 7, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 12 };

u32 plat_virtio_windows(void)
{
	return ARRAY_SIZE(virtio_lines);
}

uptr plat_virtio_window(u32 i)
{
	return 0xc0000000 + i * 0x1000UL;
}

u32 plat_virtio_irq(u32 i)
{
	return virtio_lines[i];
}

u64 plat_cycles(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

void plat_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

void plat_mb(void)
{
	__asm__ volatile("mfence" : : : "memory");
}

void plat_fill(void *to, u8 byte, uptr size)
{
	uptr words = size / 8, rest = size % 8;
	u64 word = byte * 0x0101010101010101ULL;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(word) : "memory");
}

void plat_copy(void *to, const void *from, uptr size)
{
	uptr words = size / 8, rest = size % 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
}
