/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial port at COM1's place on a bus, with what it was seen to do to its line and to its output. Failures
 * fail the running cmocka test.
 */
#ifndef TESTS_LIB_SERIAL_PORT_H
#define TESTS_LIB_SERIAL_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/bus.h"
#include "hw/irq.h"
#include "hw/loop.h"
#include "hw/serial.h"

enum {
	BASE = 0x3f8,
	OUT_MAX = 1 << 20, /* bytes of output that a test can take */
};

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

/* A cmocka test's: makes a struct port in *@state, and frees it. */
int port_setup(void **state);
int port_teardown(void **state);

/* A serial_out_fn that appends to the out of @opaque, a struct port. */
void port_take_out(void *opaque, const void *data, size_t len);

/* A driver's access to a register. */
uint8_t port_in(struct port *p, unsigned int reg);
void port_out(struct port *p, unsigned int reg, unsigned int value);

/* FIFOs on and empty, receive interrupts on: a driver that listens. @trigger: the FIFO's, 0 to 3. */
void port_listen(struct port *p, unsigned int trigger);

#endif
