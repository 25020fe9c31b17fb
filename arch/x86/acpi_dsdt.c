/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DSDT: how to power off, COM1, pvpanic, PCI, and the virtio-mmio windows. Processors are not in it: the MADT
 * names them, and nothing here (no idle states, no hotplug) would be told of them.
 */
#include "arch/x86/acpi_dsdt.h"

#include "arch/x86/layout.h"
#include "hw/pci.h"
#include "hw/pvpanic.h"

/* The sleep type for S5; for a hardware-reduced machine only the first counts (7.4.2). */
static void power_off(struct aml *a)
{
	aml_name(a, "_S5_");
	aml_package(a, 4);
	aml_integer(a, X86_SLEEP_TYPE_S5);
	for (unsigned i = 0; i < 3; i++)
		aml_integer(a, 0);
	aml_end(a);
}

static void com1(struct aml *a)
{
	aml_device(a, "COM1");
	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0501");
	aml_name(a, "_UID");
	aml_integer(a, 1);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_io(a, X86_PORT_COM1, 8);
	aml_interrupt(a, X86_COM1_IRQ);
	aml_resources_end(a);
	aml_end(a);
}

/* The id is the one that Linux' pvpanic-mmio binds to. */
static void pvpanic(struct aml *a)
{
	aml_device(a, "PEVT");
	aml_name(a, "_HID");
	aml_string(a, "QEMU0001");
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_io(a, X86_PORT_PVPANIC, PVPANIC_SIZE);
	aml_resources_end(a);
	aml_end(a);
}

/* Window @index; the id is the one that Linux' virtio_mmio binds to. */
static void virtio(struct aml *a, unsigned index, const struct x86_acpi_virtio *v)
{
	static const char digits[] = "0123456789ABCDEF";
	char name[] = { 'V', 'R', digits[index >> 4 & 0xf], digits[index & 0xf], 0 };

	aml_device(a, name);
	aml_name(a, "_HID");
	aml_string(a, "LNRO0005");
	aml_name(a, "_UID");
	aml_integer(a, index);
	aml_name(a, "_CCA"); /* its accesses are coherent with the processors' */
	aml_integer(a, 1);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_memory32(a, (uint32_t)v->base, v->size);
	aml_interrupt(a, v->gsi);
	aml_resources_end(a);
	aml_end(a);
}

/* One root bus (hw/pci.h): configuration by ports, no I/O window, no interrupt pins and so no _PRT. */
static void pci(struct aml *a, const struct x86_acpi_config *config)
{
	aml_device(a, "PCI0");
	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0A03");
	aml_name(a, "_UID");
	aml_integer(a, 0);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_bus_numbers(a, 0, 1);
	aml_io(a, PCI_PORT_ADDRESS, 8);
	aml_memory_window(a, (uint32_t)config->pci_window, config->pci_window_size);
	aml_resources_end(a);
	aml_end(a);
}

void x86_acpi_dsdt(struct aml *a, const struct x86_acpi_config *config)
{
	power_off(a);
	aml_scope(a, "_SB_");
	pvpanic(a);
	if (config->serial)
		com1(a);
	if (config->pci_window_size)
		pci(a, config);
	for (size_t i = 0; i < config->virtio_count; i++)
		virtio(a, (unsigned)i, &config->virtio[i]);
	aml_end(a);
}
