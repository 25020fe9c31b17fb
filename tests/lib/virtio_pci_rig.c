/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI transport on a bus, and the steps by which a driver brings up what is behind it. */
#include "tests/lib/virtio_pci_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/le.h"

static void message(struct msi_port *port, uint64_t address, uint32_t data)
{
	struct virtio_pci_rig *f = port->opaque;

	assert_true(address == 0xfee00000);
	f->data[atomic_fetch_add(&f->sent, 1) % SENT] = data;
}

static void doorbell(void *opaque, uint64_t addr, int fd, bool on)
{
	struct virtio_pci_rig *f = opaque;

	assert_true(fd >= 0);
	for (unsigned i = 0; i < BELLS; i++) {
		if (f->bells[i] == (on ? 0 : addr)) {
			f->bells[i] = on ? addr : 0;
			return;
		}
	}
	fail_msg("a doorbell that was not there, or too many");
}

uint32_t pci_rig_config_get(struct virtio_pci_rig *f, unsigned at, size_t len)
{
	uint8_t data[4];

	le32_store(data, UINT32_C(0x80000800) | (at & 0xfc));
	assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_ADDRESS, data, 4));
	memset(data, 0, sizeof(data));
	assert_true(bus_read(f->bus, BUS_PIO, PCI_PORT_DATA + at % 4, data, len));
	return le32_load(data);
}

void pci_rig_config_put(struct virtio_pci_rig *f, unsigned at, size_t len, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, UINT32_C(0x80000800) | (at & 0xfc));
	assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_ADDRESS, data, 4));
	le32_store(data, value);
	assert_true(bus_write(f->bus, BUS_PIO, PCI_PORT_DATA + at % 4, data, len));
}

uint32_t pci_rig_get(struct virtio_pci_rig *f, uint64_t at, size_t len)
{
	uint8_t data[8] = { 0 };

	assert_true(bus_read(f->bus, BUS_MMIO, WINDOW + at, data, len));
	return le32_load(data);
}

void pci_rig_put(struct virtio_pci_rig *f, uint64_t at, size_t len, uint32_t value)
{
	uint8_t data[8] = { 0 };

	le32_store(data, value);
	assert_true(bus_write(f->bus, BUS_MMIO, WINDOW + at, data, len));
}

/* A capability of virtio's kind, or MSI-X (type 0): its offset. */
static unsigned find_cap(struct virtio_pci_rig *f, unsigned type)
{
	unsigned at = pci_rig_config_get(f, PCI_CAPABILITIES, 1);

	for (unsigned i = 0; i < 48 && at; i++, at = pci_rig_config_get(f, at + 1, 1)) {
		unsigned id = pci_rig_config_get(f, at, 1);

		if (type ? id == PCI_CAP_VENDOR && pci_rig_config_get(f, at + 3, 1) == type
			 : id == PCI_CAP_MSIX)
			return at;
	}
	return 0;
}

int pci_rig_setup(void **state)
{
	struct virtio_pci_rig *f = calloc(1, sizeof(*f));
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

int pci_rig_teardown(void **state)
{
	struct virtio_pci_rig *f = *state;
	void *td = f->td;

	bus_destroy(f->bus);
	virtio_pci_destroy(f->pci);
	pci_bus_destroy(f->pci_bus);
	(void)test_device_teardown(&td);
	free(f);
	return 0;
}

void pci_rig_master(struct virtio_pci_rig *f, bool on)
{
	pci_rig_config_put(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | (on ? PCI_COMMAND_MASTER : 0));
}

void pci_rig_negotiate(struct virtio_pci_rig *f)
{
	pci_rig_master(f, true);
	pci_rig_put(f, R_STATUS, 1, 0);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 0);
	pci_rig_put(f, R_STATUS, 1, 1);
	pci_rig_put(f, R_STATUS, 1, 3);
	pci_rig_put(f, R_DRIVER_FEATURES_SEL, 4, 0);
	pci_rig_put(f, R_DRIVER_FEATURES, 4, (uint32_t)TD_FEATURES);
	pci_rig_put(f, R_DRIVER_FEATURES_SEL, 4, 1);
	pci_rig_put(f, R_DRIVER_FEATURES, 4, (uint32_t)(TD_FEATURES >> 32));
	pci_rig_put(f, R_STATUS, 1, 11);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), 11);
}

/* Vector @v in the table: its data is 0x40 + @v, unmasked. */
static void set_vector(struct virtio_pci_rig *f, uint32_t v)
{
	uint64_t at = VIRTIO_PCI_VECTORS + v * MSIX_ENTRY;

	pci_rig_put(f, at, 4, 0xfee00000);
	pci_rig_put(f, at + 4, 4, 0);
	pci_rig_put(f, at + 8, 4, 0x40 + v);
	pci_rig_put(f, at + 12, 4, 0);
}

static void msix_on(struct virtio_pci_rig *f)
{
	pci_rig_config_put(f, f->msix + 2, 2, MSIX_CONTROL_ENABLE);
	for (uint32_t v = 0; v <= TD_QUEUES; v++)
		set_vector(f, v);
}

void pci_rig_setup_queue(struct virtio_pci_rig *f, uint32_t queue)
{
	const struct driver_ring *ring = &f->td->rings[queue];

	pci_rig_put(f, R_QUEUE_SEL, 2, queue);
	assert_int_equal(pci_rig_get(f, R_QUEUE_SEL, 2), queue);
	assert_int_equal(pci_rig_get(f, R_QUEUE_ENABLE, 2), 0);
	assert_int_equal(pci_rig_get(f, R_QUEUE_SIZE, 2), TD_QUEUE_MAX);
	assert_int_equal(pci_rig_get(f, R_NOTIFY_OFF, 2), queue);
	pci_rig_put(f, R_QUEUE_SIZE, 2, ring->num);
	assert_int_equal(pci_rig_get(f, R_QUEUE_SIZE, 2), ring->num);
	pci_rig_put(f, R_DESC, 4, (uint32_t)ring->desc.v);
	pci_rig_put(f, R_DESC + 4, 4, 0);
	pci_rig_put(f, R_DRIVER, 4, (uint32_t)ring->avail.v);
	pci_rig_put(f, R_DRIVER + 4, 4, 0);
	pci_rig_put(f, R_DEVICE, 4, (uint32_t)ring->used.v);
	pci_rig_put(f, R_DEVICE + 4, 4, 0);
	assert_int_equal(pci_rig_get(f, R_DEVICE, 4), ring->used.v);
	pci_rig_put(f, R_QUEUE_VECTOR, 2, queue + 1);
	assert_int_equal(pci_rig_get(f, R_QUEUE_VECTOR, 2), queue + 1);
	pci_rig_put(f, R_QUEUE_ENABLE, 2, 1);
	assert_int_equal(pci_rig_get(f, R_QUEUE_ENABLE, 2), 1);
}

void pci_rig_start(struct virtio_pci_rig *f)
{
	test_device_clear_rings(f->td);
	pci_rig_negotiate(f);
	msix_on(f);
	pci_rig_put(f, R_CONFIG_VECTOR, 2, 0);
	assert_int_equal(pci_rig_get(f, R_CONFIG_VECTOR, 2), 0);
	for (uint32_t i = 0; i < TD_QUEUES; i++)
		pci_rig_setup_queue(f, i);
	pci_rig_put(f, R_STATUS, 1, S_LIVE);
	assert_int_equal(pci_rig_get(f, R_STATUS, 1), S_LIVE);
}

void pci_rig_kick(struct virtio_pci_rig *f, uint32_t queue)
{
	pci_rig_put(f, VIRTIO_PCI_NOTIFY + VIRTIO_PCI_DOORBELL * queue, 2, queue);
	test_device_turn(f->td);
}

unsigned pci_rig_sent(struct virtio_pci_rig *f)
{
	return atomic_exchange(&f->sent, 0);
}

void pci_rig_aim(struct virtio_pci_rig *f, uint32_t bar, uint32_t offset, uint32_t len)
{
	pci_rig_config_put(f, f->pci_cap + 4, 1, bar);
	pci_rig_config_put(f, f->pci_cap + 8, 4, offset);
	pci_rig_config_put(f, f->pci_cap + 12, 4, len);
}
