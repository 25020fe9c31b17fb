/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * riscv64: the interrupt controller, a PLIC or an APLIC with IMSICs; the timer; waiting (PLIC
 * specification 1.0.0; Advanced Interrupt Architecture 1.0; Sstc 1.0; SBI specification 2.0).
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "riscv/riscv.h"

enum {
	SOURCES = 64,

	PLIC_ENABLE = 0x2000,
	PLIC_CONTEXT = 0x200000,
	PLIC_CLAIM = 4,

	APLIC_DOMAIN = 0,
	APLIC_DOMAIN_ON = 0x104, /* interrupts on, delivered by messages */
	APLIC_SOURCE = 0,	 /* of source 1 at 4 */
	APLIC_EDGE = 4,
	APLIC_LEVEL = 6,
	APLIC_ENABLE_NUMBER = 0x1edc,
	APLIC_TARGET = 0x3000, /* of source 1 at 4 */

	IMSIC_DELIVERY = 0x70,
	IMSIC_THRESHOLD = 0x72,
	IMSIC_ENABLE = 0xc0, /* 64 bits; odd numbers are not used */

	EXT_TIME = 0x54494d45,
};

#define NEVER (~0ULL)

static void (*handlers[SOURCES])(void);
static void (*timer_handler)(void);
static bool ready, aia, sstc;
static uptr controller;
static u64 period, deadline; /* ticks; 0: one shot */

static void imsic_write(u64 reg, u64 value)
{
	__asm__ volatile("csrw 0x150, %0\n\tcsrw 0x151, %1" : : "r"(reg), "r"(value) : "memory");
}

static u64 imsic_read(u64 reg)
{
	u64 value;

	__asm__ volatile("csrw 0x150, %1\n\tcsrr %0, 0x151" : "=r"(value) : "r"(reg) : "memory");
	return value;
}

static void init(void)
{
	const u8 *node, *text, *reg = NULL;
	u32 len;

	if (ready)
		return;
	ready = true;
	for (u32 i = 0; !reg && (node = fdt_node("interrupt-controller@", i)); i++) {
		text = fdt_prop(node, "compatible", &len);
		aia = len == 12 && text[6] == 'a'; /* "riscv,aplic" */
		if (aia || text[0] == 's')	   /* "sifive,plic-1.0.0" */
			reg = fdt_prop(node, "reg", &len);
	}
	CHECK(reg && len == 16, STATUS_BAD_HOST);
	controller = (uptr)fdt_u64(reg);
	if (aia) {
		imsic_write(IMSIC_THRESHOLD, 0);
		imsic_write(IMSIC_DELIVERY, 1);
		mmio_write32(controller + APLIC_DOMAIN, APLIC_DOMAIN_ON);
	} else {
		mmio_write32(controller + PLIC_CONTEXT + 0x1000 * boot_hart, 0);
	}
	set_csr(sie, 1 << IRQ_EXTERNAL);
}

/* The next source that interrupts; 0: none. */
static u32 claim(void)
{
	u64 top;

	if (!aia)
		return mmio_read32(controller + PLIC_CONTEXT + 0x1000 * boot_hart + PLIC_CLAIM);
	__asm__ volatile("csrrw %0, 0x15c, zero" : "=r"(top) : : "memory");
	return (u32)(top >> 16);
}

static void complete(u32 source)
{
	if (!aia)
		mmio_write32(controller + PLIC_CONTEXT + 0x1000 * boot_hart + PLIC_CLAIM, source);
}

/* "riscv,isa-extensions" is a list of strings. */
static bool hart_has(const char *extension)
{
	u32 len = 0, size = (u32)strlen(extension) + 1;
	const u8 *list = fdt_prop(fdt_node("cpu@", 0), "riscv,isa-extensions", &len);

	CHECK(list, STATUS_BAD_HOST);
	for (u32 i = 0; i + size <= len; i += (u32)strlen((const char *)list + i) + 1) {
		if (!memcmp(list + i, extension, size))
			return true;
	}
	return false;
}

/*
 * By the hart's own register where it has one, as Linux does. The firmware's call is for the others:
 * on a host with Sstc, Linux's KVM (6.12, and as of 2026 its master) keeps a time given that way in the
 * CPU's register alone, and loses it when the vCPU's thread is scheduled away before the guest goes on.
 */
static void timer_set(void)
{
	if (sstc)
		write_csr(0x14d, deadline);
	else
		sbi(EXT_TIME, 0, deadline, 0, 0);
}

static void timer(void)
{
	deadline = period ? deadline + period : NEVER;
	timer_set();
	timer_handler();
}

void interrupt(u64 cause)
{
	u32 source;

	if (cause == IRQ_TIMER) {
		timer();
		return;
	}
	if (cause != IRQ_EXTERNAL)
		fail(STATUS_EXCEPTION, "interrupt %U, which nobody asked for", cause);
	while ((source = claim())) {
		if (source >= SOURCES || !handlers[source])
			fail(STATUS_EXCEPTION, "source %u, which nobody asked for", source);
		handlers[source]();
		complete(source);
	}
}

void plat_irq_on(u32 irq, bool level, void (*handler)(void))
{
	init();
	CHECK(irq > 0 && irq < SOURCES, STATUS_BAD_GUEST);
	handlers[irq] = handler;
	if (aia) {
		mmio_write32(controller + APLIC_SOURCE + 4 * irq, level ? APLIC_LEVEL : APLIC_EDGE);
		mmio_write32(controller + APLIC_TARGET + 4 * irq, (u32)boot_hart << 18 | irq);
		imsic_write(IMSIC_ENABLE, imsic_read(IMSIC_ENABLE) | 1ULL << irq);
		mmio_write32(controller + APLIC_ENABLE_NUMBER, irq);
	} else {
		uptr enable = controller + PLIC_ENABLE + 0x80 * boot_hart + irq / 32 * 4;

		mmio_write32(controller + 4 * irq, 1);
		mmio_write32(enable, mmio_read32(enable) | 1U << irq % 32);
	}
}

/* TICKS are nanoseconds. */
void plat_timer_start(u32 ticks, bool periodic, void (*handler)(void))
{
	u32 len;
	u64 frequency = fdt_u32(fdt_prop(fdt_node("cpus", 0), "timebase-frequency", &len));
	u64 count = (u64)ticks * frequency / 1000000000;

	sstc = hart_has("sstc");
	timer_handler = handler;
	period = periodic ? count : 0;
	deadline = read_csr(time) + count;
	set_csr(sie, 1 << IRQ_TIMER);
	timer_set();
}

void plat_timer_stop(void)
{
	clear_csr(sie, 1 << IRQ_TIMER);
	deadline = NEVER;
	timer_set();
}

void plat_wait_irq(void)
{
	__asm__ volatile("fence\n\twfi\n\tcsrsi sstatus, 2\n\tnop\n\tcsrci sstatus, 2"
			 :
			 :
			 : "memory");
}
