/* SPDX-License-Identifier: BSD-2-Clause */
/* The pvpanic device: one register by which a guest's kernel tells of its panic. */
#include "hw/pvpanic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pvpanic {
	void (*fn)(void *opaque, unsigned int events);
	void *opaque;
};

static void pvpanic_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	(void)opaque;
	(void)offset;
	memset(data, PVPANIC_EVENTS, len);
}

static void pvpanic_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	const struct pvpanic *pvpanic = (const struct pvpanic *)opaque;
	unsigned int events = *(const uint8_t *)data & PVPANIC_EVENTS;

	(void)offset;
	(void)len;
	if (events)
		pvpanic->fn(pvpanic->opaque, events);
}

int pvpanic_create(struct bus *bus, enum bus_space space, uint64_t base,
		   void (*fn)(void *opaque, unsigned int events), void *opaque,
		   struct pvpanic **out)
{
	static const struct bus_ops ops = { .read = pvpanic_read, .write = pvpanic_write };
	struct pvpanic *pvpanic = (struct pvpanic *)calloc(1, sizeof(*pvpanic));
	int err;

	if (!pvpanic)
		return -ENOMEM;
	pvpanic->fn = fn;
	pvpanic->opaque = opaque;
	err = bus_add(bus, space, base, PVPANIC_SIZE, "pvpanic", &ops, pvpanic);
	if (err) {
		free(pvpanic);
		return err;
	}
	*out = pvpanic;
	return 0;
}

void pvpanic_destroy(struct pvpanic *pvpanic)
{
	free(pvpanic);
}
