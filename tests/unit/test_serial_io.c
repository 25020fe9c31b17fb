/* SPDX-License-Identifier: BSD-2-Clause */
/* hw/serial: output is gathered, bytes and breaks keep their order, and no byte is lost in either direction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/loop_thread.h"
#include "tests/lib/serial_port.h"

/* --- output --- */

static void output_is_gathered(void **state)
{
	struct port *p = (struct port *)*state;
	const char text[] = "hello, world\n";

	for (size_t i = 0; i < strlen(text); i++)
		port_out(p, THR, (unsigned char)text[i]);
	assert_int_equal(p->out_calls, 0);
	/* By a timer of 2 ms: the minute never passes. */
	assert_int_equal(loop_turn(p->loop, 60000), 1);
	assert_int_equal(p->out_calls, 1);
	assert_int_equal(p->out_len, strlen(text));
	assert_memory_equal(p->out, text, strlen(text));
	/* Nothing more; then the next batch. */
	assert_int_equal(loop_turn(p->loop, 5), 0);
	port_out(p, THR, '!');
	assert_int_equal(loop_turn(p->loop, 60000), 1);
	assert_int_equal(p->out_len, strlen(text) + 1);
	assert_int_equal(serial_counters(p->serial).out, strlen(text) + 1);
}

static void flush_is_immediate(void **state)
{
	struct port *p = (struct port *)*state;

	serial_flush(p->serial);
	assert_int_equal(p->out_calls, 0);
	port_out(p, THR, 'x');
	serial_flush(p->serial);
	assert_int_equal(p->out_len, 1);
	/* The timer that was armed finds nothing and says nothing. */
	assert_int_equal(loop_turn(p->loop, 60000), 1);
	assert_int_equal(p->out_calls, 1);
}

/* Nobody runs the loop, and far more than the buffer comes: handed out in between, in order. */
static void full_buffer_loses_nothing(void **state)
{
	struct port *p = (struct port *)*state;
	enum { TOTAL = 100000 };

	for (unsigned int i = 0; i < TOTAL; i++)
		port_out(p, THR, i * 31 >> 3);
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
			port_out(p, THR, i);
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
		port_out(w->port, THR, w->tag | (i & 0x3f));
	return NULL;
}

static void writers_and_stop(void **state)
{
	struct port *p = (struct port *)*state;
	struct writer w[2] = { { p, 0x00, 60000 }, { p, 0x40, 60000 } };
	struct loop_thread loop_thread;
	pthread_t threads[2];
	unsigned int next[2] = { 0, 0 };

	loop_thread_start(&loop_thread, p->loop);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_tags, &w[i]), 0);
	(void)usleep(3000);
	loop_stop(p->loop);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	loop_thread_end(&loop_thread);
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
	struct loop_thread loop_thread;
	unsigned int got = 0;

	serial_on_room(p->serial, feed, &f);
	port_listen(p, 2);
	loop_thread_start(&loop_thread, p->loop);
	loop_call(p->loop, feed, &f);
	while (got < f.total)
		if (port_in(p, LSR) & 0x01)
			assert_int_equal(port_in(p, RBR), (uint8_t)got++);
	loop_thread_end(&loop_thread);
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
	assert_int_equal(port_in(p, IER), 0x05);
	assert_true(bus_write(p->bus, BUS_PIO, BASE + 3, four, 4));
	port_out(p, SCR, 0x77);
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
	assert_int_equal(serial_create(p->loop, &p->line, port_take_out, p, &mmio), 0);
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

/* --- breaks --- */

/* As Linux's driver takes a magic SysRq: a break, then the key, each byte after a look at LSR. */
static void a_break_comes_before_its_key(void **state)
{
	struct port *p = (struct port *)*state;

	port_listen(p, 0);
	port_out(p, IER, 0x05);
	assert_true(serial_break(p->serial));
	assert_int_equal(serial_input(p->serial, "h", 1), 1);
	assert_true(p->level);
	assert_int_equal(port_in(p, IIR), 0xc6);
	assert_int_equal(port_in(p, LSR), 0x71);
	/* Told once; what is left is a byte, a zero. */
	assert_int_equal(port_in(p, LSR), 0x61);
	assert_int_equal(port_in(p, IIR), 0xc4);
	assert_int_equal(port_in(p, RBR), 0);
	assert_int_equal(port_in(p, LSR), 0x61);
	assert_int_equal(port_in(p, RBR), 'h');
	assert_int_equal(port_in(p, LSR), 0x60);
	assert_false(p->level);
}

/* The break bit belongs to the byte that is read next: it waits for those before it. */
static void a_break_keeps_its_place(void **state)
{
	struct port *p = (struct port *)*state;

	port_listen(p, 0);
	assert_int_equal(serial_input(p->serial, "ab", 2), 2);
	assert_true(serial_break(p->serial));
	assert_true(serial_break(p->serial));
	assert_int_equal(serial_input(p->serial, "c", 1), 1);
	for (const char *c = "ab"; *c; c++) {
		assert_int_equal(port_in(p, LSR), 0x61);
		assert_int_equal(port_in(p, RBR), *c);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(port_in(p, LSR), 0x71);
		assert_int_equal(port_in(p, RBR), 0);
	}
	assert_int_equal(port_in(p, LSR), 0x61);
	assert_int_equal(port_in(p, RBR), 'c');
	assert_int_equal(serial_counters(p->serial).in, 3);
}

/* One that nobody has read is no later byte's, and what finds no room is refused. */
static void breaks_are_dropped_and_refused(void **state)
{
	struct port *p = (struct port *)*state;
	static const uint8_t bytes[5000];

	port_listen(p, 0);
	assert_true(serial_break(p->serial));
	assert_int_equal(port_in(p, LSR), 0x71);
	port_out(p, FCR, 0x03); /* clears the receiver */
	assert_int_equal(port_in(p, LSR), 0x60);
	assert_true(serial_break(p->serial));
	assert_int_equal(port_in(p, LSR), 0x71);
	assert_int_equal(port_in(p, RBR), 0);

	assert_int_equal(serial_input(p->serial, bytes, sizeof(bytes)), 4096);
	assert_int_equal(serial_input(p->serial, bytes, sizeof(bytes)), 16);
	assert_false(serial_break(p->serial));
	for (unsigned int i = 0; i < 16 + 4096; i++) {
		assert_int_equal(port_in(p, LSR) & 0x10, 0);
		(void)port_in(p, RBR);
	}
	assert_true(serial_break(p->serial));
	assert_int_equal(port_in(p, LSR), 0x71);
}

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
		port_out(p, THR, 0);
	serial_flush(p->serial);
	assert_int_equal(p->out_len, OUT_MAX);
	assert_true(p->longest <= 16384);
}

#define ON_PORT(fn) cmocka_unit_test_setup_teardown(fn, port_setup, port_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
