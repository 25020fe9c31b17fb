/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Goldfish clock under any order of register accesses and any leaps of the host's clock. Looks for
 * a time that is not the host's plus a constant, a line that is high without leave, a lost alarm.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "hw/goldfish_rtc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 10 }; /* bytes: what, offset, value (64 bits) */

struct fuzz {
	struct loop *loop;
	struct bus *bus;
	struct goldfish_rtc *rtc;
	struct irq_line line;
	uint64_t now;
	uint64_t distance; /* of the guest's time, as the model has it */
	uint32_t set_high;
	bool enabled;
	bool level;
};

static const uint64_t base = 0x101000;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void line_set(struct irq_line *line, bool level)
{
	struct fuzz *f = (struct fuzz *)line->opaque;

	must(f->level != level);
	f->level = level;
}

static uint64_t fuzz_clock(void *opaque)
{
	return ((struct fuzz *)opaque)->now;
}

static uint32_t get(struct fuzz *f, uint64_t offset)
{
	uint8_t data[4];

	must(bus_read(f->bus, BUS_MMIO, base + offset, data, 4));
	return le32_load(data);
}

static void put(struct fuzz *f, uint64_t offset, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	must(bus_write(f->bus, BUS_MMIO, base + offset, data, 4));
	if (offset == 0)
		f->distance = ((uint64_t)f->set_high << 32 | value) - f->now;
	else if (offset == 4)
		f->set_high = value;
	else if (offset == 0x10)
		f->enabled = value & 1;
	else if (offset == 0x1c)
		must(!f->level);
}

/* An alarm that is due comes: at once, when it was set; by the loop, when time went on. */
static void set_alarm(struct fuzz *f, uint64_t at)
{
	put(f, 0x1c, 0);
	put(f, 0x0c, (uint32_t)(at >> 32));
	put(f, 0x08, (uint32_t)at);
	must(get(f, 0x18) == (at > f->now + f->distance));
	must(get(f, 0x18) || f->level == f->enabled);
}

static void step(struct fuzz *f, const uint8_t *bytes)
{
	uint64_t value = le64_load(bytes + 2);
	uint8_t data[16];
	uint64_t low;

	switch (bytes[0] % 6) {
	case 0:
		put(f, bytes[1] & 0x3c, (uint32_t)value);
		break;
	case 1:
		f->now += value >> (bytes[1] & 63);
		break;
	case 2:
		set_alarm(f, value);
		break;
	case 3: /* an alarm close by, and the time it waits for */
		set_alarm(f, f->now + f->distance + (value & 0xff));
		f->now += 0x100;
		(void)loop_turn(f->loop, 0);
		break;
	case 4:
		memset(data, 0xff, sizeof(data));
		(void)bus_read(f->bus, BUS_MMIO, base + (value & 0xfff), data, bytes[1] & 15);
		break;
	default:
		low = get(f, 0);
		must(((uint64_t)get(f, 4) << 32 | low) == f->now + f->distance);
		break;
	}
	must(!f->level || f->enabled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { .now = UINT64_C(1790000000000000000) };

	f.line = (struct irq_line){ .set = line_set, .opaque = &f, .eventfd = -1 };
	must(loop_create(&f.loop) == 0);
	must(bus_create(&f.bus) == 0);
	must(goldfish_rtc_create(f.loop, f.bus, base, &f.line, fuzz_clock, &f, &f.rtc) == 0);
	for (; size >= STEP; data += STEP, size -= STEP)
		step(&f, data);
	bus_destroy(f.bus);
	goldfish_rtc_destroy(f.rtc);
	loop_destroy(f.loop);
	return 0;
}
