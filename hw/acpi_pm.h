/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sleep registers of a hardware-reduced ACPI machine (ACPI 6.5, section 4.8.3.7).
 *
 * Two ports of one byte: sleep control, where SLP_TYP 5 with SLP_EN powers the machine off, and
 * sleep status, which reads 0 (WAK_STS is never set: there is no sleep to wake from). Reset goes
 * through the i8042 (the FADT names its port and value). The device has no state and needs no
 * lock.
 */
#ifndef HW_ACPI_PM_H
#define HW_ACPI_PM_H

#include "hw/bus.h"

enum {
	ACPI_PM_SIZE = 2,
	ACPI_PM_CONTROL = 0, /* SLP_EN is bit 5, SLP_TYP bits 2 to 4 */
	ACPI_PM_STATUS = 1,
	ACPI_PM_S5 = 5, /* SLP_TYP for "off", as \_S5 in the DSDT says it */
};

struct acpi_pm;

/*
 * The registers in *@out, owned by the caller (acpi_pm_destroy, after the bus), on @bus at port
 * @base. @power_off is called on the vCPU's thread, perhaps on several at once and more than once.
 * 0 or -errno.
 */
int acpi_pm_create(struct bus *bus, uint64_t base, void (*power_off)(void *opaque), void *opaque,
		   struct acpi_pm **out);
void acpi_pm_destroy(struct acpi_pm *pm);

#endif
