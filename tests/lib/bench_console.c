/* SPDX-License-Identifier: BSD-2-Clause */
/* On the bench: a console with one named port beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/bench.h"
#include "virtio/devices.h"

#define F_SIZE	    (UINT64_C(1) << 0)
#define F_MULTIPORT (UINT64_C(1) << 1)
#define F_EMERG	    (UINT64_C(1) << 2)

enum {
	CONTROL_RX = 2,
	CONTROL_TX = 3,
	PORT1_RX = 4,
	PORT1_TX = 5,

	DEVICE_READY = 0,
	PORT_ADD = 1,
	PORT_READY = 3,
	CONSOLE_PORT = 4,
	RESIZE = 5,
	PORT_OPEN = 6,
	PORT_NAME = 7,

	EMERG_WR = 8,

	MESSAGE = RIG_DATA,
	CONTROL = RIG_DATA + 0x1000,
	BYTES = RIG_DATA + 0x2000,
};

struct console_bench {
	struct dev_rig rig;
	char printed[256]; /* by both ports */
	size_t len;
};

static size_t print(void *opaque, const void *data, size_t len)
{
	struct console_bench *c = opaque;

	assert_true(c->len + len <= sizeof(c->printed));
	memcpy(c->printed + c->len, data, len);
	c->len += len;
	return len;
}

static void console_open(struct bench *b)
{
	struct console_bench *c = calloc(1, sizeof(*c));
	const struct virtio_console_port ports[] = {
		{ .out = print, .opaque = c },
		{ .name = "one", .out = print, .opaque = c },
	};

	assert_non_null(c);
	rig_init(&c->rig);
	assert_int_equal(virtio_console_create(ports, 2, c->rig.mem, c->rig.loop, &c->rig.dev), 0);
	virtio_console_resize(c->rig.dev, 132, 43);
	b->rig = &c->rig;
	b->priv = c;
}

static void console_close(struct bench *b)
{
	rig_fini(b->rig);
	free(b->priv);
}

static unsigned console_queues(uint64_t features)
{
	return features & F_MULTIPORT ? 6 : 2;
}

static void says(struct bench *b, uint32_t port, uint16_t event)
{
	uint8_t *raw = rig_at(b->rig, MESSAGE);

	le32_store(raw, port);
	le16_store(raw + 4, event);
	le16_store(raw + 6, 1);
	assert_int_equal(bench_do(b, CONTROL_TX, &(struct dr_buf){ MESSAGE, 8, false }, 1), 0);
}

static void hears(struct bench *b, uint32_t port, uint16_t event, uint32_t more)
{
	const uint8_t *raw = rig_at(b->rig, CONTROL);

	assert_int_equal(bench_do(b, CONTROL_RX, &(struct dr_buf){ CONTROL, 64, true }, 1),
			 8 + more);
	assert_int_equal(le32_load(raw), port);
	assert_int_equal(le16_load(raw + 4), event);
}

/* Port 0 is the console, the other gets its name, is opened by the host, and by a program of the guest. */
static void brings_up(struct bench *b)
{
	says(b, 0, DEVICE_READY);
	hears(b, 0, PORT_ADD, 0);
	hears(b, 1, PORT_ADD, 0);
	says(b, 0, PORT_READY);
	hears(b, 0, CONSOLE_PORT, 0);
	hears(b, 0, RESIZE, 4); /* also without SIZE: 5.3.6.2 knows no condition */
	hears(b, 0, PORT_OPEN, 0);
	virtio_console_connect(b->rig->dev, 1, true);
	says(b, 1, PORT_READY);
	hears(b, 1, PORT_NAME, 3);
	assert_memory_equal(rig_at(b->rig, CONTROL + 8), "one", 3);
	hears(b, 1, PORT_OPEN, 0);
	says(b, 1, PORT_OPEN);
}

static void prints(struct bench *b, unsigned queue)
{
	const struct dr_buf bufs[] = { { BYTES, 3, false }, { BYTES + 0x100, 4, false } };
	struct console_bench *c = b->priv;

	c->len = 0;
	memcpy(rig_at(b->rig, BYTES), "one", 3);
	memcpy(rig_at(b->rig, BYTES + 0x100), " two", 4);
	assert_int_equal(bench_do(b, queue, bufs, b->rig->ring_size > 1 ? 2 : 1), 0);
	assert_int_equal(c->len, b->rig->ring_size > 1 ? 7 : 3);
	assert_memory_equal(c->printed, "one two", c->len);
}

/* What is typed reaches the guest; a reset before that loses nothing, so it may have come several times. */
static void types(struct bench *b, unsigned port, unsigned queue)
{
	uint32_t len;

	assert_int_equal(virtio_console_input(b->rig->dev, port, "typed", 5), 5);
	len = bench_do(b, queue, &(struct dr_buf){ BYTES, 0x400, true }, 1);
	assert_true(len > 0 && len % 5 == 0);
	for (uint32_t i = 0; i < len; i += 5)
		assert_memory_equal(rig_at(b->rig, BYTES + i), "typed", 5);
}

static void console_drive(struct bench *b)
{
	const uint64_t features = b->rig->features;
	struct console_bench *c = b->priv;
	uint8_t config[4];

	if (b->fresh && (features & F_MULTIPORT))
		brings_up(b);
	prints(b, 1);
	types(b, 0, 0);
	if (features & F_MULTIPORT) {
		prints(b, PORT1_TX);
		types(b, 1, PORT1_RX);
	}
	if (features & F_SIZE) {
		virtio_config_read(b->rig->dev, 0, config, 4);
		assert_int_equal(le16_load(config), 132);
		assert_int_equal(le16_load(config + 2), 43);
	}
	if (features & F_EMERG) {
		c->len = 0;
		virtio_config_write(b->rig->dev, EMERG_WR, "!\0\0\0", 4);
		assert_int_equal(c->len, 1);
		assert_int_equal(c->printed[0], '!');
	}
}

const struct bench_kind bench_console = {
	.name = "console",
	.open = console_open,
	.close = console_close,
	.queues = console_queues,
	.drive = console_drive,
};
