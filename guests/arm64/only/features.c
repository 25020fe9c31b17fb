/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the processor has beyond the base architecture, each shown to work: vectors of any length (SVE),
 * signed pointers, performance monitors. What a feature's register does not name, the device tree
 * must not name either. Prints one line.
 */
#include "arm64/arm64.h"
#include "lib/platform.h"
#include "lib/print.h"

enum {
	NO_TRAPS = 3 << 16 | 3 << 20, /* CPACR_EL1: ZEN and FPEN */
	TCR_E = 1,		      /* PMCR_EL0: counters on */
	PMU_NONE = 0xf,
};

#define CYCLES (1ULL << 31) /* PMCNTENSET_EL0 */

static u32 field(u64 value, u32 shift)
{
	return value >> shift & 15;
}

/* The length of a vector in bytes, 0 without SVE. */
static u32 sve(void)
{
	u64 bytes;

	if (!field(read_sysreg(id_aa64pfr0_el1), 32))
		return 0;
	write_sysreg(cpacr_el1, read_sysreg(cpacr_el1) | NO_TRAPS);
	__asm__ volatile(".arch armv8.2-a+sve\n\trdvl %0, #1" : "=r"(bytes));
	CHECK(bytes >= 16 && bytes <= 256 && bytes % 16 == 0, 1);
	return (u32)bytes;
}

/* Signs a pointer and takes the sign off again; with keys on, signing changes it. */
static u32 signed_pointers(void)
{
	u64 isar1 = read_sysreg(id_aa64isar1_el1);
	u64 pointer = (u64)&signed_pointers, back = pointer, modifier = 4711;
	register u64 x17 __asm__("x17") = pointer;
	register u64 x16 __asm__("x16") = modifier;

	if (!field(isar1, 4) && !field(isar1, 8))
		return 0;
	write_sysreg(s3_0_c2_c1_0, 0x0123456789abcdefULL);	      /* APIAKeyLo_EL1 */
	write_sysreg(s3_0_c2_c1_1, 0xfedcba9876543210ULL);	      /* APIAKeyHi_EL1 */
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | 1ULL << 31); /* EnIA */
	__asm__ volatile("hint #8" : "+r"(x17) : "r"(x16));	      /* pacia1716 */
	CHECK(x17 != pointer, 2);
	__asm__ volatile("hint #12" : "+r"(x17) : "r"(x16)); /* autia1716 */
	CHECK(x17 == back, 3);
	return 1;
}

/* Its cycle counter counts. */
static u32 pmu(void)
{
	u32 version = field(read_sysreg(id_aa64dfr0_el1), 8);
	bool there = version && version != PMU_NONE;
	u64 before;

	CHECK(there == (fdt_node("pmu", 0) != NULL), 4);
	if (!there)
		return 0;
	write_sysreg(pmcntenset_el0, CYCLES);
	write_sysreg(pmcr_el0, read_sysreg(pmcr_el0) | TCR_E);
	before = read_sysreg(pmccntr_el0);
	for (u32 i = 0; i < 1000; i++)
		plat_relax();
	__asm__ volatile("isb" : : : "memory");
	CHECK(read_sysreg(pmccntr_el0) > before, 5);
	return 1;
}

u32 guest_main(void)
{
	const char *vectors = sve() ? "yes" : "no";
	const char *pointers = signed_pointers() ? "yes" : "no";

	print("features: sve %s, signed pointers %s, pmu %s\n", vectors, pointers,
	      pmu() ? "yes" : "no");
	return 0;
}
