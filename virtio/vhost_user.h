/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the vhost-user front end share: its state. Nobody else's. */
#ifndef VIRTIO_VHOST_USER_H
#define VIRTIO_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cutoff.h"
#include "virtio/devices.h"
#include "virtio/vhost_user_msg.h"

enum {
	VHOST_BLK_CONFIG_WCE = 32, /* a disk's cache mode in config space (5.2.4) */
};

#define VHOST_BLK_F_CONFIG_WCE (UINT64_C(1) << 11)

struct vhost_call {
	struct vhost *vhost;
	int fd; /* -1: none */
};

/* A ring that is stopped, and that the back-end has not given back yet. */
struct vhost_drain {
	bool on;
	bool asked; /* to give it back: of one ring at a time */
	gpa_t avail_idx, used_idx;
};

/* Rings that are given to the back-end: how far that has come. */
struct vhost_start {
	bool on;
	bool asked;   /* the answer to the step is awaited */
	bool dropped; /* the driver has taken the device back: what is left is not told */
	unsigned step;
	uint64_t notes_size, notes_offset; /* of the back-end's notes on requests in flight */
};

struct vhost {
	struct virtio_dev *dev;
	struct vhost_user_link link;
	enum vhost_user_kind kind;
	const char *peer;
	uint64_t features;  /* the back-end's, all of them */
	uint64_t protocol;  /* protocol features agreed on */
	uint64_t queue_max; /* queues that it can serve */
	bool gone;	    /* it is not asked any more */
	loop_fn gone_fn;
	void *gone_opaque;
	struct cutoff cutoff;		 /* of doorbells that we ring */
	bool started[VIRTIO_MAX_QUEUES]; /* the back-end has it */
	struct vhost_start start;
	struct vhost_drain drain[VIRTIO_MAX_QUEUES];
	unsigned drain_ticks;	  /* left of the time for requests, of all of them */
	unsigned answer_ticks;	  /* left of the time for the answer that is awaited */
	struct loop_timer *timer; /* armed while rings are given or taken back */
	struct vhost_call call[VIRTIO_MAX_QUEUES];
	int inflight_fd; /* the back-end's notes on requests in flight, -1: it wants none */
	size_t config_size;
	uint8_t config[VHOST_USER_CONFIG_MAX];
};

/* The address that the back-end knows @at by: the guest physical one, moved by a constant. */
static inline uint64_t vhost_user_address(gpa_t at)
{
	return (UINT64_C(1) << 46) + at.v;
}

/* vhost_user.c: the back-end's end, once; link->why says why. */
void vhost_gone(struct vhost *vhost);

/*
 * vhost_user_talk.c: what struct virtio_type has of these names, and what is under way with the back-end.
 * vhost_go_on does what can be done of it without waiting, and is called again when there is more; vhost_heard is for
 * when the back-end spoke, false: it was not asked. vhost_in_time: @r is 0 while an answer is awaited or -errno; a
 * back-end that is too late, or failed, is gone; what has become of @r. 0 or -errno.
 */
bool vhost_busy(const struct virtio_dev *dev);
void vhost_settle(struct virtio_dev *dev, int ms);
void vhost_go_on(struct vhost *vhost);
bool vhost_heard(struct vhost *vhost);
int vhost_in_time(struct vhost *vhost, int r);
int vhost_talk_init(struct vhost *vhost, struct loop *loop);
void vhost_talk_fini(struct vhost *vhost);

/* vhost_user_start.c: begins to give the rings to the back-end; and goes on with it, true: that is over. */
void vhost_begin(struct vhost *vhost);
bool vhost_start_go_on(struct vhost *vhost);

/*
 * vhost_user_stop.c: what struct virtio_type has of these names; goes on taking rings back; the ring whose answer is
 * awaited, or that can be asked back now, -1: none.
 */
void vhost_reset(struct virtio_dev *dev);
void vhost_queue_stop(struct virtio_dev *dev, unsigned index);
void vhost_take_back(struct vhost *vhost);
int vhost_next_ring(const struct vhost *vhost);

/* vhost_user.c: rings the doorbell of queue @index by our own hand, as struct virtio_type has it. */
void vhost_ring(struct virtio_dev *dev, unsigned index);

/*
 * vhost_user_setup.c: everything that is settled before there is a device: features, protocol, config
 * space, the guest's memory, and *@queues. 0, or -errno with link->why.
 */
int vhost_shake_hands(struct vhost *vhost, const struct vhost_user_config *config,
		      struct guest_mem *mem, unsigned *queues);

/* vhost_user_setup.c: the features that the device offers to its driver, after the handshake. */
uint64_t vhost_offered_features(const struct vhost *vhost);

#endif
