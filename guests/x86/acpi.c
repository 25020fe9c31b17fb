/* SPDX-License-Identifier: BSD-2-Clause */
/* x86: a reader of the ACPI tables that hvrun makes: RSDP, XSDT, MADT. Every checksum is held. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "x86/x86.h"

static u32 cpu_ids[256], cpus;
static u32 irq_to_gsi[16];
static uptr ioapic = 0xfec00000, lapic = 0xfee00000;
static bool ready;

static u32 word(const u8 *at)
{
	u32 v;

	plat_copy(&v, at, 4);
	return v;
}

static void check_sum(const u8 *table, u32 size)
{
	u8 sum = 0;

	for (u32 i = 0; i < size; i++)
		sum = (u8)(sum + table[i]);
	if (sum)
		fail(STATUS_BAD_HOST, "ACPI table at %p: checksum is off by %u", table, sum);
}

static void read_madt(const u8 *madt)
{
	const u8 *end = madt + word(madt + 4);

	lapic = word(madt + 36);
	for (const u8 *at = madt + 44; at < end; at += at[1]) {
		CHECK(at[1] >= 2 && at + at[1] <= end, STATUS_BAD_HOST);
		if (at[0] == 0 && (at[4] & 1)) { /* local APIC, enabled */
			CHECK(cpus < ARRAY_SIZE(cpu_ids), STATUS_BAD_HOST);
			cpu_ids[cpus++] = at[3];
		} else if (at[0] == 1) { /* IOAPIC */
			ioapic = word(at + 4);
			CHECK(word(at + 8) == 0, STATUS_BAD_HOST);
		} else if (at[0] == 2) { /* interrupt source override */
			CHECK(at[3] < 16, STATUS_BAD_HOST);
			irq_to_gsi[at[3]] = word(at + 4);
		} else if (at[0] == 9 && (word(at + 8) & 1)) { /* local x2APIC */
			CHECK(cpus < ARRAY_SIZE(cpu_ids), STATUS_BAD_HOST);
			cpu_ids[cpus++] = word(at + 4);
		}
	}
}

/*
 * RSDP is where boot_params says (0: nowhere). A host without tables has one CPU, or cpus=N of the
 * command line, with APIC ids from 0.
 */
void x86_acpi_init(u64 rsdp_address)
{
	const u8 *rsdp = (const u8 *)rsdp_address, *xsdt;
	bool found = false;

	if (ready)
		return;
	ready = true;
	for (u32 i = 0; i < 16; i++)
		irq_to_gsi[i] = i;
	if (!rsdp) {
		cpus = (u32)cmdline_number("cpus", 1);
		CHECK(cpus >= 1 && cpus <= ARRAY_SIZE(cpu_ids), STATUS_BAD_HOST);
		for (u32 i = 0; i < cpus; i++)
			cpu_ids[i] = i;
		return;
	}
	CHECK(!memcmp(rsdp, "RSD PTR ", 8), STATUS_BAD_HOST);
	CHECK(rsdp[15] >= 2, STATUS_BAD_HOST);
	check_sum(rsdp, 20);
	check_sum(rsdp, word(rsdp + 20));
	CHECK(word(rsdp + 28) == 0, STATUS_BAD_HOST);
	xsdt = (const u8 *)(uptr)word(rsdp + 24);
	CHECK(!memcmp(xsdt, "XSDT", 4), STATUS_BAD_HOST);
	check_sum(xsdt, word(xsdt + 4));
	for (u32 at = 36; at + 8 <= word(xsdt + 4); at += 8) {
		const u8 *table = (const u8 *)(uptr)word(xsdt + at);

		if (memcmp(table, "APIC", 4))
			continue;
		check_sum(table, word(table + 4));
		read_madt(table);
		found = true;
	}
	CHECK(found && cpus > 0, STATUS_BAD_HOST);
}

u32 x86_acpi_cpus(void)
{
	return cpus;
}

u32 x86_acpi_cpu_id(u32 i)
{
	CHECK(i < cpus, STATUS_BAD_GUEST);
	return cpu_ids[i];
}

u32 x86_acpi_gsi(u32 irq)
{
	return irq < ARRAY_SIZE(irq_to_gsi) ? irq_to_gsi[irq] : irq;
}

uptr x86_acpi_ioapic(void)
{
	return ioapic;
}

uptr x86_acpi_lapic(void)
{
	return lapic;
}
