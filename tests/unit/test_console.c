/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console: what is printed and what is typed arrives whole and in order, whatever the
 * chains; nothing is lost, nothing spins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"

enum {
	RX = 0,
	TX = 1,
	INPUT_SIZE = 4096,
	TURN_BYTES = 64 * 1024,
	PRINTED_MAX = 9 << 20,
};

struct bench {
	struct dev_rig rig;
	uint8_t *printed;
	size_t printed_len;
	size_t longest; /* piece */
	unsigned room_calls;
	const uint8_t *typing; /* what room() goes on with */
	size_t typing_len;
};

static size_t print(void *opaque, const void *data, size_t len)
{
	struct bench *b = opaque;

	assert_true(b->printed_len + len <= PRINTED_MAX);
	memcpy(b->printed + b->printed_len, data, len);
	b->printed_len += len;
	b->longest = len > b->longest ? len : b->longest;
	return len;
}

/* Offers the rest again, as a terminal does. */
static void room(void *opaque)
{
	struct bench *b = opaque;
	size_t n = virtio_console_input(b->rig.dev, 0, b->typing, b->typing_len);

	b->room_calls++;
	b->typing += n;
	b->typing_len -= n;
}

static void open_bench(struct bench *b, uint64_t features)
{
	*b = (struct bench){ .printed = malloc(PRINTED_MAX) };
	assert_non_null(b->printed);
	rig_init(&b->rig);

	const struct virtio_console_port port = { .out = print, .room = room, .opaque = b };

	assert_int_equal(virtio_console_create(&port, 1, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
	rig_start(&b->rig, features, 2);
}

static void close_bench(struct bench *b)
{
	rig_fini(&b->rig);
	free(b->printed);
}

static void fill(struct bench *b, uint64_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*rig_at(&b->rig, at + i) = (uint8_t)(i * 13 + i / 251);
}

static void identity_and_size(void **state)
{
	struct bench b;
	uint8_t c[12];
	uint32_t generation;

	(void)state;
	open_bench(&b, 1);
	assert_int_equal(b.rig.dev->type->id, 3);
	assert_int_equal(b.rig.dev->queue_count, 2);
	assert_int_equal(virtio_features(b.rig.dev, 0) & 0xffffff, 1 << 0 | 1 << 2);
	generation = b.rig.dev->config_generation;
	virtio_console_resize(b.rig.dev, 132, 43);
	assert_int_not_equal(b.rig.dev->config_generation, generation);
	assert_true(virtio_isr_read(b.rig.dev) & VIRTIO_ISR_CONFIG);
	virtio_config_read(b.rig.dev, 0, c, 8);
	assert_int_equal(le16_load(c), 132);
	assert_int_equal(le16_load(c + 2), 43);
	assert_int_equal(le32_load(c + 4), 1);
	close_bench(&b);
}

static void prints(void **state)
{
	const struct dr_buf bufs[] = {
		{ RIG_DATA, 5, false },	      { RIG_DATA + 100, 0, false },
		{ RIG_DATA + 5, 1, false },   { RIG_DATA + 6, 7, false },
		{ RIG_DATA + 200, 50, true }, /* not for output; ignored */
	};
	struct bench b;

	(void)state;
	open_bench(&b, VIRTIO_F_EVENT_IDX);
	memcpy(rig_at(&b.rig, RIG_DATA), "Hello, world\n", 13);
	memset(rig_at(&b.rig, RIG_DATA + 200), 1, 50);
	for (unsigned i = 1; i < 100; i++) {
		assert_int_equal(rig_do(&b.rig, TX, bufs, 5), 0);
		assert_int_equal(b.printed_len, 13 * i);
		assert_memory_equal(b.printed + 13 * (i - 1), "Hello, world\n", 13);
	}
	assert_int_equal(*rig_at(&b.rig, RIG_DATA + 200), 1);
	close_bench(&b);
}

/* Row 8: output as long as RAM comes in small pieces over many turns, in order and whole. */
static void test_threat_08_long_output(void **state)
{
	struct dr_buf buf = { RIG_DATA, RIG_RAM - RIG_DATA, false };
	unsigned turns = 0;
	struct bench b;
	uint32_t len;

	(void)state;
	open_bench(&b, 0);
	fill(&b, RIG_DATA, RIG_RAM - RIG_DATA);
	rig_offer(&b.rig, TX, 0, &buf, 1);
	while (loop_turn(b.rig.loop, 0) > 0) {
		turns++;
		assert_true(b.printed_len <= (size_t)turns * TURN_BYTES);
	}
	assert_int_equal(b.printed_len, RIG_RAM - RIG_DATA);
	assert_memory_equal(b.printed, rig_at(&b.rig, RIG_DATA), b.printed_len);
	assert_true(b.longest <= 4096);
	rig_used(&b.rig, TX, NULL, &len);
	assert_int_equal(len, 0);
	close_bench(&b);
}

/* Row 11: a reset in the middle of a long output ends it; the next output is whole. */
static void test_threat_11_reset_while_printing(void **state)
{
	struct dr_buf buf = { RIG_DATA, 1 << 20, false };
	struct bench b;
	size_t before;

	(void)state;
	open_bench(&b, 0);
	fill(&b, RIG_DATA, 1 << 20);
	rig_offer(&b.rig, TX, 0, &buf, 1);
	(void)loop_turn(b.rig.loop, 0);
	assert_int_equal(b.printed_len, TURN_BYTES);
	virtio_set_status(b.rig.dev, 0);
	rig_settle(&b.rig);
	assert_int_equal(b.printed_len, TURN_BYTES);
	rig_start(&b.rig, 0, 2);
	before = b.printed_len;
	assert_int_equal(before, TURN_BYTES);
	buf.len = 100;
	assert_int_equal(rig_do(&b.rig, TX, &buf, 1), 0);
	assert_int_equal(b.printed_len - before, 100);
	assert_memory_equal(b.printed + before, rig_at(&b.rig, RIG_DATA), 100);
	close_bench(&b);
}

static void typed_before_there_are_buffers(void **state)
{
	struct dr_buf buf = { RIG_DATA, 64, true };
	struct bench b;
	uint32_t len;

	(void)state;
	open_bench(&b, 0);
	assert_int_equal(virtio_console_input(b.rig.dev, 0, "abc", 3), 3);
	assert_int_equal(virtio_console_input(b.rig.dev, 0, "de", 2), 2);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[RX]), 0);
	rig_offer(&b.rig, RX, 0, &buf, 1);
	rig_used(&b.rig, RX, NULL, &len);
	assert_int_equal(len, 5);
	assert_memory_equal(rig_at(&b.rig, RIG_DATA), "abcde", 5);
	close_bench(&b);
}

static void typed_when_buffers_wait(void **state)
{
	struct bench b;
	uint32_t id, len;

	(void)state;
	open_bench(&b, VIRTIO_F_EVENT_IDX);
	for (unsigned i = 0; i < 8; i++)
		rig_offer(&b.rig, RX, (uint16_t)i, &(struct dr_buf){ RIG_DATA + i * 256, 2, true },
			  1);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[RX]), 0);
	assert_int_equal(virtio_console_input(b.rig.dev, 0, "x", 1), 1);
	rig_used(&b.rig, RX, &id, &len);
	assert_int_equal(len, 1);
	assert_int_equal(id, 0);
	assert_int_equal(virtio_console_input(b.rig.dev, 0, "12345", 5), 5);
	for (unsigned i = 1; i < 4; i++) {
		rig_used(&b.rig, RX, &id, &len);
		assert_int_equal(id, i);
		assert_int_equal(len, i < 3 ? 2 : 1);
	}
	assert_int_equal(*rig_at(&b.rig, RIG_DATA + 256), '1');
	assert_int_equal(*rig_at(&b.rig, RIG_DATA + 768), '5');
	close_bench(&b);
}

/* A guest that takes a little at a time gets all of a long input, and nothing runs meanwhile. */
static void long_input_with_flow_control(void **state)
{
	enum { LEN = 50000 };
	uint8_t *text = malloc(LEN), *got = malloc(LEN + 4096);
	size_t got_len = 0, n;
	struct bench b;

	(void)state;
	for (size_t i = 0; i < LEN; i++)
		text[i] = (uint8_t)(i * 31 + i / 256);
	open_bench(&b, 0);
	n = virtio_console_input(b.rig.dev, 0, text, LEN);
	assert_int_equal(n, INPUT_SIZE);
	b.typing = text + n;
	b.typing_len = LEN - n;
	rig_settle(&b.rig);
	assert_int_equal(b.room_calls, 0);
	for (unsigned round = 0; got_len < LEN; round++) {
		struct dr_buf bufs[] = {
			{ RIG_DATA, 1 + round % 700, true },
			{ RIG_DATA + 0x1000, round % 3, true },
		};
		uint32_t len = rig_do(&b.rig, RX, bufs, 2);
		uint32_t first = len < bufs[0].len ? len : bufs[0].len;

		assert_true(len > 0 && got_len + len <= LEN);
		memcpy(got + got_len, rig_at(&b.rig, RIG_DATA), first);
		memcpy(got + got_len + first, rig_at(&b.rig, RIG_DATA + 0x1000), len - first);
		got_len += len;
		assert_int_equal(loop_turn(b.rig.loop, 0), 0);
	}
	assert_memory_equal(got, text, LEN);
	assert_int_equal(b.typing_len, 0);
	assert_true(b.room_calls > 50);
	free(text);
	free(got);
	close_bench(&b);
}

static void input_survives_reset(void **state)
{
	struct dr_buf buf = { RIG_DATA, 64, true };
	struct bench b;

	(void)state;
	open_bench(&b, 0);
	assert_int_equal(virtio_console_input(b.rig.dev, 0, "root\n", 5), 5);
	virtio_set_status(b.rig.dev, 0);
	rig_start(&b.rig, 0, 2);
	assert_int_equal(rig_do(&b.rig, RX, &buf, 1), 5);
	assert_memory_equal(rig_at(&b.rig, RIG_DATA), "root\n", 5);
	close_bench(&b);
}

static void emergency_write(void **state)
{
	static const uint8_t word[4] = { 'P', 0, 0, 0 };
	struct bench b;

	(void)state;
	open_bench(&b, 1 << 2);
	virtio_config_write(b.rig.dev, 8, word, 4);
	virtio_config_write(b.rig.dev, 8, word, 1);
	virtio_config_write(b.rig.dev, 9, word, 3);
	virtio_config_write(b.rig.dev, 0, word, 4);
	virtio_config_write(b.rig.dev, 4, word, 4);
	virtio_config_write(b.rig.dev, 12, word, 4);
	virtio_set_status(b.rig.dev, 0);
	virtio_config_write(b.rig.dev, 8, "!", 1);
	assert_int_equal(b.printed_len, 3);
	assert_memory_equal(b.printed, "PP!", 3);
	close_bench(&b);
}

/* Rows 9 and 26: empty chains in both directions, with something typed and nothing to put it in. */
static void test_threat_09_26_zero_sizes(void **state)
{
	struct dr_buf empty = { RIG_DATA, 0, true };
	unsigned turns = 0;
	struct bench b;

	(void)state;
	open_bench(&b, 0);
	assert_int_equal(virtio_console_input(b.rig.dev, 0, "abc", 3), 3);
	for (unsigned i = 0; i < 64; i++) {
		rig_offer(&b.rig, RX, (uint16_t)i, &empty, 1);
		rig_offer(&b.rig, TX, (uint16_t)i, &empty, 1);
	}
	while (loop_turn(b.rig.loop, 0) > 0)
		assert_true(turns++ < 10);
	assert_int_equal(dr_used_idx(&b.rig.ring[RX]), 64);
	assert_int_equal(dr_used_idx(&b.rig.ring[TX]), 64);
	assert_int_equal(b.printed_len, 0);
	for (unsigned i = 0; i < 128; i++)
		rig_used(&b.rig, i % 2, NULL, NULL);
	assert_int_equal(rig_do(&b.rig, RX, &(struct dr_buf){ RIG_DATA, 9, true }, 1), 3);
	close_bench(&b);
}

/* Rows 5 and 6: lengths beyond RAM. */
static void test_threat_05_06_lengths(void **state)
{
	static const uint32_t lens[] = { RIG_RAM - RIG_DATA + 1, 0x80000000, 0xffffffff };
	struct bench b;

	(void)state;
	open_bench(&b, 0);
	for (size_t i = 0; i < 6; i++) {
		struct dr_buf buf = { RIG_DATA, lens[i / 2], i % 2 };

		assert_int_equal(virtio_console_input(b.rig.dev, 0, "a", 1), 1);
		rig_offer(&b.rig, i % 2 ? RX : TX, 0, &buf, 1);
		rig_settle(&b.rig);
		assert_true(rig_broken(&b.rig));
		assert_int_equal(virtio_console_input(b.rig.dev, 0, "b", 1), 1);
		rig_start(&b.rig, 0, 2);
	}
	assert_int_equal(b.printed_len, 0);
	assert_int_equal(rig_do(&b.rig, RX, &(struct dr_buf){ RIG_DATA, 99, true }, 1), 12);
	close_bench(&b);
}

static int create(struct dev_rig *rig, struct virtio_dev **dev)
{
	static const struct virtio_console_port port = { .out = print };

	return virtio_console_create(&port, 1, rig->mem, rig->loop, dev);
}

/* Row 12: creation that fails at each descriptor leaves nothing open. */
static void test_threat_12_create_fails(void **state)
{
	(void)state;
	rig_create_fails(create);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_and_size),
		cmocka_unit_test(prints),
		cmocka_unit_test(test_threat_08_long_output),
		cmocka_unit_test(test_threat_11_reset_while_printing),
		cmocka_unit_test(typed_before_there_are_buffers),
		cmocka_unit_test(typed_when_buffers_wait),
		cmocka_unit_test(long_input_with_flow_control),
		cmocka_unit_test(input_survives_reset),
		cmocka_unit_test(emergency_write),
		cmocka_unit_test(test_threat_09_26_zero_sizes),
		cmocka_unit_test(test_threat_05_06_lengths),
		cmocka_unit_test(test_threat_12_create_fails),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
