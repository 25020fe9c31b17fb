/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMIO transport, version 2 (virtio 1.3, section 4.2): decodes register accesses and hands them to
 * virtio/device.h. Interrupt status, its acknowledgement and constant registers are answered on the
 * vCPU's thread; every other access hops to the device's loop (loop_call).
 *
 * Where the board has memory for it, a copy of the registers lies where the guest reads it without
 * an exit (virtio_mmio_show); then only writes come through the bus.
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

/*
 * Shows the registers in @page: VIRTIO_MMIO_SIZE bytes, aligned to 8, that outlive @mmio and that only
 * the transport writes and the guest only reads. Kept as the bus would answer an aligned read of 32
 * bits, or of config space: a change that the driver makes is there before its write returns, one of
 * the device's before its interrupt. Before the first vCPU runs.
 */
void virtio_mmio_show(struct virtio_mmio *mmio, void *page);

/* Frees the transport; the bus must not be used any more, @dev still be there. NULL is allowed. */
void virtio_mmio_destroy(struct virtio_mmio *mmio);

#endif
