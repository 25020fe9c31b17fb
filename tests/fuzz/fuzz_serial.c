/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial port under any order of register accesses, input and turns of the loop.
 *
 * Each step is an opcode byte and what it needs. Besides crashes the target looks for: a line
 * level that disagrees with IIR, bytes made up or lost, buffers beyond their bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hw/bus.h"
#include "hw/irq.h"
#include "hw/loop.h"
#include "hw/serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t mmio = 0x10000000;

struct fuzz {
	const uint8_t *at;
	size_t left;
	struct loop *loop;
	struct bus *bus;
	struct serial *serial; /* at ports */
	struct serial *apart;  /* in memory, its registers spread apart */
	struct irq_line line;
	struct irq_line line_apart;
	bool level;	    /* of the first */
	unsigned int often; /* repeated writes that this input may still make */
	uint64_t out;
	uint64_t in;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void line_set(struct irq_line *line, bool level)
{
	struct fuzz *f = (struct fuzz *)line->opaque;

	if (line == &f->line)
		f->level = level;
}

static void take_out(void *opaque, const void *data, size_t len)
{
	struct fuzz *f = (struct fuzz *)opaque;
	volatile uint8_t sum = 0;

	must(len > 0 && len <= 16384);
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
	f->out += len;
}

static void more_room(void *opaque)
{
	struct fuzz *f = (struct fuzz *)opaque;

	f->in += serial_input(f->serial, "room", 4);
}

static uint8_t next(struct fuzz *f)
{
	if (!f->left)
		return 0;
	f->left--;
	return *f->at++;
}

static void access_bus(struct fuzz *f, bool write, bool pio)
{
	const uint8_t place = next(f);
	const size_t len = 1 + (place >> 5);
	const uint64_t at = pio ? UINT64_C(0x3f8) + (place & 0xf) : mmio + (place & 0x1f);
	uint8_t bytes[8];

	if (write) {
		for (size_t i = 0; i < len; i++)
			bytes[i] = next(f);
		(void)bus_write(f->bus, pio ? BUS_PIO : BUS_MMIO, at, bytes, len);
	} else {
		(void)bus_read(f->bus, pio ? BUS_PIO : BUS_MMIO, at, bytes, len);
	}
}

/* One value many times: what fills buffers in few bytes of input. */
static void write_often(struct fuzz *f)
{
	const unsigned int reg = next(f) & 7, times = next(f) * 64U;
	const uint8_t value = next(f);

	for (unsigned int i = 0; i < times && f->often; i++, f->often--)
		(void)bus_write(f->bus, BUS_PIO, 0x3f8 + reg, &value, 1);
}

static void input(struct fuzz *f)
{
	uint8_t bytes[1024];
	const size_t len = next(f) * 4U;
	size_t fitted;

	memset(bytes, next(f), sizeof(bytes));
	fitted = serial_input(f->serial, bytes, len);
	must(fitted <= len);
	f->in += fitted;
}

/* With DLAB or not, IIR is where it is; its bit 0 must say what the line says. */
static void check_line(struct fuzz *f)
{
	const bool before = f->level;
	uint8_t iir;

	must(bus_read(f->bus, BUS_PIO, 0x3f8 + 2, &iir, 1));
	must(before == !(iir & 1));
	must((iir & 0x30) == 0);
}

static void step(struct fuzz *f)
{
	const uint8_t op = next(f);

	switch (op & 7) {
	case 0:
		input(f);
		break;
	case 1:
		(void)loop_turn(f->loop, 0);
		break;
	case 2:
		serial_flush(f->serial);
		break;
	case 3:
		check_line(f);
		break;
	case 4:
		write_often(f);
		break;
	case 5:
		access_bus(f, false, op & 8);
		break;
	default:
		access_bus(f, true, op & 8);
	}
}

static void make_ports(struct fuzz *f, unsigned int shift)
{
	f->line = (struct irq_line){ .set = line_set, .opaque = f, .eventfd = -1 };
	f->line_apart = f->line;
	must(loop_create(&f->loop) == 0 && bus_create(&f->bus) == 0);
	must(serial_create(f->loop, &f->line, take_out, f, &f->serial) == 0);
	must(serial_create(f->loop, &f->line_apart, take_out, f, &f->apart) == 0);
	must(serial_attach(f->serial, f->bus, BUS_PIO, 0x3f8, 0) == 0);
	must(serial_attach(f->apart, f->bus, BUS_MMIO, mmio, shift) == 0);
	serial_on_room(f->serial, more_room, f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { .at = data, .left = size, .often = 18000 };
	struct serial_counters first, second;

	make_ports(&f, next(&f) & 3);
	for (unsigned int steps = 0; f.left && steps < 4096; steps++)
		step(&f);
	serial_flush(f.serial);
	serial_flush(f.apart);
	first = serial_counters(f.serial);
	second = serial_counters(f.apart);
	must(f.out == first.out + second.out);
	must(f.in == first.in && second.in == 0);
	bus_destroy(f.bus);
	serial_destroy(f.serial);
	serial_destroy(f.apart);
	loop_destroy(f.loop);
	return 0;
}
