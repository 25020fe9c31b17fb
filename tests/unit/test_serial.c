/* SPDX-License-Identifier: BSD-2-Clause */
/* hw/serial: what drivers expect of a 16550A's registers, FIFOs, loopback and interrupts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/checked.h"
#include "tests/lib/serial_port.h"

/* --- identity --- */

static void state_at_power_on(void **state)
{
	struct port *p = (struct port *)*state;

	assert_int_equal(port_in(p, IER), 0);
	assert_int_equal(port_in(p, IIR), 0x01);
	assert_int_equal(port_in(p, LCR), 0);
	assert_int_equal(port_in(p, MCR), 0);
	assert_int_equal(port_in(p, LSR), 0x60);
	assert_int_equal(port_in(p, MSR), 0xb0);
	assert_int_equal(port_in(p, RBR), 0);
	assert_false(p->level);
}

/* The steps by which drivers tell a 16550A from its relatives and from nothing at all. */
static void is_detected_as_16550a(void **state)
{
	struct port *p = (struct port *)*state;

	/* Only four bits of IER exist. */
	port_out(p, IER, 0xff);
	assert_int_equal(port_in(p, IER), 0x0f);
	port_out(p, IER, 0);
	assert_int_equal(port_in(p, IER), 0);
	/* Looped back, RTS and OUT2 come back as CTS and DCD. */
	port_out(p, MCR, 0x10 | 0x0a);
	assert_int_equal(port_in(p, MSR) & 0xf0, 0x90);
	port_out(p, MCR, 0xff);
	assert_int_equal(port_in(p, MCR), 0x1f);
	assert_int_equal(port_in(p, MSR) & 0xf0, 0xf0);
	port_out(p, MCR, 0);
	/* FIFOs show in IIR; no 64 byte FIFO, no extended registers. */
	port_out(p, FCR, 0x01);
	assert_int_equal(port_in(p, IIR), 0xc1);
	port_out(p, FCR, 0x21);
	assert_int_equal(port_in(p, IIR) >> 5, 6);
	port_out(p, LCR, 0x80);
	port_out(p, FCR, 0x21);
	assert_int_equal(port_in(p, IIR) >> 5, 6);
	port_out(p, LCR, 0xbf);
	assert_int_not_equal(port_in(p, IIR), 0);
	port_out(p, LCR, 0);
	port_out(p, FCR, 0);
	assert_int_equal(port_in(p, IIR), 0x01);
	/* A scratch register, which the 8250 lacks. */
	for (unsigned int i = 0; i < 256; i++) {
		port_out(p, SCR, i);
		assert_int_equal(port_in(p, SCR), i);
	}
}

static void divisor_latch(void **state)
{
	struct port *p = (struct port *)*state;

	port_out(p, IER, 0x05);
	port_out(p, LCR, 0x83);
	assert_int_equal(port_in(p, LCR), 0x83);
	port_out(p, DLL, 0x01);
	port_out(p, DLM, 0xab);
	assert_int_equal(port_in(p, DLL), 0x01);
	assert_int_equal(port_in(p, DLM), 0xab);
	port_out(p, LCR, 0x03);
	/* Neither sent a byte nor changed IER. */
	assert_int_equal(port_in(p, IER), 0x05);
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 0);
	/* LSR and MSR cannot be written. */
	port_out(p, LSR, 0xff);
	port_out(p, MSR, 0xff);
	assert_int_equal(port_in(p, LSR), 0x60);
	assert_int_equal(port_in(p, MSR), 0xb0);
}

/* --- receiver --- */

static void input_reaches_the_guest(void **state)
{
	struct port *p = (struct port *)*state;

	port_listen(p, 0);
	assert_int_equal(serial_input(p->serial, "ab", 2), 2);
	assert_true(p->level);
	assert_int_equal(port_in(p, IIR), 0xc4);
	assert_int_equal(port_in(p, LSR), 0x61);
	assert_int_equal(port_in(p, RBR), 'a');
	assert_true(p->level);
	assert_int_equal(port_in(p, RBR), 'b');
	assert_false(p->level);
	assert_int_equal(port_in(p, LSR), 0x60);
	assert_int_equal(port_in(p, RBR), 0);
	assert_int_equal(port_in(p, IIR), 0xc1);
	assert_int_equal(serial_counters(p->serial).in, 2);
}

static void trigger_levels(void **state)
{
	static const unsigned int levels[] = { 1, 4, 8, 14 };
	struct port *p = (struct port *)*state;
	uint8_t bytes[16] = { 0 };

	for (unsigned int t = 0; t < ARRAY_SIZE(levels); t++)
		for (unsigned int n = 1; n <= 16; n++) {
			port_listen(p, t);
			assert_false(p->level);
			assert_int_equal(serial_input(p->serial, bytes, n), n);
			/* Below the level the time-out speaks, which here comes at once. */
			assert_true(p->level);
			assert_int_equal(port_in(p, IIR), n >= levels[t] ? 0xc4 : 0xcc);
			/* Reading down to the level takes the first cause away, not the second. */
			for (unsigned int left = n; left > 0; left--) {
				assert_int_equal(port_in(p, IIR), left >= levels[t] ? 0xc4 : 0xcc);
				(void)port_in(p, RBR);
			}
			assert_int_equal(port_in(p, IIR), 0xc1);
		}
}

static void without_fifos(void **state)
{
	struct port *p = (struct port *)*state;

	port_out(p, IER, 0x01);
	assert_int_equal(serial_input(p->serial, "xyz", 3), 3);
	/* One at a time, and none lost. */
	assert_int_equal(port_in(p, IIR), 0x04);
	assert_int_equal(port_in(p, RBR), 'x');
	assert_int_equal(port_in(p, IIR), 0x04);
	assert_int_equal(port_in(p, RBR), 'y');
	assert_int_equal(port_in(p, RBR), 'z');
	assert_int_equal(port_in(p, IIR), 0x01);
	assert_int_equal(port_in(p, LSR), 0x60);
}

/* More than the FIFO and the waiting place hold: in order, complete, with room told. */
static void input_is_not_lost(void **state)
{
	struct port *p = (struct port *)*state;
	enum { TOTAL = 20000 };
	size_t given = 0, got = 0;
	uint8_t bytes[TOTAL];

	for (size_t i = 0; i < TOTAL; i++)
		bytes[i] = (uint8_t)(i ^ i >> 8);
	port_listen(p, 3);
	while (got < TOTAL) {
		given += serial_input(p->serial, bytes + given, TOTAL - given);
		while (port_in(p, LSR) & 0x01)
			assert_int_equal(port_in(p, RBR), bytes[got++]);
	}
	assert_int_equal(given, TOTAL);
	assert_int_equal(port_in(p, IIR), 0xc1);
	assert_int_equal(serial_counters(p->serial).in, TOTAL);
}

static void count_room(void *opaque)
{
	((struct port *)opaque)->rooms++;
}

static void room_is_told(void **state)
{
	struct port *p = (struct port *)*state;
	uint8_t bytes[8192] = { 0 };
	size_t fitted;

	serial_on_room(p->serial, count_room, p);
	port_listen(p, 0);
	fitted = serial_input(p->serial, bytes, sizeof(bytes));
	assert_in_range(fitted, 4096, 4096 + 16);
	/* A little room is not worth a wake-up; then full again, and nothing fits. */
	(void)serial_input(p->serial, bytes, sizeof(bytes));
	assert_int_equal(serial_input(p->serial, bytes, 1), 0);
	assert_int_equal(loop_turn(p->loop, 5), 0);
	assert_int_equal(p->rooms, 0);
	for (unsigned int i = 0; i < 2100; i++)
		(void)port_in(p, RBR);
	assert_int_equal(loop_turn(p->loop, 60000), 1);
	assert_int_equal(p->rooms, 1);
	/* Once, until input is turned away again. */
	for (unsigned int i = 0; i < 2100; i++)
		(void)port_in(p, RBR);
	assert_int_equal(loop_turn(p->loop, 5), 0);
	assert_int_equal(p->rooms, 1);
	assert_int_equal(port_in(p, LSR), 0x60);
}

/*
 * Input that is there before the driver: its start clears the FIFO and reads the receiver until it
 * is quiet, as the data sheet's examples do, and still the first byte is the first byte.
 */
static void input_survives_driver_start(void **state)
{
	struct port *p = (struct port *)*state;
	const char text[] = "echo hello from a pipe\n";

	assert_int_equal(serial_input(p->serial, text, strlen(text)), strlen(text));
	port_out(p, IER, 0);
	port_out(p, FCR, 0x01);
	port_out(p, FCR, 0x07);
	port_out(p, FCR, 0x00);
	(void)port_in(p, LSR);
	(void)port_in(p, RBR);
	(void)port_in(p, IIR);
	(void)port_in(p, MSR);
	port_out(p, LCR, 0x03);
	(void)port_in(p, LSR);
	(void)port_in(p, RBR);
	port_out(p, FCR, 0x81);
	port_out(p, MCR, 0x0b);
	assert_false(p->level);
	port_out(p, IER, 0x05);
	assert_true(p->level);
	for (size_t i = 0; i < strlen(text); i++)
		assert_int_equal(port_in(p, RBR), text[i]);
	assert_int_equal(port_in(p, LSR), 0x60);
}

/* A guest without interrupts that polls gets its input, the first byte included. */
static void polling_guest_gets_input(void **state)
{
	struct port *p = (struct port *)*state;
	unsigned int polls = 0;

	assert_int_equal(serial_input(p->serial, "hi", 2), 2);
	while (!(port_in(p, LSR) & 0x01))
		assert_true(++polls < 10);
	assert_int_equal(port_in(p, RBR), 'h');
	assert_int_equal(port_in(p, LSR), 0x61);
	assert_int_equal(port_in(p, RBR), 'i');
	assert_int_equal(port_in(p, LSR), 0x60);
	assert_int_equal(p->edges, 0);
}

/* Firmware polled, then a driver starts: input waits again, whichever way the driver begins. */
static void polling_ends_with_driver_start(void **state)
{
	struct port *p = (struct port *)*state;

	for (unsigned int way = 0; way < 2; way++) {
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(port_in(p, LSR), 0x60);
		if (way == 0)
			port_out(p, IER, 0);
		else
			port_out(p, FCR, 0x07);
		assert_int_equal(serial_input(p->serial, "q", 1), 1);
		assert_int_equal(port_in(p, LSR), 0x60);
		(void)port_in(p, RBR);
		port_out(p, IER, 0x01);
		assert_int_equal(port_in(p, RBR), 'q');
		port_out(p, IER, 0);
		port_out(p, FCR, 0x01);
	}
}

static void clearing_the_fifo(void **state)
{
	struct port *p = (struct port *)*state;
	uint8_t bytes[20];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i + 1);
	port_listen(p, 0);
	assert_int_equal(serial_input(p->serial, bytes, sizeof(bytes)), sizeof(bytes));
	/* What was in the FIFO is gone, as asked; what waited behind it follows. */
	port_out(p, FCR, 0x03);
	assert_int_equal(port_in(p, RBR), 17);
	/* Turning FIFOs off clears them too. */
	port_out(p, FCR, 0x00);
	assert_int_equal(port_in(p, LSR), 0x60);
	assert_false(p->level);
	/* Without bit 0, bit 1 means nothing. */
	assert_int_equal(serial_input(p->serial, bytes, 1), 1);
	port_out(p, FCR, 0x02);
	assert_int_equal(port_in(p, RBR), 1);
}

/* --- loopback --- */

static void loopback_carries_data(void **state)
{
	struct port *p = (struct port *)*state;

	port_listen(p, 0);
	port_out(p, MCR, 0x10);
	/* What comes from outside waits meanwhile. */
	assert_int_equal(serial_input(p->serial, "z", 1), 1);
	assert_int_equal(port_in(p, LSR), 0x60);
	for (unsigned int i = 0; i < 16; i++)
		port_out(p, THR, i + 'A');
	assert_int_equal(port_in(p, LSR), 0x61);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(port_in(p, RBR), i + 'A');
	port_out(p, MCR, 0);
	assert_int_equal(port_in(p, RBR), 'z');
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 0);
	assert_int_equal(serial_counters(p->serial).out, 0);
}

static void loopback_overruns(void **state)
{
	struct port *p = (struct port *)*state;

	port_listen(p, 0);
	port_out(p, IER, 0x05);
	port_out(p, MCR, 0x10);
	for (unsigned int i = 0; i < 17; i++)
		port_out(p, THR, i);
	/* Line status has the highest priority; reading LSR ends it; the FIFO kept the older ones. */
	assert_int_equal(port_in(p, IIR), 0xc6);
	assert_int_equal(port_in(p, LSR), 0x63);
	assert_int_equal(port_in(p, LSR), 0x61);
	assert_int_equal(port_in(p, IIR), 0xc4);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(port_in(p, RBR), i);
	assert_int_equal(port_in(p, LSR), 0x60);
	/* Without FIFOs the newer byte wins. */
	port_out(p, FCR, 0);
	port_out(p, THR, 1);
	port_out(p, THR, 2);
	assert_int_equal(port_in(p, IIR), 0x06);
	assert_int_equal(port_in(p, LSR), 0x63);
	assert_int_equal(port_in(p, RBR), 2);
	assert_int_equal(port_in(p, LSR), 0x60);
}

static void modem_status(void **state)
{
	struct port *p = (struct port *)*state;

	port_out(p, IER, 0x08);
	assert_false(p->level);
	/* DCD, DSR, CTS go away: three changes. */
	port_out(p, MCR, 0x10);
	assert_true(p->level);
	assert_int_equal(port_in(p, IIR), 0x00);
	assert_int_equal(port_in(p, MSR), 0x0b);
	assert_false(p->level);
	assert_int_equal(port_in(p, MSR), 0x00);
	/* The ring indicator: its end only. */
	port_out(p, MCR, 0x14);
	assert_false(p->level);
	assert_int_equal(port_in(p, MSR), 0x40);
	port_out(p, MCR, 0x10);
	assert_int_equal(port_in(p, MSR), 0x04);
	port_out(p, MCR, 0x00);
	assert_int_equal(port_in(p, MSR), 0xbb);
	assert_int_equal(port_in(p, MSR), 0xb0);
}

/* --- transmitter interrupts --- */

static void thre_interrupt(void **state)
{
	struct port *p = (struct port *)*state;

	/* Turned on while empty: at once. Reading IIR takes it. */
	port_out(p, IER, 0x02);
	assert_true(p->level);
	assert_int_equal(port_in(p, IIR), 0x02);
	assert_false(p->level);
	assert_int_equal(port_in(p, IIR), 0x01);
	/* Turned off and on: again, as drivers test for. */
	port_out(p, IER, 0x00);
	port_out(p, IER, 0x02);
	assert_int_equal(port_in(p, IIR), 0x02);
	/* Left on: not again. */
	port_out(p, IER, 0x02);
	assert_int_equal(port_in(p, IIR), 0x01);
	/* A byte sent: the register is empty again. */
	port_out(p, THR, 'x');
	assert_true(p->level);
	assert_int_equal(port_in(p, LSR), 0x60);
	assert_true(p->level);
	assert_int_equal(port_in(p, IIR), 0x02);
	assert_false(p->level);
}

static void priorities(void **state)
{
	struct port *p = (struct port *)*state;

	port_out(p, FCR, 0x41); /* level 4 */
	port_out(p, IER, 0x0f);
	port_out(p, MCR, 0x10);
	for (unsigned int i = 0; i < 17; i++)
		port_out(p, THR, i);
	assert_int_equal(port_in(p, IIR), 0xc6);
	(void)port_in(p, LSR);
	assert_int_equal(port_in(p, IIR), 0xc4);
	for (unsigned int i = 0; i < 13; i++)
		(void)port_in(p, RBR);
	assert_int_equal(port_in(p, IIR), 0xcc);
	for (unsigned int i = 0; i < 3; i++)
		(void)port_in(p, RBR);
	assert_int_equal(port_in(p, IIR), 0xc2);
	assert_int_equal(port_in(p, IIR), 0xc0);
	assert_true(p->level);
	(void)port_in(p, MSR);
	assert_int_equal(port_in(p, IIR), 0xc1);
	assert_false(p->level);
}

/*
 * Threat 28: no sequence of accesses moves a FIFO index out of its place. Every register, in every
 * mode (FIFOs, loopback, divisor latch), with input pending, for more steps than any index counts.
 */
static void test_threat_28_fifo_index(void **state)
{
	struct port *p = (struct port *)*state;
	uint32_t random = 1;

	for (unsigned int i = 0; i < 300000; i++) {
		unsigned int reg, len;
		uint8_t data[4];

		random = random * 1664525 + 1013904223;
		reg = random >> 29;
		len = 1U << (random >> 27 & 3) & 7;
		for (unsigned int j = 0; j < 4; j++)
			data[j] = (uint8_t)(random >> (j * 5));
		switch (random >> 24 & 7) {
		case 0:
			assert_true(serial_input(p->serial, data, 4) <= 4);
			break;
		case 1:
		case 2:
		case 3:
			(void)bus_read(p->bus, BUS_PIO, BASE + reg, data, len ? len : 1);
			break;
		default:
			(void)bus_write(p->bus, BUS_PIO, BASE + reg, data, len ? len : 1);
		}
		if (p->out_len > OUT_MAX / 2)
			p->out_len = 0;
	}
	/* It still works as a port. */
	port_out(p, LCR, 0);
	port_out(p, MCR, 0);
	port_out(p, IER, 0);
	serial_flush(p->serial);
	p->out_len = 0;
	port_out(p, THR, 'k');
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 1);
	assert_int_equal(p->out[0], 'k');
}

#define ON_PORT(fn) cmocka_unit_test_setup_teardown(fn, port_setup, port_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_PORT(state_at_power_on),
		ON_PORT(is_detected_as_16550a),
		ON_PORT(divisor_latch),
		ON_PORT(input_reaches_the_guest),
		ON_PORT(trigger_levels),
		ON_PORT(without_fifos),
		ON_PORT(input_is_not_lost),
		ON_PORT(room_is_told),
		ON_PORT(input_survives_driver_start),
		ON_PORT(polling_guest_gets_input),
		ON_PORT(polling_ends_with_driver_start),
		ON_PORT(clearing_the_fifo),
		ON_PORT(loopback_carries_data),
		ON_PORT(loopback_overruns),
		ON_PORT(modem_status),
		ON_PORT(thre_interrupt),
		ON_PORT(priorities),
		ON_PORT(test_threat_28_fifo_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
