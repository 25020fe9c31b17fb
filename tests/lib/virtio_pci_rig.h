/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small device behind the PCI transport, with the ports, the window, the messages and the
 * doorbells of its board, as a guest reaches it.
 */
#ifndef TESTS_LIB_VIRTIO_PCI_RIG_H
#define TESTS_LIB_VIRTIO_PCI_RIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
};

struct virtio_pci_rig {
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

/* The guest's accesses to configuration space by the ports. */
uint32_t pci_rig_config_get(struct virtio_pci_rig *f, unsigned at, size_t len);
void pci_rig_config_put(struct virtio_pci_rig *f, unsigned at, size_t len, uint32_t value);

/* Its accesses to BAR 0, where that was put first. */
uint32_t pci_rig_get(struct virtio_pci_rig *f, uint64_t at, size_t len);
void pci_rig_put(struct virtio_pci_rig *f, uint64_t at, size_t len, uint32_t value);

/* A cmocka test's: makes a struct virtio_pci_rig in *@state, and frees it. */
int pci_rig_setup(void **state);
int pci_rig_teardown(void **state);

/* Memory decoding on, and bus mastering as @on says. */
void pci_rig_master(struct virtio_pci_rig *f, bool on);

/* By registers only: reset to FEATURES_OK. */
void pci_rig_negotiate(struct virtio_pci_rig *f);

/* Queue @queue with vector @queue + 1. */
void pci_rig_setup_queue(struct virtio_pci_rig *f, uint32_t queue);

/* From reset to DRIVER_OK with all queues, each with a vector of its own, by registers only. */
void pci_rig_start(struct virtio_pci_rig *f);

/* Rings a doorbell, and lets the device serve it. */
void pci_rig_kick(struct virtio_pci_rig *f, uint32_t queue);

/* Messages since the last call. */
unsigned pci_rig_sent(struct virtio_pci_rig *f);

/* Points the window in configuration space (4.1.4.9) at registers. */
void pci_rig_aim(struct virtio_pci_rig *f, uint32_t bar, uint32_t offset, uint32_t len);

#endif
