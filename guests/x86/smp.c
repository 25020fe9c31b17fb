/* SPDX-License-Identifier: BSD-2-Clause */
/* x86: other processors by INIT and SIPI, through a trampoline in real mode. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "x86/io.h"
#include "x86/x86.h"

enum { TRAMPOLINE = 0x8000, STACK = 2048, MAX_CPUS = 64, ICR_INIT = 0x4500, ICR_SIPI = 0x4600 };

extern const u8 trampoline[], trampoline_end[], trampoline_cr3[], trampoline_stack[],
	trampoline_cpu[];

static u8 stacks[MAX_CPUS][STACK] __attribute__((aligned(16)));
static void (*entries[MAX_CPUS])(u32 cpu);
static bool alive[MAX_CPUS];

/* First C code of another processor, on its own stack. */
void plat_cpu_main(u32 cpu)
{
	x86_idt_load();
	__atomic_store_n(&alive[cpu], true, __ATOMIC_RELEASE);
	entries[cpu](cpu);
}

/* A quad of the trampoline's copy. */
static volatile u64 *tramp_word(const u8 *symbol)
{
	return (volatile u64 *)(uptr)(TRAMPOLINE + (symbol - trampoline));
}

int plat_cpu_start(u32 cpu, void (*entry)(u32 cpu))
{
	static bool ready;
	u64 cr3, give_up;

	if (cpu == 0 || cpu >= plat_cpu_count() || cpu >= MAX_CPUS)
		return -1;
	if (!ready) {
		ready = true;
		x86_lapic_init();
		plat_copy((void *)(uptr)TRAMPOLINE, trampoline,
			  (uptr)(trampoline_end - trampoline));
		__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
		*tramp_word(trampoline_cr3) = cr3;
	}
	entries[cpu] = entry;
	*tramp_word(trampoline_stack) = (u64)(stacks[cpu] + STACK);
	*tramp_word(trampoline_cpu) = cpu;
	x86_send_ipi(x86_acpi_cpu_id(cpu), ICR_INIT);
	x86_send_ipi(x86_acpi_cpu_id(cpu), ICR_SIPI | TRAMPOLINE >> 12);

	/* The trampoline's words are shared: go on when this one has read them. */
	give_up = plat_cycles() + PATIENCE;
	while (!__atomic_load_n(&alive[cpu], __ATOMIC_ACQUIRE)) {
		if (plat_cycles() > give_up)
			return -1;
		plat_relax();
	}
	return 0;
}
