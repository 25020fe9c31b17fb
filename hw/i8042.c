/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard controller's reset line.
 */
#include "hw/i8042.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct i8042 {
	void (*reset)(void *opaque);
	void *opaque;
};

static void read_zero(void *opaque, uint64_t offset, void *data, size_t len)
{
	(void)opaque;
	(void)offset;
	memset(data, 0, len);
}

static void write_data(void *opaque, uint64_t offset, const void *data, size_t len)
{
	(void)opaque;
	(void)offset;
	(void)data;
	(void)len;
}

static void write_command(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct i8042 *i8042 = (struct i8042 *)opaque;
	const uint8_t *command = (const uint8_t *)data;

	/* The window is one byte, so this is all there can be. */
	if (offset == 0 && len == 1 && command[0] == I8042_RESET)
		i8042->reset(i8042->opaque);
}

int i8042_create(struct bus *bus, void (*reset)(void *opaque), void *opaque, struct i8042 **out)
{
	static const struct bus_ops data_ops = { .read = read_zero, .write = write_data };
	static const struct bus_ops command_ops = { .read = read_zero, .write = write_command };
	struct i8042 *i8042 = (struct i8042 *)calloc(1, sizeof(*i8042));
	int err;

	if (!i8042)
		return -ENOMEM;
	i8042->reset = reset;
	i8042->opaque = opaque;
	err = bus_add(bus, BUS_PIO, I8042_DATA_PORT, 1, "i8042 data", &data_ops, i8042);
	if (!err)
		err = bus_add(bus, BUS_PIO, I8042_COMMAND_PORT, 1, "i8042 command", &command_ops,
			      i8042);
	if (err) {
		free(i8042);
		return err;
	}
	*out = i8042;
	return 0;
}

void i8042_destroy(struct i8042 *i8042)
{
	free(i8042);
}
