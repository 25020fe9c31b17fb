/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI transport of a virtio device (virtio 1.3, section 4.1): its function on the bus, where in the BAR
 * each structure lies, doorbells, and vectors of interrupts.
 */
#include "virtio/pci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "virtio/pci_common.h"

/* Capabilities that tell where a structure lies (4.1.4). */
enum {
	CAP_COMMON = 1,
	CAP_NOTIFY = 2,
	CAP_ISR = 3,
	CAP_DEVICE = 4,
	CAP_PCI = 5,

	CAP_SIZE = 16,
	CAP_NOTIFY_SIZE = 20,
	CAP_PCI_SIZE = 20,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_LENGTH = 12,
	CAP_MULTIPLIER = 16,
	CAP_PCI_DATA = 16,

	MSIX_CAP_SIZE = 12,
	MSIX_CAP_TABLE = 4,
	MSIX_CAP_PENDING = 8,
};

struct virtio_pci {
	struct virtio_dev *dev;
	const struct virtio_pci_board *board;
	struct pci_function function;
	struct msix msix;
	unsigned msix_cap, pci_cap; /* where they are */
	uint64_t doorbells;	    /* where they are hung, or PCI_NOWHERE */
	struct virtio_pci_common common;
};

/* One access on its way to the loop's thread. */
struct access {
	struct virtio_pci *pci;
	uint64_t offset;
	void *in;	 /* for a read; else NULL */
	const void *out; /* for a write */
	size_t len;
};

static void access_common(const struct access *a)
{
	if (a->in)
		virtio_pci_common_read(&a->pci->common, a->offset, a->in, a->len);
	else if (virtio_pci_common_write(&a->pci->common, a->offset, a->out, a->len))
		msix_forget(&a->pci->msix);
}

static void access_config(const struct access *a)
{
	uint64_t offset = a->offset - VIRTIO_PCI_CONFIG;

	if (a->in)
		virtio_config_read(a->pci->dev, offset, a->in, a->len);
	else
		virtio_config_write(a->pci->dev, offset, a->out, a->len);
}

static void access_vectors(const struct access *a)
{
	uint64_t offset = a->offset - VIRTIO_PCI_VECTORS;

	if (a->in)
		msix_read_table(&a->pci->msix, offset, a->in, a->len);
	else
		msix_write_table(&a->pci->msix, offset, a->out, a->len);
}

/* On the loop's thread, which owns the device. */
static void do_access(void *opaque)
{
	const struct access *a = opaque;

	if (a->offset < VIRTIO_PCI_COMMON_SIZE)
		access_common(a);
	else if (a->offset >= VIRTIO_PCI_CONFIG && a->offset < VIRTIO_PCI_NOTIFY)
		access_config(a);
	else if (a->offset >= VIRTIO_PCI_VECTORS && a->offset < VIRTIO_PCI_PENDING)
		access_vectors(a);
	else if (a->offset >= VIRTIO_PCI_PENDING && a->in)
		msix_read_pending(&a->pci->msix, a->offset - VIRTIO_PCI_PENDING, a->in, a->len);
}

/* What needs no trip to the loop: interrupt status, read and cleared in one, and what reads as ones. */
static bool read_here(struct virtio_pci *pci, uint64_t offset, void *data, size_t len)
{
	if (offset == VIRTIO_PCI_ISR && len == 1) {
		*(uint8_t *)data = (uint8_t)virtio_isr_take(pci->dev);
		return true;
	}
	return (offset >= VIRTIO_PCI_COMMON_SIZE && offset < VIRTIO_PCI_CONFIG) ||
	       (offset >= VIRTIO_PCI_NOTIFY && offset < VIRTIO_PCI_VECTORS);
}

static void bar_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct virtio_pci *pci = opaque;
	struct access access = { .pci = pci, .offset = offset, .in = data, .len = len };

	memset(data, 0xff, len);
	if (!read_here(pci, offset, data, len))
		loop_call(pci->dev->loop, do_access, &access);
}

/* A doorbell is told by its place; the value says the same (4.1.5.2). */
static void bar_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct virtio_pci *pci = opaque;
	struct access access = { .pci = pci, .offset = offset, .out = data, .len = len };

	if (offset < VIRTIO_PCI_NOTIFY || offset >= VIRTIO_PCI_VECTORS)
		loop_call(pci->dev->loop, do_access, &access);
	else if (offset % VIRTIO_PCI_DOORBELL == 0)
		virtio_kick(pci->dev, (uint32_t)(offset - VIRTIO_PCI_NOTIFY) / VIRTIO_PCI_DOORBELL);
}

/* Interrupts. */

static void message(void *transport, unsigned queue)
{
	struct virtio_pci *pci = transport;
	const struct virtio_pci_common *common = &pci->common;
	uint16_t v = queue == VIRTIO_NO_QUEUE ? common->config_vector
					      : common->queue_vectors[queue];

	if (v != VIRTIO_PCI_NO_VECTOR)
		msix_raise(&pci->msix, v);
}

static void update_msix(struct virtio_pci *pci)
{
	uint32_t command = pci_get(&pci->function, PCI_COMMAND);

	msix_control(&pci->msix, (uint16_t)(pci_get(&pci->function, pci->msix_cap) >> 16),
		     command & PCI_COMMAND_MASTER);
	pci->dev->messages = pci->msix.enabled;
}

/* Configuration space. */

static void command_written(void *opaque, uint16_t command)
{
	struct virtio_pci *pci = opaque;

	/* Messages first: what the device says when it is stopped is a store to memory as well. */
	update_msix(pci);
	virtio_allow_memory(pci->dev, command & PCI_COMMAND_MASTER);
}

static void hang_doorbells(struct virtio_pci *pci, uint64_t base, bool on)
{
	const struct virtio_dev *dev = pci->dev;

	for (unsigned q = 0; base != PCI_NOWHERE && q < dev->queue_count; q++)
		pci->board->doorbell(pci->board->opaque,
				     base + VIRTIO_PCI_NOTIFY + (uint64_t)VIRTIO_PCI_DOORBELL * q,
				     dev->kick_fd[q], on);
}

static void moved(void *opaque, uint64_t base)
{
	struct virtio_pci *pci = opaque;

	if (!pci->board->doorbell)
		return;
	hang_doorbells(pci, pci->doorbells, false);
	hang_doorbells(pci, base, true);
	pci->doorbells = base;
}

/*
 * The other way into the BAR (4.1.4.9): the driver writes where and how much into the capability, then reads
 * or writes the word behind it. What it must not ask for is not done.
 */
static bool window_access(const struct virtio_pci *pci, struct access *a)
{
	uint32_t offset = pci_get(&pci->function, pci->pci_cap + CAP_OFFSET);
	uint32_t len = pci_get(&pci->function, pci->pci_cap + CAP_LENGTH);

	*a = (struct access){ .offset = offset, .len = len };
	return !(pci_get(&pci->function, pci->pci_cap + CAP_BAR) & 0xff) &&
	       (len == 1 || len == 2 || len == 4) && offset % len == 0 &&
	       range_fits(offset, len, VIRTIO_PCI_BAR_SIZE);
}

static void config_read(void *opaque, unsigned at)
{
	struct virtio_pci *pci = opaque;
	uint8_t data[4] = { 0xff, 0xff, 0xff, 0xff };
	struct access a;

	if (at != pci->pci_cap + CAP_PCI_DATA)
		return;
	if (window_access(pci, &a))
		bar_read(pci, a.offset, data, a.len);
	pci_set(&pci->function, at, le32_load(data));
}

static void config_written(void *opaque, unsigned at)
{
	struct virtio_pci *pci = opaque;
	uint8_t data[4];
	struct access a;

	if (at == pci->msix_cap) {
		update_msix(pci);
		return;
	}
	le32_store(data, pci_get(&pci->function, at));
	if (at == pci->pci_cap + CAP_PCI_DATA && window_access(pci, &a))
		bar_write(pci, a.offset, data, a.len);
}

static const struct pci_ops ops = {
	.read = bar_read,
	.write = bar_write,
	.moved = moved,
	.command = command_written,
	.config_written = config_written,
	.config_read = config_read,
};

/* A virtio capability (4.1.4): where in BAR 0 a structure lies. Its offset. */
static unsigned add_capability(struct pci_function *f, uint8_t type, uint8_t size, uint32_t offset,
			       uint32_t length)
{
	unsigned at = pci_add_capability(f, PCI_CAP_VENDOR, size);

	if (!at)
		return 0;
	pci_set(f, at, pci_get(f, at) | (uint32_t)size << 16 | (uint32_t)type << 24);
	pci_set(f, at + CAP_OFFSET, offset);
	pci_set(f, at + CAP_LENGTH, length);
	return at;
}

static unsigned add_msix(struct virtio_pci *pci)
{
	struct pci_function *f = &pci->function;
	unsigned at = pci_add_capability(f, PCI_CAP_MSIX, MSIX_CAP_SIZE);

	if (!at)
		return 0;
	pci_set(f, at, pci_get(f, at) | (pci->msix.vectors - 1) << 16);
	pci_set_writable(f, at, (uint32_t)(MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK) << 16);
	pci_watch(f, at);
	pci_set(f, at + MSIX_CAP_TABLE, VIRTIO_PCI_VECTORS); /* BAR 0 in the lowest bits */
	pci_set(f, at + MSIX_CAP_PENDING, VIRTIO_PCI_PENDING);
	return at;
}

static bool add_capabilities(struct virtio_pci *pci)
{
	struct pci_function *f = &pci->function;
	const struct virtio_dev *dev = pci->dev;
	unsigned notify;

	pci->msix_cap = add_msix(pci);
	notify = add_capability(f, CAP_NOTIFY, CAP_NOTIFY_SIZE, VIRTIO_PCI_NOTIFY,
				VIRTIO_PCI_DOORBELL * dev->queue_count);
	pci->pci_cap = add_capability(f, CAP_PCI, CAP_PCI_SIZE, 0, 0);
	if (!pci->msix_cap || !notify || !pci->pci_cap ||
	    !add_capability(f, CAP_COMMON, CAP_SIZE, VIRTIO_PCI_COMMON, VIRTIO_PCI_COMMON_SIZE) ||
	    !add_capability(f, CAP_ISR, CAP_SIZE, VIRTIO_PCI_ISR, 1))
		return false;
	/* Only device types with a config space of their own have the last one (4.1.4.6). */
	if (dev->config_size &&
	    !add_capability(f, CAP_DEVICE, CAP_SIZE, VIRTIO_PCI_CONFIG, (uint32_t)dev->config_size))
		return false;
	pci_set(f, notify + CAP_MULTIPLIER, VIRTIO_PCI_DOORBELL);
	pci_set_writable(f, pci->pci_cap + CAP_BAR, 0xff);
	pci_set_writable(f, pci->pci_cap + CAP_OFFSET, UINT32_MAX);
	pci_set_writable(f, pci->pci_cap + CAP_LENGTH, UINT32_MAX);
	pci_set_writable(f, pci->pci_cap + CAP_PCI_DATA, UINT32_MAX);
	pci_watch(f, pci->pci_cap + CAP_PCI_DATA);
	return true;
}

/* PCI's class of a device type, revision 1: modern only (4.1.2.1). */
static uint32_t class_revision(uint32_t id)
{
	enum { STORAGE = 0x018000, NETWORK = 0x020000, SERIAL = 0x078000, OTHER = 0xff0000 };
	static const uint32_t classes[] = {
		[1] = NETWORK, [2] = STORAGE, [3] = SERIAL, [26] = STORAGE
	};
	uint32_t class = id < ARRAY_SIZE(classes) && classes[id] ? classes[id] : OTHER;

	return class << 8 | 1;
}

int virtio_pci_create(struct virtio_dev *dev, const struct virtio_pci_board *board,
		      struct virtio_pci **out)
{
	const struct pci_id id = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = (uint16_t)(VIRTIO_PCI_DEVICE + dev->type->id),
		.subsystem_vendor = VIRTIO_PCI_VENDOR,
		.subsystem = (uint16_t)(VIRTIO_PCI_DEVICE + dev->type->id),
		.class_revision = class_revision(dev->type->id),
	};
	struct virtio_pci *pci;
	int r;

	_Static_assert((int)VIRTIO_MAX_QUEUES < (int)MSIX_MAX,
		       "a vector for each queue and one for config");
	if (dev->config_size > VIRTIO_PCI_CONFIG_SIZE)
		return -EINVAL;
	pci = calloc(1, sizeof(*pci));
	if (!pci)
		return -ENOMEM;
	pci->dev = dev;
	pci->board = board;
	pci->doorbells = PCI_NOWHERE;
	msix_init(&pci->msix, dev->queue_count + 1, board->msi);
	virtio_pci_common_init(&pci->common, dev, dev->queue_count + 1);
	pci_function_init(&pci->function, &id, VIRTIO_PCI_BAR_SIZE, &ops, pci);
	r = add_capabilities(pci) ? pci_attach(board->bus, &pci->function) : -EINVAL;
	if (r) {
		free(pci);
		return r;
	}
	dev->transport = pci;
	dev->message = message;
	virtio_allow_memory(dev, false);
	*out = pci;
	return 0;
}

void virtio_pci_destroy(struct virtio_pci *pci)
{
	if (pci) {
		pci->dev->messages = false;
		pci->dev->message = NULL;
		pci->dev->transport = NULL;
	}
	free(pci);
}
