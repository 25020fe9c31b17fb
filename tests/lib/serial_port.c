/* SPDX-License-Identifier: BSD-2-Clause */
/* A serial port on a bus, for tests. */
#include "tests/lib/serial_port.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

static void line_set(struct irq_line *line, bool level)
{
	struct port *p = (struct port *)line->opaque;

	assert_int_not_equal(p->level, level); /* only changes are told */
	p->level = level;
	p->edges++;
}

void port_take_out(void *opaque, const void *data, size_t len)
{
	struct port *p = (struct port *)opaque;

	assert_true(p->out_len + len <= OUT_MAX);
	memcpy(p->out + p->out_len, data, len);
	p->out_len += len;
	p->out_calls++;
	p->longest = size_max(p->longest, len);
}

int port_setup(void **state)
{
	struct port *p = (struct port *)calloc(1, sizeof(*p));

	assert_non_null(p);
	p->out = (uint8_t *)malloc(OUT_MAX);
	assert_non_null(p->out);
	p->line = (struct irq_line){ .set = line_set, .opaque = p, .eventfd = -1, .gsi = 4 };
	assert_int_equal(loop_create(&p->loop), 0);
	assert_int_equal(bus_create(&p->bus), 0);
	assert_int_equal(serial_create(p->loop, &p->line, port_take_out, p, &p->serial), 0);
	assert_int_equal(serial_attach(p->serial, p->bus, BUS_PIO, BASE, 0), 0);
	*state = p;
	return 0;
}

int port_teardown(void **state)
{
	struct port *p = (struct port *)*state;

	bus_destroy(p->bus);
	serial_destroy(p->serial);
	loop_destroy(p->loop);
	free(p->out);
	free(p);
	return 0;
}

uint8_t port_in(struct port *p, unsigned int reg)
{
	uint8_t value;

	assert_true(bus_read(p->bus, BUS_PIO, BASE + reg, &value, 1));
	return value;
}

void port_out(struct port *p, unsigned int reg, unsigned int value)
{
	const uint8_t byte = (uint8_t)value;

	assert_true(bus_write(p->bus, BUS_PIO, BASE + reg, &byte, 1));
}

void port_listen(struct port *p, unsigned int trigger)
{
	port_out(p, FCR, 0x07 | trigger << 6);
	port_out(p, IER, 0x01);
}
