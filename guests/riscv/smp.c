/* SPDX-License-Identifier: BSD-2-Clause */
/* riscv64: the SBI, by which harts start and the machine ends (SBI specification 2.0). */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "riscv/riscv.h"

enum { STACK = 4096, EXT_HSM = 0x48534d, HART_START = 0 };

extern const u8 secondary_start[];

static u8 stacks[MAX_CPUS][STACK] __attribute__((aligned(16)));
static void (*entries[MAX_CPUS])(u32 cpu);

bool sbi(u64 extension, u64 function, u64 a, u64 b, u64 c)
{
	register u64 a0 __asm__("a0") = a;
	register u64 a1 __asm__("a1") = b;
	register u64 a2 __asm__("a2") = c;
	register u64 a6 __asm__("a6") = function;
	register u64 a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return a0 != 0;
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

/* Harts are numbered as the processors are, from 0. */
int plat_cpu_start(u32 cpu, void (*entry)(u32 cpu))
{
	if (cpu == 0 || cpu >= MAX_CPUS || !fdt_node("cpu@", cpu))
		return -1;
	entries[cpu] = entry;
	plat_mb();
	return sbi(EXT_HSM, HART_START, cpu, (uptr)secondary_start, (uptr)stacks[cpu] + STACK) ? -1
											       : 0;
}
