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
	bool started[VIRTIO_MAX_QUEUES];
	struct cutoff cutoff; /* of doorbells that we ring */
	struct vhost_drain drain[VIRTIO_MAX_QUEUES];
	struct loop_timer *drain_timer; /* armed while a ring drains */
	unsigned drain_ticks;		/* left of the time for requests, of all of them */
	unsigned answer_ticks;		/* left of the time for the answer that is awaited */
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

/* vhost_user_stop.c: what struct virtio_type has of these names, and what they need. 0 or -errno. */
void vhost_reset(struct virtio_dev *dev);
bool vhost_busy(const struct virtio_dev *dev);
void vhost_settle(struct virtio_dev *dev, int ms);
void vhost_queue_stop(struct virtio_dev *dev, unsigned index);
bool vhost_stop_heard(struct vhost *vhost); /* the back-end spoke; false: it was not asked */
int vhost_drain_init(struct vhost *vhost, struct loop *loop);
void vhost_drain_fini(struct vhost *vhost);

/*
 * vhost_user_setup.c: everything that is settled before there is a device: features, protocol, config
 * space, the guest's memory, and *@queues. 0, or -errno with link->why.
 */
int vhost_shake_hands(struct vhost *vhost, const struct vhost_user_config *config,
		      struct guest_mem *mem, unsigned *queues);

/* vhost_user_setup.c: the features that the device offers to its driver, after the handshake. */
uint64_t vhost_offered_features(const struct vhost *vhost);

#endif
