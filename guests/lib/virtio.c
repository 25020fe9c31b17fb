/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio-mmio driver of the guests: negotiation, queues, rings. */
#include "lib/virtio.h"
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

enum { STATUS_NO_RESET = 119 };

bool virtio_find(struct vdevice *dev, u32 id, u32 nth)
{
	for (u32 i = 0; i < plat_virtio_windows(); i++) {
		uptr base = plat_virtio_window(i);

		if (mmio_read32(base + VM_MAGIC) != VM_MAGIC_VALUE ||
		    mmio_read32(base + VM_VERSION) != 2 || mmio_read32(base + VM_DEVICE) != id)
			continue;
		if (nth--)
			continue;
		dev->base = base;
		dev->window = i;
		dev->features = 0;
		return true;
	}
	return false;
}

u64 virtio_offered(struct vdevice *dev)
{
	u64 offered;

	mmio_write32(dev->base + VM_FEATURES_SEL, 0);
	offered = mmio_read32(dev->base + VM_FEATURES);
	mmio_write32(dev->base + VM_FEATURES_SEL, 1);
	return offered | (u64)mmio_read32(dev->base + VM_FEATURES) << 32;
}

void virtio_reset(struct vdevice *dev)
{
	u64 give_up = plat_cycles() + PATIENCE;

	mmio_write32(dev->base + VM_STATUS, 0);
	while (virtio_status(dev)) {
		/* The rings are the device's still, and whoever asked will use them anew. */
		if (plat_cycles() > give_up)
			fail(STATUS_NO_RESET, "window %u: a reset that does not end (status %x)",
			     dev->window, virtio_status(dev));
		plat_relax();
	}
}

u32 virtio_status(struct vdevice *dev)
{
	return mmio_read32(dev->base + VM_STATUS);
}

bool virtio_begin(struct vdevice *dev, u64 wanted)
{
	virtio_reset(dev);
	mmio_write32(dev->base + VM_STATUS, VS_ACKNOWLEDGE);
	mmio_write32(dev->base + VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER);
	dev->features = virtio_offered(dev) & (wanted | VF_VERSION_1);
	mmio_write32(dev->base + VM_DRIVER_SEL, 0);
	mmio_write32(dev->base + VM_DRIVER, (u32)dev->features);
	mmio_write32(dev->base + VM_DRIVER_SEL, 1);
	mmio_write32(dev->base + VM_DRIVER, (u32)(dev->features >> 32));
	mmio_write32(dev->base + VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK);
	return virtio_status(dev) == (VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK);
}

static void write_address(struct vdevice *dev, u32 reg, const void *address)
{
	mmio_write32(dev->base + reg, (u32)(uptr)address);
	mmio_write32(dev->base + reg + 4, (u32)((u64)(uptr)address >> 32));
}

bool virtio_queue(struct vdevice *dev, struct vqueue *queue, u32 index, u32 size)
{
	u32 max;

	mmio_write32(dev->base + VM_QUEUE_SEL, index);
	if (mmio_read32(dev->base + VM_QUEUE_READY))
		return false;
	max = mmio_read32(dev->base + VM_QUEUE_MAX);
	if (!max)
		return false;
	if (size > max)
		size = max;
	if (size > VQ_MAX)
		size = VQ_MAX;
	memset(queue, 0, sizeof(*queue));
	queue->size = (u16)size;
	queue->index = index;
	mmio_write32(dev->base + VM_QUEUE_SIZE, size);
	write_address(dev, VM_DESC, queue->desc);
	write_address(dev, VM_AVAIL, &queue->avail);
	write_address(dev, VM_USED, &queue->used);
	mmio_write32(dev->base + VM_QUEUE_READY, 1);
	return mmio_read32(dev->base + VM_QUEUE_READY) == 1;
}

void virtio_go(struct vdevice *dev)
{
	mmio_write32(dev->base + VM_STATUS,
		     VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK | VS_DRIVER_OK);
}

void virtio_avail(struct vqueue *queue, u16 head)
{
	queue->avail.ring[queue->avail.idx & (queue->size - 1)] = head;
	plat_mb();
	*(volatile u16 *)&queue->avail.idx = (u16)(queue->avail.idx + 1);
}

void virtio_put(struct vqueue *queue, u32 first, const struct vbuf *bufs, u32 count, bool indirect)
{
	struct vdesc *table = indirect ? queue->table : queue->desc;

	for (u32 i = 0; i < count; i++) {
		struct vdesc *d = &table[first + i];

		d->addr = bufs[i].gpa;
		d->len = bufs[i].len;
		d->flags = (u16)((bufs[i].device_writes ? VD_WRITE : 0) |
				 (i + 1 < count ? VD_NEXT : 0));
		/* Numbers count from the start of the table that the device sees. */
		d->next = (u16)(i + 1 < count ? (indirect ? 0 : first) + i + 1 : 0);
	}
	if (indirect) {
		queue->desc[first].addr = (uptr)&queue->table[first];
		queue->desc[first].len = count * (u32)sizeof(struct vdesc);
		queue->desc[first].flags = VD_INDIRECT;
		queue->desc[first].next = 0;
	}
	virtio_avail(queue, (u16)first);
}

bool virtio_kick(struct vdevice *dev, struct vqueue *queue)
{
	u16 now = queue->avail.idx, before = queue->kicked;

	plat_mb();
	queue->kicked = now;
	if (dev->features & VF_EVENT_IDX) {
		u16 event = *(volatile u16 *)&queue->used.ring[queue->size];

		if ((u16)(now - event - 1) >= (u16)(now - before))
			return false;
	} else if (*(volatile u16 *)&queue->used.flags & 1) {
		return false;
	}
	mmio_write32(dev->base + VM_NOTIFY, queue->index);
	return true;
}

void virtio_want_irq(struct vdevice *dev, struct vqueue *queue)
{
	if (dev->features & VF_EVENT_IDX)
		*(volatile u16 *)&queue->avail.ring[queue->size] = queue->last_used;
	else
		*(volatile u16 *)&queue->avail.flags = 0;
	plat_mb();
}

bool virtio_pending(struct vqueue *queue)
{
	return *(volatile u16 *)&queue->used.idx != queue->last_used;
}

bool virtio_take(struct vqueue *queue, struct vused_elem *elem)
{
	u64 give_up = plat_cycles() + PATIENCE;

	while (!virtio_pending(queue)) {
		if (plat_cycles() > give_up)
			return false;
		plat_relax();
	}
	plat_mb();
	*elem = queue->used.ring[queue->last_used & (queue->size - 1)];
	queue->last_used++;
	return true;
}
