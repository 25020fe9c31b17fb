/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user back end (QEMU's docs/interop/vhost-user.rst): a virtio device of ours whose driver runs in the
 * guest of another VMM. That front end hands over the guest's memory, the rings and eventfds through a unix
 * socket; the device models are the same as in hvrun, and see none of it.
 *
 * The front end is a stranger: each message is judged before anything of it is used, and one that breaks the
 * protocol ends the session, with the reason in words. Rings and descriptors are judged by virtio/queue.c, as
 * always. A session that ends leaves the device as new.
 *
 * One session at a time. All functions run on the loop's thread, or before it runs.
 */
#ifndef VIRTIO_VHOST_SERVE_H
#define VIRTIO_VHOST_SERVE_H

#include "hw/loop.h"
#include "mm/memory.h"
#include "virtio/device.h"

struct vhost_serve;

struct vhost_serve_config {
	struct virtio_dev *dev; /* the caller's; its loop is the session's */
	struct guest_mem *mem;	/* the device's; empty: filled and emptied by the session */
	/* The session is over, and another may begin. @why in words; NULL: the front end hung up. */
	void (*ended)(void *opaque, const char *why);
	void *opaque;
};

/*
 * What serves @config->dev, in *@out. On the thread that will run the loop, whose mask lets SIGUSR1 through
 * afterwards (base/cutoff.h). 0 or -errno; nothing is said.
 */
int vhost_serve_create(const struct vhost_serve_config *config, struct vhost_serve **out);

/*
 * Begins a session on @fd, a connected stream socket, which is owned from now on, also on error. 0, -EBUSY (there
 * is one) or -errno.
 */
int vhost_serve_begin(struct vhost_serve *serve, int fd);

/* Ends the session, if there is one. The device was reset, and has nothing in flight. NULL is allowed. */
void vhost_serve_destroy(struct vhost_serve *serve);

#endif
