/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PLIC under any accesses and lines, beside a model that is written the slow way: one record for
 * each source, looked through in full. Every answer and every pin must agree.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "hw/bus.h"
#include "hw/plic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SOURCES = 37,
	CONTEXTS = 2,
	STEP = 4, /* bytes: what, which, value, value */
	ENABLE = 0x2000,
	CONTEXT = 0x200000,
};

static const uint64_t base = 0x0c000000;

struct source {
	uint32_t priority;
	bool enabled[CONTEXTS];
	bool high, pending, service;
};

struct world {
	struct bus *bus;
	struct plic *plic;
	struct irq_line lines[SOURCES + 1];
	bool pins[CONTEXTS];

	struct source sources[SOURCES + 1];
	uint32_t thresholds[CONTEXTS];
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void drive(void *opaque, unsigned context, bool level)
{
	struct world *w = (struct world *)opaque;

	must(context < CONTEXTS && w->pins[context] != level);
	w->pins[context] = level;
}

static unsigned best(const struct world *w, unsigned context, uint32_t above)
{
	unsigned found = 0;

	for (unsigned i = SOURCES; i >= 1; i--) {
		const struct source *s = &w->sources[i];

		if (s->pending && !s->service && s->enabled[context] && s->priority > above &&
		    (!found || s->priority >= w->sources[found].priority))
			found = i;
	}
	return found;
}

static uint32_t get(struct world *w, uint64_t offset)
{
	uint8_t data[4];

	must(bus_read(w->bus, BUS_MMIO, base + offset, data, 4));
	return le32_load(data);
}

static void put(struct world *w, uint64_t offset, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	must(bus_write(w->bus, BUS_MMIO, base + offset, data, 4));
}

static void set_line(struct world *w, unsigned source, bool level)
{
	struct source *s = &w->sources[source];

	irq_set(&w->lines[source], level);
	s->high = level;
	s->pending = level && (s->pending || !s->service);
}

static void set_enables(struct world *w, unsigned context, unsigned word, uint32_t value)
{
	put(w, ENABLE + 0x80 * context + 4 * word, value);
	for (unsigned i = 0; i < 32; i++) {
		if (word * 32 + i >= 1 && word * 32 + i <= SOURCES)
			w->sources[word * 32 + i].enabled[context] = value >> i & 1;
	}
}

static void claim(struct world *w, unsigned context)
{
	unsigned want = best(w, context, 0);

	must(get(w, CONTEXT + 0x1000 * context + 4) == want);
	if (!want)
		return;
	w->sources[want].pending = false;
	w->sources[want].service = true;
}

static void complete(struct world *w, unsigned context, uint32_t source)
{
	put(w, CONTEXT + 0x1000 * context + 4, source);
	if (source < 1 || source > SOURCES || !w->sources[source].enabled[context])
		return;
	w->sources[source].service = false;
	w->sources[source].pending |= w->sources[source].high;
}

static void step(struct world *w, const uint8_t *bytes)
{
	unsigned source = 1 + bytes[1] % SOURCES;
	unsigned context = bytes[1] >> 7;
	uint16_t value = le16_load(bytes + 2);
	uint8_t data[16];

	switch (bytes[0] % 9) {
	case 0:
		irq_pulse(&w->lines[source]);
		w->sources[source].pending = true;
		break;
	case 1:
		set_line(w, source, value & 1);
		break;
	case 2:
		put(w, 4 * source, value);
		w->sources[source].priority = value & 7;
		must(get(w, 4 * source) == w->sources[source].priority);
		break;
	case 3:
		set_enables(w, context, bytes[1] & 3, value * UINT32_C(0x10001));
		break;
	case 4:
		put(w, CONTEXT + 0x1000 * context, value);
		w->thresholds[context] = value & 7;
		break;
	case 5:
		claim(w, context);
		break;
	case 6:
		complete(w, context, bytes[1] & 0x40 ? value : value % (SOURCES + 2));
		break;
	case 7: /* anywhere that changes nothing: odd sizes and places, and reads of it */
		(void)bus_read(w->bus, BUS_MMIO, base + (value * UINT64_C(1021) | 1), data,
			       bytes[1] & 15);
		memset(data, 0xff, sizeof(data));
		(void)bus_write(w->bus, BUS_MMIO, base + (value * UINT64_C(1021) & ~3U), data, 8);
		break;
	default: /* pending is read only */
		put(w, 0x1000 + (value & 0xffc), 0xffffffff);
		break;
	}
}

static void compare(struct world *w)
{
	for (unsigned i = 0; i < CONTEXTS; i++)
		must(w->pins[i] == (best(w, i, w->thresholds[i]) != 0));
	for (unsigned word = 0; word < 2; word++) {
		uint32_t want = 0;

		for (unsigned i = 0; i < 32; i++) {
			if (word * 32 + i <= SOURCES && w->sources[word * 32 + i].pending)
				want |= UINT32_C(1) << i;
		}
		must(get(w, 0x1000 + 4 * word) == want);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { 0 };

	must(bus_create(&w.bus) == 0);
	must(plic_create(w.bus, base, SOURCES, CONTEXTS, drive, &w, &w.plic) == 0);
	for (unsigned i = 1; i <= SOURCES; i++)
		plic_line(w.plic, i, &w.lines[i]);
	for (; size >= STEP; data += STEP, size -= STEP) {
		step(&w, data);
		compare(&w);
	}
	bus_destroy(w.bus);
	plic_destroy(w.plic);
	return 0;
}
