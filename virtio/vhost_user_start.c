/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the vhost-user front end gives its rings to the back-end, at DRIVER_OK.
 *
 * One step after the other: each is sent, and where an answer belongs to it the next one waits for that. Nobody waits
 * here: the driver goes on, and so does the loop. What the driver offers meanwhile lies in its rings and in the
 * counters of the doorbells, which the back-end finds when it gets them; each ring is rung once more when it is given. A
 * reset meanwhile ends it: the answer that is awaited comes first, then the rings that were given are taken back.
 */
#include <errno.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "virtio/vhost_user.h"

enum {
	INFLIGHT_MAX = 16 << 20, /* bytes that a back-end may want for its notes */
};

/* What is told, in this order. */
enum {
	STEP_FEATURES,
	STEP_ASK_NOTES,
	STEP_TELL_NOTES,
	STEP_RINGS, /* and as many more as there are queues */
};

/* A step returns 1: an answer is awaited; 0: none belongs to it; or -errno. */

static int tell_features(struct vhost *vhost)
{
	/* Bits that we answer for ourselves (a MAC address) are not the back-end's to know. */
	const uint64_t features = (vhost->dev->driver_features & vhost->features) |
				  (vhost->features & VHOST_USER_F_PROTOCOL_FEATURES);
	uint8_t payload[8];
	const struct vhost_user_msg msg = { .request = VHOST_USER_SET_FEATURES,
					    .payload = payload,
					    .len = sizeof(payload) };

	le64_store(payload, features);
	return vhost_user_tell_later(&vhost->link, &msg, false);
}

/*
 * A back-end that keeps notes of what is in flight in memory that outlives it gets that memory before
 * the rings start. We only hold it: this front end does not reconnect.
 */
static int ask_notes(struct vhost *vhost)
{
	uint8_t payload[20] = { 0 };
	const struct vhost_user_msg ask = { .request = VHOST_USER_GET_INFLIGHT_FD,
					    .payload = payload,
					    .len = sizeof(payload) };
	int r;

	if (!(vhost->protocol & VHOST_USER_P_INFLIGHT_SHMFD))
		return 0;
	if (vhost->inflight_fd >= 0)
		close(vhost->inflight_fd);
	vhost->inflight_fd = -1;
	le16_store(payload + 16, (uint16_t)vhost->dev->queue_count);
	le16_store(payload + 18, vhost->dev->queues[0].num_max);
	r = vhost_user_ask_later(&vhost->link, &ask, sizeof(payload));
	return r < 0 ? r : 1;
}

/* 1: it is here; 0: not yet; or -errno. */
static int hear_notes(struct vhost *vhost)
{
	struct vhost_start *start = &vhost->start;
	uint8_t reply[20];
	int r = vhost_user_answer(&vhost->link, reply, &vhost->inflight_fd);

	if (r <= 0)
		return r;
	start->notes_size = le64_load(reply);
	start->notes_offset = le64_load(reply + 8);
	if (range_fits(start->notes_offset, start->notes_size, INFLIGHT_MAX))
		return 1;
	vhost->link.why = "it wants too much memory for its notes";
	return -EPROTO;
}

static int tell_notes(struct vhost *vhost)
{
	uint8_t payload[20] = { 0 };
	const struct vhost_user_msg msg = { .request = VHOST_USER_SET_INFLIGHT_FD,
					    .payload = payload,
					    .len = sizeof(payload),
					    .fds = &vhost->inflight_fd,
					    .fd_count = 1 };

	if (!vhost->start.notes_size)
		return 0;
	le64_store(payload, vhost->start.notes_size);
	le64_store(payload + 8, vhost->start.notes_offset);
	le16_store(payload + 16, (uint16_t)vhost->dev->queue_count);
	le16_store(payload + 18, vhost->dev->queues[0].num_max);
	return vhost_user_tell_later(&vhost->link, &msg, true);
}

static int tell_state(struct vhost *vhost, enum vhost_user_request request, unsigned index,
		      uint32_t value, bool ack)
{
	uint8_t payload[8];
	const struct vhost_user_msg msg = { .request = request, .payload = payload, .len = 8 };

	le32_store(payload, index);
	le32_store(payload + 4, value);
	return vhost_user_tell_later(&vhost->link, &msg, ack);
}

static int tell_address(struct vhost *vhost, unsigned index)
{
	const struct virtqueue *vq = &vhost->dev->queues[index];
	uint8_t payload[40] = { 0 };
	const struct vhost_user_msg msg = { .request = VHOST_USER_SET_VRING_ADDR,
					    .payload = payload,
					    .len = sizeof(payload) };

	le32_store(payload, index);
	le64_store(payload + 8, vhost_user_address(vq->desc));
	le64_store(payload + 16, vhost_user_address(vq->used));
	le64_store(payload + 24, vhost_user_address(vq->avail));
	return vhost_user_tell_later(&vhost->link, &msg, false);
}

static int tell_eventfd(struct vhost *vhost, enum vhost_user_request request, unsigned index,
			int fd)
{
	uint8_t payload[8];
	const struct vhost_user_msg msg = {
		.request = request, .payload = payload, .len = 8, .fds = &fd, .fd_count = 1
	};

	le64_store(payload, index);
	return vhost_user_tell_later(&vhost->link, &msg, false);
}

static int tell_ring(struct vhost *vhost, unsigned index)
{
	struct virtio_dev *dev = vhost->dev;
	int r;

	if (!dev->queues[index].ready)
		return 0; /* it was not set up, or was stopped meanwhile */
	r = tell_state(vhost, VHOST_USER_SET_VRING_NUM, index, dev->queues[index].num, false);
	if (!r)
		r = tell_state(vhost, VHOST_USER_SET_VRING_BASE, index, 0, false);
	if (!r)
		r = tell_address(vhost, index);
	if (!r)
		r = tell_eventfd(vhost, VHOST_USER_SET_VRING_CALL, index, vhost->call[index].fd);
	if (!r)
		r = tell_eventfd(vhost, VHOST_USER_SET_VRING_KICK, index, dev->kick_fd[index]);
	if (r < 0)
		return r;
	vhost->started[index] = true;
	if (vhost->features & VHOST_USER_F_PROTOCOL_FEATURES)
		r = tell_state(vhost, VHOST_USER_SET_VRING_ENABLE, index, 1, true);
	return r;
}

static int tell_step(struct vhost *vhost)
{
	switch (vhost->start.step) {
	case STEP_FEATURES:
		return tell_features(vhost);
	case STEP_ASK_NOTES:
		return ask_notes(vhost);
	case STEP_TELL_NOTES:
		return tell_notes(vhost);
	default:
		return tell_ring(vhost, vhost->start.step - STEP_RINGS);
	}
}

/* 1: the answer is here; 0: not yet; or -errno. */
static int hear_step(struct vhost *vhost)
{
	return vhost->start.step == STEP_ASK_NOTES ? hear_notes(vhost)
						   : vhost_user_acknowledged(&vhost->link);
}

/* Whether the step is over: false, too, if the back-end is gone. */
static bool take_step(struct vhost *vhost)
{
	struct vhost_start *start = &vhost->start;
	int r = 1;

	if (!start->asked) {
		r = tell_step(vhost);
		if (r < 0)
			vhost_gone(vhost);
		start->asked = r > 0;
		vhost->answer_ticks = (unsigned)vhost->link.wait_ms;
	}
	if (start->asked)
		r = vhost_in_time(vhost, hear_step(vhost));
	if (vhost->gone || (start->asked && r == 0))
		return false;
	start->asked = false;
	return true;
}

bool vhost_start_go_on(struct vhost *vhost)
{
	struct vhost_start *start = &vhost->start;

	while (start->on && take_step(vhost)) {
		unsigned ring = start->step - STEP_RINGS;

		/* Chains may have been offered, and kicked, before the back-end listened. */
		if (start->step >= STEP_RINGS && vhost->started[ring])
			vhost_ring(vhost->dev, ring);
		start->step++;
		start->on = !start->dropped && start->step < STEP_RINGS + vhost->dev->queue_count;
	}
	return !start->on;
}

void vhost_begin(struct vhost *vhost)
{
	vhost->start = (struct vhost_start){ .on = true };
	vhost_go_on(vhost);
}
