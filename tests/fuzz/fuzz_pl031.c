/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PL031 under any order of register accesses and any leaps of the host's clock. Looks for a line
 * that disagrees with RTCMIS, a counter that is not host time plus a constant, a lost alarm.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "hw/pl031.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	STEP = 10, /* bytes: what, offset, length, value or time */
	DR = 0x00,
	LR = 0x08,
	MIS = 0x18,
};

struct fuzz {
	struct loop *loop;
	struct bus *bus;
	struct pl031 *clock;
	struct irq_line line;
	uint64_t now; /* ns */
	uint64_t set; /* the counter when it was set, and host seconds then */
	uint64_t at;
	bool level;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void line_set(struct irq_line *line, bool level)
{
	((struct fuzz *)line->opaque)->level = level;
}

static uint64_t fuzz_clock(void *opaque)
{
	return ((struct fuzz *)opaque)->now;
}

static uint32_t get(struct fuzz *f, uint64_t reg)
{
	uint8_t data[4];

	must(bus_read(f->bus, BUS_MMIO, reg, data, 4));
	return le32_load(data);
}

static void step(struct fuzz *f, const uint8_t *in)
{
	uint64_t value = le64_load(in + 2);
	uint64_t offset = in[0] & 0x20 ? le16_load(in) % PL031_SIZE : (in[1] & 7) * 4u;
	size_t len = in[0] & 0x10 ? 1 + (in[0] & 7) : 4;
	uint8_t data[8];

	switch (in[0] >> 6) {
	case 0:
		(void)bus_read(f->bus, BUS_MMIO, offset, data, len);
		break;
	case 1:
		le64_store(data, value);
		if (bus_write(f->bus, BUS_MMIO, offset, data, len) && offset == LR && len == 4) {
			f->set = (uint32_t)value;
			f->at = f->now / 1000000000;
		}
		break;
	case 2:
		f->now = value;
		break;
	default:
		must(loop_turn(f->loop, 0) >= 0);
		break;
	}
	must(f->level == (get(f, MIS) != 0));
	must(get(f, DR) == (uint32_t)(f->set + f->now / 1000000000 - f->at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { .line = { .set = line_set, .opaque = &f, .eventfd = -1 } };

	must(loop_create(&f.loop) == 0);
	must(bus_create(&f.bus) == 0);
	must(pl031_create(f.loop, f.bus, 0, &f.line, fuzz_clock, &f, &f.clock) == 0);
	for (; size >= STEP; data += STEP, size -= STEP)
		step(&f, data);
	bus_destroy(f.bus);
	pl031_destroy(f.clock);
	loop_destroy(f.loop);
	return 0;
}
