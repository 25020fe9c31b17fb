/* SPDX-License-Identifier: BSD-2-Clause */
/* The MMIO transport on a bus, and the steps by which a driver brings up what is behind it. */
#include "tests/lib/mmio_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <stdlib.h>

#include "base/le.h"

int mmio_rig_setup(void **state)
{
	struct mmio_rig *f = calloc(1, sizeof(*f));
	void *td;

	assert_non_null(f);
	assert_int_equal(test_device_setup(&td), 0);
	f->td = td;
	assert_int_equal(bus_create(&f->bus), 0);
	assert_int_equal(virtio_mmio_create(&f->td->dev, f->bus, BASE, &f->mmio), 0);
	*state = f;
	return 0;
}

int mmio_rig_setup_shown(void **state)
{
	struct mmio_rig *f;
	void *page;

	assert_int_equal(mmio_rig_setup(state), 0);
	f = *state;
	assert_int_equal(mem_add(f->td->mem, gpa(BASE), VIRTIO_MMIO_SIZE, MEM_REGISTERS), 0);
	page = mem_registers(f->td->mem, gpa(BASE));
	assert_non_null(page);
	virtio_mmio_show(f->mmio, page);
	f->page = page;
	return 0;
}

int mmio_rig_teardown(void **state)
{
	struct mmio_rig *f = *state;
	void *td = f->td;

	bus_destroy(f->bus);
	virtio_mmio_destroy(f->mmio);
	(void)test_device_teardown(&td);
	free(f);
	return 0;
}

uint32_t mmio_rig_shown(const struct mmio_rig *f, uint64_t reg)
{
	return le32toh(
		__atomic_load_n((const uint32_t *)(const void *)(f->page + reg), __ATOMIC_ACQUIRE));
}

uint32_t mmio_rig_get(struct mmio_rig *f, uint64_t reg)
{
	uint8_t data[4];

	if (f->page && reg + sizeof(data) <= VIRTIO_MMIO_SIZE)
		return mmio_rig_shown(f, reg);
	assert_true(bus_read(f->bus, BUS_MMIO, BASE + reg, data, sizeof(data)));
	return le32_load(data);
}

void mmio_rig_check_shown(struct mmio_rig *f)
{
	uint8_t data[4];

	if (!f->page || f->crowd)
		return;
	for (uint64_t at = 0; at < R_CONFIG + 2 * TD_CONFIG; at += sizeof(data)) {
		assert_true(bus_read(f->bus, BUS_MMIO, BASE + at, data, sizeof(data)));
		assert_int_equal(mmio_rig_shown(f, at), le32_load(data));
	}
	for (uint64_t at = R_CONFIG + 2 * TD_CONFIG; at < VIRTIO_MMIO_SIZE; at++)
		assert_int_equal(f->page[at], 0xff);
}

void mmio_rig_put(struct mmio_rig *f, uint64_t reg, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	assert_true(bus_write(f->bus, BUS_MMIO, BASE + reg, data, sizeof(data)));
	mmio_rig_check_shown(f);
}

void mmio_rig_negotiate(struct mmio_rig *f)
{
	mmio_rig_put(f, R_STATUS, 0);
	mmio_rig_put(f, R_STATUS, 1);
	mmio_rig_put(f, R_STATUS, 3);
	mmio_rig_put(f, R_DRIVER_FEATURES_SEL, 0);
	mmio_rig_put(f, R_DRIVER_FEATURES, (uint32_t)TD_FEATURES);
	mmio_rig_put(f, R_DRIVER_FEATURES_SEL, 1);
	mmio_rig_put(f, R_DRIVER_FEATURES, (uint32_t)(TD_FEATURES >> 32));
	mmio_rig_put(f, R_STATUS, 11);
	assert_int_equal(mmio_rig_get(f, R_STATUS), 11);
}

static void setup_queue(struct mmio_rig *f, uint32_t queue)
{
	const struct driver_ring *ring = &f->td->rings[queue];

	mmio_rig_put(f, R_QUEUE_SEL, queue);
	assert_int_equal(mmio_rig_get(f, R_QUEUE_READY), 0);
	assert_int_equal(mmio_rig_get(f, R_QUEUE_NUM_MAX), TD_QUEUE_MAX);
	mmio_rig_put(f, R_QUEUE_NUM, ring->num);
	mmio_rig_put(f, R_DESC_LOW, (uint32_t)ring->desc.v);
	mmio_rig_put(f, R_DESC_HIGH, 0);
	mmio_rig_put(f, R_DRIVER_LOW, (uint32_t)ring->avail.v);
	mmio_rig_put(f, R_DRIVER_HIGH, 0);
	mmio_rig_put(f, R_DEVICE_LOW, (uint32_t)ring->used.v);
	mmio_rig_put(f, R_DEVICE_HIGH, 0);
	mmio_rig_put(f, R_QUEUE_READY, 1);
	assert_int_equal(mmio_rig_get(f, R_QUEUE_READY), 1);
}

void mmio_rig_start(struct mmio_rig *f)
{
	test_device_clear_rings(f->td);
	mmio_rig_negotiate(f);
	for (uint32_t i = 0; i < TD_QUEUES; i++)
		setup_queue(f, i);
	mmio_rig_put(f, R_STATUS, S_LIVE);
	assert_int_equal(mmio_rig_get(f, R_STATUS), S_LIVE);
}
