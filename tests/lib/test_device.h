/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small device type that tests drive: it counts what it is asked, returns chains at once or holds
 * them, and has 13 bytes of config space (an odd number, to find careless bounds).
 */
#ifndef TESTS_LIB_TEST_DEVICE_H
#define TESTS_LIB_TEST_DEVICE_H

#include "tests/lib/driver_ring.h"

enum {
	TD_ID = 42,
	TD_QUEUES = 3,
	TD_QUEUE_MAX = 64,
	TD_CONFIG = 13,
	TD_RAM = 0x100000,  /* RAM from 0 on */
	TD_RINGS = 0x10000, /* rings[i] lies at TD_RINGS + i * 0x4000 */
	TD_BUFFER = 0x80000,
};

/* Values of the status register, each with those that come before it. */
enum {
	S_ACK = VIRTIO_S_ACKNOWLEDGE,
	S_DRIVER = S_ACK | VIRTIO_S_DRIVER,
	S_FEATURES = S_DRIVER | VIRTIO_S_FEATURES_OK,
	S_LIVE = S_FEATURES | VIRTIO_S_DRIVER_OK,
	S_NEEDS_RESET = VIRTIO_S_NEEDS_RESET,
	S_FAILED = VIRTIO_S_FAILED,
};

/* The one feature bit that the type itself offers. */
#define TD_FEATURE (UINT64_C(1) << 5)

#define TD_FEATURES (TD_FEATURE | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)

struct test_device {
	struct virtio_dev dev;
	struct guest_mem *mem;
	struct loop *loop;
	struct count_irq irq;
	struct driver_ring rings[TD_QUEUES];

	bool hold; /* keep chains in flight instead of returning them */
	uint8_t config[TD_CONFIG];
	unsigned readies;
	unsigned resets;
	unsigned destroys;
	unsigned config_writes;
	unsigned kicks[TD_QUEUES];
	unsigned served[TD_QUEUES]; /* chains taken */
	uint32_t status_at_reset;   /* what the type saw in its reset */
	struct vq_chain chain;
};

/* cmocka setup and teardown: a device at reset, with fresh rings, in *state. */
int test_device_setup(void **state);
int test_device_teardown(void **state);

/* All rings empty again; the device is not touched. */
void test_device_clear_rings(struct test_device *td);

/* Reset, then up to DRIVER_OK with all queues; fails the test where that does not work. */
void test_device_start(struct test_device *td);

/* Offers one chain (8 bytes out, 8 bytes in) with head @head on queue @index. */
void test_device_offer(struct test_device *td, unsigned index, uint16_t head);

/* Lets the loop deliver what waits. */
void test_device_turn(struct test_device *td);

#endif /* TESTS_LIB_TEST_DEVICE_H */
