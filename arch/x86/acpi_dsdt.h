/* SPDX-License-Identifier: BSD-2-Clause */
/* Between acpi.c and acpi_dsdt.c only: the body of the DSDT. */
#ifndef ARCH_X86_ACPI_DSDT_H
#define ARCH_X86_ACPI_DSDT_H

#include "arch/x86/acpi.h"
#include "arch/x86/aml.h"

/* Writes the definition block for @config, judged before, behind a table header. */
void x86_acpi_dsdt(struct aml *a, const struct x86_acpi_config *config);

#endif
