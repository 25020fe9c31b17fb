/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI transport, through ports and window as a guest reaches it: capabilities, a whole bring-up, vectors,
 * bus mastering, the other way in by configuration space, and hostile drivers (test_threat_NN: row NN of the
 * project's list of ways in which device models were broken).
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/test_device.h"
#include "virtio/pci.h"

/* Registers of the common configuration as the standard's struct gives them (4.1.4.3). */
enum {
	R_DEVICE_FEATURES_SEL = 0x00,
	R_DEVICE_FEATURES = 0x04,
	R_DRIVER_FEATURES_SEL = 0x08,
	R_DRIVER_FEATURES = 0x0c,
	R_CONFIG_VECTOR = 0x10,
	R_NUM_QUEUES = 0x12,
	R_STATUS = 0x14,
	R_GENERATION = 0x15,
	R_QUEUE_SEL = 0x16,
	R_QUEUE_SIZE = 0x18,
	R_QUEUE_VECTOR = 0x1a,
	R_QUEUE_ENABLE = 0x1c,
	R_NOTIFY_OFF = 0x1e,
	R_DESC = 0x20,
	R_DRIVER = 0x28,
	R_DEVICE = 0x30,
	R_END = 0x38,
};

enum {
	WINDOW = 0xc1000000,
	WINDOW_SIZE = 0x100000,
	NO_VECTOR = 0xffff,
	BELLS = 8,
	SENT = 64,
	S_LIVE = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK,
};

struct fixture {
	struct test_device *td;
	struct bus *bus;
	struct pci_bus *pci_bus;
	struct virtio_pci_board board;
	struct virtio_pci *pci;
	struct msi_port msi;
	unsigned common, isr, notify, config, pci_cap, msix; /* capabilities */
	atomic_uint sent;
	uint32_t data[SENT];   /* of the messages */
	uint64_t bells[BELLS]; /* where doorbells hang; 0: none */
};

static void message(struct msi_port *port, uint64_t address, uint32_t data)
{
	struct fixture *f = port->opaque;

	assert_true(address == 0xfee00000);
	f->data[atomic_fetch_add(&f->sent, 1) % SENT] = data;
}

static void doorbell(void *opaque, uint64_t addr, int fd, bool on)
{
	struct fixture *f = opaque;

	assert_true(fd >= 0);
	for (unsigned i = 0; i < BELLS; i++) {
		if (f->bells[i] == (on ? 0 : addr)) {
			f->bells[i] = on ? addr : 0;
			return;
		}
	}
	fail_msg("a doorbell that was not there, or too many");
}

static unsigned bells_at(const struct fixture *f, uint64_t base)
{
	unsigned count = 0;

	for (unsigned i = 0; i < BELLS; i++)
		count += f->bells[i] >= base + VIRTIO_PCI_NOTIFY &&
			 f->bells[i] < base + VIRTIO_PCI_NOTIFY + 4 * TD_QUEUES;
	return count;
}

/* Configuration space and BAR. */

static uint32_t get(struct fixture *f, unsigned at, size_t len)
{
	uint8_t data[4];

	le32_store(data, UINT32_C(0x80000800) | (at & 0xfc));
	assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_ADDRESS, data, 4));
	memset(data, 0, sizeof(data));
	assert_true(bus_read(f->bus, BUS_PIO, PCI_PORT_DATA + at % 4, data, len));
	return le32_load(data);
}

static void put(struct fixture *f, unsigned at, size_t len, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, UINT32_C(0x80000800) | (at & 0xfc));
	assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_ADDRESS, data, 4));
	le32_store(data, value);
	assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_DATA + at % 4, data, len));
}

static uint32_t rd(struct fixture *f, uint64_t at, size_t len)
{
	uint8_t data[8] = { 0 };

	assert_true(bus_read(f->bus, BUS_MMIO, WINDOW + at, data, len));
	return le32_load(data);
}

static void wr(struct fixture *f, uint64_t at, size_t len, uint32_t value)
{
	uint8_t data[8] = { 0 };

	le32_store(data, value);
	assert_true(bus_write(f->bus, BUS_MMIO, WINDOW + at, data, len));
}

/* A capability of virtio's kind, or MSI-X (type 0): its offset. */
static unsigned find_cap(struct fixture *f, unsigned type)
{
	unsigned at = get(f, PCI_CAPABILITIES, 1);

	for (unsigned i = 0; i < 48 && at; i++, at = get(f, at + 1, 1)) {
		unsigned id = get(f, at, 1);

		if (type ? id == PCI_CAP_VENDOR && get(f, at + 3, 1) == type : id == PCI_CAP_MSIX)
			return at;
	}
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	void *td;

	assert_non_null(f);
	assert_int_equal(test_device_setup(&td), 0);
	f->td = td;
	f->td->dev.irq = NULL;
	assert_int_equal(bus_create(&f->bus), 0);
	assert_int_equal(pci_bus_create(f->bus, f->td->loop, WINDOW, WINDOW_SIZE, &f->pci_bus), 0);
	f->msi = (struct msi_port){ .send = message, .opaque = f };
	f->board = (struct virtio_pci_board){
		.bus = f->pci_bus, .msi = &f->msi, .doorbell = doorbell, .opaque = f
	};
	assert_int_equal(virtio_pci_create(&f->td->dev, &f->board, &f->pci), 0);
	f->common = find_cap(f, 1);
	f->notify = find_cap(f, 2);
	f->isr = find_cap(f, 3);
	f->config = find_cap(f, 4);
	f->pci_cap = find_cap(f, 5);
	f->msix = find_cap(f, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *td = f->td;

	bus_destroy(f->bus);
	virtio_pci_destroy(f->pci);
	pci_bus_destroy(f->pci_bus);
	(void)test_device_teardown(&td);
	free(f);
	return 0;
}

static void master(struct fixture *f, bool on)
{
	put(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | (on ? PCI_COMMAND_MASTER : 0));
}

/* By registers only: reset to FEATURES_OK. */
static void negotiate(struct fixture *f)
{
	master(f, true);
	wr(f, R_STATUS, 1, 0);
	assert_int_equal(rd(f, R_STATUS, 1), 0);
	wr(f, R_STATUS, 1, 1);
	wr(f, R_STATUS, 1, 3);
	wr(f, R_DRIVER_FEATURES_SEL, 4, 0);
	wr(f, R_DRIVER_FEATURES, 4, (uint32_t)TD_FEATURES);
	wr(f, R_DRIVER_FEATURES_SEL, 4, 1);
	wr(f, R_DRIVER_FEATURES, 4, (uint32_t)(TD_FEATURES >> 32));
	wr(f, R_STATUS, 1, 11);
	assert_int_equal(rd(f, R_STATUS, 1), 11);
}

/* Vector @v in the table: its data is 0x40 + @v, unmasked. */
static void set_vector(struct fixture *f, uint32_t v)
{
	uint64_t at = VIRTIO_PCI_VECTORS + v * MSIX_ENTRY;

	wr(f, at, 4, 0xfee00000);
	wr(f, at + 4, 4, 0);
	wr(f, at + 8, 4, 0x40 + v);
	wr(f, at + 12, 4, 0);
}

static void msix_on(struct fixture *f)
{
	put(f, f->msix + 2, 2, MSIX_CONTROL_ENABLE);
	for (uint32_t v = 0; v <= TD_QUEUES; v++)
		set_vector(f, v);
}

static void setup_queue(struct fixture *f, uint32_t queue)
{
	const struct driver_ring *ring = &f->td->rings[queue];

	wr(f, R_QUEUE_SEL, 2, queue);
	assert_int_equal(rd(f, R_QUEUE_SEL, 2), queue);
	assert_int_equal(rd(f, R_QUEUE_ENABLE, 2), 0);
	assert_int_equal(rd(f, R_QUEUE_SIZE, 2), TD_QUEUE_MAX);
	assert_int_equal(rd(f, R_NOTIFY_OFF, 2), queue);
	wr(f, R_QUEUE_SIZE, 2, ring->num);
	assert_int_equal(rd(f, R_QUEUE_SIZE, 2), ring->num);
	wr(f, R_DESC, 4, (uint32_t)ring->desc.v);
	wr(f, R_DESC + 4, 4, 0);
	wr(f, R_DRIVER, 4, (uint32_t)ring->avail.v);
	wr(f, R_DRIVER + 4, 4, 0);
	wr(f, R_DEVICE, 4, (uint32_t)ring->used.v);
	wr(f, R_DEVICE + 4, 4, 0);
	assert_int_equal(rd(f, R_DEVICE, 4), ring->used.v);
	wr(f, R_QUEUE_VECTOR, 2, queue + 1);
	assert_int_equal(rd(f, R_QUEUE_VECTOR, 2), queue + 1);
	wr(f, R_QUEUE_ENABLE, 2, 1);
	assert_int_equal(rd(f, R_QUEUE_ENABLE, 2), 1);
}

static void start(struct fixture *f)
{
	test_device_clear_rings(f->td);
	negotiate(f);
	msix_on(f);
	wr(f, R_CONFIG_VECTOR, 2, 0);
	assert_int_equal(rd(f, R_CONFIG_VECTOR, 2), 0);
	for (uint32_t i = 0; i < TD_QUEUES; i++)
		setup_queue(f, i);
	wr(f, R_STATUS, 1, S_LIVE);
	assert_int_equal(rd(f, R_STATUS, 1), S_LIVE);
}

static void kick(struct fixture *f, uint32_t queue)
{
	wr(f, VIRTIO_PCI_NOTIFY + VIRTIO_PCI_DOORBELL * queue, 2, queue);
	test_device_turn(f->td);
}

static unsigned sent(struct fixture *f)
{
	return atomic_exchange(&f->sent, 0);
}

/* What is told to be where. */

static void check_cap(struct fixture *f, unsigned at, uint32_t offset, uint32_t length)
{
	assert_int_not_equal(at, 0);
	assert_int_equal(get(f, at + 4, 1), 0); /* BAR 0 */
	assert_int_equal(get(f, at + 8, 4), offset);
	assert_int_equal(get(f, at + 12, 4), length);
}

static void test_capabilities(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, PCI_ID, 4), 0x10400000U + (TD_ID << 16) + 0x1af4);
	assert_int_equal(get(f, PCI_CLASS, 1), 1);
	check_cap(f, f->common, VIRTIO_PCI_COMMON, 0x40);
	check_cap(f, f->isr, VIRTIO_PCI_ISR, 1);
	check_cap(f, f->notify, VIRTIO_PCI_NOTIFY, 4 * TD_QUEUES);
	check_cap(f, f->config, VIRTIO_PCI_CONFIG, TD_CONFIG);
	check_cap(f, f->pci_cap, 0, 0);
	assert_int_equal(get(f, f->notify + 2, 1), 20);
	assert_int_equal(get(f, f->notify + 16, 4), VIRTIO_PCI_DOORBELL);
	assert_int_equal(get(f, f->msix + 2, 2),
			 TD_QUEUES); /* one for config space, counted from 0 */
	assert_int_equal(get(f, f->msix + 4, 4), VIRTIO_PCI_VECTORS);
	assert_int_equal(get(f, f->msix + 8, 4), VIRTIO_PCI_PENDING);
	assert_int_equal(rd(f, R_NUM_QUEUES, 2), TD_QUEUES);
}

static void test_features(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rd(f, R_DEVICE_FEATURES, 4), (uint32_t)TD_FEATURES);
	wr(f, R_DEVICE_FEATURES_SEL, 4, 1);
	assert_int_equal(rd(f, R_DEVICE_FEATURES_SEL, 4), 1);
	assert_int_equal(rd(f, R_DEVICE_FEATURES, 4), (uint32_t)(TD_FEATURES >> 32));
	wr(f, R_DEVICE_FEATURES_SEL, 4, 2);
	assert_int_equal(rd(f, R_DEVICE_FEATURES, 4), 0);
	negotiate(f);
	assert_int_equal(f->td->dev.driver_features, TD_FEATURES);
	assert_int_equal(rd(f, R_DRIVER_FEATURES, 4), (uint32_t)(TD_FEATURES >> 32));
	wr(f, R_DRIVER_FEATURES_SEL, 4, UINT32_MAX);
	assert_int_equal(rd(f, R_DRIVER_FEATURES, 4), 0);
}

/* A message for each queue, none by the status register. */
static void test_a_request_by_registers_only(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(f->td->readies, 1);
	test_device_offer(f->td, 2, 4);
	kick(f, 2);
	assert_int_equal(dr_used_idx(&f->td->rings[2]), 1);
	assert_int_equal(sent(f), 1);
	assert_int_equal(f->data[0], 0x40 + 3);
	assert_int_equal(rd(f, VIRTIO_PCI_ISR, 1), 0);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(sent(f), 1);
	wr(f, R_STATUS, 1, 0);
	assert_int_equal(rd(f, R_STATUS, 1), 0);
	wr(f, R_QUEUE_SEL, 2, 2);
	assert_int_equal(rd(f, R_QUEUE_ENABLE, 2), 0);
	assert_int_equal(rd(f, R_QUEUE_VECTOR, 2), NO_VECTOR);
	assert_int_equal(rd(f, R_CONFIG_VECTOR, 2), NO_VECTOR);
	assert_int_equal(rd(f, R_QUEUE_SIZE, 2), TD_QUEUE_MAX);
}

/* Without MSI-X: a status to be looked at, which reading clears. */
static void test_status_without_messages(void **state)
{
	struct fixture *f = *state;

	start(f);
	put(f, f->msix + 2, 2, 0);
	test_device_offer(f->td, 0, 0);
	kick(f, 0);
	assert_int_equal(sent(f), 0);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(rd(f, VIRTIO_PCI_ISR, 1), VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	assert_int_equal(rd(f, VIRTIO_PCI_ISR, 1), 0);
	wr(f, VIRTIO_PCI_ISR, 1, 3);
	assert_int_equal(rd(f, VIRTIO_PCI_ISR, 1), 0);
}

static void test_vectors(void **state)
{
	struct fixture *f = *state;

	start(f);
	/* One that is not there reads back as none, and is none. */
	wr(f, R_QUEUE_SEL, 2, 1);
	wr(f, R_QUEUE_VECTOR, 2, TD_QUEUES + 1);
	assert_int_equal(rd(f, R_QUEUE_VECTOR, 2), NO_VECTOR);
	wr(f, R_CONFIG_VECTOR, 2, 0x8000);
	assert_int_equal(rd(f, R_CONFIG_VECTOR, 2), NO_VECTOR);
	test_device_offer(f->td, 1, 0);
	kick(f, 1);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(dr_used_idx(&f->td->rings[1]), 1);
	assert_int_equal(sent(f), 0);
	/* All on one. */
	wr(f, R_QUEUE_SEL, 2, 0);
	wr(f, R_QUEUE_VECTOR, 2, 0);
	wr(f, R_CONFIG_VECTOR, 2, 0);
	test_device_offer(f->td, 0, 1);
	kick(f, 0);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(sent(f), 2);
	/* Masked, it waits; a reset of the device forgets it. */
	wr(f, VIRTIO_PCI_VECTORS + 12, 4, 1);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(rd(f, VIRTIO_PCI_PENDING, 4), 1);
	wr(f, R_STATUS, 1, 0);
	assert_int_equal(rd(f, VIRTIO_PCI_PENDING, 4), 0);
	wr(f, VIRTIO_PCI_VECTORS + 12, 4, 0);
	assert_int_equal(sent(f), 0);
}

/* A driver need not write the size. */
static void test_default_queue_size(void **state)
{
	struct fixture *f = *state;

	negotiate(f);
	wr(f, R_QUEUE_SEL, 2, 0);
	wr(f, R_DESC, 4, TD_RINGS);
	wr(f, R_DRIVER, 4, TD_RINGS + 0x1000);
	wr(f, R_DEVICE, 4, TD_RINGS + 0x2000);
	wr(f, R_QUEUE_ENABLE, 2, 0);
	assert_int_equal(rd(f, R_QUEUE_ENABLE, 2), 0);
	wr(f, R_QUEUE_ENABLE, 2, 2);
	assert_int_equal(rd(f, R_QUEUE_ENABLE, 2), 0);
	wr(f, R_QUEUE_ENABLE, 2, 1);
	assert_int_equal(rd(f, R_QUEUE_ENABLE, 2), 1);
	assert_int_equal(f->td->dev.queues[0].num, TD_QUEUE_MAX);
	wr(f, R_QUEUE_ENABLE, 2, 0); /* must not be: nothing happens */
	assert_int_equal(rd(f, R_QUEUE_ENABLE, 2), 1);
}

static void test_config_space(void **state)
{
	struct fixture *f = *state;
	uint32_t generation;

	memcpy(f->td->config, "0123456789ab", TD_CONFIG);
	generation = rd(f, R_GENERATION, 1);
	assert_int_equal(rd(f, VIRTIO_PCI_CONFIG, 4), 0x33323130);
	wr(f, VIRTIO_PCI_CONFIG + 4, 4, 0x64636261);
	assert_memory_equal(f->td->config, "0123abcd89ab", TD_CONFIG);
	assert_int_equal(rd(f, R_GENERATION, 1), generation);
	virtio_config_changed(&f->td->dev);
	assert_int_not_equal(rd(f, R_GENERATION, 1), generation);
	assert_int_equal(rd(f, VIRTIO_PCI_CONFIG + TD_CONFIG - 1, 2), 0xff00);
	assert_int_equal(rd(f, VIRTIO_PCI_NOTIFY - 4, 4), UINT32_MAX);
}

/* Doorbells follow the BAR, and those that come through the bus ring too. */
static void test_doorbells_move(void **state)
{
	const uint64_t there = WINDOW + 8 * VIRTIO_PCI_BAR_SIZE;
	struct fixture *f = *state;
	uint8_t index[2] = { 1, 0 };

	assert_int_equal(bells_at(f, WINDOW), TD_QUEUES);
	start(f);
	put(f, PCI_BAR0, 4, (uint32_t)there);
	assert_int_equal(bells_at(f, WINDOW), 0);
	assert_int_equal(bells_at(f, there), TD_QUEUES);
	test_device_offer(f->td, 1, 0);
	assert_true(bus_write(f->bus, BUS_MMIO, there + VIRTIO_PCI_NOTIFY + 4, index, 2));
	test_device_turn(f->td);
	assert_int_equal(dr_used_idx(&f->td->rings[1]), 1);
	put(f, PCI_BAR0, 4, WINDOW);
	assert_int_equal(bells_at(f, WINDOW), TD_QUEUES);
}

/* Memory decoding off: registers are not there, and the device goes on. */
static void test_decoding_off(void **state)
{
	struct fixture *f = *state;

	start(f);
	put(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(rd(f, R_STATUS, 1), 0xff);
	wr(f, R_STATUS, 1, 0);
	assert_int_equal(virtio_status(&f->td->dev), S_LIVE);
	test_device_offer(f->td, 0, 0);
	virtio_kick(&f->td->dev, 0);
	test_device_turn(f->td);
	assert_int_equal(sent(f), 1);
	master(f, true);
	assert_int_equal(rd(f, R_STATUS, 1), S_LIVE);
}

/* Bus mastering taken away: what is in flight is waited for, then nothing of the guest's memory is touched. */
static void test_threat_11_bus_master_off_in_flight(void **state)
{
	struct fixture *f = *state;
	unsigned resets;

	start(f);
	f->td->hold = true;
	test_device_offer(f->td, 0, 0);
	kick(f, 0);
	assert_int_equal(f->td->dev.queues[0].in_flight, 1);
	resets = f->td->resets;
	master(f, false);
	assert_int_equal(f->td->resets, resets + 1);
	assert_int_equal(rd(f, R_STATUS, 1), S_LIVE | VIRTIO_S_NEEDS_RESET);
	assert_int_equal(sent(f), 0); /* a message is a store to memory too */
	test_device_offer(f->td, 0, 1);
	kick(f, 0);
	assert_int_equal(f->td->served[0], 1);
	master(f, true);
	assert_int_equal(sent(f), 1); /* what waited: that the device needs a reset */
	kick(f, 0);
	assert_int_equal(f->td->served[0], 1);
	f->td->hold = false;
	start(f);
	test_device_offer(f->td, 0, 0);
	kick(f, 0);
	assert_int_equal(dr_used_idx(&f->td->rings[0]), 1);
}

static void test_no_life_without_bus_master(void **state)
{
	struct fixture *f = *state;

	negotiate(f);
	for (uint32_t i = 0; i < TD_QUEUES; i++)
		setup_queue(f, i);
	master(f, false);
	assert_int_equal(rd(f, R_STATUS, 1), 11); /* nothing was live: nothing is lost */
	wr(f, R_STATUS, 1, S_LIVE);
	assert_int_equal(rd(f, R_STATUS, 1), 11 | VIRTIO_S_NEEDS_RESET);
	assert_int_equal(f->td->readies, 0);
}

/* The window in configuration space (4.1.4.9). */

static void aim(struct fixture *f, uint32_t bar, uint32_t offset, uint32_t len)
{
	put(f, f->pci_cap + 4, 1, bar);
	put(f, f->pci_cap + 8, 4, offset);
	put(f, f->pci_cap + 12, 4, len);
}

static void test_configuration_access(void **state)
{
	struct fixture *f = *state;

	put(f, PCI_COMMAND, 2, 0); /* it works without memory decoding: that is what it is for */
	aim(f, 0, R_NUM_QUEUES, 2);
	assert_int_equal(get(f, f->pci_cap + 16, 4) & 0xffff, TD_QUEUES);
	aim(f, 0, R_STATUS, 1);
	put(f, f->pci_cap + 16, 1, 1);
	assert_int_equal(get(f, f->pci_cap + 16, 1), 1);
	assert_int_equal(virtio_status(&f->td->dev), 1);
	memcpy(f->td->config, "0123456789ab", TD_CONFIG);
	aim(f, 0, VIRTIO_PCI_CONFIG + 4, 4);
	assert_int_equal(get(f, f->pci_cap + 16, 4), 0x37363534);
	aim(f, 0, VIRTIO_PCI_NOTIFY, 2);
	put(f, f->pci_cap + 16, 2, 0);
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
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		aim(f, bad[i][0], bad[i][1], bad[i][2]);
		put(f, f->pci_cap + 16, 4, 0);
		assert_int_equal(get(f, f->pci_cap + 16, 4), UINT32_MAX);
	}
	assert_int_equal(rd(f, R_STATUS, 1), S_LIVE);
}

/* Each register has one width; the rest reads as ones and changes nothing. */
static void test_threat_17_register_accesses_of_every_size(void **state)
{
	struct fixture *f = *state;

	for (unsigned live = 0; live < 2; live++) {
		uint8_t before[R_END], after[R_END];

		if (live)
			start(f);
		else
			negotiate(f);
		for (unsigned at = 0; at < R_END; at += 2)
			le16_store(before + at, (uint16_t)rd(f, at, 2));
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
			le16_store(after + at, (uint16_t)rd(f, at, 2));
		assert_memory_equal(before, after, R_END);
		assert_int_equal(rd(f, R_STATUS, 1), live ? S_LIVE : 11);
	}
}

static void test_threat_01_registers_after_activation(void **state)
{
	static const unsigned shut[] = { R_DESC,       R_DESC + 4, R_DRIVER,
					 R_DRIVER + 4, R_DEVICE,   R_DEVICE + 4 };
	struct fixture *f = *state;

	for (unsigned i = 0; i <= ARRAY_SIZE(shut); i++) {
		struct virtqueue before;

		start(f);
		(void)sent(f);
		before = f->td->dev.queues[2];
		if (i < ARRAY_SIZE(shut))
			wr(f, shut[i], 4, 0x8000);
		else
			wr(f, R_QUEUE_SIZE, 2, 0x8000);
		assert_true(dr_same_queue(&before, &f->td->dev.queues[2]));
		assert_int_equal(rd(f, R_STATUS, 1), S_LIVE | VIRTIO_S_NEEDS_RESET);
		assert_int_equal(sent(f), 1);
		test_device_offer(f->td, 2, 0);
		kick(f, 2);
		assert_int_equal(dr_used_idx(&f->td->rings[2]), 0);
	}
	start(f);
	wr(f, R_DRIVER_FEATURES, 4, 0);
	assert_int_equal(f->td->dev.driver_features, TD_FEATURES);
	assert_int_equal(rd(f, R_STATUS, 1), S_LIVE);
}

/* A queue that is not there has no size, no vector, no doorbell; nothing that is written to it counts. */
static void test_threat_02_queue_select_and_notify(void **state)
{
	static const uint32_t bad[] = { TD_QUEUES, VIRTIO_MAX_QUEUES, 31, 32, 64, 0x7fff, 0x8000,
					0xffff };
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		unsigned served = f->td->kicks[0] + f->td->kicks[1] + f->td->kicks[2];

		wr(f, R_QUEUE_SEL, 2, bad[i]);
		for (unsigned at = R_QUEUE_SIZE; at < R_DESC; at += 2) {
			wr(f, at, 2, 1);
			wr(f, at, 2, bad[i]);
			assert_int_equal(rd(f, at, 2), at == R_QUEUE_VECTOR ? NO_VECTOR : 0);
		}
		for (unsigned at = R_DESC; at < R_END; at += 4) {
			wr(f, at, 4, 0x1000);
			assert_int_equal(rd(f, at, 4), 0);
		}
		if (bad[i] < 0x1000 / VIRTIO_PCI_DOORBELL)
			kick(f, bad[i]);
		assert_int_equal(f->td->kicks[0] + f->td->kicks[1] + f->td->kicks[2], served);
	}
	wr(f, VIRTIO_PCI_NOTIFY + 1, 2, 0); /* no doorbell's place */
	assert_int_equal(rd(f, VIRTIO_PCI_NOTIFY, 4), UINT32_MAX);
	assert_int_equal(rd(f, R_STATUS, 1), S_LIVE);
}

static void test_threat_03_queue_sizes(void **state)
{
	static const uint32_t bad[] = { 0, 3, TD_QUEUE_MAX * 2, 0x8000, 0xffff };
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		negotiate(f);
		wr(f, R_QUEUE_SEL, 2, 0);
		wr(f, R_QUEUE_SIZE, 2, bad[i]);
		wr(f, R_DESC, 4, TD_RINGS);
		wr(f, R_DRIVER, 4, TD_RINGS + 0x1000);
		wr(f, R_DEVICE, 4, TD_RINGS + 0x2000);
		wr(f, R_QUEUE_ENABLE, 2, 1);
		assert_int_equal(rd(f, R_QUEUE_ENABLE, 2), 0);
		assert_int_equal(rd(f, R_STATUS, 1), 11 | VIRTIO_S_NEEDS_RESET);
	}
}

static void test_threat_30_steps_out_of_order(void **state)
{
	struct fixture *f = *state;

	master(f, true);
	wr(f, R_STATUS, 1, 4);
	assert_int_equal(rd(f, R_STATUS, 1), 0);
	wr(f, R_STATUS, 1, 15);
	assert_int_equal(rd(f, R_STATUS, 1), 3);
	negotiate(f);
	wr(f, R_STATUS, 1, 1);
	assert_int_equal(rd(f, R_STATUS, 1), 11);
	wr(f, R_STATUS, 1, S_LIVE | VIRTIO_S_FAILED);
	assert_int_equal(rd(f, R_STATUS, 1), 11 | VIRTIO_S_FAILED);
}

/* Threads. */

static void *run_loop(void *arg)
{
	assert_int_equal(loop_run(arg), 0);
	return NULL;
}

static void bus_put(struct fixture *f, enum bus_space space, uint64_t at, uint32_t value,
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
	struct fixture *f = arg;
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
	atomic_fetch_add(&((struct fixture *)port->opaque)->sent, 1);
}

/* Three vCPUs at ports and registers while the loop serves; the thread sanitizer watches. */
static void test_registers_from_many_threads(void **state)
{
	struct fixture *f = *state;
	pthread_t loop_thread, threads[3];

	f->msi.send = unheard;
	assert_int_equal(pthread_create(&loop_thread, NULL, run_loop, f->td->loop), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, f), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	put(f, PCI_BAR0, 4, WINDOW);
	put(f, f->msix + 2, 2, 0);
	put(f, f->msix + 2, 2, MSIX_CONTROL_ENABLE);
	start(f);
	(void)sent(f);
	test_device_offer(f->td, 0, 0);
	wr(f, VIRTIO_PCI_NOTIFY, 2, 0);
	while (atomic_load(&f->sent) == 0)
		(void)usleep(100);
	loop_stop(f->td->loop);
	assert_int_equal(pthread_join(loop_thread, NULL), 0);
	assert_int_equal(dr_used_idx(&f->td->rings[0]), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_capabilities),
		T(test_features),
		T(test_a_request_by_registers_only),
		T(test_status_without_messages),
		T(test_vectors),
		T(test_default_queue_size),
		T(test_config_space),
		T(test_doorbells_move),
		T(test_decoding_off),
		T(test_threat_11_bus_master_off_in_flight),
		T(test_no_life_without_bus_master),
		T(test_configuration_access),
		T(test_threat_02_configuration_access_elsewhere),
		T(test_threat_17_register_accesses_of_every_size),
		T(test_threat_01_registers_after_activation),
		T(test_threat_02_queue_select_and_notify),
		T(test_threat_03_queue_sizes),
		T(test_threat_30_steps_out_of_order),
		T(test_registers_from_many_threads),
	};

	(void)alarm(500);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
