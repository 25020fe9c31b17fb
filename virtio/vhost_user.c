/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user front end: a virtio device whose rings another process serves.
 *
 * What is ours: config space, status, negotiation and the rings' addresses, all judged as for any
 * other device. What is the back-end's: everything in the rings. It gets the file of the guest's
 * RAM, the eventfds that KVM rings for doorbells, and for each queue an eventfd by which it asks for an
 * interrupt; that one comes through our loop, because the transport's interrupt status must be set
 * before the line is raised (virtio 1.3, 4.2.2.2).
 *
 * The back-end learns no address of this process: where the protocol wants "user addresses" it gets
 * guest physical ones, moved by a constant.
 *
 * A back-end that dies, hangs or breaks the protocol is not asked again: the device says so once,
 * shows NEEDS_RESET, and stays so over resets. The machine goes on.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/le.h"
#include "virtio/vhost_user.h"

enum {
	RING_MS = 5, /* for a doorbell that its back-end makes wait */
};

/* The end of a back-end. */

void vhost_gone(struct vhost *vhost)
{
	if (vhost->gone)
		return;
	vhost->gone = true;
	(void)loop_del(vhost->dev->loop, vhost->link.fd);
	vhost_user_link_close(&vhost->link);
	diag_error("virtio-%s: its back-end %s is gone: %s; the device serves nothing any more",
		   vhost->dev->name, vhost->peer, vhost->link.why);
	virtio_dev_failed(vhost->dev);
	if (vhost->gone_fn)
		vhost->gone_fn(vhost->gone_opaque);
}

static void on_link(void *opaque, uint32_t events)
{
	struct vhost *vhost = opaque;

	(void)events;
	if (!vhost_heard(vhost) && vhost_user_link_silent(&vhost->link) < 0)
		vhost_gone(vhost);
}

static void on_call(void *opaque)
{
	struct vhost_call *source = opaque;

	if (!source->vhost->gone)
		virtio_used(source->vhost->dev, (unsigned)(source - source->vhost->call));
}

/* Rings. */

/*
 * Whether @len bytes at @start lie in one region of RAM. A back-end maps each by itself, and many
 * look only at the first byte of a ring: a guest could make such a one run past its mapping.
 */
static bool in_one_region(const struct guest_mem *mem, gpa_t start, uint64_t len)
{
	size_t count;
	const struct mem_region *region = mem_regions(mem, &count);

	for (size_t i = 0; i < count; i++) {
		if (region[i].kind == MEM_RAM && start.v >= region[i].start.v &&
		    range_fits(start.v - region[i].start.v, len, region[i].size))
			return true;
	}
	return false;
}

/* The three parts of a split ring (2.7), the event index fields included. */
static bool ring_in_one_region(const struct virtqueue *vq)
{
	const uint64_t num = vq->num;

	return in_one_region(vq->mem, vq->desc, 16 * num) &&
	       in_one_region(vq->mem, vq->avail, 6 + 2 * num) &&
	       in_one_region(vq->mem, vq->used, 6 + 8 * num);
}

/*
 * A doorbell by our own hand, where KVM does not ring it. A back-end can have filled the counter, which is as
 * good as rung, and made it one at which a write waits. Who fills it just after we looked does so to
 * make us wait: that is cut off, and happens once.
 */
void vhost_ring(struct virtio_dev *dev, unsigned index)
{
	struct vhost *vhost = dev->priv;
	struct pollfd room = { .fd = dev->kick_fd[index], .events = POLLOUT };
	const uint64_t one = 1;

	if (vhost->gone || poll(&room, 1, 0) <= 0 ||
	    cutoff_write(&vhost->cutoff, room.fd, &one, sizeof(one), RING_MS) != -ETIMEDOUT)
		return;
	vhost->link.why = "it makes a doorbell wait";
	vhost_gone(vhost);
}

static void vhost_ready(struct virtio_dev *dev)
{
	struct vhost *vhost = dev->priv;

	if (vhost->gone) {
		virtio_dev_failed(dev);
		return;
	}
	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (dev->queues[i].ready && !ring_in_one_region(&dev->queues[i])) {
			virtio_dev_broken(dev, "a ring that lies in two regions of memory");
			return;
		}
	}
	vhost_begin(vhost);
}

/* Config space. */

static void vhost_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	const struct vhost *vhost = dev->priv;

	memcpy(data, vhost->config + offset, len);
}

/* One thing in all of config space is a driver's to write: a disk's cache mode (5.2.5.2). */
static void vhost_config_write(struct virtio_dev *dev, size_t offset, const void *data, size_t len)
{
	struct vhost *vhost = dev->priv;
	uint8_t payload[13] = { 0 };
	const struct vhost_user_msg msg = { .request = VHOST_USER_SET_CONFIG,
					    .payload = payload,
					    .len = sizeof(payload) };

	if (vhost->gone || offset != VHOST_BLK_CONFIG_WCE || len != 1 ||
	    !(dev->driver_features & dev->features & VHOST_BLK_F_CONFIG_WCE) ||
	    vhost->kind != VHOST_USER_BLK)
		return;
	vhost->config[offset] = *(const uint8_t *)data & 1;
	le32_store(payload, VHOST_BLK_CONFIG_WCE);
	le32_store(payload + 4, 1);
	payload[12] = vhost->config[offset];
	/* While an answer is awaited, the next one is that; nor is anything waited for then. */
	if ((vhost_busy(dev) ? vhost_user_tell_later(&vhost->link, &msg, false)
			     : vhost_user_tell(&vhost->link, &msg, true)) < 0)
		vhost_gone(vhost);
}

/* Life. */

static void close_calls(struct vhost *vhost, struct loop *loop)
{
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
		if (vhost->call[i].fd < 0)
			continue;
		(void)loop_del(loop, vhost->call[i].fd);
		close(vhost->call[i].fd);
		vhost->call[i].fd = -1;
	}
}

static void vhost_free(struct vhost *vhost, struct loop *loop)
{
	if (vhost->link.fd >= 0)
		(void)loop_del(loop, vhost->link.fd);
	vhost_user_link_close(&vhost->link);
	close_calls(vhost, loop);
	if (vhost->inflight_fd >= 0)
		close(vhost->inflight_fd);
	cutoff_fini(&vhost->cutoff);
	vhost_talk_fini(vhost);
	free(vhost);
}

static void vhost_destroy(struct virtio_dev *dev)
{
	vhost_free(dev->priv, dev->loop);
}

#define VHOST_TYPE(name_, id_)                                                                  \
	{                                                                                       \
		.name = (name_), .id = (id_), .remote = true, .config_read = vhost_config_read, \
		.config_write = vhost_config_write, .ready = vhost_ready, .reset = vhost_reset, \
		.busy = vhost_busy, .settle = vhost_settle, .queue_stop = vhost_queue_stop,     \
		.ring = vhost_ring, .destroy = vhost_destroy,                                   \
	}

static const struct virtio_type vhost_types[] = {
	[VHOST_USER_FS] = VHOST_TYPE("fs", 26),
	[VHOST_USER_BLK] = VHOST_TYPE("blk", 2),
	[VHOST_USER_NET] = VHOST_TYPE("net", 1),
};

/* Creation. */

static int open_calls(struct vhost *vhost, struct loop *loop, unsigned count)
{
	int r = 0;

	for (unsigned i = 0; !r && i < count; i++) {
		vhost->call[i].vhost = vhost;
		vhost->call[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (vhost->call[i].fd < 0)
			return -errno;
		/* Not to be read: the back-end shares its flags, and could make us wait. */
		r = loop_add_doorbell(loop, vhost->call[i].fd, on_call, &vhost->call[i]);
	}
	return r;
}

static int make_device(struct vhost *vhost, struct virtio_dev *dev, unsigned index,
		       struct guest_mem *mem, struct loop *loop, unsigned queues)
{
	/* Large requests to a file system need long chains, and indirect tables are not a must. */
	static const uint16_t queue_sizes[] = {
		[VHOST_USER_FS] = 1024, [VHOST_USER_BLK] = 256, [VHOST_USER_NET] = 256
	};
	const struct virtio_type *type = &vhost_types[vhost->kind];
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), "%s%u", type->name, index);
	r = virtio_dev_init(dev, type, name, mem, loop, queues, queue_sizes[vhost->kind], 0,
			    vhost->config_size);
	if (r < 0) {
		vhost_free(vhost, loop);
		return r;
	}
	dev->features = vhost_offered_features(vhost);
	dev->priv = vhost;
	vhost->dev = dev;
	r = open_calls(vhost, loop, queues);
	if (!r)
		r = cutoff_init(&vhost->cutoff);
	if (!r)
		r = vhost_talk_init(vhost, loop);
	if (!r)
		r = loop_add(loop, vhost->link.fd, EPOLLIN, on_link, vhost);
	if (r < 0)
		virtio_dev_fini(dev); /* frees vhost too */
	return r;
}

static struct vhost *vhost_new(const struct vhost_user_config *config)
{
	struct vhost *vhost = calloc(1, sizeof(*vhost));

	if (!vhost)
		return NULL;
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
		vhost->call[i].fd = -1;
	vhost->inflight_fd = -1;
	vhost->kind = config->kind;
	vhost->peer = config->peer;
	vhost->gone_fn = config->gone;
	vhost->gone_opaque = config->opaque;
	return vhost;
}

int virtio_vhost_user_create(const struct vhost_user_config *config, unsigned index,
			     struct guest_mem *mem, struct loop *loop, struct virtio_dev **out)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	struct vhost *vhost = vhost_new(config);
	unsigned queues = 0;
	int r = -ENOMEM;

	if (!dev || !vhost) {
		close(config->fd);
		free(vhost);
		free(dev);
		diag_error("back-end %s: %s", config->peer, strerror(ENOMEM));
		return r;
	}
	r = vhost_user_link_init(&vhost->link, config->fd);
	if (!r)
		r = vhost_shake_hands(vhost, config, mem, &queues);
	if (r < 0) {
		diag_error("virtio-%s%u: its back-end %s cannot be used: %s",
			   vhost_types[config->kind].name, index, config->peer,
			   vhost->link.why ? vhost->link.why : strerror(-r));
		vhost_free(vhost, loop);
		free(dev);
		return r;
	}
	r = make_device(vhost, dev, index, mem, loop, queues);
	if (r < 0) {
		diag_error("back-end %s: the host refuses what the device needs: %s", config->peer,
			   strerror(-r));
		free(dev);
		return r;
	}
	*out = dev;
	return 0;
}
