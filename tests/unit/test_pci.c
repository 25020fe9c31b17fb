/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI bus (hw/pci.c), through its ports and window as a guest reaches it: sizes of every
 * access, BARs that move, collide and vanish.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "hw/pci.h"

enum {
	WINDOW = 0xc1000000,
	WINDOW_SIZE = 0x100000,
	BAR_SIZE = 0x4000,
	FUNCTIONS = 3,
	VENDOR = 0x1234,
};

struct function {
	struct pci_function pci;
	unsigned reads, writes;
	uint64_t last_offset;
	size_t last_len;
	uint64_t served; /* as told by moved */
	unsigned moves, commands;
	uint16_t command;
	unsigned written_at, written, refreshed;
};

struct fixture {
	struct bus *bus;
	struct loop *loop;
	struct pci_bus *pci;
	struct function f[FUNCTIONS];
	unsigned cap;
};

static void bar_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct function *f = opaque;

	assert_true(range_fits(offset, len, BAR_SIZE));
	f->reads++;
	f->last_offset = offset;
	f->last_len = len;
	memset(data, 0x5a, len);
}

static void bar_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct function *f = opaque;

	(void)data;
	assert_true(range_fits(offset, len, BAR_SIZE));
	f->writes++;
	f->last_offset = offset;
	f->last_len = len;
}

static void moved(void *opaque, uint64_t base)
{
	struct function *f = opaque;

	f->served = base;
	f->moves++;
}

static void command(void *opaque, uint16_t value)
{
	struct function *f = opaque;

	f->command = value;
	f->commands++;
}

static void config_written(void *opaque, unsigned at)
{
	struct function *f = opaque;

	f->written_at = at;
	f->written++;
}

static void config_read(void *opaque, unsigned at)
{
	struct function *f = opaque;

	pci_set(&f->pci, at, 0x600d0000 + ++f->refreshed);
}

static const struct pci_ops ops = {
	.read = bar_read,
	.write = bar_write,
	.moved = moved,
	.command = command,
	.config_written = config_written,
	.config_read = config_read,
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(bus_create(&f->bus), 0);
	assert_int_equal(loop_create(&f->loop), 0);
	assert_int_equal(pci_bus_create(f->bus, f->loop, WINDOW, WINDOW_SIZE, &f->pci), 0);
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		const struct pci_id id = { VENDOR, (uint16_t)(0x1000 + i), 1, 2, 0x01800001 };

		pci_function_init(&f->f[i].pci, &id, BAR_SIZE, &ops, &f->f[i]);
		f->cap = pci_add_capability(&f->f[i].pci, PCI_CAP_VENDOR, 12);
		assert_int_equal(f->cap, PCI_FIRST_CAPABILITY);
		assert_int_equal(pci_add_capability(&f->f[i].pci, PCI_CAP_MSIX, 12), f->cap + 12);
		pci_set_writable(&f->f[i].pci, f->cap + 4, 0x00ff00ff);
		pci_watch(&f->f[i].pci, f->cap + 8);
		assert_int_equal(pci_attach(f->pci, &f->f[i].pci), 0);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bus_destroy(f->bus);
	pci_bus_destroy(f->pci);
	loop_destroy(f->loop);
	free(f);
	return 0;
}

static uint32_t address(unsigned device, unsigned at)
{
	return UINT32_C(0x80000000) | device << 11 | (at & 0xfc);
}

static void point(struct fixture *f, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_ADDRESS, data, 4));
}

static uint32_t get(struct fixture *f, unsigned device, unsigned at, size_t len)
{
	uint8_t data[4] = { 0 };

	point(f, address(device, at));
	assert_true(bus_read(f->bus, BUS_PIO, PCI_PORT_DATA + at % 4, data, len));
	return le32_load(data);
}

static void put(struct fixture *f, unsigned device, unsigned at, size_t len, uint32_t value)
{
	uint8_t data[4];

	point(f, address(device, at));
	le32_store(data, value);
	assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_DATA + at % 4, data, len));
}

static void test_what_is_there(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, 0, PCI_CLASS + 2, 2), 0x0600); /* a host bridge */
	assert_int_equal(get(f, 0, 0x0e, 1), 0);
	assert_int_equal(get(f, 0, PCI_BAR0, 4), 0);
	put(f, 0, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(get(f, 0, PCI_COMMAND, 2), 0);
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		assert_int_equal(get(f, i + 1, PCI_ID, 2), VENDOR);
		assert_int_equal(get(f, i + 1, PCI_ID + 2, 2), 0x1000 + i);
		assert_int_equal(get(f, i + 1, PCI_CLASS + 3, 1), 0x01);
		assert_int_equal(get(f, i + 1, PCI_SUBSYSTEM, 4), 0x00020001);
		assert_int_equal(get(f, i + 1, 0x3d, 1), 0); /* no interrupt pin */
		/* Firmware's work: a place, memory decoding, no bus mastering; capabilities. */
		assert_int_equal(get(f, i + 1, PCI_BAR0, 4), WINDOW + i * BAR_SIZE);
		assert_int_equal(get(f, i + 1, PCI_COMMAND, 4), 0x00100002);
		assert_int_equal(get(f, i + 1, PCI_CAPABILITIES, 1), PCI_FIRST_CAPABILITY);
		assert_int_equal(get(f, i + 1, f->cap, 2), PCI_CAP_VENDOR | (f->cap + 12) << 8);
		assert_int_equal(get(f, i + 1, f->cap + 12, 2), PCI_CAP_MSIX);
		assert_int_equal(f->f[i].served, WINDOW + i * BAR_SIZE);
	}
	for (unsigned device = FUNCTIONS + 1; device < PCI_MAX_DEVICES; device++)
		assert_int_equal(get(f, device, PCI_ID, 4), UINT32_MAX);
}

/* Addresses that are no function of ours: everything reads as ones, nothing is written. */
static void test_threat_02_addresses_of_nobody(void **state)
{
	static const uint32_t nobody[] = {
		0x00000800,		/* not enabled */
		0x80000900,		/* function 1 */
		0x80000f00, 0x80010800, /* another bus */
		0x80ff0800, 0x81000800, /* the reserved bits */
		0xff000800, 0x8000f800,
	};
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++) {
		uint8_t data[4] = { 0 };

		point(f, nobody[i] | PCI_COMMAND);
		assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_DATA, data, 4));
		assert_true(bus_read(f->bus, BUS_PIO, PCI_PORT_DATA, data, 4));
		assert_int_equal(le32_load(data), UINT32_MAX);
	}
	assert_int_equal(get(f, 1, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
}

static void test_threat_17_ports_of_every_size(void **state)
{
	struct fixture *f = *state;
	uint8_t data[8];

	point(f, address(1, PCI_ID));
	for (unsigned port = PCI_PORT_ADDRESS; port < PCI_PORT_DATA + 4; port++) {
		for (size_t len = 1; len <= 8; len++) {
			bool is_address = port < PCI_PORT_DATA;
			unsigned offset = port - (is_address ? PCI_PORT_ADDRESS : PCI_PORT_DATA);
			bool there = (len == 1 || len == 2 || len == 4) && offset + len <= 4;

			memset(data, 0, sizeof(data));
			assert_int_equal(bus_read(f->bus, BUS_PIO, port, data, len), there);
			if (is_address && len != 4)
				for (size_t i = 0; i < len; i++)
					assert_int_equal(data[i], 0xff);
			if (is_address && len == 4)
				continue;
			memset(data, 0, sizeof(data));
			assert_int_equal(bus_write(f->bus, BUS_PIO, port, data, len), there);
		}
	}
	assert_true(bus_read(f->bus, BUS_PIO, PCI_PORT_ADDRESS, data, 4));
	assert_int_equal(le32_load(data), address(1, PCI_ID));
	assert_int_equal(get(f, 1, PCI_ID, 2), VENDOR);
}

/* Only the bits that are a guest's change, whatever it writes where, in whatever size. */
static void test_read_only_bits(void **state)
{
	struct fixture *f = *state;

	for (unsigned at = 0; at < PCI_CONFIG_SIZE; at++) {
		for (size_t len = 1; len <= 4; len *= 2) {
			if (at % len)
				continue;
			put(f, 1, at, len, UINT32_MAX);
			put(f, 1, at, len, 0);
		}
	}
	assert_int_equal(get(f, 1, PCI_ID, 2), VENDOR);
	assert_int_equal(get(f, 1, PCI_COMMAND, 4), 0x00100000);
	assert_int_equal(get(f, 1, PCI_CAPABILITIES, 4), PCI_FIRST_CAPABILITY);
	assert_int_equal(get(f, 1, f->cap, 2), PCI_CAP_VENDOR | (f->cap + 12) << 8);
	put(f, 1, f->cap + 4, 4, UINT32_MAX);
	assert_int_equal(get(f, 1, f->cap + 4, 4), 0x00ff00ff);
	put(f, 1, f->cap + 5, 1, 0);
	put(f, 1, f->cap + 6, 1, 0);
	assert_int_equal(get(f, 1, f->cap + 4, 4), 0x000000ff);
}

static void test_watched_words(void **state)
{
	struct fixture *f = *state;

	put(f, 2, f->cap + 9, 1, 7);
	assert_int_equal(f->f[1].written, 1);
	assert_int_equal(f->f[1].written_at, f->cap + 8);
	assert_int_equal(get(f, 2, f->cap + 8, 4), 0x600d0001);
	assert_int_equal(get(f, 2, f->cap + 10, 2), 0x600d);
	assert_int_equal(f->f[1].refreshed, 2);
	put(f, 2, f->cap + 4, 4, 1);
	assert_int_equal(f->f[1].written, 1);
	assert_int_equal(f->f[0].written + f->f[2].written, 0);
}

static bool answers(struct fixture *f, unsigned which, uint64_t at)
{
	unsigned before = f->f[which].reads;
	uint8_t data[4];

	assert_true(bus_read(f->bus, BUS_MMIO, at, data, 4));
	if (f->f[which].reads == before)
		return false;
	assert_int_equal(le32_load(data), 0x5a5a5a5a);
	return true;
}

static void test_bar_sizing(void **state)
{
	struct fixture *f = *state;

	/* As Linux does: decoding off, ones, back. Whoever serves doorbells hears nothing of it. */
	f->f[0].moves = 0;
	put(f, 1, PCI_COMMAND, 2, 0);
	put(f, 1, PCI_BAR0, 4, UINT32_MAX);
	assert_int_equal(get(f, 1, PCI_BAR0, 4), UINT32_MAX - BAR_SIZE + 1);
	put(f, 1, PCI_BAR0, 4, WINDOW);
	put(f, 1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(f->f[0].moves, 0);
	assert_true(answers(f, 0, WINDOW));
	/* The others are none. */
	for (unsigned bar = 1; bar < 6; bar++) {
		put(f, 1, PCI_BAR0 + 4 * bar, 4, UINT32_MAX);
		assert_int_equal(get(f, 1, PCI_BAR0 + 4 * bar, 4), 0);
	}
	put(f, 1, 0x30, 4, UINT32_MAX);
	assert_int_equal(get(f, 1, 0x30, 4), 0);
}

static void test_bar_moves(void **state)
{
	const uint64_t there = WINDOW + WINDOW_SIZE - BAR_SIZE;
	struct fixture *f = *state;

	put(f, 1, PCI_BAR0, 4, (uint32_t)there);
	assert_int_equal(f->f[0].served, there);
	assert_true(answers(f, 0, there + BAR_SIZE - 4));
	assert_int_equal(f->f[0].last_offset, BAR_SIZE - 4);
	assert_false(answers(f, 0, WINDOW));
	/* Off: nobody answers, writes go nowhere. */
	put(f, 1, PCI_COMMAND, 2, 0);
	assert_false(answers(f, 0, there));
	assert_true(bus_write(f->bus, BUS_MMIO, there, "abcd", 4));
	assert_int_equal(f->f[0].writes, 0);
}

/* Outside of the bridge's window, over RAM or the APICs: not decoded. */
static void test_threat_13_bars_that_point_elsewhere(void **state)
{
	static const uint32_t places[] = { 0,	       0x00100000,	  0xfee00000,
					   0xfec00000, WINDOW - BAR_SIZE, WINDOW + WINDOW_SIZE,
					   0xffffc000 };
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		put(f, 1, PCI_BAR0, 4, places[i]);
		assert_int_equal(get(f, 1, PCI_BAR0, 4), places[i]);
		assert_int_equal(f->f[0].served, WINDOW); /* nobody else came there */
		assert_false(answers(f, 0, WINDOW));
	}
	put(f, 1, PCI_BAR0, 4, WINDOW + BAR_SIZE / 2); /* BARs are aligned to their size */
	assert_int_equal(get(f, 1, PCI_BAR0, 4), WINDOW);
	assert_true(answers(f, 0, WINDOW));
}

/* A function comes where another one's doorbells were left. */
static void test_bar_where_another_was(void **state)
{
	struct fixture *f = *state;

	put(f, 1, PCI_COMMAND, 2, 0);
	assert_int_equal(f->f[0].served, WINDOW);
	put(f, 2, PCI_BAR0, 4, WINDOW);
	assert_int_equal(f->f[0].served, PCI_NOWHERE);
	assert_int_equal(f->f[1].served, WINDOW);
	assert_true(answers(f, 1, WINDOW));
	/* And back, with both on at last. */
	put(f, 2, PCI_BAR0, 4, WINDOW + BAR_SIZE);
	put(f, 1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(f->f[0].served, WINDOW);
	assert_int_equal(f->f[1].served, WINDOW + BAR_SIZE);
	/* Two at one place: the first one has it, and nobody falls over that. */
	put(f, 2, PCI_BAR0, 4, WINDOW);
	assert_true(answers(f, 0, WINDOW));
	assert_false(answers(f, 1, WINDOW));
}

static void test_threat_17_window_accesses_of_every_size(void **state)
{
	struct fixture *f = *state;

	for (uint64_t at = WINDOW + BAR_SIZE - 8; at < WINDOW + BAR_SIZE + 8; at++) {
		for (size_t len = 1; len <= 8; len++) {
			uint8_t data[9];
			bool across = at < WINDOW + BAR_SIZE && at + len > WINDOW + BAR_SIZE;

			memset(data, 0xa5, sizeof(data));
			assert_true(bus_read(f->bus, BUS_MMIO, at, data, len));
			for (size_t i = 0; i < len; i++)
				assert_int_equal(data[i], across ? 0xff : 0x5a);
			assert_int_equal(data[len], 0xa5);
		}
	}
}

static void test_command_is_told(void **state)
{
	struct fixture *f = *state;

	f->f[2].commands = 0;
	put(f, 3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(f->f[2].commands, 1);
	put(f, 3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	put(f, 3, PCI_COMMAND, 2, 0xfff9 | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(f->f[2].commands, 1);
	assert_int_equal(f->f[2].command & PCI_COMMAND_MASTER, PCI_COMMAND_MASTER);
	put(f, 3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(f->f[2].commands, 2);
}

static void test_a_full_bus(void **state)
{
	struct fixture *f = *state;
	struct pci_function more[PCI_MAX_DEVICES];
	const struct pci_id id = { VENDOR, 1, 0, 0, 0 };
	unsigned i = 0;

	pci_function_init(&more[0], &id, 2 * (uint64_t)WINDOW_SIZE, &ops, &f->f[0]);
	assert_int_equal(pci_attach(f->pci, &more[0]), -ENOSPC);
	for (i = 0; i < PCI_MAX_DEVICES - 1 - FUNCTIONS; i++) {
		pci_function_init(&more[i], &id, BAR_SIZE, &ops, &f->f[0]);
		assert_int_equal(pci_attach(f->pci, &more[i]), 0);
	}
	pci_function_init(&more[i], &id, 0, &ops, &f->f[0]);
	assert_int_equal(pci_attach(f->pci, &more[i]), -ENOSPC);
	/* And a full list of capabilities. */
	for (i = 0; pci_add_capability(&more[0], PCI_CAP_VENDOR, 20); i++)
		;
	assert_int_equal(i, (PCI_CONFIG_SIZE - PCI_FIRST_CAPABILITY) / 20);
	assert_int_equal(pci_add_capability(&more[1], PCI_CAP_VENDOR, 1), 0);
	assert_int_equal(pci_add_capability(&more[1], PCI_CAP_VENDOR, 1000), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_what_is_there),
		T(test_threat_02_addresses_of_nobody),
		T(test_threat_17_ports_of_every_size),
		T(test_read_only_bits),
		T(test_watched_words),
		T(test_bar_sizing),
		T(test_bar_moves),
		T(test_threat_13_bars_that_point_elsewhere),
		T(test_bar_where_another_was),
		T(test_threat_17_window_accesses_of_every_size),
		T(test_command_is_told),
		T(test_a_full_bus),
	};

	(void)alarm(500);
	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
