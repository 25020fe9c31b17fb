/* SPDX-License-Identifier: BSD-2-Clause */
/* What virtio/device.c and virtio/device_queue.c share of a device's state, and nobody else. */
#ifndef VIRTIO_DEVICE_STATE_H
#define VIRTIO_DEVICE_STATE_H

#include "virtio/device.h"

/* Whether all of @bits are in the status. */
static inline bool virtio_has(const struct virtio_dev *dev, uint32_t bits)
{
	return (dev->status & bits) == bits;
}

/* Whether the device has given up on this driver, or the driver on the device. */
static inline bool virtio_is_dead(const struct virtio_dev *dev)
{
	return dev->status & (VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED);
}

/* The type lets go of all chains, and whoever asked for it waits for what it cannot let go of. */
void virtio_drain(struct virtio_dev *dev);

/* Whoever asked waits for what the type is busy with. */
void virtio_await(struct virtio_dev *dev);

/* virtio_dev_broken, saying which queue. */
void virtio_queue_broken(struct virtio_dev *dev, unsigned index, const char *why);

#endif
