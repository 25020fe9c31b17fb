/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part that all virtio devices share: status machine, feature negotiation, kicks, interrupts, config
 * space, and what happens when the driver breaks a rule. Queue set-up: virtio/device_queue.c.
 */
#include "virtio/device.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "virtio/device_state.h"

/* The bits that a driver may set. */
#define DRIVER_BITS                                                               \
	((uint32_t)(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK | \
		    VIRTIO_S_FEATURES_OK | VIRTIO_S_FAILED))

/* The features that the queue and the transport provide for every device. */
#define SHARED_FEATURES (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)

/* Whether chains are served. */
static bool live(const struct virtio_dev *dev)
{
	return virtio_has(dev, VIRTIO_S_DRIVER_OK) && !virtio_is_dead(dev);
}

/* Interrupts. */

/* A message says by itself what it is for (4.1.5.3): only a line's driver looks at the status. */
static void note(struct virtio_dev *dev, uint32_t reason)
{
	if (!dev->messages)
		atomic_fetch_or(dev->isr, htole32(reason));
}

static void pulse(struct virtio_dev *dev, unsigned queue)
{
	atomic_fetch_add_explicit(&dev->interrupts, 1, memory_order_relaxed);
	if (dev->messages)
		dev->message(dev->transport, queue);
	else if (dev->irq)
		irq_pulse(dev->irq);
}

static void interrupt_used(struct virtio_dev *dev, unsigned queue)
{
	note(dev, VIRTIO_ISR_QUEUE);
	pulse(dev, queue);
}

static void interrupt_config(struct virtio_dev *dev)
{
	note(dev, VIRTIO_ISR_CONFIG);
	pulse(dev, VIRTIO_NO_QUEUE);
}

uint32_t virtio_isr_read(const struct virtio_dev *dev)
{
	return le32toh(atomic_load(dev->isr));
}

void virtio_isr_ack(struct virtio_dev *dev, uint32_t bits)
{
	atomic_fetch_and(dev->isr, ~htole32(bits));
}

uint32_t virtio_isr_take(struct virtio_dev *dev)
{
	return le32toh(atomic_exchange(dev->isr, 0));
}

void virtio_isr_place(struct virtio_dev *dev, _Atomic uint32_t *word)
{
	_Atomic uint32_t *old = dev->isr;

	dev->isr = word ? word : &dev->own_isr;
	if (dev->isr != old)
		atomic_store(dev->isr, atomic_load(old));
}

/* The transport shows the guest what the device changed by itself. */
static void show(const struct virtio_dev *dev)
{
	if (dev->changed)
		dev->changed(dev->transport);
}

void virtio_signal(struct virtio_dev *dev, unsigned queue)
{
	if (queue >= dev->queue_count || !virtio_has(dev, VIRTIO_S_DRIVER_OK))
		return;
	if (vq_should_signal(&dev->queues[queue]))
		interrupt_used(dev, queue);
}

void virtio_used(struct virtio_dev *dev, unsigned queue)
{
	if (live(dev))
		interrupt_used(dev, queue);
}

/*
 * The reason stands there before a driver that polls sees the change, and the change before it is told. And it stands
 * there again then: a driver that is at a queue's interrupt just now takes the first one, and reads what was before.
 */
static void show_and_tell(struct virtio_dev *dev)
{
	bool tell = virtio_has(dev, VIRTIO_S_DRIVER_OK);

	if (tell)
		note(dev, VIRTIO_ISR_CONFIG);
	show(dev);
	if (tell)
		interrupt_config(dev);
}

void virtio_config_changed(struct virtio_dev *dev)
{
	dev->config_generation++;
	if (!virtio_has(dev, VIRTIO_S_DRIVER_OK))
		dev->config_news = true;
	show_and_tell(dev);
}

/* Errors of the driver. */

/* Says what the driver did, unless this device has had its share of lines. */
static void report(struct virtio_dev *dev, const char *why)
{
	if (dev->reports >= VIRTIO_MAX_REPORTS)
		return;
	dev->reports++;
	diag_warn("virtio-%s: guest driver error: %s%s", dev->name, why,
		  dev->reports == VIRTIO_MAX_REPORTS ? " (more of this device are not shown)" : "");
	if (dev->on_broken)
		dev->on_broken(dev->broken_opaque, dev, why);
}

void virtio_dev_broken(struct virtio_dev *dev, const char *why)
{
	if (virtio_has(dev, VIRTIO_S_NEEDS_RESET))
		return;
	dev->status |= VIRTIO_S_NEEDS_RESET;
	show_and_tell(dev);
	report(dev, why);
}

void virtio_dev_failed(struct virtio_dev *dev)
{
	if (virtio_has(dev, VIRTIO_S_NEEDS_RESET))
		return;
	dev->status |= VIRTIO_S_NEEDS_RESET;
	show_and_tell(dev);
}

void virtio_queue_broken(struct virtio_dev *dev, unsigned index, const char *why)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "queue %u: %s", index, why);
	virtio_dev_broken(dev, text);
}

/* Kicks. */

void virtio_serve(struct virtio_dev *dev, unsigned index)
{
	if (live(dev) && dev->queues[index].ready && dev->type->queue_kick)
		dev->type->queue_kick(dev, index);
}

static void on_kick(void *opaque)
{
	struct virtio_kick_source *source = opaque;

	virtio_serve(source->dev, source->index);
}

static void on_ring(void *opaque)
{
	const struct virtio_kick_source *source = opaque;

	source->dev->type->ring(source->dev, source->index);
}

void virtio_kick(struct virtio_dev *dev, uint32_t queue)
{
	const uint64_t one = 1;

	if (queue >= dev->queue_count)
		return;
	if (dev->type->remote)
		loop_call(dev->loop, on_ring, &dev->kick_source[queue]);
	else
		(void)!write(dev->kick_fd[queue], &one, sizeof(one)); /* EAGAIN: already rung */
}

int virtio_pop(struct virtio_dev *dev, unsigned index, struct vq_chain *chain)
{
	int r;

	if (index >= dev->queue_count || !live(dev))
		return 0;
	r = vq_pop(&dev->queues[index], chain);
	if (r < 0)
		virtio_queue_broken(dev, index, dev->queues[index].why);
	return r > 0;
}

/* Status (2.1, 3.1.1). */

static void hold(struct virtio_dev *dev)
{
	if (atomic_load(&dev->draining) && dev->hold)
		dev->hold(dev->hold_opaque, &dev->draining);
}

void virtio_await(struct virtio_dev *dev)
{
	if (dev->type->busy && dev->type->busy(dev))
		atomic_store(&dev->draining, true);
	hold(dev);
}

void virtio_drain(struct virtio_dev *dev)
{
	if (dev->type->reset)
		dev->type->reset(dev);
	virtio_await(dev);
}

void virtio_dev_drained(struct virtio_dev *dev)
{
	if (!atomic_load(&dev->draining))
		return;
	if (dev->resetting)
		dev->status = 0;
	dev->resetting = false;
	show(dev);
	atomic_store(&dev->draining, false);
	if (dev->let_go)
		dev->let_go(dev->hold_opaque);
}

static void reset(struct virtio_dev *dev)
{
	uint64_t count;

	/* From here on no kick is served and nothing is popped, also while the type drains. */
	dev->status &= ~(uint32_t)VIRTIO_S_DRIVER_OK;
	virtio_drain(dev);
	for (unsigned i = 0; i < dev->queue_count; i++) {
		vq_reset(&dev->queues[i]);
		/* A back-end's doorbell is its own to empty, and who shares its flags could make us wait. */
		while (!dev->type->remote && read(dev->kick_fd[i], &count, sizeof(count)) < 0 &&
		       errno == EINTR)
			;
	}
	dev->driver_features = 0;
	dev->unknown_features = false;
	dev->config_news = false;
	atomic_store(dev->isr, 0);
	dev->resetting = atomic_load(&dev->draining);
	dev->status = dev->resetting ? VIRTIO_S_NEEDS_RESET : 0;
}

static bool features_acceptable(const struct virtio_dev *dev)
{
	return !dev->unknown_features && !(dev->driver_features & ~dev->features) &&
	       (dev->driver_features & VIRTIO_F_VERSION_1);
}

/* The device goes live: chains may have been offered, and kicked, before. */
static void go_live(struct virtio_dev *dev)
{
	if (dev->no_memory) {
		virtio_dev_broken(dev, "DRIVER_OK while the device may not reach memory");
		return;
	}
	dev->status |= VIRTIO_S_DRIVER_OK;
	if (dev->type->ready)
		dev->type->ready(dev);
	show(dev);
	if (dev->config_news)
		interrupt_config(dev);
	for (unsigned i = 0; i < dev->queue_count; i++)
		virtio_serve(dev, i);
}

void virtio_allow_memory(struct virtio_dev *dev, bool allow)
{
	dev->no_memory = !allow;
	if (allow)
		return;
	if (!virtio_has(dev, VIRTIO_S_DRIVER_OK)) {
		hold(dev);
		return;
	}
	/* From here on nothing is popped; what was is waited for. */
	virtio_dev_failed(dev);
	virtio_drain(dev);
}

uint32_t virtio_status(const struct virtio_dev *dev)
{
	return dev->status;
}

void virtio_set_status(struct virtio_dev *dev, uint32_t status)
{
	uint32_t add;

	if (status == 0) {
		reset(dev);
		return;
	}
	/* No bit may be cleared but by reset (2.1.1); the whole write is void then. */
	status &= DRIVER_BITS;
	if (dev->status & DRIVER_BITS & ~status)
		return;
	add = status & ~dev->status;
	if (add & VIRTIO_S_FAILED) {
		dev->status |= VIRTIO_S_FAILED;
		return;
	}
	if (virtio_is_dead(dev))
		return;

	/* Each step asks for the one before; the last also that the driver could read it back. */
	if ((add & VIRTIO_S_DRIVER_OK) && virtio_has(dev, VIRTIO_S_FEATURES_OK)) {
		go_live(dev);
		return;
	}
	if (add & VIRTIO_S_ACKNOWLEDGE)
		dev->status |= VIRTIO_S_ACKNOWLEDGE;
	if ((add & VIRTIO_S_DRIVER) && virtio_has(dev, VIRTIO_S_ACKNOWLEDGE))
		dev->status |= VIRTIO_S_DRIVER;
	if ((add & VIRTIO_S_FEATURES_OK) && virtio_has(dev, VIRTIO_S_DRIVER) &&
	    features_acceptable(dev))
		dev->status |= VIRTIO_S_FEATURES_OK;
}

/* Features (2.2). */

uint32_t virtio_features(const struct virtio_dev *dev, uint32_t select)
{
	return select < 2 ? (uint32_t)(dev->features >> (32 * select)) : 0;
}

void virtio_set_driver_features(struct virtio_dev *dev, uint32_t select, uint32_t bits)
{
	if (!virtio_has(dev, VIRTIO_S_DRIVER) || virtio_has(dev, VIRTIO_S_FEATURES_OK) ||
	    virtio_is_dead(dev))
		return;
	if (select >= 2) {
		dev->unknown_features = dev->unknown_features || bits;
		return;
	}
	dev->driver_features &= ~((uint64_t)UINT32_MAX << (32 * select));
	dev->driver_features |= (uint64_t)bits << (32 * select);
}

/* Config space (2.5). */

/* How many of @len bytes at @offset lie in config space. */
static size_t config_part(const struct virtio_dev *dev, uint64_t offset, size_t len)
{
	if (offset >= dev->config_size)
		return 0;
	return size_min(len, dev->config_size - (size_t)offset);
}

void virtio_config_read(struct virtio_dev *dev, uint64_t offset, void *data, size_t len)
{
	size_t n = config_part(dev, offset, len);

	memset(data, 0xff, len);
	if (n && dev->type->config_read)
		dev->type->config_read(dev, (size_t)offset, data, n);
}

void virtio_config_write(struct virtio_dev *dev, uint64_t offset, const void *data, size_t len)
{
	size_t n = config_part(dev, offset, len);

	if (n && dev->type->config_write)
		dev->type->config_write(dev, (size_t)offset, data, n);
}

/* Life. */

static void close_kicks(struct virtio_dev *dev, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		(void)loop_del(dev->loop, dev->kick_fd[i]);
		(void)close(dev->kick_fd[i]);
		dev->kick_fd[i] = -1;
	}
}

static int open_kick(struct virtio_dev *dev, unsigned index)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = 0;

	if (fd < 0)
		return -errno;
	dev->kick_source[index] = (struct virtio_kick_source){ dev, index };
	if (!dev->type->remote)
		r = loop_add_doorbell(dev->loop, fd, on_kick, &dev->kick_source[index]);
	if (r) {
		(void)close(fd);
		return r;
	}
	dev->kick_fd[index] = fd;
	return 0;
}

int virtio_dev_init(struct virtio_dev *dev, const struct virtio_type *type, const char *name,
		    struct guest_mem *mem, struct loop *loop, unsigned queue_count,
		    uint16_t queue_max, uint64_t features, size_t config_size)
{
	int r;

	if (queue_count > VIRTIO_MAX_QUEUES || queue_max > VQ_MAX_SIZE || !u64_is_pow2(queue_max))
		return -EINVAL;
	*dev = (struct virtio_dev){
		.type = type,
		.mem = mem,
		.loop = loop,
		.features = features | SHARED_FEATURES,
		.config_size = config_size,
		.queue_count = queue_count,
	};
	dev->isr = &dev->own_isr;
	(void)snprintf(dev->name, sizeof(dev->name), "%s", name);
	for (unsigned i = 0; i < queue_count; i++) {
		vq_init(&dev->queues[i], mem, queue_max);
		r = open_kick(dev, i);
		if (r) {
			close_kicks(dev, i);
			return r;
		}
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool virtio_dev_settle(struct virtio_dev *dev, int ms)
{
	int64_t end = now_ms() + ms;
	int left = ms;

	while (atomic_load(&dev->draining) && (ms < 0 || left >= 0)) {
		dev->type->settle(dev, ms < 0 ? -1 : left);
		left = (int)(end - now_ms());
	}
	return !atomic_load(&dev->draining);
}

void virtio_dev_fini(struct virtio_dev *dev)
{
	reset(dev);
	(void)virtio_dev_settle(dev, -1);
	close_kicks(dev, dev->queue_count);
	if (dev->type->destroy)
		dev->type->destroy(dev);
}
