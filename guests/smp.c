/* SPDX-License-Identifier: BSD-2-Clause */
/* Start all processors; each adds itself to a counter, many times, atomically. */
#include "lib/platform.h"
#include "lib/print.h"

enum { ROUNDS = 100 };

static u32 counter, arrived;

static void other(u32 cpu)
{
	for (u32 i = 0; i < ROUNDS; i++)
		__atomic_fetch_add(&counter, cpu + 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
	plat_sleep_for_ever();
}

u32 guest_main(void)
{
	u32 cpus = plat_cpu_count(), sum = 0;
	u64 give_up;

	print("smp: %u processors\n", cpus);
	for (u32 cpu = 1; cpu < cpus; cpu++) {
		if (plat_cpu_start(cpu, other))
			fail(1, "processor %u does not start", cpu);
		sum += ROUNDS * (cpu + 1);
	}
	give_up = plat_cycles() + PATIENCE;
	while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < cpus - 1) {
		if (plat_cycles() > give_up)
			fail(2, "%u of %u processors arrived", arrived + 1, cpus);
		plat_relax();
	}
	if (counter != sum)
		fail(3, "counter is %u, should be %u", counter, sum);
	print("smp: all arrived, counter %u\n", counter);
	return 0;
}
