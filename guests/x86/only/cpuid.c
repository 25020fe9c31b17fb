/* SPDX-License-Identifier: BSD-2-Clause */
/* Each processor's CPUID: its own ids, the count of them, and that a hypervisor is there. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "x86/x86.h"

static volatile u32 arrived;

struct leaf {
	u32 a, b, c, d;
};

static struct leaf cpuid(u32 function, u32 index)
{
	struct leaf l;

	__asm__ volatile("cpuid"
			 : "=a"(l.a), "=b"(l.b), "=c"(l.c), "=d"(l.d)
			 : "a"(function), "c"(index));
	return l;
}

static void check(u32 cpu)
{
	u32 id = x86_acpi_cpu_id(cpu), cpus = x86_acpi_cpus(), most = cpuid(0, 0).a;
	struct leaf l = cpuid(1, 0);

	if (l.b >> 24 != id)
		fail(1, "processor %u: APIC id is %u in leaf 1, %u in the MADT", cpu, l.b >> 24,
		     id);
	if (cpus > 1 && (l.b >> 16 & 255) < cpus)
		fail(2, "leaf 1: %u processors, the MADT has %u", l.b >> 16 & 255, cpus);
	if (!(l.c >> 31))
		fail(3, "no hypervisor bit");
	if (most >= 0xb && cpuid(0xb, 0).b) {
		u32 logical = 0;

		for (u32 level = 0; cpuid(0xb, level).c >> 8 & 255; level++) {
			l = cpuid(0xb, level);
			if (l.d != id)
				fail(4, "processor %u: x2APIC id is %u, level %u", cpu, l.d, level);
			logical = l.b & 0xffff;
		}
		if (logical != cpus)
			fail(5, "leaf 0xb: %u processors, the MADT has %u", logical, cpus);
	}
	l = cpuid(0x40000000, 0);
	if (l.b != 0x4b4d564b || l.c != 0x564b4d56 || l.d != 0x4d)
		fail(6, "leaf 0x40000000 does not say KVMKVMKVM: %x %x %x", l.b, l.c, l.d);
	__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static void other(u32 cpu)
{
	check(cpu);
	plat_sleep_for_ever();
}

u32 guest_main(void)
{
	u32 cpus = plat_cpu_count();

	check(0);
	for (u32 cpu = 1; cpu < cpus; cpu++) {
		if (plat_cpu_start(cpu, other))
			fail(7, "processor %u does not start", cpu);
		while (arrived < cpu + 1)
			plat_relax();
	}
	print("cpuid: %u processors say the same\n", cpus);
	return 0;
}
