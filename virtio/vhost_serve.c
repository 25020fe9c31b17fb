/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session with a vhost-user front end: its rings are started when all of them is known, served by doorbells,
 * and stopped when nothing of them is in flight; its end, however it comes, gives everything back.
 */
#include "virtio/vhost_serve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio/vhost_serve_state.h"

enum {
	MESSAGES_A_TURN = 16,	    /* then others have theirs */
	LOOK_AGAIN_NS = 500 * 1000, /* at chains in flight */
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void vhost_serve_doom(struct vhost_serve *serve, const char *why)
{
	if (serve->why)
		return;
	serve->why = why;
	loop_timer_arm(serve->timer, 1);
}

/* Eventfds that the front end looks at. It shares their flags, and could have us wait. */

static void ring_eventfd(struct vhost_serve *serve, int fd)
{
	const uint64_t one = 1;

	if (fd < 0)
		return;
	cutoff_soon(&serve->cutoff);
	if (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		vhost_serve_doom(serve, "it makes the eventfd of an interrupt wait");
	cutoff_done(&serve->cutoff);
}

void vhost_serve_call(struct vhost_serve *serve, unsigned index)
{
	if (!serve->why)
		ring_eventfd(serve, serve->rings[index].call_fd);
}

/* A change of config space, which has no queue, is not told: the protocol has another socket for that. */
static void interrupt(void *opaque, unsigned queue)
{
	if (queue != VIRTIO_NO_QUEUE)
		vhost_serve_call(opaque, queue);
}

/* The guest's driver broke a rule, which has been said. */
static void on_broken(void *opaque, const struct virtio_dev *dev, const char *why)
{
	struct vhost_serve *serve = opaque;

	(void)why;
	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (!serve->why)
			ring_eventfd(serve, serve->rings[i].err_fd);
	}
}

static void on_kick(void *opaque)
{
	const struct serve_ring *ring = opaque;

	if (ring->started)
		virtio_serve(ring->serve->dev, (unsigned)(ring - ring->serve->rings));
}

int vhost_serve_set_kick(struct vhost_serve *serve, unsigned index, int fd)
{
	struct serve_ring *ring = &serve->rings[index];
	int r = fd < 0 ? 0 : loop_add_doorbell(serve->dev->loop, fd, on_kick, ring);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	if (ring->kick_fd >= 0)
		(void)loop_del(serve->dev->loop, ring->kick_fd);
	close_fd(&ring->kick_fd);
	ring->kick_fd = fd;
	return 0;
}

/* The guest's address of what the front end has at @user. False: it lies in no region. */
static bool find(const struct vhost_serve *serve, uint64_t user, gpa_t *at)
{
	for (unsigned i = 0; i < serve->region_count; i++) {
		const struct serve_region *region = &serve->regions[i];

		if (user >= region->user && user - region->user < region->size) {
			*at = gpa_add(region->start, user - region->user);
			return true;
		}
	}
	return false;
}

int vhost_serve_try_start(struct vhost_serve *serve, unsigned index)
{
	struct serve_ring *ring = &serve->rings[index];
	struct virtio_ring where = { .num = ring->num, .base = ring->base };

	if (ring->started || !ring->enabled || !ring->placed || !ring->num || ring->kick_fd < 0 ||
	    !serve->region_count || !(virtio_status(serve->dev) & VIRTIO_S_DRIVER_OK))
		return 0;
	if (!find(serve, ring->desc, &where.desc) || !find(serve, ring->avail, &where.avail) ||
	    !find(serve, ring->used, &where.used)) {
		serve->why = "a ring of it lies outside of the memory that it handed over";
		return -EPROTO;
	}
	ring->started = true;
	if (virtio_ring_start(serve->dev, index, &where) == 0)
		return 0;
	ring->started = false;
	serve->why = serve->dev->queues[index].why;
	if (!serve->why)
		serve->why = "a ring of it cannot be read";
	return -EPROTO;
}

int vhost_serve_stop(struct vhost_serve *serve, unsigned index)
{
	struct serve_ring *ring = &serve->rings[index];
	struct virtqueue *vq = &serve->dev->queues[index];

	if (!ring->started)
		return 0;
	vq_pause(vq, true);
	ring->base = vq->next_avail;
	/* What a broken device has in flight is given up: nobody would see it returned. */
	if (virtio_status(serve->dev) & VIRTIO_S_NEEDS_RESET)
		virtio_set_status(serve->dev, 0);
	if (vq->in_flight > 0 || atomic_load(&serve->dev->draining))
		return -EINPROGRESS;
	(void)virtio_ring_stop(serve->dev, index);
	ring->started = false;
	return 0;
}

/* The end. */

static void forget_ring(struct vhost_serve *serve, unsigned index)
{
	struct serve_ring *ring = &serve->rings[index];

	(void)vhost_serve_set_kick(serve, index, -1);
	close_fd(&ring->call_fd);
	close_fd(&ring->err_fd);
	*ring = (struct serve_ring){ .serve = serve, .kick_fd = -1, .call_fd = -1, .err_fd = -1 };
}

/* The last of it, once nothing of the device touches the memory any more. */
static void finish(struct vhost_serve *serve)
{
	const char *why = serve->why;

	if (atomic_load(&serve->dev->draining)) {
		loop_timer_arm(serve->timer, LOOK_AGAIN_NS);
		return;
	}
	loop_timer_arm(serve->timer, 0);
	mem_clear(serve->config.mem);
	serve->region_count = 0;
	serve->ending = serve->waiting = serve->protocol = false;
	serve->agreed = 0;
	serve->why = NULL;
	serve->config.ended(serve->config.opaque, why);
}

/* The front end is left at once; the session is over when what the device has in flight is. */
static void end(struct vhost_serve *serve, const char *why)
{
	serve->why = why;
	serve->ending = true;
	(void)loop_del(serve->dev->loop, serve->inbox.fd);
	vhost_inbox_next(&serve->inbox);
	close_fd(&serve->inbox.fd);
	for (unsigned i = 0; i < serve->dev->queue_count; i++)
		forget_ring(serve, i);
	virtio_set_status(serve->dev, 0);
	finish(serve);
}

/* Messages. */

/* The message at hand; false: the session goes on with it later, or is over. */
static bool answer(struct vhost_serve *serve)
{
	struct vhost_inbox *inbox = &serve->inbox;
	int r = vhost_serve_request(serve);

	if (r == -EINPROGRESS) {
		serve->waiting = true;
		(void)loop_mod(serve->dev->loop, inbox->fd, EPOLLRDHUP);
		loop_timer_arm(serve->timer, LOOK_AGAIN_NS);
		return false;
	}
	if (serve->waiting)
		(void)loop_mod(serve->dev->loop, inbox->fd, EPOLLIN);
	serve->waiting = false;
	if (r < 0) {
		end(serve, serve->why || r == -ECONNRESET ? serve->why : inbox->why);
		return false;
	}
	vhost_inbox_next(inbox);
	return true;
}

static void on_socket(void *opaque, uint32_t events)
{
	struct vhost_serve *serve = opaque;

	if (serve->waiting) {
		/* What it says has time; that it is gone has not. */
		if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			end(serve, NULL);
		return;
	}
	for (unsigned i = 0; i < MESSAGES_A_TURN; i++) {
		int r = vhost_inbox_read(&serve->inbox);

		if (r < 0)
			end(serve, r == -ECONNRESET ? NULL : serve->inbox.why);
		if (r <= 0 || !answer(serve))
			return;
	}
}

static void look_again(void *opaque)
{
	struct vhost_serve *serve = opaque;

	if (serve->ending)
		finish(serve);
	else if (serve->why)
		end(serve, serve->why);
	else if (serve->waiting)
		(void)answer(serve);
}

/* Life. */

int vhost_serve_begin(struct vhost_serve *serve, int fd)
{
	int r = serve->inbox.fd >= 0 || serve->ending
			? -EBUSY
			: loop_add(serve->dev->loop, fd, EPOLLIN, on_socket, serve);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	serve->inbox.fd = fd;
	return 0;
}

int vhost_serve_create(const struct vhost_serve_config *config, struct vhost_serve **out)
{
	struct vhost_serve *serve = calloc(1, sizeof(*serve));
	int r;

	if (!serve)
		return -ENOMEM;
	serve->config = *config;
	serve->dev = config->dev;
	serve->inbox.fd = -1;
	for (unsigned i = 0; i < ARRAY_SIZE(serve->rings); i++)
		serve->rings[i] = (struct serve_ring){
			.serve = serve, .kick_fd = -1, .call_fd = -1, .err_fd = -1
		};
	r = loop_timer_add(config->dev->loop, look_again, serve, &serve->timer);
	if (!r)
		r = cutoff_init(&serve->cutoff);
	if (r < 0) {
		free(serve);
		return r;
	}
	serve->dev->messages = true;
	serve->dev->message = interrupt;
	serve->dev->transport = serve;
	serve->dev->on_broken = on_broken;
	serve->dev->broken_opaque = serve;
	*out = serve;
	return 0;
}

void vhost_serve_destroy(struct vhost_serve *serve)
{
	if (!serve)
		return;
	if (serve->inbox.fd >= 0)
		end(serve, NULL);
	cutoff_fini(&serve->cutoff);
	serve->dev->messages = false;
	serve->dev->on_broken = NULL;
	free(serve);
}
