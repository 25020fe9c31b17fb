/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACPI tables with a fixed form: RSDP, XSDT, FADT, MADT (ACPI 6.3, chapter 5.2). The machine is
 * hardware reduced (4.1): no PM timer, no SCI, no 8259; power off and reset by one register each.
 */
#include "arch/x86/acpi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/acpi_dsdt.h"
#include "arch/x86/aml.h"
#include "arch/x86/layout.h"
#include "base/checked.h"
#include "base/le.h"

enum {
	HEADER_SIZE = 36,
	HEADER_LENGTH = 4,
	HEADER_CHECKSUM = 9,

	RSDP_SIZE = 36,
	RSDP_CHECKSUM = 8, /* of the first 20 bytes */
	RSDP_V1_SIZE = 20,
	RSDP_XCHECKSUM = 32,

	XSDT_ENTRIES = 2,
	XSDT_SIZE = HEADER_SIZE + XSDT_ENTRIES * 8,

	FADT_SIZE = 276,
	FADT_DSDT = 40,
	FADT_BOOT_ARCH = 109, /* IAPC_BOOT_ARCH */
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_MINOR = 131,
	FADT_X_DSDT = 140,
	FADT_SLEEP_CONTROL = 244,
	FADT_SLEEP_STATUS = 256,
	FADT_HYPERVISOR = 268,
	/* No VGA, no CMOS clock; bit 1 clear: no keyboard controller; bit 3 clear: MSI is fine. */
	BOOT_ARCH = 1 << 2 | 1 << 5,
	/* WBINVD works; no fixed buttons; reset register; headless; hardware reduced. */
	FLAGS = 1 << 0 | 1 << 4 | 1 << 5 | 1 << 10 | 1 << 12 | 1 << 20,

	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_LAPIC_NMI = 4,
	MADT_X2APIC = 9,
	MADT_X2APIC_NMI = 10,
	LAPIC_ID_MAX = 254, /* 255 is everybody; higher ones need the x2APIC's form */
	NMI_LINT = 1,

	TABLE_ALIGN = 16,
};

_Static_assert((int)X86_ACPI_MAX_CPUS <= 1024 && (int)X86_ACPI_MAX_VIRTIO <= 256,
	       "X86_RESET_PAGE - X86_ACPI has been found to hold so many, by test");

/* Where tables go: a buffer of ours that mirrors the guest's memory from X86_ACPI. */
static uint64_t address_of(size_t offset)
{
	return X86_ACPI + offset;
}

/* Starts a table at the next aligned place; returns its offset. Length and checksum come later. */
static size_t begin_table(struct aml *a, const char *signature, uint8_t revision)
{
	size_t at;

	aml_zeros(a, -a->len % TABLE_ALIGN);
	at = a->len;
	aml_bytes(a, signature, 4);
	aml_u32(a, 0);
	aml_u8(a, revision);
	aml_u8(a, 0);
	aml_bytes(a, "HVRUN ", 6);
	aml_bytes(a, "HVRUNVM ", 8);
	aml_u32(a, 1);
	aml_bytes(a, "HVRN", 4);
	aml_u32(a, 1);
	return at;
}

static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	return (uint8_t)-sum;
}

static void end_table(struct aml *a, size_t at)
{
	if (a->failed)
		return;
	le32_store(a->buf + at + HEADER_LENGTH, (uint32_t)(a->len - at));
	a->buf[at + HEADER_CHECKSUM] = checksum(a->buf + at, a->len - at);
}

/* A generic address structure: one byte-wide port (5.2.3.2). */
static void port_address(uint8_t *p, uint16_t port)
{
	p[0] = 1; /* system I/O */
	p[1] = 8; /* bits */
	p[2] = 0;
	p[3] = 1; /* accessed by bytes */
	le64_store(p + 4, port);
}

static size_t write_fadt(struct aml *a, size_t dsdt)
{
	size_t at = begin_table(a, "FACP", 6);
	uint8_t *t;

	aml_zeros(a, FADT_SIZE - HEADER_SIZE);
	if (a->failed)
		return at;
	t = a->buf + at;
	le32_store(t + FADT_DSDT, (uint32_t)address_of(dsdt));
	le16_store(t + FADT_BOOT_ARCH, BOOT_ARCH);
	le32_store(t + FADT_FLAGS, FLAGS);
	port_address(t + FADT_RESET_REG, X86_PORT_I8042);
	t[FADT_RESET_VALUE] = X86_I8042_RESET;
	t[FADT_MINOR] = 3;
	le64_store(t + FADT_X_DSDT, address_of(dsdt));
	port_address(t + FADT_SLEEP_CONTROL, X86_PORT_SLEEP_CONTROL);
	port_address(t + FADT_SLEEP_STATUS, X86_PORT_SLEEP_STATUS);
	memcpy(t + FADT_HYPERVISOR, "HVRUN\0\0", 8);
	end_table(a, at);
	return at;
}

static void madt_cpu(struct aml *a, unsigned id)
{
	bool x2apic = id > LAPIC_ID_MAX;

	aml_u8(a, x2apic ? MADT_X2APIC : MADT_LAPIC);
	aml_u8(a, x2apic ? 16 : 8);
	if (x2apic) {
		aml_u16(a, 0);
		aml_u32(a, id);
		aml_u32(a, 1); /* enabled */
		aml_u32(a, id);
	} else {
		aml_u8(a, (uint8_t)id);
		aml_u8(a, (uint8_t)id);
		aml_u32(a, 1);
	}
}

/* NMI on LINT1 of every local APIC; 0xff and 0xffffffff stand for all processors. */
static void madt_nmi(struct aml *a, bool x2apic)
{
	aml_u8(a, MADT_LAPIC_NMI);
	aml_u8(a, 6);
	aml_u8(a, 0xff);
	aml_u16(a, 0);
	aml_u8(a, NMI_LINT);
	if (!x2apic)
		return;
	aml_u8(a, MADT_X2APIC_NMI);
	aml_u8(a, 12);
	aml_u16(a, 0);
	aml_u32(a, UINT32_MAX);
	aml_u8(a, NMI_LINT);
	aml_zeros(a, 3);
}

static size_t write_madt(struct aml *a, unsigned cpus)
{
	size_t at = begin_table(a, "APIC", 5);

	aml_u32(a, (uint32_t)X86_LAPIC);
	aml_u32(a, 0); /* no 8259s: ISA interrupts go to the pins of the same numbers */
	for (unsigned id = 0; id < cpus; id++)
		madt_cpu(a, id);
	aml_u8(a, MADT_IOAPIC);
	aml_u8(a, 12);
	aml_u8(a, X86_IOAPIC_ID);
	aml_u8(a, 0);
	aml_u32(a, (uint32_t)X86_IOAPIC);
	aml_u32(a, 0); /* its first GSI */
	madt_nmi(a, cpus > LAPIC_ID_MAX + 1);
	end_table(a, at);
	return at;
}

static size_t write_dsdt(struct aml *a, const struct x86_acpi_config *config)
{
	size_t at = begin_table(a, "DSDT", 2);

	x86_acpi_dsdt(a, config);
	end_table(a, at);
	return at;
}

static size_t write_xsdt(struct aml *a, size_t fadt, size_t madt)
{
	size_t at = begin_table(a, "XSDT", 1);

	aml_u64(a, address_of(fadt));
	aml_u64(a, address_of(madt));
	end_table(a, at);
	return at;
}

/* The root pointer (5.2.5.3), at the front, where room was left for it. */
static void write_rsdp(uint8_t *p, size_t xsdt)
{
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "HVRUN ", 6);
	p[15] = 2; /* ACPI 2.0 and later */
	le32_store(p + 20, RSDP_SIZE);
	le64_store(p + 24, address_of(xsdt));
	p[RSDP_CHECKSUM] = checksum(p, RSDP_V1_SIZE);
	p[RSDP_XCHECKSUM] = checksum(p, RSDP_SIZE);
}

static bool config_fits(const struct x86_acpi_config *config)
{
	if (!config->cpus || config->cpus > X86_ACPI_MAX_CPUS ||
	    config->virtio_count > X86_ACPI_MAX_VIRTIO ||
	    !range_fits(config->pci_window, config->pci_window_size, UINT64_C(1) << 32))
		return false;
	for (size_t i = 0; i < config->virtio_count; i++) {
		if (!range_fits(config->virtio[i].base, config->virtio[i].size, UINT64_C(1) << 32))
			return false;
	}
	return true;
}

int x86_write_acpi(struct guest_mem *mem, const struct x86_acpi_config *config, gpa_t *rsdp)
{
	size_t dsdt, fadt, madt, xsdt, room = X86_RESET_PAGE - X86_ACPI;
	struct aml a;
	uint8_t *buf;
	int r;

	if (!config_fits(config))
		return -EINVAL;
	buf = (uint8_t *)malloc(room);
	if (!buf)
		return -ENOMEM;
	aml_init(&a, buf, room);
	aml_zeros(&a, RSDP_SIZE);
	dsdt = write_dsdt(&a, config);
	fadt = write_fadt(&a, dsdt);
	madt = write_madt(&a, config->cpus);
	xsdt = write_xsdt(&a, fadt, madt);
	if (a.failed) {
		r = -EINVAL;
	} else {
		write_rsdp(buf, xsdt);
		r = mem_load(mem, gpa(X86_ACPI), buf, a.len);
	}
	free(buf);
	if (!r)
		*rsdp = gpa(X86_ACPI);
	return r;
}
