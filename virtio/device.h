/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device: what every device type provides (struct virtio_type), and the status machine,
 * feature negotiation and queue set-up (virtio 1.3, sections 2.1, 2.2, 3.1) that every transport
 * shares. No transport judges anything: it decodes registers and calls these.
 *
 * All functions run on the thread of the device's loop (or before it runs), except
 * virtio_isr_* and virtio_kick, which any thread may call.
 *
 * The life of a device, by status: reset (0) -> ACKNOWLEDGE -> DRIVER -> FEATURES_OK -> DRIVER_OK.
 * Feature words are taken between DRIVER and FEATURES_OK, queues are set up between FEATURES_OK and
 * DRIVER_OK, chains are served from DRIVER_OK on until NEEDS_RESET or FAILED. docs/devices/virtio.md
 * has the whole table.
 */
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/irq.h"
#include "hw/loop.h"
#include "mm/memory.h"
#include "virtio/queue.h"

enum {
	VIRTIO_MAX_QUEUES = 18,	  /* eight ports of a console; eight pairs of a network device */
	VIRTIO_MAX_REPORTS = 16,  /* lines a guest can make one device print */
	VIRTIO_NO_QUEUE = 0xffff, /* an interrupt's reason that is no queue: config space */
};

/* Device status bits (2.1). */
enum {
	VIRTIO_S_ACKNOWLEDGE = 1,
	VIRTIO_S_DRIVER = 2,
	VIRTIO_S_DRIVER_OK = 4,
	VIRTIO_S_FEATURES_OK = 8,
	VIRTIO_S_NEEDS_RESET = 64,
	VIRTIO_S_FAILED = 128,
};

/* Feature bits that queue and transport know (6). */
#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX     (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1     (UINT64_C(1) << 32)

/* Interrupt status bits (4.2.2). */
enum {
	VIRTIO_ISR_QUEUE = 1,
	VIRTIO_ISR_CONFIG = 2,
};

struct virtio_dev;

/*
 * One device type. Every function runs on the loop's thread. @dev->priv is the type's own state.
 */
struct virtio_type {
	const char *name; /* "blk", for messages */
	uint32_t id;	  /* device id (section 5) */
	/*
	 * Another process serves the rings (vhost-user): doorbells are not read here, queue_kick is
	 * NULL, and nobody here takes a chain. It says virtio_used, not virtio_signal.
	 */
	bool remote;

	/* Bytes of config space @offset.. into @data; offset + len <= config_size. NULL if none. */
	void (*config_read)(struct virtio_dev *dev, size_t offset, void *data, size_t len);
	/* A driver's write to config space, same bounds. NULL: ignored. */
	void (*config_write)(struct virtio_dev *dev, size_t offset, const void *data, size_t len);
	/* DRIVER_OK was set; features are final (dev->driver_features). NULL allowed. */
	void (*ready)(struct virtio_dev *dev);
	/* Chains may wait in queue @index: take and serve them. Spurious calls happen. */
	void (*queue_kick)(struct virtio_dev *dev, unsigned index);
	/*
	 * The driver resets: on return nothing will be pushed for chains taken before, and nothing of the
	 * guest's memory is touched any more unless busy() says so. Also called on a device that was never ready,
	 * and more than once. NULL: the type keeps nothing in flight.
	 */
	void (*reset)(struct virtio_dev *dev);
	/*
	 * After reset: whether something is still in flight, for as long as its medium takes. Then the type says
	 * virtio_dev_drained when the last of it has ended. NULL: never. Also true while what ready() began is not over:
	 * then it is not waited for before the driver resets or stops a queue.
	 */
	bool (*busy)(const struct virtio_dev *dev);
	/*
	 * While busy and nobody runs the loop: does what the loop would call the type for, and if that leaves it
	 * busy waits at most @ms milliseconds (-1: for ever) for more of it. With busy, else NULL.
	 */
	void (*settle)(struct virtio_dev *dev, int ms);
	/* The driver stops one queue of a remote device: as reset, for queue @index alone; busy afterwards too. */
	void (*queue_stop)(struct virtio_dev *dev, unsigned index);
	/*
	 * Rings the doorbell of queue @index of a remote device, where KVM did not. Its eventfd is shared with
	 * its flags, so that a plain write may wait.
	 */
	void (*ring)(struct virtio_dev *dev, unsigned index);
	/* Frees @dev->priv; after reset, no thread uses the device. */
	void (*destroy)(struct virtio_dev *dev);
};

/* What a doorbell's callback gets. */
struct virtio_kick_source {
	struct virtio_dev *dev;
	unsigned index;
};

struct virtio_dev {
	const struct virtio_type *type;
	void *priv;
	char name[32]; /* "blk0", for messages */
	struct guest_mem *mem;
	struct loop *loop;
	struct irq_line *irq; /* pulsed once per signal; set by the board after create, NULL: none */

	uint64_t features; /* offered; constant after create */
	size_t config_size;
	unsigned queue_count;
	struct virtqueue queues[VIRTIO_MAX_QUEUES];
	int kick_fd[VIRTIO_MAX_QUEUES]; /* eventfds: doorbells (an ioeventfd in hvrun) */
	struct virtio_kick_source kick_source[VIRTIO_MAX_QUEUES];

	/*
	 * Set by a transport that shows status and config space to the guest: called, on the loop's thread,
	 * when the device itself changes them, before it interrupts. NULL: none.
	 */
	void (*changed)(void *transport);
	void *transport;

	/*
	 * For a transport whose interrupts may be messages: while @messages is set, @message is called on the
	 * loop's thread in place of interrupt status and line. @queue: VIRTIO_NO_QUEUE for config space.
	 */
	bool messages;
	void (*message)(void *transport, unsigned queue);

	/* Negotiation state. */
	uint64_t driver_features;
	bool unknown_features; /* the driver took bits beyond the 64 that exist */
	bool no_memory;	       /* the transport keeps the device from guest memory */
	bool config_news; /* config space changed under a driver that is not live yet: told then */
	uint32_t status;
	uint32_t config_generation;

	/*
	 * What was in flight when the driver let go of the device touches its memory still: until that is through a
	 * reset is not, and whoever asked for it waits. Changed on the loop's thread.
	 */
	atomic_bool draining;
	bool resetting; /* then it is for a reset, whose end is a status of 0 */
	/*
	 * The thread whose access is under way is not to come back to the guest until *@draining is false, of which
	 * let_go tells; the loop goes on. Loop thread. NULL: nobody has to wait.
	 */
	void (*hold)(void *opaque, const atomic_bool *draining);
	void (*let_go)(void *opaque);
	void *hold_opaque;

	/* Told when the driver broke a rule, as often as it is said; NULL: nobody. Loop thread. */
	void (*on_broken)(void *opaque, const struct virtio_dev *dev, const char *why);
	void *broken_opaque;

	unsigned reports; /* lines said about the driver's errors, bounded for the device's life */

	/* The interrupt status, little-endian: own_isr, or where the transport shows it to the guest. */
	_Atomic uint32_t *isr;
	_Atomic uint32_t own_isr;
	_Atomic uint64_t interrupts; /* sent, for reports */
};

/*
 * Prepares the shared part of a device: @type, queues (each with @queue_max entries, a power of
 * two), eventfds, which it registers with @loop. @features are the type's own bits; VERSION_1,
 * INDIRECT_DESC and EVENT_IDX are added here, for every device. The type's own create function
 * calls this. 0, -EINVAL (more queues or entries than allowed) or -errno; on error nothing is left
 * open.
 */
int virtio_dev_init(struct virtio_dev *dev, const struct virtio_type *type, const char *name,
		    struct guest_mem *mem, struct loop *loop, unsigned queue_count,
		    uint16_t queue_max, uint64_t features, size_t config_size);

/*
 * Resets, waits for what is in flight, calls type->destroy, forgets and closes the eventfds. Not the memory of @dev
 * itself. No thread runs the loop or a vCPU any more.
 */
void virtio_dev_fini(struct virtio_dev *dev);

/*
 * Waits at most @ms milliseconds (-1: for ever) until nothing is in flight of a device that was reset: whether that
 * came to be. Nobody runs the loop.
 */
bool virtio_dev_settle(struct virtio_dev *dev, int ms);

/*
 * What a transport may ask. Each judges the order of steps (3.1.1): what comes at a wrong time is
 * ignored, and where the driver has broken the device's trust (a queue register written after
 * activation), NEEDS_RESET is set.
 */
uint32_t virtio_status(const struct virtio_dev *dev);
/*
 * 0 resets. While requests are in flight that is not over when this returns: the status is NEEDS_RESET until they have
 * ended, then 0 (2.4.2), and what the driver writes meanwhile is ignored.
 */
void virtio_set_status(struct virtio_dev *dev, uint32_t status);
uint32_t virtio_features(const struct virtio_dev *dev, uint32_t select);
void virtio_set_driver_features(struct virtio_dev *dev, uint32_t select, uint32_t bits);

enum virtio_queue_field {
	VIRTIO_Q_NUM,
	VIRTIO_Q_DESC_LOW,
	VIRTIO_Q_DESC_HIGH,
	VIRTIO_Q_AVAIL_LOW,
	VIRTIO_Q_AVAIL_HIGH,
	VIRTIO_Q_USED_LOW,
	VIRTIO_Q_USED_HIGH,
};

/*
 * @queue is what the driver selected: any 32-bit value. Writing @ready 1 enables the queue, 0 stops
 * it (4.2.2.2); other values are ignored. A queue stopped after DRIVER_OK cannot be enabled again
 * without a reset; if it had requests in flight they are waited for and the device needs a reset.
 */
uint32_t virtio_queue_num_max(const struct virtio_dev *dev, uint32_t queue); /* 0 if absent */
void virtio_queue_set(struct virtio_dev *dev, uint32_t queue, enum virtio_queue_field field,
		      uint32_t value);
bool virtio_queue_ready(const struct virtio_dev *dev, uint32_t queue);
void virtio_queue_set_ready(struct virtio_dev *dev, uint32_t queue, uint32_t ready);
/* What was set, as set; of a queue that is not there 0. */
uint32_t virtio_queue_get(const struct virtio_dev *dev, uint32_t queue,
			  enum virtio_queue_field field);

/* Where the rings of a queue lie, and where they go on. */
struct virtio_ring {
	uint32_t num;
	gpa_t desc, avail, used;
	uint16_t base; /* the next entry of the available ring */
};

/*
 * For a transport whose queues come and go one by one while the device is live (a vhost-user back-end):
 * starts queue @queue, which is there and stopped, and serves what waits in it. 0, or -EINVAL with
 * dev->queues[queue].why.
 */
int virtio_ring_start(struct virtio_dev *dev, unsigned queue, const struct virtio_ring *ring);

/*
 * Stops it: nothing is in flight there (it was paused, see vq_pause), or what is was given up by a reset.
 * Returns the base by which another goes on.
 */
uint16_t virtio_ring_stop(struct virtio_dev *dev, unsigned queue);

/* Serves queue @index if it is live, as its doorbell does. */
void virtio_serve(struct virtio_dev *dev, unsigned index);

/*
 * Whether the device may touch guest memory (PCI's bus mastering); it may unless this says otherwise.
 * Taken away from a device that is live: what is in flight is waited for, then it needs a reset. Without it a
 * device does not go live: NEEDS_RESET.
 */
void virtio_allow_memory(struct virtio_dev *dev, bool allow);

/* Config space; bytes outside read as all ones and are not written. */
void virtio_config_read(struct virtio_dev *dev, uint64_t offset, void *data, size_t len);
void virtio_config_write(struct virtio_dev *dev, uint64_t offset, const void *data, size_t len);

/* The doorbell, for a transport without ioeventfd: any 32-bit queue number, any thread. */
void virtio_kick(struct virtio_dev *dev, uint32_t queue);

/* Interrupt status, its acknowledgement, and both in one (4.1.4.5). Any thread. */
uint32_t virtio_isr_read(const struct virtio_dev *dev);
void virtio_isr_ack(struct virtio_dev *dev, uint32_t bits);
uint32_t virtio_isr_take(struct virtio_dev *dev);

/*
 * For a transport, before the first vCPU runs: the interrupt status lies in @word from now on, where
 * the guest may read it; NULL: in the device again.
 */
void virtio_isr_place(struct virtio_dev *dev, _Atomic uint32_t *word);

/* For device types: tell the driver of used buffers in @queue if it asked to be told. */
void virtio_signal(struct virtio_dev *dev, unsigned queue);

/*
 * For remote device types: who serves the rings says that the driver is to be told of used buffers in
 * @queue. The interrupt is given whether the ring asks for it or not: that was judged by who said so.
 */
void virtio_used(struct virtio_dev *dev, unsigned queue);

/*
 * For device types: the device cannot go on, and that is not the driver's fault (the reason has been
 * said). Sets NEEDS_RESET and interrupts.
 */
void virtio_dev_failed(struct virtio_dev *dev);

/* For device types: the device was busy, and is not any more. Whoever waits for that goes on. */
void virtio_dev_drained(struct virtio_dev *dev);

/* For device types: the config space changed. */
void virtio_config_changed(struct virtio_dev *dev);

/*
 * For device types and the queue: the driver broke a rule. Sets NEEDS_RESET, interrupts, and says
 * one line (once until the next reset, and at most VIRTIO_MAX_REPORTS for the device's life):
 * "virtio-blk0: guest driver error: @why".
 */
void virtio_dev_broken(struct virtio_dev *dev, const char *why);

/*
 * Takes a chain of queue @index as vq_pop does, and handles a broken queue. 1, or 0 for none, also
 * while the device is not live (before DRIVER_OK, after NEEDS_RESET or FAILED).
 */
int virtio_pop(struct virtio_dev *dev, unsigned index, struct vq_chain *chain);

#endif
