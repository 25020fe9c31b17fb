/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI sleep control and status: the power switch of an x86 guest.
 */
#include "hw/acpi_pm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLP_EN = 0x20,
	SLP_TYP = 0x1c,
	SLP_TYP_SHIFT = 2,
};

struct acpi_pm {
	void (*power_off)(void *opaque);
	void *opaque;
};

static void pm_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	(void)opaque;
	(void)offset;
	/* SLP_EN is write-only and nothing asks for SLP_TYP back. */
	memset(data, 0, len);
}

static void pm_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct acpi_pm *pm = (struct acpi_pm *)opaque;
	const uint8_t *bytes = (const uint8_t *)data;

	if (offset != ACPI_PM_CONTROL || len == 0)
		return;
	if ((bytes[0] & SLP_EN) && (bytes[0] & SLP_TYP) >> SLP_TYP_SHIFT == ACPI_PM_S5)
		pm->power_off(pm->opaque);
}

int acpi_pm_create(struct bus *bus, uint64_t base, void (*power_off)(void *opaque), void *opaque,
		   struct acpi_pm **out)
{
	static const struct bus_ops ops = { .read = pm_read, .write = pm_write };
	struct acpi_pm *pm = (struct acpi_pm *)calloc(1, sizeof(*pm));
	int err;

	if (!pm)
		return -ENOMEM;
	pm->power_off = power_off;
	pm->opaque = opaque;
	err = bus_add(bus, BUS_PIO, base, ACPI_PM_SIZE, "ACPI sleep", &ops, pm);
	if (err) {
		free(pm);
		return err;
	}
	*out = pm;
	return 0;
}

void acpi_pm_destroy(struct acpi_pm *pm)
{
	free(pm);
}
