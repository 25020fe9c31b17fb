/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console with named ports: how they are announced, opened and closed, and that a slow host or
 * a slow guest loses nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"

enum {
	CONTROL_RX = 2,
	CONTROL_TX = 3,
	PORT1_RX = 4,
	PORT1_TX = 5,
	PORT2_RX = 6,
	QUEUES = 8,
	F_MULTIPORT = 1 << 1,

	DEVICE_READY = 0,
	PORT_ADD = 1,
	PORT_READY = 3,
	CONSOLE_PORT = 4,
	RESIZE = 5,
	PORT_OPEN = 6,
	PORT_NAME = 7,

	AT_CONTROL = RIG_DATA, /* guest addresses */
	AT_MESSAGE = RIG_DATA + 0x1000,
	AT_BYTES = RIG_DATA + 0x2000,
};

struct bench {
	struct dev_rig rig;
	char printed[9000];
	size_t printed_len;
	size_t takes; /* what the host takes before it stalls */
	bool open;    /* the guest's end */
	unsigned opened_calls, rooms;
};

static size_t print(void *opaque, const void *data, size_t len)
{
	struct bench *b = opaque;
	size_t n = len < b->takes ? len : b->takes;

	assert_true(b->printed_len + n <= sizeof(b->printed));
	memcpy(b->printed + b->printed_len, data, n);
	b->printed_len += n;
	b->takes -= n;
	return n;
}

static void opened(void *opaque, bool open)
{
	struct bench *b = opaque;

	b->open = open;
	b->opened_calls++;
}

static void room(void *opaque)
{
	struct bench *b = opaque;

	b->rooms++;
}

static void open_bench(struct bench *b, bool console, uint64_t features)
{
	struct virtio_console_port ports[3] = {
		{ .out = console ? print : NULL, .opaque = b },
		{ "one", print, room, opened, b },
		{ "two", print, room, opened, b },
	};

	*b = (struct bench){ .takes = SIZE_MAX };
	rig_init(&b->rig);
	assert_int_equal(virtio_console_create(ports, 3, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
	rig_start(&b->rig, features, QUEUES);
}

/* The driver says something of a port. */
static void tell(struct bench *b, uint32_t port, uint16_t event, uint16_t value)
{
	struct dr_buf buf = { AT_MESSAGE, 8, false };

	le32_store(rig_at(&b->rig, AT_MESSAGE), port);
	le16_store(rig_at(&b->rig, AT_MESSAGE + 4), event);
	le16_store(rig_at(&b->rig, AT_MESSAGE + 6), value);
	assert_int_equal(rig_do(&b->rig, CONTROL_TX, &buf, 1), 0);
	rig_settle(&b->rig);
}

/* Offers a buffer for the next message of the host, which must be this one. */
static void hears(struct bench *b, uint32_t port, uint16_t event, uint16_t value, const void *more,
		  size_t more_len)
{
	struct dr_buf buf = { AT_CONTROL, 64, true };
	const uint8_t *at = rig_at(&b->rig, AT_CONTROL);

	assert_int_equal(rig_do(&b->rig, CONTROL_RX, &buf, 1), 8 + more_len);
	assert_int_equal(le32_load(at), port);
	assert_int_equal(le16_load(at + 4), event);
	assert_int_equal(le16_load(at + 6), value);
	assert_memory_equal(at + 8, more, more_len);
}

/* No message is owed: an offered buffer stays. Leaves the ring with that buffer taken by nothing. */
static void hears_nothing(struct bench *b)
{
	struct dr_buf buf = { AT_CONTROL, 64, true };
	uint16_t used = dr_used_idx(&b->rig.ring[CONTROL_RX]);

	rig_offer(&b->rig, CONTROL_RX, 0, &buf, 1);
	rig_settle(&b->rig);
	assert_int_equal(dr_used_idx(&b->rig.ring[CONTROL_RX]), used);
}

static void set_up(struct bench *b, uint32_t port, const char *name)
{
	tell(b, port, PORT_READY, 1);
	hears(b, port, PORT_NAME, 1, name, strlen(name));
}

static void announces_ports(void **state)
{
	static const uint8_t size[4] = { 132, 0, 43, 0 };
	struct bench b;
	uint8_t c[4];

	(void)state;
	open_bench(&b, true, F_MULTIPORT);
	assert_int_equal(b.rig.dev->queue_count, 8);
	virtio_config_read(b.rig.dev, 4, c, 4);
	assert_int_equal(le32_load(c), 3);
	virtio_console_resize(b.rig.dev, 132, 43);
	tell(&b, 0xffffffff, DEVICE_READY, 1);
	for (unsigned i = 0; i < 3; i++)
		hears(&b, i, PORT_ADD, 1, NULL, 0);
	tell(&b, 0, PORT_READY, 1);
	hears(&b, 0, CONSOLE_PORT, 1, NULL, 0);
	hears(&b, 0, RESIZE, 0, size, sizeof(size));
	hears(&b, 0, PORT_OPEN, 1, NULL, 0);
	set_up(&b, 1, "one");
	virtio_console_connect(b.rig.dev, 2, true);
	set_up(&b, 2, "two");
	hears(&b, 2, PORT_OPEN, 1, NULL, 0);
	hears_nothing(&b);
	rig_fini(&b.rig);
}

/* Without a console the first port is a named one. */
static void no_console(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, false, F_MULTIPORT);
	assert_int_equal(virtio_features(b.rig.dev, 0) & 0xff, F_MULTIPORT);
	tell(&b, 0, DEVICE_READY, 1);
	hears(&b, 1, PORT_ADD, 1, NULL, 0);
	hears(&b, 2, PORT_ADD, 1, NULL, 0);
	tell(&b, 0, PORT_READY, 1);
	virtio_config_write(b.rig.dev, 8, "x", 1);
	rig_do(&b.rig, CONTROL_TX, &(struct dr_buf){ AT_MESSAGE, 8, false }, 1);
	hears_nothing(&b);
	assert_int_equal(b.printed_len, 0);
	rig_fini(&b.rig);
}

/* Input waits until a program has the port open; its end comes after its last byte. */
static void input_and_its_end(void **state)
{
	struct dr_buf buf = { AT_BYTES, 3, true };
	struct bench b;

	(void)state;
	open_bench(&b, true, F_MULTIPORT);
	set_up(&b, 1, "one");
	virtio_console_connect(b.rig.dev, 1, true);
	hears(&b, 1, PORT_OPEN, 1, NULL, 0);
	assert_int_equal(virtio_console_input(b.rig.dev, 1, "hello", 5), 5);
	virtio_console_connect(b.rig.dev, 1, false);
	rig_offer(&b.rig, PORT1_RX, 0, &buf, 1);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[PORT1_RX]), 0);

	tell(&b, 1, PORT_OPEN, 1);
	assert_true(b.open);
	uint32_t len;

	rig_used(&b.rig, PORT1_RX, NULL, &len);
	assert_int_equal(len, 3);
	hears_nothing(&b); /* its buffer serves the message below */
	buf.addr += 3;
	rig_offer(&b.rig, PORT1_RX, 1, &buf, 1);
	rig_used(&b.rig, PORT1_RX, NULL, &len);
	assert_int_equal(len, 2);
	assert_memory_equal(rig_at(&b.rig, AT_BYTES), "hello", 5);
	rig_used(&b.rig, CONTROL_RX, NULL, &len);
	assert_int_equal(len, 8);
	assert_int_equal(le16_load(rig_at(&b.rig, AT_CONTROL + 4)), PORT_OPEN);
	assert_int_equal(le16_load(rig_at(&b.rig, AT_CONTROL + 6)), 0);
	rig_fini(&b.rig);
}

/* A host that takes a little at a time gets all of it, in order, and nothing runs meanwhile. */
static void slow_host(void **state)
{
	struct dr_buf buf = { AT_BYTES, 8500, false };
	struct bench b;

	(void)state;
	open_bench(&b, true, F_MULTIPORT);
	for (unsigned i = 0; i < buf.len; i++)
		*rig_at(&b.rig, AT_BYTES + i) = (uint8_t)(i * 7 + i / 256);
	b.takes = 0;
	rig_offer(&b.rig, PORT1_TX, 0, &buf, 1);
	rig_settle(&b.rig);
	assert_int_equal(b.printed_len, 0);
	while (b.printed_len < buf.len) {
		size_t before = b.printed_len;

		assert_int_equal(dr_used_idx(&b.rig.ring[PORT1_TX]), 0);
		b.takes = 1000;
		virtio_console_output_ready(b.rig.dev, 1);
		assert_true(b.printed_len > before && b.printed_len <= before + 1000);
		assert_int_equal(loop_turn(b.rig.loop, 0), 0);
	}
	rig_used(&b.rig, PORT1_TX, NULL, NULL);
	assert_memory_equal(b.printed, rig_at(&b.rig, AT_BYTES), buf.len);
	rig_fini(&b.rig);
}

/* Row 11: a reset while the host is slow forgets the chain, closes the guest's end, keeps the input. */
static void test_threat_11_reset_while_stalled(void **state)
{
	struct dr_buf buf = { AT_BYTES, 100, false };
	struct bench b;

	(void)state;
	open_bench(&b, true, F_MULTIPORT);
	set_up(&b, 1, "one");
	tell(&b, 1, PORT_OPEN, 1);
	b.takes = 10;
	rig_offer(&b.rig, PORT1_TX, 0, &buf, 1);
	rig_settle(&b.rig);
	assert_int_equal(b.printed_len, 10);
	assert_int_equal(virtio_console_input(b.rig.dev, 1, "kept", 4), 4);
	virtio_set_status(b.rig.dev, 0);
	assert_false(b.open);
	b.takes = SIZE_MAX;
	virtio_console_output_ready(b.rig.dev, 1);
	assert_int_equal(b.printed_len, 10);
	rig_start(&b.rig, F_MULTIPORT, QUEUES);
	set_up(&b, 1, "one");
	tell(&b, 1, PORT_OPEN, 1);
	assert_int_equal(b.opened_calls, 3);
	buf = (struct dr_buf){ AT_BYTES, 64, true };
	assert_int_equal(rig_do(&b.rig, PORT1_RX, &buf, 1), 4);
	rig_fini(&b.rig);
}

/* Rows 2, 4 and 27: messages that are cut, of ports that are not there, unknown, or repeated. */
static void test_threat_02_04_27_control_messages(void **state)
{
	static const uint32_t ports[] = { 0, 1, 2, 3, 8, 0x7fffffff, 0xffffffff };
	struct bench b;

	(void)state;
	open_bench(&b, true, F_MULTIPORT);
	for (uint32_t len = 0; len < 8; len++) {
		struct dr_buf buf = { AT_MESSAGE, len, false };

		memset(rig_at(&b.rig, AT_MESSAGE), 0, 8);
		*rig_at(&b.rig, AT_MESSAGE + 6) = 1; /* would be DEVICE_READY */
		assert_int_equal(rig_do(&b.rig, CONTROL_TX, &buf, 1), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		for (uint16_t event = 1; event < 10; event++) {
			if (event != PORT_READY || ports[i] > 2)
				tell(&b, ports[i], event, (uint16_t)(event == PORT_OPEN ? 0 : i));
		}
	}
	assert_int_equal(b.opened_calls, 0);
	hears_nothing(&b);
	/* The host's end goes up and down while no buffer is offered: only the last word is told. */
	rig_start(&b.rig, F_MULTIPORT, QUEUES);
	set_up(&b, 1, "one");
	for (unsigned i = 0; i < 1001; i++)
		virtio_console_connect(b.rig.dev, 1, i % 2 == 0);
	hears(&b, 1, PORT_OPEN, 1, NULL, 0);
	hears_nothing(&b);
	assert_false(rig_broken(&b.rig));
	rig_fini(&b.rig);
}

/* Row 5: a buffer that cannot hold the message breaks the device, not the host. */
static void test_threat_05_small_control_buffer(void **state)
{
	struct dr_buf buf = { AT_CONTROL, 7, true };
	struct bench b;

	(void)state;
	open_bench(&b, true, F_MULTIPORT);
	tell(&b, 0, DEVICE_READY, 1);
	rig_offer(&b.rig, CONTROL_RX, 0, &buf, 1);
	rig_settle(&b.rig);
	assert_true(rig_broken(&b.rig));
	rig_start(&b.rig, F_MULTIPORT, QUEUES);
	hears_nothing(&b);
	rig_fini(&b.rig);
}

/* A driver that knows one port only: the console works, control messages mean nothing. */
static void driver_without_multiport(void **state)
{
	struct dr_buf buf = { AT_BYTES, 5, false };
	struct bench b;

	(void)state;
	open_bench(&b, true, 0);
	memcpy(rig_at(&b.rig, AT_BYTES), "hello", 5);
	assert_int_equal(rig_do(&b.rig, 1, &buf, 1), 0);
	assert_int_equal(b.printed_len, 5);
	buf = (struct dr_buf){ AT_CONTROL, 64, true };
	rig_offer(&b.rig, CONTROL_RX, 0, &buf, 1);
	rig_offer(&b.rig, CONTROL_TX, 0, &(struct dr_buf){ AT_MESSAGE, 8, false }, 1);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[CONTROL_RX]), 0);
	rig_fini(&b.rig);
}

/* Another CPU of a hostile guest, that offers the next chain while one is being printed. */
struct feeder {
	struct dev_rig rig;
	unsigned fed, most;
};

static size_t print_and_feed(void *opaque, const void *data, size_t len)
{
	struct feeder *f = opaque;

	(void)data;
	if (f->fed < f->most)
		dr_offer(&f->rig.ring[PORT1_TX], (uint16_t)(f->fed++ % 4));
	return len;
}

/* Row 9: a guest that never stops printing does not keep the loop for ever: others get their turn. */
static void test_threat_09_endless_output(void **state)
{
	struct virtio_console_port ports[2] = { { 0 }, { .name = "one", .out = print_and_feed } };
	struct feeder f = { .most = 1000000 };

	(void)state;
	ports[1].opaque = &f;
	rig_init(&f.rig);
	assert_int_equal(virtio_console_create(ports, 2, f.rig.mem, f.rig.loop, &f.rig.dev), 0);
	rig_start(&f.rig, F_MULTIPORT, 6);
	for (uint16_t i = 0; i < 4; i++)
		dr_desc(&f.rig.ring[PORT1_TX], i, AT_BYTES, 1, 0, 0);
	for (; f.fed < 3; f.fed++)
		dr_offer(&f.rig.ring[PORT1_TX], (uint16_t)f.fed);
	assert_false(virtio_console_drain(f.rig.dev, 1));
	assert_true(f.fed < f.most);
	assert_false(rig_broken(&f.rig));
	/* And what was left over goes out when it is asked for again. */
	f.most = f.fed;
	assert_true(virtio_console_drain(f.rig.dev, 1));
	assert_int_equal(dr_used_idx(&f.rig.ring[PORT1_TX]), (uint16_t)f.fed);
	rig_fini(&f.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announces_ports),
		cmocka_unit_test(test_threat_09_endless_output),
		cmocka_unit_test(no_console),
		cmocka_unit_test(input_and_its_end),
		cmocka_unit_test(slow_host),
		cmocka_unit_test(test_threat_11_reset_while_stalled),
		cmocka_unit_test(test_threat_02_04_27_control_messages),
		cmocka_unit_test(test_threat_05_small_control_buffer),
		cmocka_unit_test(driver_without_multiport),
	};

	return cmocka_run_group_tests_name("console_ports", tests, NULL, NULL);
}
