/* SPDX-License-Identifier: BSD-2-Clause */
/* The Goldfish real time clock: time in two halves, setting it, the alarm and its interrupt. */
#include "hw/goldfish_rtc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "base/le.h"
#include "base/lock.h"

enum {
	TIME_LOW = 0x00,   /* reading latches the high half; writing sets the time */
	TIME_HIGH = 0x04,  /* of the last reading; to be written before TIME_LOW */
	ALARM_LOW = 0x08,  /* writing sets the alarm */
	ALARM_HIGH = 0x0c, /* to be written before ALARM_LOW */
	IRQ_ENABLED = 0x10,
	CLEAR_ALARM = 0x14,
	ALARM_STATUS = 0x18, /* 1: an alarm is set and has not come */
	CLEAR_INTERRUPT = 0x1c,
};

#define NS_PER_S UINT64_C(1000000000)
/* Longer waits are made of several: the host's clock may be set meanwhile. */
#define WAIT_MAX (3600 * NS_PER_S)

struct goldfish_rtc {
	struct irq_line *irq;
	goldfish_now_fn now;
	void *opaque;
	struct loop_timer *timer;

	struct lock lock RANKED(device);
	uint64_t distance GUARDED_BY(&lock); /* the guest's time minus the host's, modulo 2^64 */
	uint32_t latched GUARDED_BY(&lock);  /* high half of the last reading */
	uint32_t set_high GUARDED_BY(&lock);
	uint32_t alarm_low GUARDED_BY(&lock);
	uint32_t alarm_high GUARDED_BY(&lock);
	uint64_t alarm GUARDED_BY(&lock); /* the guest's time */
	bool armed GUARDED_BY(&lock);
	bool enabled GUARDED_BY(&lock);
	bool pending GUARDED_BY(&lock);
	bool level GUARDED_BY(&lock); /* of the interrupt line */
};

uint64_t goldfish_host_clock(void *opaque)
{
	struct timespec now;

	(void)opaque;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void update_irq(struct goldfish_rtc *r) REQUIRES(&r->lock)
{
	bool level = r->pending && r->enabled;

	if (level == r->level)
		return;
	r->level = level;
	irq_set(r->irq, level);
}

static uint64_t guest_time(const struct goldfish_rtc *r) REQUIRES(&r->lock)
{
	return r->now(r->opaque) + r->distance;
}

/* The alarm if it is due, else a timer for it. */
static void wait_for_alarm(struct goldfish_rtc *r) REQUIRES(&r->lock)
{
	uint64_t now = guest_time(r);

	if (!r->armed)
		return;
	if (r->alarm > now) {
		loop_timer_arm(r->timer, u64_min(r->alarm - now, WAIT_MAX));
		return;
	}
	r->armed = false;
	r->pending = true;
	update_irq(r);
}

static void on_timer(void *opaque)
{
	struct goldfish_rtc *r = (struct goldfish_rtc *)opaque;

	lock_take(&r->lock);
	wait_for_alarm(r);
	lock_drop(&r->lock);
}

static uint32_t read_register(struct goldfish_rtc *r, uint64_t offset) REQUIRES(&r->lock)
{
	uint64_t now;

	switch (offset) {
	case TIME_LOW:
		now = guest_time(r);
		r->latched = (uint32_t)(now >> 32);
		return (uint32_t)now;
	case TIME_HIGH:
		return r->latched;
	case ALARM_LOW:
		return r->alarm_low;
	case ALARM_HIGH:
		return r->alarm_high;
	case IRQ_ENABLED:
		return r->enabled;
	case ALARM_STATUS:
		return r->armed;
	default:
		return 0;
	}
}

static void write_register(struct goldfish_rtc *r, uint64_t offset, uint32_t value)
	REQUIRES(&r->lock)
{
	switch (offset) {
	case TIME_LOW:
		r->distance = ((uint64_t)r->set_high << 32 | value) - r->now(r->opaque);
		wait_for_alarm(r);
		break;
	case TIME_HIGH:
		r->set_high = value;
		break;
	case ALARM_LOW:
		r->alarm_low = value;
		r->alarm = (uint64_t)r->alarm_high << 32 | value;
		r->armed = true;
		wait_for_alarm(r);
		break;
	case ALARM_HIGH:
		r->alarm_high = value;
		break;
	case IRQ_ENABLED:
		r->enabled = value & 1;
		break;
	case CLEAR_ALARM:
		r->armed = false;
		break;
	case CLEAR_INTERRUPT:
		r->pending = false;
		break;
	default:
		break;
	}
	update_irq(r);
}

static void rtc_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct goldfish_rtc *r = (struct goldfish_rtc *)opaque;

	memset(data, 0, len);
	if (len != 4)
		return;
	lock_take(&r->lock);
	le32_store(data, read_register(r, offset));
	lock_drop(&r->lock);
}

static void rtc_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct goldfish_rtc *r = (struct goldfish_rtc *)opaque;

	if (len != 4)
		return;
	lock_take(&r->lock);
	write_register(r, offset, le32_load(data));
	lock_drop(&r->lock);
}

int goldfish_rtc_create(struct loop *loop, struct bus *bus, uint64_t base, struct irq_line *irq,
			goldfish_now_fn now, void *opaque, struct goldfish_rtc **out)
{
	static const struct bus_ops ops = { .read = rtc_read, .write = rtc_write };
	struct goldfish_rtc *r = (struct goldfish_rtc *)calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->irq = irq;
	r->now = now;
	r->opaque = opaque;
	lock_init(&r->lock, LOCK_RANK_DEVICE, "goldfish-rtc");
	err = loop_timer_add(loop, on_timer, r, &r->timer);
	if (!err)
		err = bus_add(bus, BUS_MMIO, base, GOLDFISH_RTC_SIZE, "goldfish-rtc", &ops, r);
	if (err) {
		goldfish_rtc_destroy(r);
		return err;
	}
	*out = r;
	return 0;
}

void goldfish_rtc_destroy(struct goldfish_rtc *rtc)
{
	if (!rtc)
		return;
	if (rtc->timer)
		loop_timer_arm(rtc->timer, 0);
	lock_destroy(&rtc->lock);
	free(rtc);
}
