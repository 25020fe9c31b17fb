/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small device behind the MMIO transport on a bus, as a guest reaches it, whose registers are
 * read through the bus or from the page that shows them.
 */
#ifndef TESTS_LIB_MMIO_RIG_H
#define TESTS_LIB_MMIO_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/test_device.h"
#include "virtio/mmio.h"

/* Registers as the standard's table gives them (4.2.2). */
enum {
	R_MAGIC = 0x00,
	R_VERSION = 0x04,
	R_DEVICE = 0x08,
	R_VENDOR = 0x0c,
	R_DEVICE_FEATURES = 0x10,
	R_DEVICE_FEATURES_SEL = 0x14,
	R_DRIVER_FEATURES = 0x20,
	R_DRIVER_FEATURES_SEL = 0x24,
	R_QUEUE_SEL = 0x30,
	R_QUEUE_NUM_MAX = 0x34,
	R_QUEUE_NUM = 0x38,
	R_QUEUE_READY = 0x44,
	R_NOTIFY = 0x50,
	R_ISR = 0x60,
	R_ACK = 0x64,
	R_STATUS = 0x70,
	R_DESC_LOW = 0x80,
	R_DESC_HIGH = 0x84,
	R_DRIVER_LOW = 0x90,
	R_DRIVER_HIGH = 0x94,
	R_DEVICE_LOW = 0xa0,
	R_DEVICE_HIGH = 0xa4,
	R_SHM_LEN_LOW = 0xb0,
	R_SHM_BASE_HIGH = 0xbc,
	R_GENERATION = 0xfc,
	R_CONFIG = 0x100,
};

enum { BASE = 0xc0000000 };

struct mmio_rig {
	struct test_device *td;
	struct bus *bus;
	struct virtio_mmio *mmio;
	const uint8_t *page; /* shows the registers; NULL: reads go through the bus */
	bool crowd;	     /* other threads are at the registers too */
};

/*
 * A cmocka test's: makes a struct mmio_rig in *@state, and frees it; _shown: with the registers in memory that
 * the guest reads, as on x86.
 */
int mmio_rig_setup(void **state);
int mmio_rig_setup_shown(void **state);
int mmio_rig_teardown(void **state);

/* The test @name twice in a list of cmocka's: with both, the second as NAME_shown. */
#define MMIO_RIG_TEST(name)                                                         \
	cmocka_unit_test_setup_teardown(name, mmio_rig_setup, mmio_rig_teardown),   \
	{                                                                           \
#name "_shown", name, mmio_rig_setup_shown, mmio_rig_teardown, NULL \
	}

/* The register that the page shows at @reg. */
uint32_t mmio_rig_shown(const struct mmio_rig *f, uint64_t reg);

/* What the page shows is what the bus would answer. */
void mmio_rig_check_shown(struct mmio_rig *f);

/* The guest's read of a register, and its write, with mmio_rig_check_shown() after it. */
uint32_t mmio_rig_get(struct mmio_rig *f, uint64_t reg);
void mmio_rig_put(struct mmio_rig *f, uint64_t reg, uint32_t value);

/* By registers only: reset to FEATURES_OK. */
void mmio_rig_negotiate(struct mmio_rig *f);

/* From reset to DRIVER_OK with all queues, by registers only. */
void mmio_rig_start(struct mmio_rig *f);

#endif
