/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common configuration of the PCI transport (virtio 1.3, section 4.1.4.3): what the driver selects and
 * chooses, and the registers by which it does so. For virtio/pci.c; touched on the loop's thread only.
 */
#ifndef VIRTIO_PCI_COMMON_H
#define VIRTIO_PCI_COMMON_H

#include "virtio/pci.h"

struct virtio_pci_common {
	struct virtio_dev *dev;
	unsigned vectors; /* that there are, from 0 */
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint16_t queue_sel;
	uint16_t config_vector; /* VIRTIO_PCI_NO_VECTOR: none; so for queues */
	uint16_t queue_vectors[VIRTIO_MAX_QUEUES];
	uint32_t sized; /* bits: queues whose size the driver has written */
};

/* As after a reset. @dev stays the caller's. */
void virtio_pci_common_init(struct virtio_pci_common *common, struct virtio_dev *dev,
			    unsigned vectors);

/* The register at @offset into @data, little-endian, which stays as it is if @len is not the register's width. */
void virtio_pci_common_read(const struct virtio_pci_common *common, uint64_t offset, void *data,
			    size_t len);

/* A store to it; of another width than the register's it does nothing. True: it reset the device. */
bool virtio_pci_common_write(struct virtio_pci_common *common, uint64_t offset, const void *data,
			     size_t len);

#endif
