/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile drivers at the PCI transport: test_threat_NN is row NN of docs/threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/virtio_pci_rig.h"

/* Bus mastering taken away: what is in flight is waited for, then nothing of the guest's memory is touched. */
static void test_threat_11_bus_master_off_in_flight(void **state)
{
	struct virtio_pci_rig *f = *state;
	unsigned resets;

	pci_rig_start(f);
	f->td->hold = true;
	test_device_offer(f->td, 0, 0);
	pci_rig_kick(f, 0);
	assert_int_equal(f->td->dev.queues[0].in_flight, 1);
	resets = f->td->resets;
	pci_rig_master(f, false);
	assert_int_equal(f->td->resets, resets + 1);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), S_LIVE | VIRTIO_S_NEEDS_RESET);
	assert_int_equal(pci_rig_sent(f), 0); /* a message is a store to memory too */
	test_device_offer(f->td, 0, 1);
	pci_rig_kick(f, 0);
	assert_int_equal(f->td->served[0], 1);
	pci_rig_master(f, true);
	assert_int_equal(pci_rig_sent(f), 1); /* what waited: that the device needs a reset */
	pci_rig_kick(f, 0);
	assert_int_equal(f->td->served[0], 1);
	f->td->hold = false;
	pci_rig_start(f);
	test_device_offer(f->td, 0, 0);
	pci_rig_kick(f, 0);
	assert_int_equal(dr_used_idx(&f->td->rings[0]), 1);
}

static void test_threat_02_configuration_access_elsewhere(void **state)
{
	static const uint32_t bad[][3] = {
		{ 1, 0, 4 },
		{ 0xff, 0, 4 },
		{ 0, 0, 0 },
		{ 0, 0, 3 },
		{ 0, 0, 8 },
		{ 0, 2, 4 },
		{ 0, VIRTIO_PCI_BAR_SIZE, 1 },
		{ 0, VIRTIO_PCI_BAR_SIZE - 2, 4 },
		{ 0, UINT32_MAX, 1 },
		{ 0, UINT32_MAX - 3, 4 },
		{ 0, 0x80000000, 4 },
		{ 0, R_STATUS, UINT32_MAX },
	};
	struct virtio_pci_rig *f = *state;

	pci_rig_start(f);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		pci_rig_aim(f, bad[i][0], bad[i][1], bad[i][2]);
		pci_rig_config_put(f, f->pci_cap + 16, 4, 0);
		assert_int_equal(pci_rig_config_get(f, f->pci_cap + 16, 4), UINT32_MAX);
	}
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), S_LIVE);
}

/* Each register has one width; the rest reads as ones and changes nothing. */
static void test_threat_17_register_accesses_of_every_size(void **state)
{
	struct virtio_pci_rig *f = *state;

	for (unsigned live = 0; live < 2; live++) {
		uint8_t before[R_END], after[R_END];

		if (live)
			pci_rig_start(f);
		else
			pci_rig_negotiate(f);
		for (unsigned at = 0; at < R_END; at += 2)
			le16_store(before + at, (uint16_t)pci_rig_get(f, at, 2));
		for (unsigned at = 0; at < 0x100; at++) {
			for (size_t len = 1; len <= 8; len++) {
				bool word = at % 4 == 0 && len == 4 &&
					    (at < R_CONFIG_VECTOR || at >= R_DESC);
				bool half = at % 2 == 0 && len == 2 && at >= R_CONFIG_VECTOR &&
					    at < R_DESC && at != R_STATUS;
				bool byte = len == 1 && (at == R_STATUS || at == R_GENERATION);
				uint8_t data[9], zero[8] = { 0 };

				if (at < R_END && (word || half || byte))
					continue;
				memset(data, 0xaa, sizeof(data));
				assert_true(bus_read(f->bus, BUS_MMIO, WINDOW + at, data, len));
				for (size_t i = 0; i < len; i++)
					assert_int_equal(data[i], 0xff);
				assert_int_equal(data[len], 0xaa);
				assert_true(bus_write(f->bus, BUS_MMIO, WINDOW + at, zero, len));
			}
		}
		for (unsigned at = 0; at < R_END; at += 2)
			le16_store(after + at, (uint16_t)pci_rig_get(f, at, 2));
		assert_memory_equal(before, after, R_END);
		assert_int_equal(pci_rig_get(f, R_STATUS, 1), live ? S_LIVE : 11);
	}
}

static void test_threat_01_registers_after_activation(void **state)
{
	static const unsigned shut[] = { R_DESC,       R_DESC + 4, R_DRIVER,
					 R_DRIVER + 4, R_DEVICE,   R_DEVICE + 4 };
	struct virtio_pci_rig *f = *state;

	for (unsigned i = 0; i <= ARRAY_SIZE(shut); i++) {
		struct virtqueue before;

		pci_rig_start(f);
		(void)pci_rig_sent(f);
		before = f->td->dev.queues[2];
		if (i < ARRAY_SIZE(shut))
			pci_rig_put(f, shut[i], 4, 0x8000);
		else
			pci_rig_put(f, R_QUEUE_SIZE, 2, 0x8000);
		assert_true(dr_same_queue(&before, &f->td->dev.queues[2]));
		assert_int_equal(pci_rig_get(f, R_STATUS, 1), S_LIVE | VIRTIO_S_NEEDS_RESET);
		assert_int_equal(pci_rig_sent(f), 1);
		test_device_offer(f->td, 2, 0);
		pci_rig_kick(f, 2);
		assert_int_equal(dr_used_idx(&f->td->rings[2]), 0);
	}
	pci_rig_start(f);
	pci_rig_put(f, R_DRIVER_FEATURES, 4, 0);
	assert_int_equal(f->td->dev.driver_features, TD_FEATURES);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), S_LIVE);
}

/* A queue that is not there has no size, no vector, no doorbell; nothing that is written to it counts. */
static void test_threat_02_queue_select_and_notify(void **state)
{
	static const uint32_t bad[] = { TD_QUEUES, VIRTIO_MAX_QUEUES, 31, 32, 64, 0x7fff, 0x8000,
					0xffff };
	struct virtio_pci_rig *f = *state;

	pci_rig_start(f);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		unsigned served = f->td->kicks[0] + f->td->kicks[1] + f->td->kicks[2];

		pci_rig_put(f, R_QUEUE_SEL, 2, bad[i]);
		for (unsigned at = R_QUEUE_SIZE; at < R_DESC; at += 2) {
			pci_rig_put(f, at, 2, 1);
			pci_rig_put(f, at, 2, bad[i]);
			assert_int_equal(pci_rig_get(f, at, 2),
					 at == R_QUEUE_VECTOR ? NO_VECTOR : 0);
		}
		for (unsigned at = R_DESC; at < R_END; at += 4) {
			pci_rig_put(f, at, 4, 0x1000);
			assert_int_equal(pci_rig_get(f, at, 4), 0);
		}
		if (bad[i] < 0x1000 / VIRTIO_PCI_DOORBELL)
			pci_rig_kick(f, bad[i]);
		assert_int_equal(f->td->kicks[0] + f->td->kicks[1] + f->td->kicks[2], served);
	}
	pci_rig_put(f, VIRTIO_PCI_NOTIFY + 1, 2, 0); /* no doorbell's place */
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_NOTIFY, 4), UINT32_MAX);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), S_LIVE);
}

static void test_threat_03_queue_sizes(void **state)
{
	static const uint32_t bad[] = { 0, 3, TD_QUEUE_MAX * 2, 0x8000, 0xffff };
	struct virtio_pci_rig *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		pci_rig_negotiate(f);
		pci_rig_put(f, R_QUEUE_SEL, 2, 0);
		pci_rig_put(f, R_QUEUE_SIZE, 2, bad[i]);
		pci_rig_put(f, R_DESC, 4, TD_RINGS);
		pci_rig_put(f, R_DRIVER, 4, TD_RINGS + 0x1000);
		pci_rig_put(f, R_DEVICE, 4, TD_RINGS + 0x2000);
		pci_rig_put(f, R_QUEUE_ENABLE, 2, 1);
		assert_int_equal(pci_rig_get(f, R_QUEUE_ENABLE, 2), 0);
		assert_int_equal(pci_rig_get(f, R_STATUS, 1), 11 | VIRTIO_S_NEEDS_RESET);
	}
}

static void test_threat_30_steps_out_of_order(void **state)
{
	struct virtio_pci_rig *f = *state;

	pci_rig_master(f, true);
	pci_rig_put(f, R_STATUS, 1, 4);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 0);
	pci_rig_put(f, R_STATUS, 1, 15);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 3);
	pci_rig_negotiate(f);
	pci_rig_put(f, R_STATUS, 1, 1);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 11);
	pci_rig_put(f, R_STATUS, 1, S_LIVE | VIRTIO_S_FAILED);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 11 | VIRTIO_S_FAILED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pci_rig_setup, pci_rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_threat_11_bus_master_off_in_flight),
		T(test_threat_02_configuration_access_elsewhere),
		T(test_threat_17_register_accesses_of_every_size),
		T(test_threat_01_registers_after_activation),
		T(test_threat_02_queue_select_and_notify),
		T(test_threat_03_queue_sizes),
		T(test_threat_30_steps_out_of_order),
	};

	(void)alarm(500);
	return cmocka_run_group_tests_name("virtio_pci_threats", tests, NULL, NULL);
}
