/* SPDX-License-Identifier: BSD-2-Clause */
/* arm64: the interrupt controller, GICv3 or GICv2; the virtual timer; waiting (IHI 0069, IHI 0048). */
#include "arm64/arm64.h"
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

enum {
	DIST_CTLR = 0x000,
	GROUP = 0x080,
	ENABLE = 0x100,
	PRIORITY = 0x400,
	TARGETS = 0x800, /* GICv2 */
	CONFIG = 0xc00,
	ROUTER = 0x6000, /* GICv3 */
	CTLR_V2 = 1,
	CTLR_V3 = 0x12, /* affinity routing, group 1 */
	REDIST_SGI = 0x10000,
	REDIST_STRIDE = 0x20000,
	CPU_PMR = 0x04, /* GICv2's CPU interface */
	CPU_ACK = 0x0c,
	CPU_END = 0x10,
	TIMER_IRQ = 27, /* the virtual timer */
	FIRST_SHARED = 32,
	MAX_IRQ = 1020,
	HANDLERS = 128,
};

static void (*handlers[HANDLERS])(void);
static bool ready, v3;
static uptr dist, cpu_or_redist;
static u64 reload; /* timer ticks, 0: one shot */

/* Which redistributor is this processor's: they lie in the order of the processors in the tree. */
static uptr redist(void)
{
	u64 mpidr = read_sysreg(mpidr_el1) & 0xff00ffffffULL;
	const u8 *cpu;
	u32 len;

	for (u32 i = 0; (cpu = fdt_node("cpu@", i)); i++)
		if (fdt_u64(fdt_prop(cpu, "reg", &len)) == mpidr)
			return cpu_or_redist + (uptr)i * REDIST_STRIDE;
	fail(STATUS_BAD_HOST, "MPIDR %X is not in the tree", mpidr);
}

void gic_init_cpu(void)
{
	if (!v3) {
		mmio_write32(cpu_or_redist + CPU_PMR, 0xff);
		mmio_write32(cpu_or_redist, 1);
		return;
	}
	mmio_write32(redist() + REDIST_SGI + GROUP, 0xffffffff);
	write_sysreg(s3_0_c12_c12_5, 7);  /* ICC_SRE_EL1 */
	write_sysreg(s3_0_c4_c6_0, 0xff); /* ICC_PMR_EL1 */
	write_sysreg(s3_0_c12_c12_7, 1);  /* ICC_IGRPEN1_EL1 */
}

void gic_init(void)
{
	const u8 *node = fdt_node("interrupt-controller@", 0), *reg;
	u32 len;

	if (ready)
		return;
	ready = true;
	CHECK(node, STATUS_BAD_HOST);
	reg = fdt_prop(node, "reg", &len);
	CHECK(reg && len == 32, STATUS_BAD_HOST);
	dist = (uptr)fdt_u64(reg);
	cpu_or_redist = (uptr)fdt_u64(reg + 16);
	/* "arm,gic-v3" or "arm,cortex-a15-gic" */
	v3 = fdt_prop(node, "compatible", &len)[4] == 'g';
	mmio_write32(dist + DIST_CTLR, v3 ? CTLR_V3 : CTLR_V2);
	gic_init_cpu();
}

/* Handles all that is pending. */
void interrupt(void)
{
	for (;;) {
		u32 irq = v3 ? (u32)read_sysreg(s3_0_c12_c12_0)
			     : mmio_read32(cpu_or_redist + CPU_ACK);

		if ((irq & 0x3ff) >= MAX_IRQ)
			return;
		if ((irq & 0x3ff) >= HANDLERS || !handlers[irq & 0x3ff])
			fail(STATUS_EXCEPTION, "interrupt %u, which nobody asked for", irq);
		if (irq == TIMER_IRQ) {
			if (reload)
				write_sysreg(cntv_tval_el0, reload);
			else
				write_sysreg(cntv_ctl_el0, 0);
		}
		handlers[irq & 0x3ff]();
		if (v3)
			write_sysreg(s3_0_c12_c12_1, irq);
		else
			mmio_write32(cpu_or_redist + CPU_END, irq);
	}
}

static void enable(u32 irq, bool level, void (*handler)(void))
{
	uptr base;
	u32 config;

	gic_init();
	CHECK(irq < HANDLERS, STATUS_BAD_GUEST);
	handlers[irq] = handler;
	base = v3 && irq < FIRST_SHARED ? redist() + REDIST_SGI : dist;
	*(volatile u8 *)(base + PRIORITY + irq) = 0xa0;
	if (irq >= FIRST_SHARED) {
		config = mmio_read32(dist + CONFIG + irq / 16 * 4) & ~(2U << irq % 16 * 2);
		mmio_write32(dist + CONFIG + irq / 16 * 4,
			     config | (level ? 0 : 2U << irq % 16 * 2));
		if (v3) {
			mmio_write32(dist + GROUP + irq / 32 * 4, 0xffffffff);
			*(volatile u64 *)(dist + ROUTER + irq * 8UL) = read_sysreg(mpidr_el1) &
								       0xff00ffffffULL;
		} else {
			*(volatile u8 *)(dist + TARGETS + irq) = 1;
		}
	}
	mmio_write32(base + ENABLE + irq / 32 * 4, 1U << irq % 32);
}

void plat_irq_on(u32 irq, bool level, void (*handler)(void))
{
	enable(irq, level, handler);
}

/* TICKS are nanoseconds. */
void plat_timer_start(u32 ticks, bool periodic, void (*handler)(void))
{
	u64 count = (u64)ticks * read_sysreg(cntfrq_el0) / 1000000000;

	reload = periodic ? count : 0;
	enable(TIMER_IRQ, true, handler);
	write_sysreg(cntv_tval_el0, count);
	write_sysreg(cntv_ctl_el0, 1);
}

void plat_timer_stop(void)
{
	write_sysreg(cntv_ctl_el0, 0);
}

void plat_wait_irq(void)
{
	__asm__ volatile("dsb sy\n\twfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2"
			 :
			 :
			 : "memory");
}
