/* SPDX-License-Identifier: BSD-2-Clause */
/* How the driver sets up, enables and stops the queues of a virtio device (virtio 1.3, section 4.2.3.2). */
#include <errno.h>

#include "virtio/device_state.h"

/*
 * Whether the driver may set up @queue now. To do so on a ready queue or after DRIVER_OK would move
 * rings under a running device: nothing that this driver says is believed any more.
 */
static bool may_set_up(struct virtio_dev *dev, uint32_t queue)
{
	if (queue >= dev->queue_count || !virtio_has(dev, VIRTIO_S_FEATURES_OK) ||
	    virtio_is_dead(dev))
		return false;
	if (!dev->queues[queue].ready && !virtio_has(dev, VIRTIO_S_DRIVER_OK))
		return true;
	virtio_queue_broken(dev, queue, "set up again after it was enabled or after DRIVER_OK");
	return false;
}

uint32_t virtio_queue_num_max(const struct virtio_dev *dev, uint32_t queue)
{
	return queue < dev->queue_count ? dev->queues[queue].num_max : 0;
}

static void set_half(gpa_t *addr, unsigned half, uint32_t value)
{
	addr->v &= ~((uint64_t)UINT32_MAX << (32 * half));
	addr->v |= (uint64_t)value << (32 * half);
}

static uint32_t get_half(gpa_t addr, unsigned half)
{
	return (uint32_t)(addr.v >> (32 * half));
}

void virtio_queue_set(struct virtio_dev *dev, uint32_t queue, enum virtio_queue_field field,
		      uint32_t value)
{
	struct virtqueue *vq;

	if (!may_set_up(dev, queue))
		return;
	vq = &dev->queues[queue];
	switch (field) {
	case VIRTIO_Q_NUM:
		vq->num = value;
		break;
	case VIRTIO_Q_DESC_LOW:
	case VIRTIO_Q_DESC_HIGH:
		set_half(&vq->desc, field == VIRTIO_Q_DESC_HIGH, value);
		break;
	case VIRTIO_Q_AVAIL_LOW:
	case VIRTIO_Q_AVAIL_HIGH:
		set_half(&vq->avail, field == VIRTIO_Q_AVAIL_HIGH, value);
		break;
	case VIRTIO_Q_USED_LOW:
	case VIRTIO_Q_USED_HIGH:
		set_half(&vq->used, field == VIRTIO_Q_USED_HIGH, value);
		break;
	}
}

uint32_t virtio_queue_get(const struct virtio_dev *dev, uint32_t queue,
			  enum virtio_queue_field field)
{
	const struct virtqueue *vq;

	if (queue >= dev->queue_count)
		return 0;
	vq = &dev->queues[queue];
	switch (field) {
	case VIRTIO_Q_NUM:
		return vq->num;
	case VIRTIO_Q_DESC_LOW:
	case VIRTIO_Q_DESC_HIGH:
		return get_half(vq->desc, field == VIRTIO_Q_DESC_HIGH);
	case VIRTIO_Q_AVAIL_LOW:
	case VIRTIO_Q_AVAIL_HIGH:
		return get_half(vq->avail, field == VIRTIO_Q_AVAIL_HIGH);
	case VIRTIO_Q_USED_LOW:
	case VIRTIO_Q_USED_HIGH:
		return get_half(vq->used, field == VIRTIO_Q_USED_HIGH);
	}
	return 0;
}

bool virtio_queue_ready(const struct virtio_dev *dev, uint32_t queue)
{
	return queue < dev->queue_count && dev->queues[queue].ready;
}

/*
 * The driver stops one queue. What is in flight must not touch its memory once it has read the stop
 * back, so the type drains; it forgets the chains of all queues by that, hence NEEDS_RESET.
 */
static void stop_queue(struct virtio_dev *dev, unsigned index)
{
	if (dev->queues[index].in_flight > 0) {
		virtio_queue_broken(dev, index, "stopped while requests were in flight");
		virtio_drain(dev);
	}
	if (dev->queues[index].ready && dev->type->queue_stop) {
		dev->type->queue_stop(dev, index);
		virtio_await(dev);
	}
	vq_reset(&dev->queues[index]);
}

void virtio_queue_set_ready(struct virtio_dev *dev, uint32_t queue, uint32_t ready)
{
	if (queue >= dev->queue_count || ready > 1 || ready == dev->queues[queue].ready)
		return;
	if (!ready) {
		stop_queue(dev, queue);
		return;
	}
	if (!may_set_up(dev, queue))
		return;
	if (vq_enable(&dev->queues[queue], dev->driver_features & VIRTIO_F_EVENT_IDX,
		      dev->driver_features & VIRTIO_F_INDIRECT_DESC))
		virtio_queue_broken(dev, queue, dev->queues[queue].why);
}

int virtio_ring_start(struct virtio_dev *dev, unsigned queue, const struct virtio_ring *ring)
{
	struct virtqueue *vq = &dev->queues[queue];

	vq->num = ring->num;
	vq->desc = ring->desc;
	vq->avail = ring->avail;
	vq->used = ring->used;
	if (vq_enable(vq, dev->driver_features & VIRTIO_F_EVENT_IDX,
		      dev->driver_features & VIRTIO_F_INDIRECT_DESC) ||
	    vq_resume(vq, ring->base))
		return -EINVAL;
	virtio_serve(dev, queue);
	return 0;
}

uint16_t virtio_ring_stop(struct virtio_dev *dev, unsigned queue)
{
	uint16_t base = dev->queues[queue].next_avail;

	vq_reset(&dev->queues[queue]);
	return base;
}
