/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exit device: one register that ends the run.
 */
#include "hw/exit_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

struct exit_device {
	void (*fn)(void *opaque, unsigned int status);
	void *opaque;
};

static void exit_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	uint8_t id[EXIT_DEVICE_SIZE];

	(void)opaque;
	le32_store(id, EXIT_DEVICE_ID);
	memcpy(data, id + offset, len);
}

static void exit_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct exit_device *device = (struct exit_device *)opaque;
	const uint8_t *bytes = (const uint8_t *)data;

	if (offset == 0 && (len == 1 || len == 2 || len == 4))
		device->fn(device->opaque, bytes[0]);
}

int exit_device_create(struct bus *bus, enum bus_space space, uint64_t base,
		       void (*fn)(void *opaque, unsigned int status), void *opaque,
		       struct exit_device **out)
{
	static const struct bus_ops ops = { .read = exit_read, .write = exit_write };
	struct exit_device *device = (struct exit_device *)calloc(1, sizeof(*device));
	int err;

	if (!device)
		return -ENOMEM;
	device->fn = fn;
	device->opaque = opaque;
	err = bus_add(bus, space, base, EXIT_DEVICE_SIZE, "exit", &ops, device);
	if (err) {
		free(device);
		return err;
	}
	*out = device;
	return 0;
}

void exit_device_destroy(struct exit_device *exit_device)
{
	free(exit_device);
}
