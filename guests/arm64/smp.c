/* SPDX-License-Identifier: BSD-2-Clause */
/* arm64: PSCI (DEN 0022), by which processors start and the machine ends. */
#include "arm64/arm64.h"
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

enum { STACK = 4096 };

#define PSCI_CPU_ON 0xc4000003ULL

extern const u8 secondary_start[];

static u8 stacks[MAX_CPUS][STACK] __attribute__((aligned(16)));
static void (*entries[MAX_CPUS])(u32 cpu);

u64 psci(u64 function, u64 a, u64 b, u64 c)
{
	register u64 x0 __asm__("x0") = function;
	register u64 x1 __asm__("x1") = a;
	register u64 x2 __asm__("x2") = b;
	register u64 x3 __asm__("x3") = c;

	__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	return x0;
}

_Noreturn void plat_cpu_main(u32 cpu)
{
	entries[cpu](cpu);
	plat_hang();
}

u32 plat_cpu_count(void)
{
	u32 n = 0;

	while (fdt_node("cpu@", n))
		n++;
	return n;
}

/* Its own stack holds its number: it reads that before its caches are on, so we clean it. */
int plat_cpu_start(u32 cpu, void (*entry)(u32 cpu))
{
	u64 *top, mpidr;
	const u8 *node, *reg;
	u32 len;

	if (cpu == 0 || cpu >= MAX_CPUS || !(node = fdt_node("cpu@", cpu)))
		return -1;
	reg = fdt_prop(node, "reg", &len);
	if (!reg || len != 8)
		return -1;
	mpidr = fdt_u64(reg);
	top = (u64 *)(stacks[cpu] + STACK);
	top[-2] = cpu;
	entries[cpu] = entry;
	__asm__ volatile("dc civac, %0\n\tdsb sy" : : "r"(&top[-2]) : "memory");
	return psci(PSCI_CPU_ON, mpidr, (uptr)secondary_start, (uptr)top) ? -1 : 0;
}
