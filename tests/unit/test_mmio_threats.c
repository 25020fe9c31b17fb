/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile drivers at the MMIO transport: test_threat_NN is row NN of docs/threats.md, each with
 * reads through the bus and (_shown) from the page of registers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/mmio_rig.h"

/* What the driver can see or change; two equal ones mean that nothing happened. */
struct view {
	uint32_t status, isr, features, selected;
	unsigned kicks, config_writes, resets;
	uint64_t driver_features;
	struct virtqueue queues[TD_QUEUES];
};

static void look(struct mmio_rig *f, struct view *v)
{
	test_device_turn(f->td);
	v->status = mmio_rig_get(f, R_STATUS);
	v->isr = mmio_rig_get(f, R_ISR);
	v->features = mmio_rig_get(f, R_DEVICE_FEATURES);
	v->selected = mmio_rig_get(f, R_QUEUE_NUM_MAX);
	v->kicks = 0;
	for (unsigned i = 0; i < TD_QUEUES; i++)
		v->kicks += f->td->kicks[i];
	v->config_writes = f->td->config_writes;
	v->resets = f->td->resets;
	v->driver_features = f->td->dev.driver_features;
	memcpy(v->queues, f->td->dev.queues, sizeof(v->queues));
}

static void assert_same(const struct view *a, const struct view *b)
{
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->isr, b->isr);
	assert_int_equal(a->features, b->features);
	assert_int_equal(a->selected, b->selected);
	assert_int_equal(a->kicks, b->kicks);
	assert_int_equal(a->config_writes, b->config_writes);
	assert_int_equal(a->resets, b->resets);
	assert_int_equal(a->driver_features, b->driver_features);
	for (unsigned i = 0; i < TD_QUEUES; i++)
		assert_true(dr_same_queue(&a->queues[i], &b->queues[i]));
}

/* Below config space only aligned words count: the rest reads as ones and changes nothing. */
static void test_threat_17_register_accesses_of_every_size(void **state)
{
	struct mmio_rig *f = *state;

	for (unsigned live = 0; live < 2; live++) {
		struct view before, after;

		if (live)
			mmio_rig_start(f);
		else
			mmio_rig_negotiate(f);
		look(f, &before);
		for (uint64_t at = 0; at < R_CONFIG; at++) {
			for (size_t len = 1; len <= 8; len++) {
				uint8_t data[9], zero[8] = { 0 };

				if (len == 4 && at % 4 == 0)
					continue;
				memset(data, 0xaa, sizeof(data));
				assert_true(bus_read(f->bus, BUS_MMIO, BASE + at, data, len));
				for (size_t i = 0; i < len; i++)
					assert_int_equal(data[i], 0xff);
				assert_int_equal(data[len], 0xaa);
				assert_true(bus_write(f->bus, BUS_MMIO, BASE + at, zero, len));
			}
		}
		look(f, &after);
		assert_same(&before, &after);
	}
}

static void test_threat_17_config_accesses_of_every_size(void **state)
{
	struct mmio_rig *f = *state;

	memset(f->td->config, 0x5a, TD_CONFIG);
	for (uint64_t at = R_CONFIG; at < VIRTIO_MMIO_SIZE; at++) {
		for (size_t len = 1; len <= 8; len++) {
			uint8_t data[9];
			bool in = at + len <= VIRTIO_MMIO_SIZE;

			memset(data, 0xaa, sizeof(data));
			assert_int_equal(bus_read(f->bus, BUS_MMIO, BASE + at, data, len), in);
			for (size_t i = 0; i < len; i++)
				assert_int_equal(data[i],
						 in && at + i < R_CONFIG + TD_CONFIG ? 0x5a : 0xff);
			assert_int_equal(data[len], 0xaa);
			if (at >= R_CONFIG + TD_CONFIG)
				assert_int_equal(bus_write(f->bus, BUS_MMIO, BASE + at, data, len),
						 in);
		}
	}
	assert_int_equal(f->td->config_writes, 0);
}

/* Every register written while the device is live, with one queue selected. */
static void test_threat_01_registers_after_activation(void **state)
{
	static const uint64_t shut[] = { R_QUEUE_NUM,	R_DESC_LOW,   R_DESC_HIGH,  R_DRIVER_LOW,
					 R_DRIVER_HIGH, R_DEVICE_LOW, R_DEVICE_HIGH };
	struct mmio_rig *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(shut); i++) {
		struct virtqueue before;

		mmio_rig_start(f);
		before = f->td->dev.queues[2];
		mmio_rig_put(f, shut[i], 0x8000);
		assert_true(dr_same_queue(&before, &f->td->dev.queues[2]));
		assert_int_equal(mmio_rig_get(f, R_STATUS), S_LIVE | VIRTIO_S_NEEDS_RESET);
		assert_int_equal(mmio_rig_get(f, R_ISR), VIRTIO_ISR_CONFIG);
		test_device_offer(f->td, 2, 0);
		mmio_rig_put(f, R_NOTIFY, 2);
		test_device_turn(f->td);
		assert_int_equal(dr_used_idx(&f->td->rings[2]), 0);
	}
	/* Features after FEATURES_OK: without effect. */
	mmio_rig_start(f);
	mmio_rig_put(f, R_DRIVER_FEATURES, 0);
	assert_int_equal(f->td->dev.driver_features, TD_FEATURES);
	assert_int_equal(mmio_rig_get(f, R_STATUS), S_LIVE);
}

/* Classes of 32-bit values as queue number, each with every register. */
static void test_threat_02_queue_sel_and_notify(void **state)
{
	static const uint32_t bad[] = {
		TD_QUEUES,  VIRTIO_MAX_QUEUES, 9,	64,	    255,	256,
		0xffff,	    0x10000,	       0x10001, 0x7fffffff, 0x80000000, 0x80000001,
		0xfffffffe, UINT32_MAX
	};
	struct mmio_rig *f = *state;

	for (unsigned live = 0; live < 2; live++) {
		for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
			struct view before, after;

			if (live)
				mmio_rig_start(f);
			else
				mmio_rig_negotiate(f);
			mmio_rig_put(f, R_QUEUE_SEL, bad[i]);
			look(f, &before);
			assert_int_equal(before.selected, 0);
			assert_int_equal(mmio_rig_get(f, R_QUEUE_READY), 0);
			for (uint64_t reg = 0; reg < R_CONFIG; reg += 4) {
				(void)mmio_rig_get(f, reg);
				if (reg == R_STATUS || reg == R_QUEUE_SEL || reg == R_ACK)
					continue;
				/* The number itself, and 1, which means ready. */
				mmio_rig_put(f, reg, bad[i]);
				mmio_rig_put(f, reg, reg == R_NOTIFY ? bad[i] : 1);
			}
			mmio_rig_put(f, R_DEVICE_FEATURES_SEL, 0);
			look(f, &after);
			before.features = after.features = 0;
			assert_same(&before, &after);
		}
	}
}

/* Descriptors, tables and rings that point at the device's own registers: refused, not re-entered. */
static void test_threat_13_dma_into_registers(void **state)
{
	struct mmio_rig *f = *state;
	struct test_device *td = f->td;

	/* Registers that the guest may read as memory are none for devices either. */
	if (!f->page)
		assert_int_equal(mem_add(td->mem, gpa(BASE), VIRTIO_MMIO_SIZE, MEM_HOLE), 0);
	for (unsigned how = 0; how < 3; how++) {
		mmio_rig_start(f);
		td->config_writes = 0;
		td->resets = 0;
		if (how == 0)
			dr_desc(&td->rings[0], 0, BASE + R_STATUS, 4, DR_WRITE, 0);
		else if (how == 1)
			dr_desc(&td->rings[0], 0, BASE + R_CONFIG, 8, 0, 0);
		else
			dr_desc(&td->rings[0], 0, BASE + R_CONFIG, 16, DR_INDIRECT, 0);
		dr_offer(&td->rings[0], 0);
		mmio_rig_put(f, R_NOTIFY, 0);
		test_device_turn(td);
		assert_int_equal(mmio_rig_get(f, R_STATUS), S_LIVE | VIRTIO_S_NEEDS_RESET);
		assert_int_equal(td->config_writes, 0);
		assert_int_equal(td->resets, 0);
	}
	mmio_rig_negotiate(f);
	td->rings[0].used = gpa(BASE);
	mmio_rig_put(f, R_QUEUE_SEL, 0);
	mmio_rig_put(f, R_QUEUE_NUM, 8);
	mmio_rig_put(f, R_DESC_LOW, TD_RINGS);
	mmio_rig_put(f, R_DRIVER_LOW, TD_RINGS + 0x4000);
	mmio_rig_put(f, R_DEVICE_LOW, BASE);
	mmio_rig_put(f, R_QUEUE_READY, 1);
	assert_int_equal(mmio_rig_get(f, R_QUEUE_READY), 0);
	assert_int_equal(mmio_rig_get(f, R_STATUS), 11 | VIRTIO_S_NEEDS_RESET);
}

/* The status register in an order that the standard does not know. */
static void test_threat_30_steps_out_of_order(void **state)
{
	struct mmio_rig *f = *state;

	mmio_rig_put(f, R_STATUS, 4); /* DRIVER_OK before all */
	assert_int_equal(mmio_rig_get(f, R_STATUS), 0);
	mmio_rig_put(f, R_STATUS, 15); /* all at once, with no feature taken */
	assert_int_equal(mmio_rig_get(f, R_STATUS), 3);
	mmio_rig_put(f, R_STATUS, 7);
	assert_int_equal(mmio_rig_get(f, R_STATUS), 3);
	mmio_rig_negotiate(f);
	mmio_rig_put(f, R_STATUS, 3); /* bits taken back */
	mmio_rig_put(f, R_STATUS, 1);
	assert_int_equal(mmio_rig_get(f, R_STATUS), 11);
	mmio_rig_put(f, R_STATUS, 0x80000000 | S_LIVE); /* unknown bits mean nothing */
	assert_int_equal(mmio_rig_get(f, R_STATUS), S_LIVE);
	mmio_rig_put(f, R_STATUS, S_LIVE | VIRTIO_S_FAILED);
	assert_int_equal(mmio_rig_get(f, R_STATUS), S_LIVE | VIRTIO_S_FAILED);
	test_device_offer(f->td, 0, 0);
	mmio_rig_put(f, R_NOTIFY, 0);
	test_device_turn(f->td);
	assert_int_equal(f->td->served[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MMIO_RIG_TEST(test_threat_17_register_accesses_of_every_size),
		MMIO_RIG_TEST(test_threat_17_config_accesses_of_every_size),
		MMIO_RIG_TEST(test_threat_01_registers_after_activation),
		MMIO_RIG_TEST(test_threat_02_queue_sel_and_notify),
		MMIO_RIG_TEST(test_threat_13_dma_into_registers),
		MMIO_RIG_TEST(test_threat_30_steps_out_of_order),
	};

	(void)alarm(500);
	return cmocka_run_group_tests_name("mmio_threats", tests, NULL, NULL);
}
