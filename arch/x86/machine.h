/* SPDX-License-Identifier: BSD-2-Clause */
/* The x86 board's own state, shared by the files of arch/x86. */
#ifndef ARCH_X86_MACHINE_H
#define ARCH_X86_MACHINE_H

#include "arch/arch.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/load.h"

struct acpi_pm;
struct exit_device;
struct i8042;
struct pvpanic;

struct arch {
	struct arch_config config;
	struct irq_line serial_irq;
	struct serial *serial;
	struct i8042 *i8042;
	struct acpi_pm *acpi_pm;
	struct exit_device *exit_device;
	struct pvpanic *pvpanic;
	struct kvm_cpuid2 *cpuid;
	struct pci_bus *pci; /* NULL: none */
	struct msi_port msi;
	bool tsc_deadline;
	struct x86_boot boot; /* where the first vCPU begins; set by arch_load */
};

#endif
