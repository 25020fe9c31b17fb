/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests of a vhost-user front end: one table, a function for each row. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "virtio/vhost_serve_state.h"

enum {
	NO_FD = 0x100, /* in the number of a ring: no descriptor comes with it */
	RING_MASK = 0xff,
	REGION_SIZE = 32, /* of an entry in the table of memory */
	TABLE_HEAD = 8,
	CONFIG_HEAD = 12,
};

/* What we offer besides the device's own features. */
#define PROTOCOL_FEATURES (VHOST_USER_P_MQ | VHOST_USER_P_REPLY_ACK | VHOST_USER_P_CONFIG)

static int wrong(struct vhost_serve *serve, const char *why)
{
	serve->why = why;
	return -EPROTO;
}

/* The ring that the message at hand is about, or NULL. */
static struct serve_ring *ring_of(struct vhost_serve *serve, uint32_t index)
{
	if (index < serve->dev->queue_count)
		return &serve->rings[index];
	serve->why = "it names a ring that the device does not have";
	return NULL;
}

static unsigned index_of(const struct serve_ring *ring)
{
	return (unsigned)(ring - ring->serve->rings);
}

/* Features. */

static int get_features(struct vhost_serve *serve, const uint8_t *payload)
{
	(void)payload;
	return vhost_inbox_answer_u64(&serve->inbox,
				      serve->dev->features | VHOST_USER_F_PROTOCOL_FEATURES);
}

/* From here on the device is live; each ring as it is started. */
static int set_features(struct vhost_serve *serve, const uint8_t *payload)
{
	struct virtio_dev *dev = serve->dev;
	const uint64_t features = le64_load(payload);
	uint32_t status = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER;

	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (serve->rings[i].started)
			return wrong(serve, "it changes features while a ring is in use");
	}
	serve->protocol = features & VHOST_USER_F_PROTOCOL_FEATURES;
	virtio_set_status(dev, 0);
	if (atomic_load(&dev->draining))
		return -EINPROGRESS;
	virtio_set_status(dev, status);
	virtio_set_driver_features(dev, 0, (uint32_t)(features & ~VHOST_USER_F_PROTOCOL_FEATURES));
	virtio_set_driver_features(dev, 1, (uint32_t)(features >> 32));
	status |= VIRTIO_S_FEATURES_OK;
	virtio_set_status(dev, status);
	if (!(virtio_status(dev) & VIRTIO_S_FEATURES_OK))
		return wrong(serve,
			     "it takes features that were not offered, or speaks only virtio "
			     "before 1.0");
	virtio_set_status(dev, status | VIRTIO_S_DRIVER_OK);
	for (unsigned i = 0; i < dev->queue_count; i++) {
		serve->rings[i].enabled = serve->rings[i].enabled || !serve->protocol;
		if (vhost_serve_try_start(serve, i))
			return -EPROTO;
	}
	return 0;
}

static int set_owner(struct vhost_serve *serve, const uint8_t *payload)
{
	(void)serve;
	(void)payload;
	return 0;
}

static int get_protocol_features(struct vhost_serve *serve, const uint8_t *payload)
{
	(void)payload;
	return vhost_inbox_answer_u64(&serve->inbox, PROTOCOL_FEATURES);
}

static int set_protocol_features(struct vhost_serve *serve, const uint8_t *payload)
{
	serve->agreed = le64_load(payload);
	if (serve->agreed & ~PROTOCOL_FEATURES)
		return wrong(serve, "it takes protocol features that were not offered");
	return 0;
}

static int get_queue_num(struct vhost_serve *serve, const uint8_t *payload)
{
	(void)payload;
	return vhost_inbox_answer_u64(&serve->inbox, serve->dev->queue_count);
}

/* Memory. */

static int add_region(struct vhost_serve *serve, const uint8_t *entry)
{
	struct serve_region *region = &serve->regions[serve->region_count];
	int fd = fd_message_take(&serve->inbox.fds);
	int r;

	*region = (struct serve_region){
		.start = gpa(le64_load(entry)),
		.size = le64_load(entry + 8),
		.user = le64_load(entry + 16),
	};
	r = mem_add_foreign(serve->config.mem, region->start, region->size, fd,
			    le64_load(entry + 24));
	(void)close(fd);
	if (r == -EACCES)
		return wrong(serve, "its memory is no memfd that is sealed against shrinking "
				    "(QEMU: -object memory-backend-memfd)");
	if (r == -ENODATA)
		return wrong(serve, "a file of its memory ends too early");
	if (r < 0)
		return wrong(serve, "a region of its memory cannot be mapped");
	serve->region_count++;
	return 0;
}

/* All rings rest while the memory under them changes; then those go on that were in use. */
static int set_mem_table(struct vhost_serve *serve, const uint8_t *payload)
{
	const uint32_t count = le32_load(payload);
	int r = 0;

	if (count > VHOST_USER_REGIONS_MAX || serve->inbox.fds.count != count ||
	    serve->inbox.len != TABLE_HEAD + REGION_SIZE * count)
		return wrong(serve, "its table of memory has another length than it says");
	for (unsigned i = 0; i < serve->dev->queue_count; i++) {
		if (vhost_serve_stop(serve, i))
			r = -EINPROGRESS;
	}
	if (r)
		return r;
	mem_clear(serve->config.mem);
	serve->region_count = 0;
	for (uint32_t i = 0; !r && i < count; i++)
		r = add_region(serve, payload + TABLE_HEAD + (size_t)REGION_SIZE * i);
	for (unsigned i = 0; !r && i < serve->dev->queue_count; i++)
		r = vhost_serve_try_start(serve, i);
	return r;
}

/* Rings. */

/* What only a ring that rests may be told. */
static struct serve_ring *resting_ring(struct vhost_serve *serve, const uint8_t *payload)
{
	struct serve_ring *ring = ring_of(serve, le32_load(payload));

	if (ring && ring->started) {
		serve->why = "it sets up a ring that is in use";
		return NULL;
	}
	return ring;
}

static int set_vring_num(struct vhost_serve *serve, const uint8_t *payload)
{
	struct serve_ring *ring = resting_ring(serve, payload);

	if (!ring)
		return -EPROTO;
	ring->num = le32_load(payload + 4);
	return vhost_serve_try_start(serve, index_of(ring));
}

static int set_vring_base(struct vhost_serve *serve, const uint8_t *payload)
{
	struct serve_ring *ring = resting_ring(serve, payload);

	if (!ring)
		return -EPROTO;
	ring->base = (uint16_t)le32_load(payload + 4);
	return 0;
}

static int set_vring_addr(struct vhost_serve *serve, const uint8_t *payload)
{
	struct serve_ring *ring = resting_ring(serve, payload);

	if (!ring)
		return -EPROTO;
	ring->desc = le64_load(payload + 8);
	ring->used = le64_load(payload + 16);
	ring->avail = le64_load(payload + 24);
	ring->placed = true;
	return vhost_serve_try_start(serve, index_of(ring));
}

/* The ring rests from now on; its doorbell goes, too. */
static int get_vring_base(struct vhost_serve *serve, const uint8_t *payload)
{
	struct serve_ring *ring = ring_of(serve, le32_load(payload));
	uint8_t answer[8];
	int r;

	if (!ring)
		return -EPROTO;
	r = vhost_serve_stop(serve, index_of(ring));
	if (r < 0)
		return r;
	(void)vhost_serve_set_kick(serve, index_of(ring), -1);
	ring->placed = false;
	le32_store(answer, index_of(ring));
	le32_store(answer + 4, ring->base);
	return vhost_inbox_answer(&serve->inbox, answer, sizeof(answer));
}

/* The ring whose eventfd comes with the message at hand, and the eventfd in *@fd: -1 if none comes. */
static struct serve_ring *ring_with_fd(struct vhost_serve *serve, const uint8_t *payload, int *fd)
{
	const uint64_t word = le64_load(payload);
	struct serve_ring *ring;

	if (word & ~(uint64_t)(RING_MASK | NO_FD) ||
	    serve->inbox.fds.count != (word & NO_FD ? 0U : 1U)) {
		serve->why = "its eventfd is missing, or one too many";
		return NULL;
	}
	ring = ring_of(serve, (uint32_t)word & RING_MASK);
	if (ring)
		*fd = fd_message_take(&serve->inbox.fds);
	return ring;
}

static int set_vring_kick(struct vhost_serve *serve, const uint8_t *payload)
{
	int fd;
	struct serve_ring *ring = ring_with_fd(serve, payload, &fd);

	if (!ring)
		return -EPROTO;
	if (fd < 0)
		return wrong(serve, "it wants a ring polled, which is not done here");
	if (vhost_serve_set_kick(serve, index_of(ring), fd))
		return wrong(serve, "its doorbell is nothing that can be waited for");
	return vhost_serve_try_start(serve, index_of(ring));
}

static void replace(int *to, int fd)
{
	if (*to >= 0)
		(void)close(*to);
	*to = fd;
}

static int set_vring_call(struct vhost_serve *serve, const uint8_t *payload)
{
	int fd;
	struct serve_ring *ring = ring_with_fd(serve, payload, &fd);

	if (!ring)
		return -EPROTO;
	replace(&ring->call_fd, fd);
	/* What was to be told before it came went to another eventfd, or to none: a ring may start without. */
	if (ring->started)
		vhost_serve_call(serve, index_of(ring));
	return 0;
}

static int set_vring_err(struct vhost_serve *serve, const uint8_t *payload)
{
	int fd;
	struct serve_ring *ring = ring_with_fd(serve, payload, &fd);

	if (!ring)
		return -EPROTO;
	replace(&ring->err_fd, fd);
	return 0;
}

static int set_vring_enable(struct vhost_serve *serve, const uint8_t *payload)
{
	struct serve_ring *ring = ring_of(serve, le32_load(payload));
	const uint32_t on = le32_load(payload + 4);

	if (!ring)
		return -EPROTO;
	if (on > 1)
		return wrong(serve, "it enables a ring by another number than 0 or 1");
	ring->enabled = on;
	if (!ring->started)
		return vhost_serve_try_start(serve, index_of(ring));
	vq_pause(&serve->dev->queues[index_of(ring)], !on);
	virtio_serve(serve->dev, index_of(ring));
	return 0;
}

/* Config space. */

/* Whether the message at hand is about a part of config space as it should be, and how long that is. */
static bool config_part(struct vhost_serve *serve, const uint8_t *payload, uint32_t *offset,
			uint32_t *size)
{
	*offset = le32_load(payload);
	*size = le32_load(payload + 4);
	if (*size <= VHOST_USER_CONFIG_MAX && *offset <= VHOST_USER_CONFIG_MAX &&
	    serve->inbox.len == CONFIG_HEAD + *size)
		return true;
	serve->why = "it asks for a part of config space that cannot be";
	return false;
}

/* What lies behind the device's config space reads as zeroes: fields of a later standard. */
static int get_config(struct vhost_serve *serve, const uint8_t *payload)
{
	uint8_t answer[CONFIG_HEAD + VHOST_USER_CONFIG_MAX] = { 0 };
	uint32_t offset, size, there;

	if (!config_part(serve, payload, &offset, &size))
		return -EPROTO;
	memcpy(answer, payload, CONFIG_HEAD);
	there = offset < serve->dev->config_size
			? u32_min(size, (uint32_t)serve->dev->config_size - offset)
			: 0;
	virtio_config_read(serve->dev, offset, answer + CONFIG_HEAD, there);
	return vhost_inbox_answer(&serve->inbox, answer, CONFIG_HEAD + size);
}

static int set_config(struct vhost_serve *serve, const uint8_t *payload)
{
	uint32_t offset, size;

	if (!config_part(serve, payload, &offset, &size))
		return -EPROTO;
	virtio_config_write(serve->dev, offset, payload + CONFIG_HEAD, size);
	return 0;
}

/* The table. */

struct request {
	enum vhost_user_request number;
	uint32_t least, most; /* bytes of payload */
	unsigned fds;	      /* descriptors, at most */
	bool answers;	      /* by itself */
	int (*serve)(struct vhost_serve *serve, const uint8_t *payload);
};

static const struct request requests[] = {
	{ VHOST_USER_GET_FEATURES, 0, 0, 0, true, get_features },
	{ VHOST_USER_SET_FEATURES, 8, 8, 0, false, set_features },
	{ VHOST_USER_SET_OWNER, 0, 0, 0, false, set_owner },
	{ VHOST_USER_SET_MEM_TABLE, TABLE_HEAD, VHOST_USER_PAYLOAD_MAX, VHOST_USER_REGIONS_MAX,
	  false, set_mem_table },
	{ VHOST_USER_SET_VRING_NUM, 8, 8, 0, false, set_vring_num },
	{ VHOST_USER_SET_VRING_ADDR, 40, 40, 0, false, set_vring_addr },
	{ VHOST_USER_SET_VRING_BASE, 8, 8, 0, false, set_vring_base },
	{ VHOST_USER_GET_VRING_BASE, 8, 8, 0, true, get_vring_base },
	{ VHOST_USER_SET_VRING_KICK, 8, 8, 1, false, set_vring_kick },
	{ VHOST_USER_SET_VRING_CALL, 8, 8, 1, false, set_vring_call },
	{ VHOST_USER_SET_VRING_ERR, 8, 8, 1, false, set_vring_err },
	{ VHOST_USER_GET_PROTOCOL_FEATURES, 0, 0, 0, true, get_protocol_features },
	{ VHOST_USER_SET_PROTOCOL_FEATURES, 8, 8, 0, false, set_protocol_features },
	{ VHOST_USER_GET_QUEUE_NUM, 0, 0, 0, true, get_queue_num },
	{ VHOST_USER_SET_VRING_ENABLE, 8, 8, 0, false, set_vring_enable },
	{ VHOST_USER_GET_CONFIG, CONFIG_HEAD, VHOST_USER_PAYLOAD_MAX, 0, true, get_config },
	{ VHOST_USER_SET_CONFIG, CONFIG_HEAD, VHOST_USER_PAYLOAD_MAX, 0, false, set_config },
};

static const struct request *find(uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		if (requests[i].number == number)
			return &requests[i];
	}
	return NULL;
}

int vhost_serve_request(struct vhost_serve *serve)
{
	struct vhost_inbox *inbox = &serve->inbox;
	const struct request *request = find(inbox->request);
	const bool asks = inbox->flags & VHOST_USER_NEED_REPLY &&
			  serve->agreed & VHOST_USER_P_REPLY_ACK;
	int r;

	if (!request)
		return wrong(serve, "it asks for what was not agreed on");
	if (inbox->len < request->least || inbox->len > request->most)
		return wrong(serve, "a request of it has the wrong length");
	if (inbox->fds.count > request->fds)
		return wrong(serve, "a request of it comes with too many descriptors");
	r = request->serve(serve, vhost_inbox_payload(inbox));
	if (!r && asks && !request->answers)
		r = vhost_inbox_answer_u64(inbox, 0);
	return r;
}
