/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI transport, through ports and window as a guest reaches it: capabilities, a whole
 * bring-up, vectors, bus mastering, the other way in by configuration space, many threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/loop_thread.h"
#include "tests/lib/virtio_pci_rig.h"

static unsigned pci_rig_bells(const struct virtio_pci_rig *f, uint64_t base)
{
	unsigned count = 0;

	for (unsigned i = 0; i < BELLS; i++)
		count += f->bells[i] >= base + VIRTIO_PCI_NOTIFY &&
			 f->bells[i] < base + VIRTIO_PCI_NOTIFY + 4 * TD_QUEUES;
	return count;
}

static void check_cap(struct virtio_pci_rig *f, unsigned at, uint32_t offset, uint32_t length)
{
	assert_int_not_equal(at, 0);
	assert_int_equal(pci_rig_config_get(f, at + 4, 1), 0); /* BAR 0 */
	assert_int_equal(pci_rig_config_get(f, at + 8, 4), offset);
	assert_int_equal(pci_rig_config_get(f, at + 12, 4), length);
}

static void test_capabilities(void **state)
{
	struct virtio_pci_rig *f = *state;

	assert_int_equal(pci_rig_config_get(f, PCI_ID, 4), 0x10400000U + (TD_ID << 16) + 0x1af4);
	assert_int_equal(pci_rig_config_get(f, PCI_CLASS, 1), 1);
	check_cap(f, f->common, VIRTIO_PCI_COMMON, 0x40);
	check_cap(f, f->isr, VIRTIO_PCI_ISR, 1);
	check_cap(f, f->notify, VIRTIO_PCI_NOTIFY, 4 * TD_QUEUES);
	check_cap(f, f->config, VIRTIO_PCI_CONFIG, TD_CONFIG);
	check_cap(f, f->pci_cap, 0, 0);
	assert_int_equal(pci_rig_config_get(f, f->notify + 2, 1), 20);
	assert_int_equal(pci_rig_config_get(f, f->notify + 16, 4), VIRTIO_PCI_DOORBELL);
	assert_int_equal(pci_rig_config_get(f, f->msix + 2, 2),
			 TD_QUEUES); /* one for config space, counted from 0 */
	assert_int_equal(pci_rig_config_get(f, f->msix + 4, 4), VIRTIO_PCI_VECTORS);
	assert_int_equal(pci_rig_config_get(f, f->msix + 8, 4), VIRTIO_PCI_PENDING);
	assert_int_equal(pci_rig_get(f, R_NUM_QUEUES, 2), TD_QUEUES);
}

static void test_features(void **state)
{
	struct virtio_pci_rig *f = *state;

	assert_int_equal(pci_rig_get(f, R_DEVICE_FEATURES, 4), (uint32_t)TD_FEATURES);
	pci_rig_put(f, R_DEVICE_FEATURES_SEL, 4, 1);
	assert_int_equal(pci_rig_get(f, R_DEVICE_FEATURES_SEL, 4), 1);
	assert_int_equal(pci_rig_get(f, R_DEVICE_FEATURES, 4), (uint32_t)(TD_FEATURES >> 32));
	pci_rig_put(f, R_DEVICE_FEATURES_SEL, 4, 2);
	assert_int_equal(pci_rig_get(f, R_DEVICE_FEATURES, 4), 0);
	pci_rig_negotiate(f);
	assert_int_equal(f->td->dev.driver_features, TD_FEATURES);
	assert_int_equal(pci_rig_get(f, R_DRIVER_FEATURES, 4), (uint32_t)(TD_FEATURES >> 32));
	pci_rig_put(f, R_DRIVER_FEATURES_SEL, 4, UINT32_MAX);
	assert_int_equal(pci_rig_get(f, R_DRIVER_FEATURES, 4), 0);
}

/* A message for each queue, none by the status register. */
static void test_a_request_by_registers_only(void **state)
{
	struct virtio_pci_rig *f = *state;

	pci_rig_start(f);
	assert_int_equal(f->td->readies, 1);
	test_device_offer(f->td, 2, 4);
	pci_rig_kick(f, 2);
	assert_int_equal(dr_used_idx(&f->td->rings[2]), 1);
	assert_int_equal(pci_rig_sent(f), 1);
	assert_int_equal(f->data[0], 0x40 + 3);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_ISR, 1), 0);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(pci_rig_sent(f), 1);
	pci_rig_put(f, R_STATUS, 1, 0);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 0);
	pci_rig_put(f, R_QUEUE_SEL, 2, 2);
	assert_int_equal(pci_rig_get(f, R_QUEUE_ENABLE, 2), 0);
	assert_int_equal(pci_rig_get(f, R_QUEUE_VECTOR, 2), NO_VECTOR);
	assert_int_equal(pci_rig_get(f, R_CONFIG_VECTOR, 2), NO_VECTOR);
	assert_int_equal(pci_rig_get(f, R_QUEUE_SIZE, 2), TD_QUEUE_MAX);
}

/* Without MSI-X: a status to be looked at, which reading clears. */
static void test_status_without_messages(void **state)
{
	struct virtio_pci_rig *f = *state;

	pci_rig_start(f);
	pci_rig_config_put(f, f->msix + 2, 2, 0);
	test_device_offer(f->td, 0, 0);
	pci_rig_kick(f, 0);
	assert_int_equal(pci_rig_sent(f), 0);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_ISR, 1), VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_ISR, 1), 0);
	pci_rig_put(f, VIRTIO_PCI_ISR, 1, 3);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_ISR, 1), 0);
}

static void test_vectors(void **state)
{
	struct virtio_pci_rig *f = *state;

	pci_rig_start(f);
	/* One that is not there reads back as none, and is none. */
	pci_rig_put(f, R_QUEUE_SEL, 2, 1);
	pci_rig_put(f, R_QUEUE_VECTOR, 2, TD_QUEUES + 1);
	assert_int_equal(pci_rig_get(f, R_QUEUE_VECTOR, 2), NO_VECTOR);
	pci_rig_put(f, R_CONFIG_VECTOR, 2, 0x8000);
	assert_int_equal(pci_rig_get(f, R_CONFIG_VECTOR, 2), NO_VECTOR);
	test_device_offer(f->td, 1, 0);
	pci_rig_kick(f, 1);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(dr_used_idx(&f->td->rings[1]), 1);
	assert_int_equal(pci_rig_sent(f), 0);
	/* All on one. */
	pci_rig_put(f, R_QUEUE_SEL, 2, 0);
	pci_rig_put(f, R_QUEUE_VECTOR, 2, 0);
	pci_rig_put(f, R_CONFIG_VECTOR, 2, 0);
	test_device_offer(f->td, 0, 1);
	pci_rig_kick(f, 0);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(pci_rig_sent(f), 2);
	/* Masked, it waits; a reset of the device forgets it. */
	pci_rig_put(f, VIRTIO_PCI_VECTORS + 12, 4, 1);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_PENDING, 4), 1);
	pci_rig_put(f, R_STATUS, 1, 0);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_PENDING, 4), 0);
	pci_rig_put(f, VIRTIO_PCI_VECTORS + 12, 4, 0);
	assert_int_equal(pci_rig_sent(f), 0);
}

/* A driver need not write the size. */
static void test_default_queue_size(void **state)
{
	struct virtio_pci_rig *f = *state;

	pci_rig_negotiate(f);
	pci_rig_put(f, R_QUEUE_SEL, 2, 0);
	pci_rig_put(f, R_DESC, 4, TD_RINGS);
	pci_rig_put(f, R_DRIVER, 4, TD_RINGS + 0x1000);
	pci_rig_put(f, R_DEVICE, 4, TD_RINGS + 0x2000);
	pci_rig_put(f, R_QUEUE_ENABLE, 2, 0);
	assert_int_equal(pci_rig_get(f, R_QUEUE_ENABLE, 2), 0);
	pci_rig_put(f, R_QUEUE_ENABLE, 2, 2);
	assert_int_equal(pci_rig_get(f, R_QUEUE_ENABLE, 2), 0);
	pci_rig_put(f, R_QUEUE_ENABLE, 2, 1);
	assert_int_equal(pci_rig_get(f, R_QUEUE_ENABLE, 2), 1);
	assert_int_equal(f->td->dev.queues[0].num, TD_QUEUE_MAX);
	pci_rig_put(f, R_QUEUE_ENABLE, 2, 0); /* must not be: nothing happens */
	assert_int_equal(pci_rig_get(f, R_QUEUE_ENABLE, 2), 1);
}

static void test_config_space(void **state)
{
	struct virtio_pci_rig *f = *state;
	uint32_t generation;

	memcpy(f->td->config, "0123456789ab", TD_CONFIG);
	generation = pci_rig_get(f, R_GENERATION, 1);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_CONFIG, 4), 0x33323130);
	pci_rig_put(f, VIRTIO_PCI_CONFIG + 4, 4, 0x64636261);
	assert_memory_equal(f->td->config, "0123abcd89ab", TD_CONFIG);
	assert_int_equal(pci_rig_get(f, R_GENERATION, 1), generation);
	virtio_config_changed(&f->td->dev);
	assert_int_not_equal(pci_rig_get(f, R_GENERATION, 1), generation);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_CONFIG + TD_CONFIG - 1, 2), 0xff00);
	assert_int_equal(pci_rig_get(f, VIRTIO_PCI_NOTIFY - 4, 4), UINT32_MAX);
}

/* Doorbells follow the BAR, and those that come through the bus ring too. */
static void test_doorbells_move(void **state)
{
	const uint64_t there = WINDOW + 8 * VIRTIO_PCI_BAR_SIZE;
	struct virtio_pci_rig *f = *state;
	uint8_t index[2] = { 1, 0 };

	assert_int_equal(pci_rig_bells(f, WINDOW), TD_QUEUES);
	pci_rig_start(f);
	pci_rig_config_put(f, PCI_BAR0, 4, (uint32_t)there);
	assert_int_equal(pci_rig_bells(f, WINDOW), 0);
	assert_int_equal(pci_rig_bells(f, there), TD_QUEUES);
	test_device_offer(f->td, 1, 0);
	assert_true(bus_write(f->bus, BUS_MMIO, there + VIRTIO_PCI_NOTIFY + 4, index, 2));
	test_device_turn(f->td);
	assert_int_equal(dr_used_idx(&f->td->rings[1]), 1);
	pci_rig_config_put(f, PCI_BAR0, 4, WINDOW);
	assert_int_equal(pci_rig_bells(f, WINDOW), TD_QUEUES);
}

/* Memory decoding off: registers are not there, and the device goes on. */
static void test_decoding_off(void **state)
{
	struct virtio_pci_rig *f = *state;

	pci_rig_start(f);
	pci_rig_config_put(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 0xff);
	pci_rig_put(f, R_STATUS, 1, 0);
	assert_int_equal(virtio_status(&f->td->dev), S_LIVE);
	test_device_offer(f->td, 0, 0);
	virtio_kick(&f->td->dev, 0);
	test_device_turn(f->td);
	assert_int_equal(pci_rig_sent(f), 1);
	pci_rig_master(f, true);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), S_LIVE);
}

static void test_no_life_without_bus_master(void **state)
{
	struct virtio_pci_rig *f = *state;

	pci_rig_negotiate(f);
	for (uint32_t i = 0; i < TD_QUEUES; i++)
		pci_rig_setup_queue(f, i);
	pci_rig_master(f, false);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 11); /* nothing was live: nothing is lost */
	pci_rig_put(f, R_STATUS, 1, S_LIVE);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 11 | VIRTIO_S_NEEDS_RESET);
	assert_int_equal(f->td->readies, 0);
}

static void test_configuration_access(void **state)
{
	struct virtio_pci_rig *f = *state;

	pci_rig_config_put(f, PCI_COMMAND, 2,
			   0); /* it works without memory decoding: that is what it is for */
	pci_rig_aim(f, 0, R_NUM_QUEUES, 2);
	assert_int_equal(pci_rig_config_get(f, f->pci_cap + 16, 4) & 0xffff, TD_QUEUES);
	pci_rig_aim(f, 0, R_STATUS, 1);
	pci_rig_config_put(f, f->pci_cap + 16, 1, 1);
	assert_int_equal(pci_rig_config_get(f, f->pci_cap + 16, 1), 1);
	assert_int_equal(virtio_status(&f->td->dev), 1);
	memcpy(f->td->config, "0123456789ab", TD_CONFIG);
	pci_rig_aim(f, 0, VIRTIO_PCI_CONFIG + 4, 4);
	assert_int_equal(pci_rig_config_get(f, f->pci_cap + 16, 4), 0x37363534);
	pci_rig_aim(f, 0, VIRTIO_PCI_NOTIFY, 2);
	pci_rig_config_put(f, f->pci_cap + 16, 2, 0);
}

static void bus_put(struct virtio_pci_rig *f, enum bus_space space, uint64_t at, uint32_t value,
		    size_t len)
{
	uint8_t data[4];

	le32_store(data, value);
	(void)bus_write(f->bus, space, at, data, len);
}

static void *hammer(void *arg)
{
	static const uint32_t values[] = { 0, 1,      3,	  11,	  15,
					   2, 0x8000, 0xfee00000, WINDOW, UINT32_MAX };
	struct virtio_pci_rig *f = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&seed;
	uint8_t data[4];

	for (unsigned i = 0; i < 3000; i++) {
		uint32_t value = values[(seed >> 20) % ARRAY_SIZE(values)];

		seed = seed * 1664525 + 1013904223;
		bus_put(f, BUS_PIO, PCI_PORT_ADDRESS, 0x80000800 | (seed >> 4 & 0xfc), 4);
		bus_put(f, BUS_PIO, PCI_PORT_DATA, value, 4);
		(void)bus_read(f->bus, BUS_PIO, PCI_PORT_DATA, data, 4);
		bus_put(f, BUS_MMIO, WINDOW + (seed >> 8) % VIRTIO_PCI_BAR_SIZE / 4 * 4, value, 4);
		bus_put(f, BUS_MMIO, WINDOW + (seed >> 12) % R_END / 2 * 2, value, 2);
		(void)bus_read(f->bus, BUS_MMIO, WINDOW + (seed >> 6) % VIRTIO_PCI_BAR_SIZE, data,
			       2);
	}
	return NULL;
}

static void unheard(struct msi_port *port, uint64_t address, uint32_t data)
{
	(void)address;
	(void)data;
	atomic_fetch_add(&((struct virtio_pci_rig *)port->opaque)->sent, 1);
}

/* Three vCPUs at ports and registers while the loop serves; the thread sanitizer watches. */
static void test_registers_from_many_threads(void **state)
{
	struct virtio_pci_rig *f = *state;
	struct loop_thread loop_thread;
	pthread_t threads[3];

	f->msi.send = unheard;
	loop_thread_start(&loop_thread, f->td->loop);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, f), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	pci_rig_config_put(f, PCI_BAR0, 4, WINDOW);
	pci_rig_config_put(f, f->msix + 2, 2, 0);
	pci_rig_config_put(f, f->msix + 2, 2, MSIX_CONTROL_ENABLE);
	pci_rig_start(f);
	(void)pci_rig_sent(f);
	test_device_offer(f->td, 0, 0);
	pci_rig_put(f, VIRTIO_PCI_NOTIFY, 2, 0);
	while (atomic_load(&f->sent) == 0)
		(void)usleep(100);
	loop_thread_end(&loop_thread);
	assert_int_equal(dr_used_idx(&f->td->rings[0]), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pci_rig_setup, pci_rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_capabilities),
		T(test_features),
		T(test_a_request_by_registers_only),
		T(test_status_without_messages),
		T(test_vectors),
		T(test_default_queue_size),
		T(test_config_space),
		T(test_doorbells_move),
		T(test_decoding_off),
		T(test_no_life_without_bus_master),
		T(test_configuration_access),
		T(test_registers_from_many_threads),
	};

	(void)alarm(500);
	return cmocka_run_group_tests_name("virtio_pci", tests, NULL, NULL);
}
