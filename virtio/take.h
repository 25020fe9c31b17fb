/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a device type takes chains until none is left, without missing the one that comes just then.
 */
#ifndef VIRTIO_TAKE_H
#define VIRTIO_TAKE_H

#include "virtio/device.h"

/*
 * Takes the next chain of queue @index. False if there is none (or the device is not live), and
 * then doorbells are on, so the next one kicks. To be called again and again after vq_disable_kick;
 * a caller that stops before the answer is false kicks itself (virtio_kick) or has another reason
 * to come back. A dead device ends the loop however much its ring announces.
 */
static inline bool virtio_take(struct virtio_dev *dev, unsigned index, struct vq_chain *chain)
{
	if (virtio_pop(dev, index, chain) > 0)
		return true;
	return vq_enable_kick(&dev->queues[index]) && virtio_pop(dev, index, chain) > 0;
}

#endif
