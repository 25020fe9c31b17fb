/* SPDX-License-Identifier: BSD-2-Clause */
/* x86: exceptions, interrupts, the local APIC with its timer, and the IOAPIC. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "x86/io.h"
#include "x86/x86.h"

enum {
	FIRST_VECTOR = 32,
	SPURIOUS = 63, /* the last entry that we have code for; its low bits are set */
	MSR_APIC_BASE = 0x1b,
	MSR_X2APIC = 0x800,
	APIC_X2 = 1 << 10,
	APIC_ON = 1 << 11,
	LAPIC_EOI = 0xb0,
	LAPIC_SVR = 0xf0,
	LAPIC_ICR = 0x300,
	LAPIC_ICR2 = 0x310,
	LAPIC_TIMER = 0x320,
	LAPIC_LINT0 = 0x350,
	LAPIC_COUNT = 0x380,
	LAPIC_DIVIDE = 0x3e0,
	LVT_MASKED = 1 << 16,
	LVT_PERIODIC = 1 << 17,
};

struct gate {
	u16 offset_low, selector, type, offset_mid;
	u32 offset_high, zero;
};

extern const u8 exception_entries[], interrupt_entries[];
extern const u8 probe_read_1[], probe_read_2[], probe_read_4[], probe_read_8[];
extern const u8 probe_reads_end[], probe_faulted[];

static struct gate idt[64];
static void (*handlers[32])(void);
static u32 handlers_used;
static bool x2apic;

void x86_idt_load(void)
{
	struct __attribute__((packed)) {
		u16 limit;
		u64 base;
	} pointer = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void x86_idt_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(idt); i++) {
		uptr entry = i < 32 ? (uptr)exception_entries + i * 16UL
				    : (uptr)interrupt_entries + (i - 32) * 16UL;

		idt[i].offset_low = (u16)entry;
		idt[i].offset_mid = (u16)(entry >> 16);
		idt[i].offset_high = (u32)((u64)entry >> 32);
		idt[i].selector = 0x10;
		idt[i].type = 0x8e00;
	}
	x86_idt_load();
}

void exception(struct exception_frame *frame)
{
	u64 cr2;

	if (frame->rip >= (u64)probe_read_1 && frame->rip < (u64)probe_reads_end) {
		frame->rip = (u64)probe_faulted;
		return;
	}
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	fail(STATUS_EXCEPTION, "exception %U error %X rip %X rsp %X cr2 %X", frame->vector,
	     frame->error, frame->rip, frame->rsp, cr2);
}

bool plat_probe_read(uptr address, u32 size, u64 *value)
{
	const u8 *code = size == 1   ? probe_read_1
			 : size == 2 ? probe_read_2
			 : size == 4 ? probe_read_4
				     : probe_read_8;
	u64 faulted;

	__asm__ volatile("call *%3"
			 : "=a"(*value), "=d"(faulted)
			 : "D"(address), "r"(code)
			 : "memory");
	return faulted;
}

void interrupt(u32 vector)
{
	if (vector == SPURIOUS - FIRST_VECTOR)
		return;
	if (!handlers[vector])
		fail(STATUS_EXCEPTION, "interrupt on vector %u, which nobody asked for",
		     vector + FIRST_VECTOR);
	handlers[vector]();
	x86_lapic_write(LAPIC_EOI, 0);
}

u32 x86_lapic_read(u32 reg)
{
	if (x2apic)
		return (u32)rdmsr(MSR_X2APIC + (reg >> 4));
	return mmio_read32(x86_acpi_lapic() + reg);
}

void x86_lapic_write(u32 reg, u32 value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + (reg >> 4), value);
	else
		mmio_write32(x86_acpi_lapic() + reg, value);
}

/* Word "x2apic" on the command line chooses that mode. */
void x86_lapic_init(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	CHECK(base & APIC_ON, STATUS_BAD_HOST);
	x2apic = cmdline_has("x2apic");
	if (x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_X2);
	x86_lapic_write(LAPIC_SVR, 0x100 | SPURIOUS);
	x86_lapic_write(LAPIC_LINT0, LVT_MASKED); /* the 8259s stay out of it */
}

void x86_send_ipi(u32 apic_id, u32 command)
{
	if (x2apic) {
		wrmsr(MSR_X2APIC + (LAPIC_ICR >> 4), (u64)apic_id << 32 | command);
		return;
	}
	x86_lapic_write(LAPIC_ICR2, apic_id << 24);
	x86_lapic_write(LAPIC_ICR, command);
	while (x86_lapic_read(LAPIC_ICR) & 1 << 12)
		plat_relax();
}

/* The APIC and tables are made ready with the first interrupt that somebody wants. */
u32 x86_vector(void (*handler)(void))
{
	if (!handlers_used) {
		plat_cpu_count();
		x86_lapic_init();
		out8(0x21, 0xff); /* 8259s: all masked */
		out8(0xa1, 0xff);
	}
	for (u32 i = 0; i < handlers_used; i++)
		if (handlers[i] == handler)
			return FIRST_VECTOR + i;
	CHECK(handlers_used < SPURIOUS - FIRST_VECTOR, STATUS_BAD_GUEST);
	handlers[handlers_used] = handler;
	return FIRST_VECTOR + handlers_used++;
}

void plat_irq_on(u32 irq, bool level, void (*handler)(void))
{
	u32 vector = x86_vector(handler), gsi = x86_acpi_gsi(irq);
	uptr ioapic = x86_acpi_ioapic();

	mmio_write32(ioapic, 0x10 + gsi * 2 + 1); /* IOREGSEL; then IOWIN */
	mmio_write32(ioapic + 0x10, 0);		  /* to APIC 0 */
	mmio_write32(ioapic, 0x10 + gsi * 2);
	mmio_write32(ioapic + 0x10, vector | (level ? 1U << 15 : 0));
}

void plat_timer_start(u32 ticks, bool periodic, void (*handler)(void))
{
	u32 vector = x86_vector(handler);

	x86_lapic_write(LAPIC_DIVIDE, 0xb); /* by 1 */
	x86_lapic_write(LAPIC_TIMER, vector | (periodic ? LVT_PERIODIC : 0));
	x86_lapic_write(LAPIC_COUNT, ticks);
}

void plat_timer_stop(void)
{
	x86_lapic_write(LAPIC_COUNT, 0);
	x86_lapic_write(LAPIC_TIMER, LVT_MASKED);
}

void plat_wait_irq(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}
