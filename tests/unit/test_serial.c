/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hw/serial: what drivers expect of a 16550A, and that no byte is lost in either direction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "hw/bus.h"
#include "hw/irq.h"
#include "hw/loop.h"
#include "hw/serial.h"

enum { BASE = 0x3f8 };

/* Registers, as a driver names them. */
enum {
	RBR = 0,
	THR = 0,
	DLL = 0,
	IER = 1,
	DLM = 1,
	IIR = 2,
	FCR = 2,
	LCR = 3,
	MCR = 4,
	LSR = 5,
	MSR = 6,
	SCR = 7,
};

struct port {
	struct loop *loop;
	struct bus *bus;
	struct serial *serial;
	struct irq_line line;
	bool level;
	unsigned int edges; /* changes of the line */
	uint8_t *out;	    /* what out_fn was given */
	size_t out_len;
	size_t out_calls;
	size_t longest;
	unsigned int rooms;
};

enum { OUT_MAX = 1 << 20 };

static void line_set(struct irq_line *line, bool level)
{
	struct port *p = (struct port *)line->opaque;

	assert_int_not_equal(p->level, level); /* only changes are told */
	p->level = level;
	p->edges++;
}

static void take_out(void *opaque, const void *data, size_t len)
{
	struct port *p = (struct port *)opaque;

	assert_true(p->out_len + len <= OUT_MAX);
	memcpy(p->out + p->out_len, data, len);
	p->out_len += len;
	p->out_calls++;
	p->longest = size_max(p->longest, len);
}

static int setup(void **state)
{
	struct port *p = (struct port *)calloc(1, sizeof(*p));

	assert_non_null(p);
	p->out = (uint8_t *)malloc(OUT_MAX);
	assert_non_null(p->out);
	p->line = (struct irq_line){ .set = line_set, .opaque = p, .eventfd = -1, .gsi = 4 };
	assert_int_equal(loop_create(&p->loop), 0);
	assert_int_equal(bus_create(&p->bus), 0);
	assert_int_equal(serial_create(p->loop, &p->line, take_out, p, &p->serial), 0);
	assert_int_equal(serial_attach(p->serial, p->bus, BUS_PIO, BASE, 0), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct port *p = (struct port *)*state;

	bus_destroy(p->bus);
	serial_destroy(p->serial);
	loop_destroy(p->loop);
	free(p->out);
	free(p);
	return 0;
}

static uint8_t in(struct port *p, unsigned int reg)
{
	uint8_t value;

	assert_true(bus_read(p->bus, BUS_PIO, BASE + reg, &value, 1));
	return value;
}

static void out(struct port *p, unsigned int reg, unsigned int value)
{
	const uint8_t byte = (uint8_t)value;

	assert_true(bus_write(p->bus, BUS_PIO, BASE + reg, &byte, 1));
}

/* FIFOs on and empty, receive interrupts on: a driver that listens. */
static void listen_in(struct port *p, unsigned int trigger)
{
	out(p, FCR, 0x07 | trigger << 6);
	out(p, IER, 0x01);
}

/* --- identity --- */

static void state_at_power_on(void **state)
{
	struct port *p = (struct port *)*state;

	assert_int_equal(in(p, IER), 0);
	assert_int_equal(in(p, IIR), 0x01);
	assert_int_equal(in(p, LCR), 0);
	assert_int_equal(in(p, MCR), 0);
	assert_int_equal(in(p, LSR), 0x60);
	assert_int_equal(in(p, MSR), 0xb0);
	assert_int_equal(in(p, RBR), 0);
	assert_false(p->level);
}

/* The steps by which drivers tell a 16550A from its relatives and from nothing at all. */
static void is_detected_as_16550a(void **state)
{
	struct port *p = (struct port *)*state;

	/* Only four bits of IER exist. */
	out(p, IER, 0xff);
	assert_int_equal(in(p, IER), 0x0f);
	out(p, IER, 0);
	assert_int_equal(in(p, IER), 0);
	/* Looped back, RTS and OUT2 come back as CTS and DCD. */
	out(p, MCR, 0x10 | 0x0a);
	assert_int_equal(in(p, MSR) & 0xf0, 0x90);
	out(p, MCR, 0xff);
	assert_int_equal(in(p, MCR), 0x1f);
	assert_int_equal(in(p, MSR) & 0xf0, 0xf0);
	out(p, MCR, 0);
	/* FIFOs show in IIR; no 64 byte FIFO, no extended registers. */
	out(p, FCR, 0x01);
	assert_int_equal(in(p, IIR), 0xc1);
	out(p, FCR, 0x21);
	assert_int_equal(in(p, IIR) >> 5, 6);
	out(p, LCR, 0x80);
	out(p, FCR, 0x21);
	assert_int_equal(in(p, IIR) >> 5, 6);
	out(p, LCR, 0xbf);
	assert_int_not_equal(in(p, IIR), 0);
	out(p, LCR, 0);
	out(p, FCR, 0);
	assert_int_equal(in(p, IIR), 0x01);
	/* A scratch register, which the 8250 lacks. */
	for (unsigned int i = 0; i < 256; i++) {
		out(p, SCR, i);
		assert_int_equal(in(p, SCR), i);
	}
}

static void divisor_latch(void **state)
{
	struct port *p = (struct port *)*state;

	out(p, IER, 0x05);
	out(p, LCR, 0x83);
	assert_int_equal(in(p, LCR), 0x83);
	out(p, DLL, 0x01);
	out(p, DLM, 0xab);
	assert_int_equal(in(p, DLL), 0x01);
	assert_int_equal(in(p, DLM), 0xab);
	out(p, LCR, 0x03);
	/* Neither sent a byte nor changed IER. */
	assert_int_equal(in(p, IER), 0x05);
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 0);
	/* LSR and MSR cannot be written. */
	out(p, LSR, 0xff);
	out(p, MSR, 0xff);
	assert_int_equal(in(p, LSR), 0x60);
	assert_int_equal(in(p, MSR), 0xb0);
}

/* --- receiver --- */

static void input_reaches_the_guest(void **state)
{
	struct port *p = (struct port *)*state;

	listen_in(p, 0);
	assert_int_equal(serial_input(p->serial, "ab", 2), 2);
	assert_true(p->level);
	assert_int_equal(in(p, IIR), 0xc4);
	assert_int_equal(in(p, LSR), 0x61);
	assert_int_equal(in(p, RBR), 'a');
	assert_true(p->level);
	assert_int_equal(in(p, RBR), 'b');
	assert_false(p->level);
	assert_int_equal(in(p, LSR), 0x60);
	assert_int_equal(in(p, RBR), 0);
	assert_int_equal(in(p, IIR), 0xc1);
	assert_int_equal(serial_counters(p->serial).in, 2);
}

static void trigger_levels(void **state)
{
	static const unsigned int levels[] = { 1, 4, 8, 14 };
	struct port *p = (struct port *)*state;
	uint8_t bytes[16] = { 0 };

	for (unsigned int t = 0; t < ARRAY_SIZE(levels); t++)
		for (unsigned int n = 1; n <= 16; n++) {
			listen_in(p, t);
			assert_false(p->level);
			assert_int_equal(serial_input(p->serial, bytes, n), n);
			/* Below the level the time-out speaks, which here comes at once. */
			assert_true(p->level);
			assert_int_equal(in(p, IIR), n >= levels[t] ? 0xc4 : 0xcc);
			/* Reading down to the level takes the first cause away, not the second. */
			for (unsigned int left = n; left > 0; left--) {
				assert_int_equal(in(p, IIR), left >= levels[t] ? 0xc4 : 0xcc);
				(void)in(p, RBR);
			}
			assert_int_equal(in(p, IIR), 0xc1);
		}
}

static void without_fifos(void **state)
{
	struct port *p = (struct port *)*state;

	out(p, IER, 0x01);
	assert_int_equal(serial_input(p->serial, "xyz", 3), 3);
	/* One at a time, and none lost. */
	assert_int_equal(in(p, IIR), 0x04);
	assert_int_equal(in(p, RBR), 'x');
	assert_int_equal(in(p, IIR), 0x04);
	assert_int_equal(in(p, RBR), 'y');
	assert_int_equal(in(p, RBR), 'z');
	assert_int_equal(in(p, IIR), 0x01);
	assert_int_equal(in(p, LSR), 0x60);
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
	listen_in(p, 3);
	while (got < TOTAL) {
		given += serial_input(p->serial, bytes + given, TOTAL - given);
		while (in(p, LSR) & 0x01)
			assert_int_equal(in(p, RBR), bytes[got++]);
	}
	assert_int_equal(given, TOTAL);
	assert_int_equal(in(p, IIR), 0xc1);
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
	listen_in(p, 0);
	fitted = serial_input(p->serial, bytes, sizeof(bytes));
	assert_in_range(fitted, 4096, 4096 + 16);
	/* A little room is not worth a wake-up; then full again, and nothing fits. */
	(void)serial_input(p->serial, bytes, sizeof(bytes));
	assert_int_equal(serial_input(p->serial, bytes, 1), 0);
	assert_int_equal(loop_turn(p->loop, 5), 0);
	assert_int_equal(p->rooms, 0);
	for (unsigned int i = 0; i < 2100; i++)
		(void)in(p, RBR);
	assert_int_equal(loop_turn(p->loop, 1000), 1);
	assert_int_equal(p->rooms, 1);
	/* Once, until input is turned away again. */
	for (unsigned int i = 0; i < 2100; i++)
		(void)in(p, RBR);
	assert_int_equal(loop_turn(p->loop, 5), 0);
	assert_int_equal(p->rooms, 1);
	assert_int_equal(in(p, LSR), 0x60);
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
	out(p, IER, 0);
	out(p, FCR, 0x01);
	out(p, FCR, 0x07);
	out(p, FCR, 0x00);
	(void)in(p, LSR);
	(void)in(p, RBR);
	(void)in(p, IIR);
	(void)in(p, MSR);
	out(p, LCR, 0x03);
	(void)in(p, LSR);
	(void)in(p, RBR);
	out(p, FCR, 0x81);
	out(p, MCR, 0x0b);
	assert_false(p->level);
	out(p, IER, 0x05);
	assert_true(p->level);
	for (size_t i = 0; i < strlen(text); i++)
		assert_int_equal(in(p, RBR), text[i]);
	assert_int_equal(in(p, LSR), 0x60);
}

/* A guest without interrupts that polls gets its input, the first byte included. */
static void polling_guest_gets_input(void **state)
{
	struct port *p = (struct port *)*state;
	unsigned int polls = 0;

	assert_int_equal(serial_input(p->serial, "hi", 2), 2);
	while (!(in(p, LSR) & 0x01))
		assert_true(++polls < 10);
	assert_int_equal(in(p, RBR), 'h');
	assert_int_equal(in(p, LSR), 0x61);
	assert_int_equal(in(p, RBR), 'i');
	assert_int_equal(in(p, LSR), 0x60);
	assert_int_equal(p->edges, 0);
}

/* Firmware polled, then a driver starts: input waits again, whichever way the driver begins. */
static void polling_ends_with_driver_start(void **state)
{
	struct port *p = (struct port *)*state;

	for (unsigned int way = 0; way < 2; way++) {
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(in(p, LSR), 0x60);
		if (way == 0)
			out(p, IER, 0);
		else
			out(p, FCR, 0x07);
		assert_int_equal(serial_input(p->serial, "q", 1), 1);
		assert_int_equal(in(p, LSR), 0x60);
		(void)in(p, RBR);
		out(p, IER, 0x01);
		assert_int_equal(in(p, RBR), 'q');
		out(p, IER, 0);
		out(p, FCR, 0x01);
	}
}

static void clearing_the_fifo(void **state)
{
	struct port *p = (struct port *)*state;
	uint8_t bytes[20];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i + 1);
	listen_in(p, 0);
	assert_int_equal(serial_input(p->serial, bytes, sizeof(bytes)), sizeof(bytes));
	/* What was in the FIFO is gone, as asked; what waited behind it follows. */
	out(p, FCR, 0x03);
	assert_int_equal(in(p, RBR), 17);
	/* Turning FIFOs off clears them too. */
	out(p, FCR, 0x00);
	assert_int_equal(in(p, LSR), 0x60);
	assert_false(p->level);
	/* Without bit 0, bit 1 means nothing. */
	assert_int_equal(serial_input(p->serial, bytes, 1), 1);
	out(p, FCR, 0x02);
	assert_int_equal(in(p, RBR), 1);
}

/* --- loopback --- */

static void loopback_carries_data(void **state)
{
	struct port *p = (struct port *)*state;

	listen_in(p, 0);
	out(p, MCR, 0x10);
	/* What comes from outside waits meanwhile. */
	assert_int_equal(serial_input(p->serial, "z", 1), 1);
	assert_int_equal(in(p, LSR), 0x60);
	for (unsigned int i = 0; i < 16; i++)
		out(p, THR, i + 'A');
	assert_int_equal(in(p, LSR), 0x61);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(in(p, RBR), i + 'A');
	out(p, MCR, 0);
	assert_int_equal(in(p, RBR), 'z');
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 0);
	assert_int_equal(serial_counters(p->serial).out, 0);
}

static void loopback_overruns(void **state)
{
	struct port *p = (struct port *)*state;

	listen_in(p, 0);
	out(p, IER, 0x05);
	out(p, MCR, 0x10);
	for (unsigned int i = 0; i < 17; i++)
		out(p, THR, i);
	/* Line status has the highest priority; reading LSR ends it; the FIFO kept the older ones. */
	assert_int_equal(in(p, IIR), 0xc6);
	assert_int_equal(in(p, LSR), 0x63);
	assert_int_equal(in(p, LSR), 0x61);
	assert_int_equal(in(p, IIR), 0xc4);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(in(p, RBR), i);
	assert_int_equal(in(p, LSR), 0x60);
	/* Without FIFOs the newer byte wins. */
	out(p, FCR, 0);
	out(p, THR, 1);
	out(p, THR, 2);
	assert_int_equal(in(p, IIR), 0x06);
	assert_int_equal(in(p, LSR), 0x63);
	assert_int_equal(in(p, RBR), 2);
	assert_int_equal(in(p, LSR), 0x60);
}

static void modem_status(void **state)
{
	struct port *p = (struct port *)*state;

	out(p, IER, 0x08);
	assert_false(p->level);
	/* DCD, DSR, CTS go away: three changes. */
	out(p, MCR, 0x10);
	assert_true(p->level);
	assert_int_equal(in(p, IIR), 0x00);
	assert_int_equal(in(p, MSR), 0x0b);
	assert_false(p->level);
	assert_int_equal(in(p, MSR), 0x00);
	/* The ring indicator: its end only. */
	out(p, MCR, 0x14);
	assert_false(p->level);
	assert_int_equal(in(p, MSR), 0x40);
	out(p, MCR, 0x10);
	assert_int_equal(in(p, MSR), 0x04);
	out(p, MCR, 0x00);
	assert_int_equal(in(p, MSR), 0xbb);
	assert_int_equal(in(p, MSR), 0xb0);
}

/* --- transmitter interrupts --- */

static void thre_interrupt(void **state)
{
	struct port *p = (struct port *)*state;

	/* Turned on while empty: at once. Reading IIR takes it. */
	out(p, IER, 0x02);
	assert_true(p->level);
	assert_int_equal(in(p, IIR), 0x02);
	assert_false(p->level);
	assert_int_equal(in(p, IIR), 0x01);
	/* Turned off and on: again, as drivers test for. */
	out(p, IER, 0x00);
	out(p, IER, 0x02);
	assert_int_equal(in(p, IIR), 0x02);
	/* Left on: not again. */
	out(p, IER, 0x02);
	assert_int_equal(in(p, IIR), 0x01);
	/* A byte sent: the register is empty again. */
	out(p, THR, 'x');
	assert_true(p->level);
	assert_int_equal(in(p, LSR), 0x60);
	assert_true(p->level);
	assert_int_equal(in(p, IIR), 0x02);
	assert_false(p->level);
}

static void priorities(void **state)
{
	struct port *p = (struct port *)*state;

	out(p, FCR, 0x41); /* level 4 */
	out(p, IER, 0x0f);
	out(p, MCR, 0x10);
	for (unsigned int i = 0; i < 17; i++)
		out(p, THR, i);
	assert_int_equal(in(p, IIR), 0xc6);
	(void)in(p, LSR);
	assert_int_equal(in(p, IIR), 0xc4);
	for (unsigned int i = 0; i < 13; i++)
		(void)in(p, RBR);
	assert_int_equal(in(p, IIR), 0xcc);
	for (unsigned int i = 0; i < 3; i++)
		(void)in(p, RBR);
	assert_int_equal(in(p, IIR), 0xc2);
	assert_int_equal(in(p, IIR), 0xc0);
	assert_true(p->level);
	(void)in(p, MSR);
	assert_int_equal(in(p, IIR), 0xc1);
	assert_false(p->level);
}

/* --- output --- */

static void output_is_gathered(void **state)
{
	struct port *p = (struct port *)*state;
	const char text[] = "hello, world\n";
	struct timespec start, end;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; i < strlen(text); i++)
		out(p, THR, (unsigned char)text[i]);
	assert_int_equal(p->out_calls, 0);
	assert_int_equal(loop_turn(p->loop, 2000), 1);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(p->out_calls, 1);
	assert_int_equal(p->out_len, strlen(text));
	assert_memory_equal(p->out, text, strlen(text));
	assert_true((end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec <
		    1000000000L);
	/* Nothing more; then the next batch. */
	assert_int_equal(loop_turn(p->loop, 5), 0);
	out(p, THR, '!');
	assert_int_equal(loop_turn(p->loop, 2000), 1);
	assert_int_equal(p->out_len, strlen(text) + 1);
	assert_int_equal(serial_counters(p->serial).out, strlen(text) + 1);
}

static void flush_is_immediate(void **state)
{
	struct port *p = (struct port *)*state;

	serial_flush(p->serial);
	assert_int_equal(p->out_calls, 0);
	out(p, THR, 'x');
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 1);
	/* The timer that was armed finds nothing and says nothing. */
	assert_int_equal(loop_turn(p->loop, 100), 1);
	assert_int_equal(p->out_calls, 1);
}

/* Nobody runs the loop, and far more than the buffer comes: handed out in between, in order. */
static void full_buffer_loses_nothing(void **state)
{
	struct port *p = (struct port *)*state;
	enum { TOTAL = 100000 };

	for (unsigned int i = 0; i < TOTAL; i++)
		out(p, THR, i * 31 >> 3);
	serial_flush(p->serial);
	assert_int_equal(p->out_len, TOTAL);
	assert_true(p->out_calls <= TOTAL / 8192 + 1);
	for (unsigned int i = 0; i < TOTAL; i++)
		assert_int_equal(p->out[i], (uint8_t)(i * 31 >> 3));
}

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Half a buffer does not wait for the 2 ms. Only a try that was done well before can tell. */
static void half_full_is_sent_at_once(void **state)
{
	struct port *p = (struct port *)*state;

	for (unsigned int tries = 0; tries < 50; tries++) {
		const uint64_t start = now_us();
		int ready;

		p->out_len = p->out_calls = 0;
		for (unsigned int i = 0; i < 8192; i++)
			out(p, THR, i);
		ready = loop_turn(p->loop, 1);
		if (now_us() - start >= 2000) {
			/* Too slow to tell. What is left must not disturb the next try. */
			serial_flush(p->serial);
			(void)loop_turn(p->loop, 5);
			continue;
		}
		assert_int_equal(ready, 1);
		assert_int_equal(p->out_len, 8192);
		assert_int_equal(p->out_calls, 1);
		return;
	}
}

/* vCPUs on two threads write while the loop runs slowly, and while it stops. */
struct writer {
	struct port *port;
	uint8_t tag;
	unsigned int count;
};

static void *write_tags(void *arg)
{
	struct writer *w = (struct writer *)arg;

	for (unsigned int i = 0; i < w->count; i++)
		out(w->port, THR, w->tag | (i & 0x3f));
	return NULL;
}

static void *run_loop(void *arg)
{
	assert_int_equal(loop_run((struct loop *)arg), 0);
	return NULL;
}

static void writers_and_stop(void **state)
{
	struct port *p = (struct port *)*state;
	struct writer w[2] = { { p, 0x00, 60000 }, { p, 0x40, 60000 } };
	pthread_t threads[2], loop_thread;
	unsigned int next[2] = { 0, 0 };

	assert_int_equal(pthread_create(&loop_thread, NULL, run_loop, p->loop), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_tags, &w[i]), 0);
	(void)usleep(3000);
	loop_stop(p->loop);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(pthread_join(loop_thread, NULL), 0);
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 120000);
	for (size_t i = 0; i < p->out_len; i++) {
		const unsigned int who = p->out[i] >> 6;

		assert_true(who < 2);
		assert_int_equal(p->out[i] & 0x3f, next[who]++ & 0x3f);
	}
}

/* Input on the loop's thread against a vCPU that reads: order, and no race for TSan. */
struct feeder {
	struct port *port;
	unsigned int given;
	unsigned int total;
};

static void feed(void *opaque)
{
	struct feeder *f = (struct feeder *)opaque;

	while (f->given < f->total) {
		const uint8_t byte = (uint8_t)f->given;

		if (!serial_input(f->port->serial, &byte, 1))
			return;
		f->given++;
	}
}

static void reader_and_feeder(void **state)
{
	struct port *p = (struct port *)*state;
	struct feeder f = { .port = p, .total = 30000 };
	pthread_t loop_thread;
	unsigned int got = 0;

	serial_on_room(p->serial, feed, &f);
	listen_in(p, 2);
	assert_int_equal(pthread_create(&loop_thread, NULL, run_loop, p->loop), 0);
	loop_call(p->loop, feed, &f);
	while (got < f.total)
		if (in(p, LSR) & 0x01)
			assert_int_equal(in(p, RBR), (uint8_t)got++);
	loop_stop(p->loop);
	assert_int_equal(pthread_join(loop_thread, NULL), 0);
	assert_int_equal(f.given, f.total);
}

/* --- bus --- */

static void wide_accesses_are_byte_cycles(void **state)
{
	struct port *p = (struct port *)*state;
	const uint8_t two[2] = { 'x', 0x05 };
	const uint8_t four[4] = { 0x03, 0x0b, 0xff, 0xff };
	uint8_t got[4];

	/* THR and IER; LCR and MCR, then LSR and MSR which ignore it. */
	assert_true(bus_write(p->bus, BUS_PIO, BASE, two, 2));
	assert_int_equal(in(p, IER), 0x05);
	assert_true(bus_write(p->bus, BUS_PIO, BASE + 3, four, 4));
	out(p, SCR, 0x77);
	assert_true(bus_read(p->bus, BUS_PIO, BASE + 4, got, 4));
	assert_int_equal(got[0], 0x0b);
	assert_int_equal(got[1], 0x60);
	assert_int_equal(got[2], 0xb0);
	assert_int_equal(got[3], 0x77);
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 1);
	assert_int_equal(p->out[0], 'x');
	/* Beyond the last register there is nothing. */
	assert_false(bus_read(p->bus, BUS_PIO, BASE + 7, got, 2));
	assert_false(bus_read(p->bus, BUS_PIO, BASE + 8, got, 1));
}

static void registers_spread_apart(void **state)
{
	struct port *p = (struct port *)*state;
	const uint64_t base = 0x10000000;
	struct serial *mmio;
	uint32_t word = 0xffffff41;
	uint8_t bytes[8];

	assert_int_equal(serial_attach(p->serial, p->bus, BUS_MMIO, base, 2), -EBUSY);
	assert_int_equal(serial_create(p->loop, &p->line, take_out, p, &mmio), 0);
	assert_int_equal(serial_attach(mmio, p->bus, BUS_MMIO, base, 4), -EINVAL);
	assert_int_equal(serial_attach(mmio, p->bus, BUS_PIO, BASE, 0), -EEXIST);
	assert_int_equal(serial_attach(mmio, p->bus, BUS_MMIO, base, 2), 0);
	assert_true(bus_write(p->bus, BUS_MMIO, base + 7 * 4, &word, 4));
	assert_true(bus_read(p->bus, BUS_MMIO, base + 7 * 4, &word, 4));
	assert_int_equal(word, 0x41);
	/* Two registers by one wide access, and the bytes between them. */
	assert_true(bus_read(p->bus, BUS_MMIO, base + 5 * 4, bytes, 8));
	assert_memory_equal(bytes, "\x60\0\0\0\xb0\0\0\0", 8);
	assert_true(bus_read(p->bus, BUS_MMIO, base + 5 * 4 + 1, bytes, 3));
	assert_memory_equal(bytes, "\0\0\0", 3);
	word = 0x58585858;
	assert_true(bus_write(p->bus, BUS_MMIO, base + 1, &word, 3));
	assert_false(bus_read(p->bus, BUS_MMIO, base + 32, bytes, 1));
	serial_flush(mmio);
	assert_int_equal(p->out_len, 0);
	serial_destroy(mmio);
	serial_destroy(NULL);
}

/* --- threats --- */

/*
 * Threat 25: neither direction is unbounded. A guest that never listens stops the input at a fixed
 * number of bytes; a guest that writes for ever is handed out in pieces of a fixed size.
 */
static void test_threat_25_bounded_buffers(void **state)
{
	struct port *p = (struct port *)*state;
	uint8_t bytes[1000] = { 0 };
	size_t fitted = 0;

	for (unsigned int i = 0; i < 1000; i++)
		fitted += serial_input(p->serial, bytes, sizeof(bytes));
	assert_int_equal(fitted, 4096);
	for (unsigned int i = 0; i < OUT_MAX; i++)
		out(p, THR, 0);
	serial_flush(p->serial);
	assert_int_equal(p->out_len, OUT_MAX);
	assert_true(p->longest <= 16384);
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
	out(p, LCR, 0);
	out(p, MCR, 0);
	out(p, IER, 0);
	serial_flush(p->serial);
	p->out_len = 0;
	out(p, THR, 'k');
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 1);
	assert_int_equal(p->out[0], 'k');
}

/* --- breaks --- */

/* As Linux's driver takes a magic SysRq: a break, then the key, each byte after a look at LSR. */
static void a_break_comes_before_its_key(void **state)
{
	struct port *p = (struct port *)*state;

	listen_in(p, 0);
	out(p, IER, 0x05);
	assert_true(serial_break(p->serial));
	assert_int_equal(serial_input(p->serial, "h", 1), 1);
	assert_true(p->level);
	assert_int_equal(in(p, IIR), 0xc6);
	assert_int_equal(in(p, LSR), 0x71);
	/* Told once; what is left is a byte, a zero. */
	assert_int_equal(in(p, LSR), 0x61);
	assert_int_equal(in(p, IIR), 0xc4);
	assert_int_equal(in(p, RBR), 0);
	assert_int_equal(in(p, LSR), 0x61);
	assert_int_equal(in(p, RBR), 'h');
	assert_int_equal(in(p, LSR), 0x60);
	assert_false(p->level);
}

/* The break bit belongs to the byte that is read next: it waits for those before it. */
static void a_break_keeps_its_place(void **state)
{
	struct port *p = (struct port *)*state;

	listen_in(p, 0);
	assert_int_equal(serial_input(p->serial, "ab", 2), 2);
	assert_true(serial_break(p->serial));
	assert_true(serial_break(p->serial));
	assert_int_equal(serial_input(p->serial, "c", 1), 1);
	for (const char *c = "ab"; *c; c++) {
		assert_int_equal(in(p, LSR), 0x61);
		assert_int_equal(in(p, RBR), *c);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(in(p, LSR), 0x71);
		assert_int_equal(in(p, RBR), 0);
	}
	assert_int_equal(in(p, LSR), 0x61);
	assert_int_equal(in(p, RBR), 'c');
	assert_int_equal(serial_counters(p->serial).in, 3);
}

/* One that nobody has read is no later byte's, and what finds no room is refused. */
static void breaks_are_dropped_and_refused(void **state)
{
	struct port *p = (struct port *)*state;
	static const uint8_t bytes[5000];

	listen_in(p, 0);
	assert_true(serial_break(p->serial));
	assert_int_equal(in(p, LSR), 0x71);
	out(p, FCR, 0x03); /* clears the receiver */
	assert_int_equal(in(p, LSR), 0x60);
	assert_true(serial_break(p->serial));
	assert_int_equal(in(p, LSR), 0x71);
	assert_int_equal(in(p, RBR), 0);

	assert_int_equal(serial_input(p->serial, bytes, sizeof(bytes)), 4096);
	assert_int_equal(serial_input(p->serial, bytes, sizeof(bytes)), 16);
	assert_false(serial_break(p->serial));
	for (unsigned int i = 0; i < 16 + 4096; i++) {
		assert_int_equal(in(p, LSR) & 0x10, 0);
		(void)in(p, RBR);
	}
	assert_true(serial_break(p->serial));
	assert_int_equal(in(p, LSR), 0x71);
}

#define ON_PORT(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

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
		ON_PORT(output_is_gathered),
		ON_PORT(flush_is_immediate),
		ON_PORT(full_buffer_loses_nothing),
		ON_PORT(half_full_is_sent_at_once),
		ON_PORT(writers_and_stop),
		ON_PORT(reader_and_feeder),
		ON_PORT(wide_accesses_are_byte_cycles),
		ON_PORT(registers_spread_apart),
		ON_PORT(a_break_comes_before_its_key),
		ON_PORT(a_break_keeps_its_place),
		ON_PORT(breaks_are_dropped_and_refused),
		ON_PORT(test_threat_25_bounded_buffers),
		ON_PORT(test_threat_28_fifo_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
