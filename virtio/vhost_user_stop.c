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
#include <poll.h>
#include <time.h>

#include "base/le.h"
#include "virtio/vhost_user.h"

enum {
	DRAIN_MS = 2000, /* for a disk's requests */
	TICK_NS = 1000000,
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

	if (r == 0 && !vhost->answer_ticks) {
		vhost->link.why = "it does not answer in time";
		r = -1;
	} else if (r > 0 && le32_load(reply) != index) {
		vhost->link.why = "it stops another queue than it was told to";
		r = -1;
	}
	if (r < 0)
		vhost_gone(vhost);
	return r > 0;
}

/* The ring whose answer is awaited, or that can be asked back now; -1: none. */
static int next_ring(const struct vhost *vhost)
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

/* One ring after the other, as far as it goes without waiting. True when none is out any more. */
static bool take_back(struct vhost *vhost)
{
	int ring;

	while (!vhost->gone && (ring = next_ring(vhost)) >= 0) {
		struct vhost_drain *drain = &vhost->drain[ring];

		if (!drain->asked)
			ask_back(vhost, (unsigned)ring);
		if (vhost->gone || !is_back(vhost, (unsigned)ring))
			break;
		*drain = (struct vhost_drain){ .on = false };
	}
	for (unsigned i = 0; vhost->gone && i < vhost->dev->queue_count; i++)
		vhost->drain[i] = (struct vhost_drain){ .on = false };
	return !vhost_busy(vhost->dev);
}

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
	if (!take_back(vhost))
		loop_timer_arm(vhost->drain_timer, TICK_NS);
}

bool vhost_busy(const struct virtio_dev *dev)
{
	const struct vhost *vhost = dev->priv;

	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (vhost->drain[i].on)
			return true;
	}
	return false;
}

static void go_on(struct vhost *vhost)
{
	if (!take_back(vhost)) {
		loop_timer_arm(vhost->drain_timer, TICK_NS);
		return;
	}
	vhost->drain_ticks = 0;
	loop_timer_arm(vhost->drain_timer, 0);
	virtio_dev_drained(vhost->dev);
}

/* A millisecond later. */
static void tick(void *opaque)
{
	struct vhost *vhost = opaque;

	if (!vhost_busy(vhost->dev))
		return;
	if (vhost->drain_ticks)
		vhost->drain_ticks--;
	if (vhost->answer_ticks)
		vhost->answer_ticks--;
	go_on(vhost);
}

bool vhost_stop_heard(struct vhost *vhost)
{
	if (!vhost_busy(vhost->dev) || next_ring(vhost) < 0)
		return false;
	go_on(vhost);
	return true;
}

/* A millisecond, or until the answer comes that is awaited. */
void vhost_settle(struct virtio_dev *dev, int ms)
{
	struct vhost *vhost = dev->priv;
	struct pollfd answer = { .fd = vhost->link.fd, .events = POLLIN };
	const struct timespec pause = { .tv_nsec = TICK_NS };

	if (ms && next_ring(vhost) >= 0)
		(void)poll(&answer, 1, TICK_NS / 1000000);
	else if (ms)
		(void)nanosleep(&pause, NULL);
	tick(vhost);
}

void vhost_queue_stop(struct virtio_dev *dev, unsigned index)
{
	stop_queue(dev->priv, index);
}

void vhost_reset(struct virtio_dev *dev)
{
	for (unsigned i = 0; i < dev->queue_count; i++)
		stop_queue(dev->priv, i);
}

int vhost_drain_init(struct vhost *vhost, struct loop *loop)
{
	return loop_timer_add(loop, tick, vhost, &vhost->drain_timer);
}

void vhost_drain_fini(struct vhost *vhost)
{
	if (vhost->drain_timer)
		loop_timer_arm(vhost->drain_timer, 0);
}
