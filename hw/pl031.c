/* SPDX-License-Identifier: BSD-2-Clause */
/* The PL031 real time clock: counter, match register, interrupt, identification. */
#include "hw/pl031.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/le.h"
#include "base/lock.h"

enum {
	RTCDR = 0x00,	/* the counter; read only */
	RTCMR = 0x04,	/* match */
	RTCLR = 0x08,	/* sets the counter; reads as written */
	RTCCR = 0x0c,	/* bit 0: started; once set it stays */
	RTCIMSC = 0x10, /* bit 0: the interrupt is let through */
	RTCRIS = 0x14,	/* bit 0: the counter has matched */
	RTCMIS = 0x18,	/* both */
	RTCICR = 0x1c,	/* write 1: RTCRIS is cleared */
	IDS = 0xfe0,	/* eight registers of one byte, 4 apart */
};

#define NS_PER_S UINT64_C(1000000000)
/* Longer waits are made of several: the host's clock may be set meanwhile. */
#define WAIT_MAX_S UINT64_C(3600)

struct pl031 {
	struct irq_line *irq;
	pl031_now_fn now;
	void *opaque;
	struct loop_timer *timer;

	struct lock lock RANKED(device);
	uint64_t distance GUARDED_BY(&lock); /* counter minus the host's seconds, modulo 2^64 */
	uint32_t match GUARDED_BY(&lock);
	uint32_t load GUARDED_BY(&lock);
	bool let_through GUARDED_BY(&lock);
	bool matched GUARDED_BY(&lock);
	bool level GUARDED_BY(&lock); /* of the interrupt line */
	bool waiting GUARDED_BY(&lock);
	uint64_t due GUARDED_BY(&lock); /* the counter, before it is cut to 32 bits, at the alarm */
};

uint64_t pl031_host_clock(void *opaque)
{
	struct timespec now;

	(void)opaque;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void update_irq(struct pl031 *p) REQUIRES(&p->lock)
{
	bool level = p->matched && p->let_through;

	if (level == p->level)
		return;
	p->level = level;
	irq_set(p->irq, level);
}

/* The alarm if it is due, else a timer for it. */
static void wait_for_match(struct pl031 *p) REQUIRES(&p->lock)
{
	uint64_t now = p->now(p->opaque);
	uint64_t left = p->due - (now / NS_PER_S + p->distance);

	if (!p->waiting)
		return;
	if (left == 0 || left >> 63) {
		p->waiting = false;
		p->matched = true;
		update_irq(p);
		return;
	}
	if (left > WAIT_MAX_S)
		left = WAIT_MAX_S;
	loop_timer_arm(p->timer, left * NS_PER_S - now % NS_PER_S);
}

/* Counter or match register changed: the alarm is so many seconds away, less than 2^32. */
static void set_alarm(struct pl031 *p) REQUIRES(&p->lock)
{
	uint64_t counter = p->now(p->opaque) / NS_PER_S + p->distance;

	p->due = counter + (uint32_t)(p->match - (uint32_t)counter);
	p->waiting = true;
	wait_for_match(p);
}

static void on_timer(void *opaque)
{
	struct pl031 *p = (struct pl031 *)opaque;

	lock_take(&p->lock);
	wait_for_match(p);
	lock_drop(&p->lock);
}

static uint32_t counter_of(const struct pl031 *p) REQUIRES(&p->lock)
{
	return (uint32_t)(p->now(p->opaque) / NS_PER_S + p->distance);
}

static uint32_t read_register(const struct pl031 *p, uint64_t offset) REQUIRES(&p->lock)
{
	/* PrimeCell identification: peripheral 0x00041031, then the class. */
	static const uint8_t ids[] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

	switch (offset) {
	case RTCDR:
		return counter_of(p);
	case RTCMR:
		return p->match;
	case RTCLR:
		return p->load;
	case RTCCR:
		return 1;
	case RTCIMSC:
		return p->let_through;
	case RTCRIS:
		return p->matched;
	case RTCMIS:
		return p->matched && p->let_through;
	default:
		return offset >= IDS && offset % 4 == 0 ? ids[(offset - IDS) / 4] : 0;
	}
}

static void write_register(struct pl031 *p, uint64_t offset, uint32_t value) REQUIRES(&p->lock)
{
	switch (offset) {
	case RTCMR:
		p->match = value;
		set_alarm(p);
		break;
	case RTCLR:
		p->load = value;
		p->distance = value - p->now(p->opaque) / NS_PER_S;
		set_alarm(p);
		break;
	case RTCIMSC:
		p->let_through = value & 1;
		break;
	case RTCICR:
		if (value & 1)
			p->matched = false;
		break;
	default:
		break;
	}
	update_irq(p);
}

static void pl031_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct pl031 *p = (struct pl031 *)opaque;

	memset(data, 0, len);
	if (len != 4)
		return;
	lock_take(&p->lock);
	le32_store(data, read_register(p, offset));
	lock_drop(&p->lock);
}

static void pl031_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct pl031 *p = (struct pl031 *)opaque;

	if (len != 4)
		return;
	lock_take(&p->lock);
	write_register(p, offset, le32_load(data));
	lock_drop(&p->lock);
}

int pl031_create(struct loop *loop, struct bus *bus, uint64_t base, struct irq_line *irq,
		 pl031_now_fn now, void *opaque, struct pl031 **out)
{
	static const struct bus_ops ops = { .read = pl031_read, .write = pl031_write };
	struct pl031 *p = (struct pl031 *)calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->irq = irq;
	p->now = now;
	p->opaque = opaque;
	lock_init(&p->lock, LOCK_RANK_DEVICE, "pl031");
	err = loop_timer_add(loop, on_timer, p, &p->timer);
	if (!err)
		err = bus_add(bus, BUS_MMIO, base, PL031_SIZE, "pl031", &ops, p);
	if (err) {
		pl031_destroy(p);
		return err;
	}
	*out = p;
	return 0;
}

void pl031_destroy(struct pl031 *pl031)
{
	if (!pl031)
		return;
	if (pl031->timer)
		loop_timer_arm(pl031->timer, 0);
	lock_destroy(&pl031->lock);
	free(pl031);
}
