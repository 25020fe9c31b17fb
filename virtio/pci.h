/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI transport (virtio 1.3, section 4.1), modern only: decodes the structures in one BAR and hands
 * accesses to virtio/device.h, which judges them. Interrupts are MSI-X messages, one vector for each queue
 * and one for config space if the driver wants so; there is no interrupt pin.
 *
 * The BAR, VIRTIO_PCI_BAR_SIZE bytes:
 *
 *	0x0000  common configuration
 *	0x0100  interrupt status: read here and cleared by it, on the vCPU's thread
 *	0x0400  config space of the device type, if it has any
 *	0x1000  doorbells, VIRTIO_PCI_DOORBELL bytes for each queue: a page of their own
 *	0x2000  MSI-X vectors
 *	0x3000  MSI-X pending bits
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include "hw/msix.h"
#include "hw/pci.h"
#include "virtio/device.h"

enum {
	VIRTIO_PCI_BAR_SIZE = 0x4000,
	VIRTIO_PCI_COMMON = 0x0000,
	VIRTIO_PCI_ISR = 0x0100,
	VIRTIO_PCI_CONFIG = 0x0400,
	VIRTIO_PCI_NOTIFY = 0x1000,
	VIRTIO_PCI_VECTORS = 0x2000,
	VIRTIO_PCI_PENDING = 0x3000,

	VIRTIO_PCI_COMMON_SIZE = 0x40,
	VIRTIO_PCI_CONFIG_SIZE = VIRTIO_PCI_NOTIFY - VIRTIO_PCI_CONFIG,
	VIRTIO_PCI_DOORBELL = 4, /* notify_off_multiplier */

	VIRTIO_PCI_VENDOR = 0x1af4,
	VIRTIO_PCI_DEVICE = 0x1040, /* and the number of the device type */
	VIRTIO_PCI_NO_VECTOR = 0xffff,
};

/* What the board has for the transport. Outlives it. */
struct virtio_pci_board {
	struct pci_bus *bus;
	struct msi_port *msi;
	/*
	 * From now on, or no more (@on), a store of any size at @addr writes to the eventfd @fd without coming
	 * through the bus. Where that fails stores come through it, which is only slower. NULL: never.
	 * Loop's thread, or before the first vCPU runs.
	 */
	void (*doorbell)(void *opaque, uint64_t addr, int fd, bool on);
	void *opaque;
};

struct virtio_pci;

/*
 * Puts @dev into the next slot of the board's bus. *@out is owned by the caller. -ENOSPC where there is no
 * slot, -ENOMEM. @dev stays the caller's and must outlive it.
 */
int virtio_pci_create(struct virtio_dev *dev, const struct virtio_pci_board *board,
		      struct virtio_pci **out);

/* Frees the transport; the bus must not be used any more, @dev still be there. NULL is allowed. */
void virtio_pci_destroy(struct virtio_pci *pci);

#endif
