/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the vhost-user front end takes its rings back.
 *
 * A disk's back-end gets the time to answer what it has taken. QEMU's (7.2) stops a ring without waiting for its
 * requests, which then write into memory that the driver has long given to somebody else. Bounded, for all rings
 * together: a driver can announce what it never offered. Then each ring is asked back, one after the other, and the
 * answer, which others than QEMU's give only when their requests are through, has its time, too. It is the driver who
 * waits, and not the loop: so each time a back-end that is slow and honest gets as long as before.
 */
#include <errno.h>

#include "base/le.h"
#include "virtio/vhost_user.h"

enum {
	DRAIN_MS = 2000, /* for a disk's requests */
};

/* Whether the back-end has answered all that the driver announced. */
static bool is_drained(const struct vhost *vhost, unsigned index)
{
	const struct vhost_drain *drain = &vhost->drain[index];
	uint16_t avail = 0, used = 0;

	return mem_load16(vhost->dev->mem, drain->avail_idx, &avail) < 0 ||
	       mem_load16(vhost->dev->mem, drain->used_idx, &used) < 0 || avail == used;
}

static void ask_back(struct vhost *vhost, unsigned index)
{
	uint8_t payload[8] = { 0 };
	const struct vhost_user_msg ask = { .request = VHOST_USER_GET_VRING_BASE,
					    .payload = payload,
					    .len = sizeof(payload) };

	le32_store(payload, index);
	vhost->drain[index].asked = true;
	vhost->answer_ticks = (unsigned)vhost->link.wait_ms;
	if (vhost_user_ask_later(&vhost->link, &ask, sizeof(payload)) < 0)
		vhost_gone(vhost);
}

/* Whether the answer for ring @index is here: then the back-end has let go of the ring. */
static bool is_back(struct vhost *vhost, unsigned index)
{
	uint8_t reply[8];
	int r = vhost_user_answer(&vhost->link, reply, NULL);

	if (r > 0 && le32_load(reply) != index) {
		vhost->link.why = "it stops another queue than it was told to";
		r = -EPROTO;
	}
	return vhost_in_time(vhost, r) > 0;
}

int vhost_next_ring(const struct vhost *vhost)
{
	int ready = -1;

	for (unsigned i = 0; i < vhost->dev->queue_count; i++) {
		const struct vhost_drain *drain = &vhost->drain[i];

		if (drain->asked)
			return (int)i;
		if (ready < 0 && drain->on && (!vhost->drain_ticks || is_drained(vhost, i)))
			ready = (int)i;
	}
	return ready;
}

/* One after the other, as far as it goes without waiting. */
void vhost_take_back(struct vhost *vhost)
{
	int ring;

	while (!vhost->gone && (ring = vhost_next_ring(vhost)) >= 0) {
		struct vhost_drain *drain = &vhost->drain[ring];

		if (!drain->asked)
			ask_back(vhost, (unsigned)ring);
		if (vhost->gone || !is_back(vhost, (unsigned)ring))
			break;
		*drain = (struct vhost_drain){ .on = false };
	}
}

/* From now on ring @index is to be taken back. */
static void stop_queue(struct vhost *vhost, unsigned index)
{
	const struct virtqueue *vq = &vhost->dev->queues[index];

	if (!vhost->started[index])
		return;
	vhost->started[index] = false;
	vhost->drain[index] = (struct vhost_drain){
		.on = true,
		.avail_idx = gpa_add(vq->avail, 2),
		.used_idx = gpa_add(vq->used, 2),
	};
	if (!vhost->drain_ticks && vhost->kind == VHOST_USER_BLK)
		vhost->drain_ticks = DRAIN_MS;
}

void vhost_queue_stop(struct virtio_dev *dev, unsigned index)
{
	stop_queue(dev->priv, index);
	if (vhost_busy(dev))
		vhost_go_on(dev->priv);
}

void vhost_reset(struct virtio_dev *dev)
{
	struct vhost *vhost = dev->priv;

	vhost->start.dropped = true;
	for (unsigned i = 0; i < dev->queue_count; i++)
		stop_queue(vhost, i);
	if (vhost_busy(dev))
		vhost_go_on(vhost);
}
