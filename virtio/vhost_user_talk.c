/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is under way between the vhost-user front end and its back-end while the loop goes on: rings that are given
 * (vhost_user_start.c), then rings that are taken back (vhost_user_stop.c). One answer is awaited at a time, each for as
 * long as the link says; whoever must not go on before all is done waits at the gate (struct virtio_dev, draining).
 */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "virtio/vhost_user.h"

enum { TICK_NS = 1000000 };

int vhost_in_time(struct vhost *vhost, int r)
{
	if (r == 0 && !vhost->answer_ticks) {
		vhost->link.why = "it does not answer in time";
		r = -ETIMEDOUT;
	}
	if (r < 0)
		vhost_gone(vhost);
	return r;
}

bool vhost_busy(const struct virtio_dev *dev)
{
	const struct vhost *vhost = dev->priv;

	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (vhost->drain[i].on)
			return true;
	}
	return vhost->start.on;
}

/* Nobody is there any more who could answer. */
static void forget(struct vhost *vhost)
{
	vhost->start.on = false;
	for (unsigned i = 0; i < vhost->dev->queue_count; i++)
		vhost->drain[i] = (struct vhost_drain){ .on = false };
}

void vhost_go_on(struct vhost *vhost)
{
	if (!vhost->gone && vhost_start_go_on(vhost))
		vhost_take_back(vhost);
	if (vhost->gone)
		forget(vhost);
	if (vhost_busy(vhost->dev)) {
		loop_timer_arm(vhost->timer, TICK_NS);
		return;
	}
	vhost->drain_ticks = 0;
	loop_timer_arm(vhost->timer, 0);
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
	vhost_go_on(vhost);
}

/* Whether something is asked, or could be now. */
static bool awaits(const struct vhost *vhost)
{
	return vhost->start.on || vhost_next_ring(vhost) >= 0;
}

bool vhost_heard(struct vhost *vhost)
{
	if (!awaits(vhost))
		return false;
	vhost_go_on(vhost);
	return true;
}

/* A millisecond, or until the answer comes that is awaited. */
void vhost_settle(struct virtio_dev *dev, int ms)
{
	struct vhost *vhost = dev->priv;
	struct pollfd answer = { .fd = vhost->link.fd, .events = POLLIN };
	const struct timespec pause = { .tv_nsec = TICK_NS };

	if (ms && awaits(vhost))
		(void)poll(&answer, 1, TICK_NS / 1000000);
	else if (ms)
		(void)nanosleep(&pause, NULL);
	tick(vhost);
}

int vhost_talk_init(struct vhost *vhost, struct loop *loop)
{
	return loop_timer_add(loop, tick, vhost, &vhost->timer);
}

void vhost_talk_fini(struct vhost *vhost)
{
	if (vhost->timer)
		loop_timer_arm(vhost->timer, 0);
}
