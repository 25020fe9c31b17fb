/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small virtio-mmio driver (virtio 1.3, transport version 2, split queues) that leaves every
 * pointer and number of the rings in the caller's sight, so that a guest can also drive it wrongly.
 */
#ifndef GUESTS_LIB_VIRTIO_H
#define GUESTS_LIB_VIRTIO_H

#include "lib/types.h"

/* Registers of a window (virtio 1.3, 4.2.2). */
enum {
	VM_MAGIC = 0x000,
	VM_VERSION = 0x004,
	VM_DEVICE = 0x008,
	VM_VENDOR = 0x00c,
	VM_FEATURES = 0x010,
	VM_FEATURES_SEL = 0x014,
	VM_DRIVER = 0x020,
	VM_DRIVER_SEL = 0x024,
	VM_QUEUE_SEL = 0x030,
	VM_QUEUE_MAX = 0x034,
	VM_QUEUE_SIZE = 0x038,
	VM_QUEUE_READY = 0x044,
	VM_NOTIFY = 0x050,
	VM_INTERRUPT = 0x060,
	VM_INTERRUPT_ACK = 0x064,
	VM_STATUS = 0x070,
	VM_DESC = 0x080,
	VM_AVAIL = 0x090,
	VM_USED = 0x0a0,
	VM_GENERATION = 0x0fc,
	VM_CONFIG = 0x100,
	VM_MAGIC_VALUE = 0x74726976,
};

/* Device status bits (2.1). */
enum {
	VS_ACKNOWLEDGE = 1,
	VS_DRIVER = 2,
	VS_DRIVER_OK = 4,
	VS_FEATURES_OK = 8,
	VS_NEEDS_RESET = 64,
	VS_FAILED = 128,
};

/* Device types and feature bits. */
enum {
	VIRTIO_NET = 1,
	VIRTIO_BLK = 2,
	VIRTIO_CONSOLE = 3,
	VIRTIO_RNG = 4,
	VIRTIO_BALLOON = 5,
	VIRTIO_VSOCK = 19,
	VIRTIO_PMEM = 27,
};

#define VF_INDIRECT  (1ULL << 28)
#define VF_EVENT_IDX (1ULL << 29)
#define VF_VERSION_1 (1ULL << 32)

/* Descriptor flags (2.7.5). */
enum { VD_NEXT = 1, VD_WRITE = 2, VD_INDIRECT = 4 };

struct vdesc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

struct vused_elem {
	u32 id;
	u32 len;
};

enum { VQ_MAX = 64 };

/* One queue; the driver's memory of it lies in the struct, which therefore must not move. */
struct vqueue {
	struct vdesc desc[VQ_MAX] __attribute__((aligned(4096)));
	struct vdesc table[VQ_MAX] __attribute__((aligned(16))); /* for indirect chains */
	struct {
		u16 flags;
		u16 idx;
		u16 ring[VQ_MAX + 1]; /* used_event lies behind entry size-1 */
	} avail __attribute__((aligned(64)));
	struct {
		u16 flags;
		u16 idx;
		struct vused_elem ring[VQ_MAX + 1]; /* avail_event lies behind entry size-1 */
	} used __attribute__((aligned(64)));
	u16 size, last_used, kicked;
	u32 index;
};

struct vdevice {
	uptr base;
	u32 window;   /* number of the window */
	u64 features; /* as negotiated */
};

/* One piece of a request. */
struct vbuf {
	u64 gpa;
	u32 len;
	bool device_writes;
};

/* The NTH window (from 0) with a device of type ID; false when there is none. */
bool virtio_find(struct vdevice *dev, u32 id, u32 nth);

/* All that the device offers. */
u64 virtio_offered(struct vdevice *dev);

/*
 * Reset and negotiate: up to FEATURES_OK, with those bits of WANTED that are offered (VERSION_1
 * always). False when the device refuses.
 */
bool virtio_begin(struct vdevice *dev, u64 wanted);

/* Set up queue INDEX with SIZE entries, cut to what the device can; false when there is none. */
bool virtio_queue(struct vdevice *dev, struct vqueue *queue, u32 index, u32 size);

/* DRIVER_OK. */
void virtio_go(struct vdevice *dev);

/* Returns when the device is through with it; ends the guest when that never comes. */
void virtio_reset(struct vdevice *dev);
u32 virtio_status(struct vdevice *dev);

/*
 * Lay COUNT pieces out from descriptor FIRST on (or in the indirect table from entry FIRST on) and
 * make the chain available. Does not notify.
 */
void virtio_put(struct vqueue *queue, u32 first, const struct vbuf *bufs, u32 count, bool indirect);

/* Make head HEAD available. */
void virtio_avail(struct vqueue *queue, u16 head);

/* Notify if the device wants to hear of it; true when it did. */
bool virtio_kick(struct vdevice *dev, struct vqueue *queue);

/* Ask for an interrupt with the next used buffer. */
void virtio_want_irq(struct vdevice *dev, struct vqueue *queue);

/* Whether a used element waits; wait for one and take it: false after some seconds without. */
bool virtio_pending(struct vqueue *queue);
bool virtio_take(struct vqueue *queue, struct vused_elem *elem);

#endif
