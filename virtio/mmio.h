/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMIO transport, version 2 (virtio 1.3, section 4.2): decodes register accesses and hands them to
 * virtio/device.h. Interrupt status, its acknowledgement and constant registers are answered on the
 * vCPU's thread; every other access hops to the device's loop (loop_call).
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include "hw/bus.h"
#include "virtio/device.h"

enum {
	VIRTIO_MMIO_SIZE = 0x1000,	  /* of one window */
	VIRTIO_MMIO_QUEUE_NOTIFY = 0x050, /* offset of the doorbell, for an ioeventfd */
};

struct virtio_mmio;

/*
 * Puts @dev on @bus at @base (MMIO, VIRTIO_MMIO_SIZE bytes). *@out is owned by the caller. 0 or
 * -errno of bus_add or -ENOMEM. @dev stays the caller's and must outlive it.
 */
int virtio_mmio_create(struct virtio_dev *dev, struct bus *bus, uint64_t base,
		       struct virtio_mmio **out);

/* Frees the transport; the bus must not be used any more. NULL is allowed. */
void virtio_mmio_destroy(struct virtio_mmio *mmio);

#endif
