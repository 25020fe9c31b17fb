/* SPDX-License-Identifier: BSD-2-Clause */
/* What virtio/vhost_serve.c (a session's life, its rings) and vhost_serve_requests.c (its messages) share. */
#ifndef VIRTIO_VHOST_SERVE_STATE_H
#define VIRTIO_VHOST_SERVE_STATE_H

#include "base/cutoff.h"
#include "virtio/vhost_serve.h"
#include "virtio/vhost_serve_msg.h"

/* A ring as the front end described it. */
struct serve_ring {
	struct vhost_serve *serve;
	bool placed; /* its addresses were told */
	bool enabled;
	bool started; /* the device has it */
	uint32_t num; /* 0: not told */
	uint16_t base;
	uint64_t desc, avail, used; /* in the front end's own address space */
	int kick_fd;		    /* eventfds, the session's; -1: none */
	int call_fd;
	int err_fd;
};

/* A piece of the guest's memory. */
struct serve_region {
	gpa_t start;
	uint64_t size;
	uint64_t user; /* where the front end has it */
};

struct vhost_serve {
	struct vhost_serve_config config;
	struct virtio_dev *dev;
	struct cutoff cutoff;
	struct loop_timer *timer; /* looks again at what a message waits for */
	struct vhost_inbox inbox;
	const char *why; /* why the session is to end; NULL: it goes on */
	bool ending;	 /* the front end was left; the device has something in flight still */
	bool waiting;	 /* the message at hand waits for chains in flight */
	bool protocol;	 /* protocol features are agreed on: rings begin disabled */
	uint64_t agreed; /* which */
	struct serve_ring rings[VIRTIO_MAX_QUEUES];
	struct serve_region regions[VHOST_USER_REGIONS_MAX];
	unsigned region_count;
};

/*
 * Does what the message at hand says. 0; -EINPROGRESS: chains of a ring are in flight, ask again; or -EPROTO with
 * serve->why.
 */
int vhost_serve_request(struct vhost_serve *serve);

/* Ends the session in the next turn of the loop; for whoever is called by the device. */
void vhost_serve_doom(struct vhost_serve *serve, const char *why);

/* Interrupts for ring @index, if there is somebody to tell. */
void vhost_serve_call(struct vhost_serve *serve, unsigned index);

/* Starts ring @index if all that it needs was told. 0, or -EPROTO with serve->why. */
int vhost_serve_try_start(struct vhost_serve *serve, unsigned index);

/* Takes ring @index from the device: 0, with ring->base; -EINPROGRESS while chains of it are in flight. */
int vhost_serve_stop(struct vhost_serve *serve, unsigned index);

/* The doorbell of ring @index is @fd from now on, owned; -1: none. 0 or -errno. */
int vhost_serve_set_kick(struct vhost_serve *serve, unsigned index, int fd);

#endif
