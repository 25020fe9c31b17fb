/* SPDX-License-Identifier: BSD-2-Clause */
/* The PLIC: gateways, priorities, enables, claim and completion. */
#include "hw/plic.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/le.h"
#include "base/lock.h"

enum {
	/* Chapter "Memory Map" of the specification. */
	PENDING_BASE = 0x1000,
	ENABLE_BASE = 0x2000,
	ENABLE_STRIDE = 0x80,
	CONTEXT_BASE = 0x200000,
	CONTEXT_STRIDE = 0x1000,
	REG_THRESHOLD = 0,
	REG_CLAIM = 4,

	WORDS = (PLIC_MAX_SOURCES + 1) / 32,
};

struct context {
	uint32_t enabled[WORDS];
	uint8_t threshold;
	bool level; /* of the pin, as last told */
};

struct plic {
	unsigned sources;
	unsigned words; /* that hold a source */
	unsigned count; /* contexts */
	plic_drive_fn drive;
	void *opaque;

	struct lock lock RANKED(irq);
	uint8_t priority[PLIC_MAX_SOURCES + 1] GUARDED_BY(&lock);
	uint32_t high[WORDS] GUARDED_BY(&lock); /* level lines as their devices hold them */
	uint32_t
		pending[WORDS] GUARDED_BY(&lock); /* an edge waits while its source is in service */
	uint32_t service[WORDS] GUARDED_BY(&lock); /* claimed, not yet completed */
	struct context contexts[];
};

static uint32_t bit(unsigned source)
{
	return UINT32_C(1) << (source % 32);
}

/* The bits of word @index that are sources; the others are hardwired to zero. */
static uint32_t valid_bits(const struct plic *p, unsigned index)
{
	unsigned last = p->sources - index * 32;
	uint32_t bits = last >= 31 ? UINT32_MAX : (bit(last) << 1) - 1;

	return index == 0 ? bits & ~UINT32_C(1) : bits;
}

/* The source that interrupts @context above @threshold: highest priority, then lowest number. 0: none. */
static unsigned best(const struct plic *p, const struct context *context, unsigned threshold)
	REQUIRES(&p->lock)
{
	unsigned found = 0;

	for (unsigned i = 0; i < p->words; i++) {
		uint32_t ready = p->pending[i] & context->enabled[i] & ~p->service[i];

		for (; ready; ready &= ready - 1) {
			unsigned source = i * 32 + (unsigned)__builtin_ctz(ready);

			if (p->priority[source] > threshold) {
				threshold = p->priority[source];
				found = source;
			}
		}
	}
	return found;
}

/* Under the lock, so that two threads cannot leave a pin at the older of two levels. */
static void update(struct plic *p) REQUIRES(&p->lock)
{
	for (unsigned i = 0; i < p->count; i++) {
		struct context *context = &p->contexts[i];
		bool level = best(p, context, context->threshold) != 0;

		if (level == context->level)
			continue;
		context->level = level;
		p->drive(p->opaque, i, level);
	}
}

/* Whatever the threshold, which holds back the pin only. */
static uint32_t claim(struct plic *p, struct context *context) REQUIRES(&p->lock)
{
	unsigned source = best(p, context, 0);

	p->pending[source / 32] &= ~bit(source);
	if (source)
		p->service[source / 32] |= bit(source);
	return source;
}

/* The gateway takes the next request; a line that is still high is one. */
static void complete(struct plic *p, const struct context *context, uint32_t source)
	REQUIRES(&p->lock)
{
	unsigned i = source / 32;

	if (source > p->sources || !(context->enabled[i] & bit(source)))
		return;
	p->service[i] &= ~bit(source);
	p->pending[i] |= p->high[i] & bit(source);
}

static uint32_t read_context(struct plic *p, struct context *context, uint64_t reg)
	REQUIRES(&p->lock)
{
	if (reg == REG_THRESHOLD)
		return context->threshold;
	return reg == REG_CLAIM ? claim(p, context) : 0;
}

static void write_context(struct plic *p, struct context *context, uint64_t reg, uint32_t value)
	REQUIRES(&p->lock)
{
	if (reg == REG_THRESHOLD)
		context->threshold = value & PLIC_MAX_PRIORITY;
	else if (reg == REG_CLAIM)
		complete(p, context, value);
}

static uint32_t read_reg(struct plic *p, uint64_t offset) REQUIRES(&p->lock)
{
	uint64_t index;

	if (offset >= CONTEXT_BASE) {
		index = (offset - CONTEXT_BASE) / CONTEXT_STRIDE;
		return index < p->count ? read_context(p, &p->contexts[index],
						       (offset - CONTEXT_BASE) % CONTEXT_STRIDE)
					: 0;
	}
	if (offset >= ENABLE_BASE) {
		index = (offset - ENABLE_BASE) / ENABLE_STRIDE;
		offset = (offset - ENABLE_BASE) % ENABLE_STRIDE;
		return index < p->count ? p->contexts[index].enabled[offset / 4] : 0;
	}
	if (offset >= PENDING_BASE) {
		index = (offset - PENDING_BASE) / 4;
		return index < WORDS ? p->pending[index] : 0;
	}
	return p->priority[offset / 4];
}

static void write_reg(struct plic *p, uint64_t offset, uint32_t value) REQUIRES(&p->lock)
{
	uint64_t index;

	if (offset >= CONTEXT_BASE) {
		index = (offset - CONTEXT_BASE) / CONTEXT_STRIDE;
		if (index < p->count)
			write_context(p, &p->contexts[index],
				      (offset - CONTEXT_BASE) % CONTEXT_STRIDE, value);
	} else if (offset >= ENABLE_BASE) {
		index = (offset - ENABLE_BASE) / ENABLE_STRIDE;
		offset = (offset - ENABLE_BASE) % ENABLE_STRIDE / 4;
		if (index < p->count && offset < p->words)
			p->contexts[index].enabled[offset] = value &
							     valid_bits(p, (unsigned)offset);
	} else if (offset < PENDING_BASE && offset / 4 >= 1 && offset / 4 <= p->sources) {
		p->priority[offset / 4] = value & PLIC_MAX_PRIORITY;
	}
}

static void plic_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct plic *p = (struct plic *)opaque;
	uint8_t *bytes = (uint8_t *)data;

	for (size_t i = 0; i < len; i++)
		bytes[i] = 0;
	if (len != 4 || offset % 4)
		return;
	lock_take(&p->lock);
	le32_store(bytes, read_reg(p, offset));
	update(p);
	lock_drop(&p->lock);
}

static void plic_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct plic *p = (struct plic *)opaque;

	if (len != 4 || offset % 4)
		return;
	lock_take(&p->lock);
	write_reg(p, offset, le32_load(data));
	update(p);
	lock_drop(&p->lock);
}

/* A level that falls before it was claimed takes its request back, as most real gateways do. */
static void line_set(struct irq_line *line, bool level)
{
	struct plic *p = (struct plic *)line->opaque;
	unsigned i = line->gsi / 32;

	lock_take(&p->lock);
	if (level) {
		p->high[i] |= bit(line->gsi);
		p->pending[i] |= bit(line->gsi) & ~p->service[i];
	} else {
		p->high[i] &= ~bit(line->gsi);
		p->pending[i] &= ~bit(line->gsi);
	}
	update(p);
	lock_drop(&p->lock);
}

static void line_pulse(struct irq_line *line)
{
	struct plic *p = (struct plic *)line->opaque;

	lock_take(&p->lock);
	p->pending[line->gsi / 32] |= bit(line->gsi);
	update(p);
	lock_drop(&p->lock);
}

void plic_line(struct plic *plic, unsigned source, struct irq_line *line)
{
	*line = (struct irq_line){
		.set = line_set,
		.pulse = line_pulse,
		.opaque = plic,
		.eventfd = -1,
		.gsi = source,
	};
}

int plic_create(struct bus *bus, uint64_t base, unsigned sources, unsigned contexts,
		plic_drive_fn drive, void *opaque, struct plic **out)
{
	static const struct bus_ops ops = { .read = plic_read, .write = plic_write };
	struct plic *p;
	int err;

	if (sources < 1 || sources > PLIC_MAX_SOURCES || contexts < 1 ||
	    contexts > PLIC_MAX_CONTEXTS)
		return -EINVAL;
	p = (struct plic *)calloc(1, sizeof(*p) + contexts * sizeof(p->contexts[0]));
	if (!p)
		return -ENOMEM;
	p->sources = sources;
	p->words = sources / 32 + 1;
	p->count = contexts;
	p->drive = drive;
	p->opaque = opaque;
	lock_init(&p->lock, LOCK_RANK_IRQ, "plic");
	err = bus_add(bus, BUS_MMIO, base, PLIC_SIZE, "plic", &ops, p);
	if (err) {
		plic_destroy(p);
		return err;
	}
	*out = p;
	return 0;
}

void plic_destroy(struct plic *plic)
{
	if (!plic)
		return;
	lock_destroy(&plic->lock);
	free(plic);
}
