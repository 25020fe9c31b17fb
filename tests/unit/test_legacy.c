/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hw/i8042, hw/acpi_pm, hw/exit_device: exactly one value ends the run in each way, and no other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "hw/acpi_pm.h"
#include "hw/bus.h"
#include "hw/exit_device.h"
#include "hw/i8042.h"
#include "hw/pvpanic.h"

enum {
	SLEEP = 0x600,
	EXIT = 0x500,
	PANIC = 0x505,
};

static const uint64_t exit_mmio = 0xd0000000;

struct board {
	struct bus *bus;
	struct i8042 *i8042;
	struct acpi_pm *pm;
	struct pvpanic *pvpanic;
	struct exit_device *exit_pio;
	struct exit_device *exit_mmio;
	unsigned int resets;
	unsigned int power_offs;
	unsigned int exits;
	unsigned int status; /* of the last exit */
	unsigned int panics;
	unsigned int events; /* of the last panic */
};

static void on_reset(void *opaque)
{
	((struct board *)opaque)->resets++;
}

static void on_power_off(void *opaque)
{
	((struct board *)opaque)->power_offs++;
}

static void on_exit_status(void *opaque, unsigned int status)
{
	struct board *b = (struct board *)opaque;

	b->exits++;
	b->status = status;
}

static void on_panic(void *opaque, unsigned int events)
{
	struct board *b = (struct board *)opaque;

	b->panics++;
	b->events = events;
}

static int setup(void **state)
{
	struct board *b = (struct board *)calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(bus_create(&b->bus), 0);
	assert_int_equal(i8042_create(b->bus, on_reset, b, &b->i8042), 0);
	assert_int_equal(acpi_pm_create(b->bus, SLEEP, on_power_off, b, &b->pm), 0);
	assert_int_equal(exit_device_create(b->bus, BUS_PIO, EXIT, on_exit_status, b, &b->exit_pio),
			 0);
	assert_int_equal(pvpanic_create(b->bus, BUS_PIO, PANIC, on_panic, b, &b->pvpanic), 0);
	assert_int_equal(exit_device_create(b->bus, BUS_MMIO, exit_mmio, on_exit_status, b,
					    &b->exit_mmio),
			 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = (struct board *)*state;

	bus_destroy(b->bus);
	i8042_destroy(b->i8042);
	acpi_pm_destroy(b->pm);
	pvpanic_destroy(b->pvpanic);
	exit_device_destroy(b->exit_pio);
	exit_device_destroy(b->exit_mmio);
	free(b);
	return 0;
}

static uint32_t get(struct board *b, enum bus_space space, uint64_t at, size_t len, bool there)
{
	uint8_t data[8] = { 0 };

	assert_int_equal(bus_read(b->bus, space, at, data, len), there);
	return le32_load(data);
}

static bool put(struct board *b, enum bus_space space, uint64_t at, uint64_t value, size_t len)
{
	uint8_t data[8];

	le64_store(data, value);
	return bus_write(b->bus, space, at, data, len);
}

static void i8042_resets_by_one_command(void **state)
{
	struct board *b = (struct board *)*state;

	for (unsigned int v = 0; v < 256; v++) {
		assert_true(put(b, BUS_PIO, 0x64, v, 1));
		assert_true(put(b, BUS_PIO, 0x60, v, 1));
		assert_int_equal(b->resets, v >= 0xfe);
	}
	/* Neither buffer full, so no driver waits for it. */
	assert_int_equal(get(b, BUS_PIO, 0x64, 1, true), 0);
	assert_int_equal(get(b, BUS_PIO, 0x60, 1, true), 0);
	assert_int_equal(get(b, BUS_PIO, 0x61, 1, false), 0xff);
	assert_false(put(b, BUS_PIO, 0x64, 0xfefe, 2));
	assert_false(put(b, BUS_PIO, 0x63, 0xfefe, 2));
	assert_int_equal(b->resets, 1);
}

static void sleep_control_powers_off(void **state)
{
	struct board *b = (struct board *)*state;

	for (unsigned int v = 0; v < 256; v++) {
		const bool off = (v & 0x20) && (v >> 2 & 7) == 5;

		b->power_offs = 0;
		assert_true(put(b, BUS_PIO, SLEEP, v, 1));
		assert_int_equal(b->power_offs, off);
		assert_true(put(b, BUS_PIO, SLEEP + 1, v, 1));
		assert_int_equal(b->power_offs, off);
		assert_int_equal(get(b, BUS_PIO, SLEEP, 1, true), 0);
		assert_int_equal(get(b, BUS_PIO, SLEEP + 1, 1, true), 0);
	}
	b->power_offs = 0;
	assert_true(put(b, BUS_PIO, SLEEP, 0x34, 2));
	assert_int_equal(b->power_offs, 1);
	assert_false(put(b, BUS_PIO, SLEEP, 0x34, 4));
	assert_false(put(b, BUS_PIO, SLEEP - 1, 0x3434, 2));
	assert_int_equal(b->power_offs, 1);
	assert_int_equal(b->resets + b->exits, 0);
}

static void exit_device_hands_over_the_status(void **state)
{
	struct board *b = (struct board *)*state;
	const size_t lens[] = { 1, 2, 4 };

	for (unsigned int v = 0; v < 256; v++)
		for (size_t i = 0; i < 3; i++) {
			b->exits = 0;
			assert_true(put(b, BUS_PIO, EXIT, v, lens[i]));
			assert_int_equal(b->exits, 1);
			assert_int_equal(b->status, v);
			assert_true(put(b, BUS_MMIO, exit_mmio, 255 - v, lens[i]));
			assert_int_equal(b->exits, 2);
			assert_int_equal(b->status, 255 - v);
		}
	/* Only the low byte counts. */
	assert_true(put(b, BUS_PIO, EXIT, 0xdeadbe07, 4));
	assert_int_equal(b->status, 7);
}

static void exit_device_ignores_the_rest(void **state)
{
	struct board *b = (struct board *)*state;

	for (uint64_t off = 0; off < 4; off++)
		for (size_t len = 1; len <= 8; len++)
			if (off != 0 || (len != 1 && len != 2 && len != 4)) {
				(void)put(b, BUS_PIO, EXIT + off, UINT64_MAX, len);
				(void)put(b, BUS_MMIO, exit_mmio + off, UINT64_MAX, len);
			}
	assert_int_equal(b->exits, 0);
}

static void exit_device_tells_its_name(void **state)
{
	struct board *b = (struct board *)*state;

	assert_int_equal(get(b, BUS_PIO, EXIT, 4, true), 0x01545845);
	assert_int_equal(get(b, BUS_MMIO, exit_mmio, 4, true), 0x01545845);
	assert_int_equal(get(b, BUS_PIO, EXIT, 1, true), 'E');
	assert_int_equal(get(b, BUS_PIO, EXIT + 2, 2, true), 'T' | 0x0100);
	assert_int_equal(get(b, BUS_MMIO, exit_mmio + 1, 3, true), 'X' | 'T' << 8 | 0x010000);
	assert_int_equal(b->exits, 0);
}

static void pvpanic_tells_events_that_exist(void **state)
{
	struct board *b = (struct board *)*state;
	unsigned int told = 0;

	assert_int_equal(get(b, BUS_PIO, PANIC, 1, true), PVPANIC_EVENTS);
	for (unsigned int v = 0; v < 256; v++) {
		assert_true(put(b, BUS_PIO, PANIC, v, 1));
		told += (v & 3) != 0;
		assert_int_equal(b->panics, told);
		if (v & 3)
			assert_int_equal(b->events, v & 3);
	}
	assert_false(put(b, BUS_PIO, PANIC, 1, 2));
	assert_int_equal(b->panics, told);
	pvpanic_destroy(NULL);
}

static void taken_places_are_refused(void **state)
{
	struct board *b = (struct board *)*state;
	struct i8042 *i8042 = NULL;
	struct acpi_pm *pm = NULL;
	struct exit_device *exit_device = NULL;
	struct bus *bus;
	struct exit_device *at_64;

	assert_int_equal(i8042_create(b->bus, on_reset, b, &i8042), -EEXIST);
	assert_int_equal(acpi_pm_create(b->bus, SLEEP - 1, on_power_off, b, &pm), -EEXIST);
	assert_int_equal(exit_device_create(b->bus, BUS_PIO, EXIT + 3, on_exit_status, b,
					    &exit_device),
			 -EEXIST);
	assert_null(i8042);
	assert_null(pm);
	assert_null(exit_device);
	/* Half of the controller finds its place, the other half does not. */
	assert_int_equal(bus_create(&bus), 0);
	assert_int_equal(exit_device_create(bus, BUS_PIO, 0x61, on_exit_status, b, &at_64), 0);
	assert_int_equal(i8042_create(bus, on_reset, b, &i8042), -EEXIST);
	assert_null(i8042);
	bus_destroy(bus);
	exit_device_destroy(at_64);
	i8042_destroy(NULL);
	acpi_pm_destroy(NULL);
	exit_device_destroy(NULL);
}

/*
 * Threat 27: a device whose state machine can be walked into a place nobody thought of. These have
 * no state: after any sequence of accesses each behaves as it did at first. A model, which is one
 * line a device, runs alongside and must agree after every step.
 */
static void test_threat_27_register_model(void **state)
{
	static const uint16_t ports[] = { 0x5f,	 0x60,	0x61,  0x63,  0x64,  0x65,  0x4ff, 0x500,
					  0x501, 0x502, 0x503, 0x504, 0x5ff, 0x600, 0x601, 0x602 };
	static const uint8_t values[] = { 0xfe, 0x34, 0x00, 0xff, 0x20, 0x14, 0x3c, 0xd4 };
	struct board *b = (struct board *)*state;
	unsigned int resets = 0, power_offs = 0, exits = 0;
	uint32_t random = 7;

	for (unsigned int i = 0; i < 200000; i++) {
		uint16_t port;
		uint8_t data[8];
		size_t len;
		bool whole;

		random = random * 1664525 + 1013904223;
		port = ports[random >> 28];
		len = 1 + (random >> 24 & 7);
		memset(data, values[random >> 20 & 7], sizeof(data));
		if (random >> 19 & 1) {
			(void)bus_read(b->bus, BUS_PIO, port, data, len);
			continue;
		}
		whole = bus_write(b->bus, BUS_PIO, port, data, len);
		resets += whole && port == 0x64 && data[0] == 0xfe;
		power_offs += whole && port == 0x600 && (data[0] & 0x3c) == 0x34;
		exits += whole && port == 0x500;
		assert_int_equal(b->resets, resets);
		assert_int_equal(b->power_offs, power_offs);
		assert_int_equal(b->exits, exits);
		if (whole && port == 0x500)
			assert_int_equal(b->status, data[0]);
	}
	assert_true(resets > 50 && power_offs > 50 && exits > 50);
}

#define ON_BOARD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOARD(i8042_resets_by_one_command),
		ON_BOARD(sleep_control_powers_off),
		ON_BOARD(exit_device_hands_over_the_status),
		ON_BOARD(exit_device_ignores_the_rest),
		ON_BOARD(pvpanic_tells_events_that_exist),
		ON_BOARD(exit_device_tells_its_name),
		ON_BOARD(taken_places_are_refused),
		ON_BOARD(test_threat_27_register_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
