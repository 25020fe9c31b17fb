/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus with the devices that end a run, under any access: any place, any size, both spaces.
 *
 * A model of one line a device runs alongside; what the devices report must agree with it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "hw/acpi_pm.h"
#include "hw/bus.h"
#include "hw/exit_device.h"
#include "hw/i8042.h"
#include "hw/pvpanic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 20 }; /* bytes: what, size, address (64 bits), data */

struct count {
	unsigned int resets;
	unsigned int power_offs;
	unsigned int exits;
	unsigned int panics;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void on_reset(void *opaque)
{
	((struct count *)opaque)->resets++;
}

static void on_power_off(void *opaque)
{
	((struct count *)opaque)->power_offs++;
}

static void on_exit_status(void *opaque, unsigned int status)
{
	must(status <= 255);
	((struct count *)opaque)->exits++;
}

static void on_panic(void *opaque, unsigned int events)
{
	must(events >= 1 && events <= 3);
	((struct count *)opaque)->panics++;
}

/* What the write of @len bytes must have done. */
static void model(struct count *want, enum bus_space space, uint64_t at, const uint8_t *data,
		  size_t len)
{
	const bool pio = space == BUS_PIO;
	const bool word = len == 1 || len == 2 || len == 4;

	want->resets += pio && at == 0x64 && len == 1 && data[0] == 0xfe;
	want->power_offs += pio && at == 0x600 && (len == 1 || len == 2) &&
			    (data[0] & 0x3c) == 0x34;
	want->panics += pio && at == 0x505 && len == 1 && (data[0] & 3);
	want->exits += word && at == (pio ? 0x500 : 0xd0000000);
}

/* Addresses that mean something come up often: bases and what lies around them. */
static uint64_t place(const uint8_t *bytes)
{
	static const uint64_t bases[] = { 0x60,	      0x64, 0x500,	0x600,
					  0xd0000000, 0,    UINT64_MAX, 0xffff };

	if (bytes[7] == 0xff)
		return le64_load(bytes);
	return bases[bytes[0] & 7] + (bytes[1] & 0xf) - 8;
}

static void step(const struct bus *bus, const uint8_t *bytes, struct count *want)
{
	const enum bus_space space = bytes[0] & 1 ? BUS_MMIO : BUS_PIO;
	const size_t len = bytes[1] & 0xf;
	const uint64_t at = place(bytes + 2);
	uint8_t data[16];

	memcpy(data, bytes + 10, 10);
	memset(data + 10, 0, sizeof(data) - 10);
	if (bytes[0] & 2) {
		const bool there = bus_read(bus, space, at, data, len);

		for (size_t i = 0; !there && i < len; i++)
			must(data[i] == 0xff);
		return;
	}
	(void)bus_write(bus, space, at, data, len);
	model(want, space, at, data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct count got = { 0 }, want = { 0 };
	struct bus *bus;
	struct i8042 *i8042;
	struct acpi_pm *pm;
	struct pvpanic *pvpanic;
	struct exit_device *pio, *mmio;

	must(bus_create(&bus) == 0);
	must(i8042_create(bus, on_reset, &got, &i8042) == 0);
	must(acpi_pm_create(bus, 0x600, on_power_off, &got, &pm) == 0);
	must(pvpanic_create(bus, BUS_PIO, 0x505, on_panic, &got, &pvpanic) == 0);
	must(exit_device_create(bus, BUS_PIO, 0x500, on_exit_status, &got, &pio) == 0);
	must(exit_device_create(bus, BUS_MMIO, 0xd0000000, on_exit_status, &got, &mmio) == 0);
	for (; size >= STEP; data += STEP, size -= STEP) {
		step(bus, data, &want);
		must(memcmp(&got, &want, sizeof(got)) == 0);
	}
	bus_destroy(bus);
	i8042_destroy(i8042);
	acpi_pm_destroy(pm);
	pvpanic_destroy(pvpanic);
	exit_device_destroy(pio);
	exit_device_destroy(mmio);
	return 0;
}
