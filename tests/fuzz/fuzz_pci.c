/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the PCI bus, MSI-X and the PCI transport: the input is a guest that reads and writes configuration
 * space and BARs in any order, size and value, moves BARs, takes bus mastering away, and rings doorbells. Two
 * small devices serve. What must hold is checked after each step; a breach aborts.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "hw/bus.h"
#include "virtio/pci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	WINDOW = 0xc1000000,
	WINDOW_SIZE = 0x20000,
	RAM_SIZE = 0x4000,
	RING = 0x1000, /* between the rings of two queues */
	DEVICES = 2,
	QUEUES = 2,
	NUM_MAX = 16,
	CONFIG = 7,
	BELLS = DEVICES * QUEUES,
	MAX_STEPS = 2048,
};

enum op {
	OP_CONFIG_READ,
	OP_CONFIG_WRITE,
	OP_READ,
	OP_WRITE,
	OP_LIKELY_WRITE,
	OP_OFFER,
	OP_TURN,
	OP_BRING_UP,
	OP_CONFIG_CHANGED,
	OPS,
};

struct device {
	struct virtio_dev dev;
	struct virtio_pci *pci;
	uint8_t config[CONFIG];
	unsigned held; /* chains in flight that it never returns */
	uint16_t avail_idx[QUEUES];
};

/* Made once: making it opens descriptors. Each input begins with a reset and empty memory. */
struct rig {
	struct guest_mem *mem;
	struct loop *loop;
	struct bus *bus;
	struct pci_bus *pci;
	struct virtio_pci_board board;
	struct msi_port msi;
	struct device devices[DEVICES];
	struct vq_chain chain;
	struct {
		uint64_t at;
		int fd;
	} bells[BELLS];
	uint64_t messages;
	const uint8_t *data;
	size_t left;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static uint8_t byte(struct rig *rig)
{
	if (!rig->left)
		return 0;
	rig->left--;
	return *rig->data++;
}

static uint32_t word(struct rig *rig)
{
	uint32_t low = byte(rig);

	return low | (uint32_t)byte(rig) << 8;
}

static bool live(const struct virtio_dev *dev)
{
	const uint32_t bits = 15 | VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED;

	return (virtio_status(dev) & bits) == 15;
}

/* The device: every third chain stays with it until a reset. */

static struct rig *the_rig(const struct virtio_dev *dev)
{
	return dev->priv;
}

static struct device *device_of(struct virtio_dev *dev)
{
	return (struct device *)(void *)((char *)dev - offsetof(struct device, dev));
}

static void config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	check(len > 0 && offset < CONFIG && len <= CONFIG - offset);
	memcpy(data, device_of(dev)->config + offset, len);
}

static void config_write(struct virtio_dev *dev, size_t offset, const void *data, size_t len)
{
	check(len > 0 && offset < CONFIG && len <= CONFIG - offset);
	memcpy(device_of(dev)->config + offset, data, len);
}

static void ready(struct virtio_dev *dev)
{
	check(live(dev) && !dev->no_memory);
	check(!(dev->driver_features & ~dev->features));
}

static void queue_kick(struct virtio_dev *dev, unsigned index)
{
	struct rig *rig = the_rig(dev);

	check(live(dev) && !dev->no_memory && index < QUEUES && virtio_queue_ready(dev, index));
	while (virtio_pop(dev, index, &rig->chain)) {
		if (rig->chain.head % 3 == 2)
			device_of(dev)->held++;
		else
			vq_push(&dev->queues[index], rig->chain.head, 1);
	}
	virtio_signal(dev, index);
}

static void reset(struct virtio_dev *dev)
{
	check(!live(dev));
	device_of(dev)->held = 0;
}

static const struct virtio_type type = {
	.name = "fuzz",
	.id = 42,
	.config_read = config_read,
	.config_write = config_write,
	.ready = ready,
	.queue_kick = queue_kick,
	.reset = reset,
};

static void message(struct msi_port *port, uint64_t address, uint32_t data)
{
	struct rig *rig = port->opaque;

	(void)data;
	check(address % 4 == 0);
	rig->messages++;
}

/* A doorbell hangs once, and is taken off where it hangs. */
static void doorbell(void *opaque, uint64_t addr, int fd, bool on)
{
	struct rig *rig = opaque;

	for (unsigned i = 0; i < BELLS; i++) {
		if (on && rig->bells[i].at)
			check(rig->bells[i].fd != fd);
		if (on ? !rig->bells[i].at : rig->bells[i].fd == fd && rig->bells[i].at == addr) {
			rig->bells[i].at = on ? addr : 0;
			rig->bells[i].fd = on ? fd : -1;
			return;
		}
	}
	check(false);
}

static void make_rig(struct rig *rig)
{
	check(mem_create(&rig->mem) == 0);
	check(mem_add(rig->mem, gpa(0), RAM_SIZE, MEM_RAM) == 0);
	check(loop_create(&rig->loop) == 0);
	check(bus_create(&rig->bus) == 0);
	check(pci_bus_create(rig->bus, rig->loop, WINDOW, WINDOW_SIZE, &rig->pci) == 0);
	rig->msi = (struct msi_port){ .send = message, .opaque = rig };
	rig->board = (struct virtio_pci_board){
		.bus = rig->pci, .msi = &rig->msi, .doorbell = doorbell, .opaque = rig
	};
	for (unsigned i = 0; i < DEVICES; i++) {
		struct device *d = &rig->devices[i];

		check(virtio_dev_init(&d->dev, &type, "fuzz0", rig->mem, rig->loop, QUEUES, NUM_MAX,
				      1, CONFIG) == 0);
		d->dev.priv = rig;
		check(virtio_pci_create(&d->dev, &rig->board, &d->pci) == 0);
	}
}

static void turn(struct rig *rig)
{
	for (unsigned i = 0; i < 4 && loop_turn(rig->loop, 0) > 0; i++)
		;
}

/* Accesses. */

static void put_address(struct rig *rig, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	check(bus_write(rig->bus, BUS_PIO, PCI_PORT_ADDRESS, data, sizeof(data)));
}

static void config_put(struct rig *rig, unsigned device, unsigned at, uint32_t value)
{
	uint8_t data[4];

	put_address(rig, 0x80000000 | (device + 1) << 11 | at);
	le32_store(data, value);
	check(bus_write(rig->bus, BUS_PIO, PCI_PORT_DATA, data, sizeof(data)));
}

static uint32_t config_get(struct rig *rig, unsigned device, unsigned at)
{
	uint8_t data[4];

	put_address(rig, 0x80000000 | (device + 1) << 11 | at);
	check(bus_read(rig->bus, BUS_PIO, PCI_PORT_DATA, data, sizeof(data)));
	return le32_load(data);
}

static void any_config_access(struct rig *rig, bool write)
{
	static const uint32_t values[] = { 0,
					   1,
					   2,
					   4,
					   6,
					   0x8000,
					   0xc000,
					   WINDOW,
					   WINDOW + 0x4000,
					   WINDOW + 0x10000,
					   0x80000000,
					   UINT32_MAX };
	uint8_t how = byte(rig), at = byte(rig);
	size_t len = 1U << how % 3;
	unsigned offset = at % 4 / (unsigned)len * (unsigned)len;
	uint8_t data[5] = { 0xa5, 0xa5, 0xa5, 0xa5, 0xa5 };

	put_address(rig, (how & 0x80 ? word(rig) << 16 : 0x80000000) | (how >> 2 & 7U) << 11 | at);
	if (write) {
		le32_store(data,
			   how & 0x40 ? word(rig) << 8 : values[byte(rig) % ARRAY_SIZE(values)]);
		(void)bus_write(rig->bus, BUS_PIO, PCI_PORT_DATA + offset, data, len);
	} else {
		(void)bus_read(rig->bus, BUS_PIO, PCI_PORT_DATA + offset, data, len);
		check(data[len] == 0xa5);
	}
}

static void any_access(struct rig *rig, bool write)
{
	uint64_t at = word(rig) | (byte(rig) & 1U) << 16;
	size_t len = byte(rig) % 8 + 1U;
	bool fits = at + len <= WINDOW_SIZE, got;
	uint8_t data[9];

	memset(data, 0xa5, sizeof(data));
	if (write) {
		for (size_t i = 0; i < len; i++)
			data[i] = byte(rig);
		got = bus_write(rig->bus, BUS_MMIO, WINDOW + at, data, len);
	} else {
		got = bus_read(rig->bus, BUS_MMIO, WINDOW + at, data, len);
		check(data[len] == 0xa5);
	}
	check(got == fits);
}

static void bar_put(struct rig *rig, uint64_t at, size_t len, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	(void)bus_write(rig->bus, BUS_MMIO, WINDOW + at, data, len);
}

/* A register of the right width, a vector, a doorbell, and a likely value. */
static void likely_write(struct rig *rig)
{
	static const uint32_t values[] = { 0,	   1,	   2,	       3,    4,
					   8,	   11,	   15,	       16,   0x80,
					   0xffff, 0x1000, 0xfee00000, 0x40, UINT32_MAX };
	uint64_t bar = (byte(rig) % DEVICES) * (uint64_t)VIRTIO_PCI_BAR_SIZE;
	uint8_t what = byte(rig);
	uint32_t value = values[byte(rig) % ARRAY_SIZE(values)];

	if (what < 0x40)
		bar_put(rig, bar + (what & 0x3c), 4, value);
	else if (what < 0x80)
		bar_put(rig, bar + (what & 0x3e), 2, value);
	else if (what < 0xa0)
		bar_put(rig, bar + 0x14, 1, value);
	else if (what < 0xe0)
		bar_put(rig, bar + VIRTIO_PCI_VECTORS + (what & 0x3c), 4, value);
	else
		bar_put(rig, bar + VIRTIO_PCI_NOTIFY + (what & 0xf), 2, value);
}

static void bring_up(struct rig *rig)
{
	uint8_t how = byte(rig);
	unsigned device = how & 1;
	uint64_t bar = device * (uint64_t)VIRTIO_PCI_BAR_SIZE;

	config_put(rig, device, PCI_BAR0, (uint32_t)(WINDOW + bar));
	config_put(rig, device, PCI_COMMAND, how & 2 ? 2 : 6);
	config_put(rig, device, PCI_FIRST_CAPABILITY, how & 4 ? 0 : 0x80000000);
	bar_put(rig, bar + 0x14, 1, 0);
	memset(rig->devices[device].avail_idx, 0, sizeof(rig->devices[device].avail_idx));
	check(mem_fill(rig->mem, gpa(0), 0, RAM_SIZE / 2) == 0);
	bar_put(rig, bar + 0x14, 1, 1);
	bar_put(rig, bar + 0x14, 1, 3);
	bar_put(rig, bar + 0x08, 4, 0);
	bar_put(rig, bar + 0x0c, 4, how & 8 ? 1U << 29 : 0);
	bar_put(rig, bar + 0x08, 4, 1);
	bar_put(rig, bar + 0x0c, 4, 1);
	bar_put(rig, bar + 0x14, 1, 11);
	for (uint32_t q = 0; q < QUEUES; q++) {
		bar_put(rig, bar + 0x16, 2, q);
		bar_put(rig, bar + 0x1a, 2, how >> 4 & 3);
		for (uint32_t i = 0; i < 3; i++)
			bar_put(rig, bar + 0x20 + 8 * i, 4, q * RING + i * 0x400);
		bar_put(rig, bar + 0x1c, 2, 1);
	}
	for (uint32_t v = 0; v <= QUEUES && how & 0x40; v++) {
		bar_put(rig, bar + VIRTIO_PCI_VECTORS + v * MSIX_ENTRY, 4, 0xfee00000);
		bar_put(rig, bar + VIRTIO_PCI_VECTORS + v * MSIX_ENTRY + 12, 4, 0);
	}
	if (!(how & 0x80))
		bar_put(rig, bar + 0x14, 1, 15);
}

static void offer(struct rig *rig)
{
	uint8_t how = byte(rig);
	struct device *d = &rig->devices[how & 1];
	unsigned queue = how >> 1 & 1;
	uint32_t num = d->dev.queues[queue].num;
	uint64_t avail = queue * RING + 0x400;
	uint64_t slot = num ? d->avail_idx[queue] % num % NUM_MAX : 0;

	check(mem_store16(rig->mem, gpa(avail + 4 + 2 * slot), how >> 3 & 0xf) == 0);
	check(mem_store16(rig->mem, gpa(avail + 2), ++d->avail_idx[queue]) == 0);
	virtio_kick(&d->dev, queue);
}

static void step(struct rig *rig)
{
	switch ((enum op)(byte(rig) % OPS)) {
	case OP_CONFIG_READ:
		any_config_access(rig, false);
		break;
	case OP_CONFIG_WRITE:
		any_config_access(rig, true);
		break;
	case OP_READ:
		any_access(rig, false);
		break;
	case OP_WRITE:
		any_access(rig, true);
		break;
	case OP_LIKELY_WRITE:
		likely_write(rig);
		break;
	case OP_OFFER:
		offer(rig);
		break;
	case OP_TURN:
		turn(rig);
		break;
	case OP_BRING_UP:
		bring_up(rig);
		break;
	case OP_CONFIG_CHANGED:
	case OPS:
		virtio_config_changed(&rig->devices[byte(rig) % DEVICES].dev);
		break;
	}
}

/* Identity stays; stages are those of 3.1.1; what has no memory is not live and holds none of it. */
static void check_device(struct rig *rig, unsigned i)
{
	const struct device *d = &rig->devices[i];
	uint32_t command = config_get(rig, i, PCI_COMMAND);
	uint32_t bar = config_get(rig, i, PCI_BAR0);
	uint32_t status = virtio_status(&d->dev), stage = status & 15;

	check(config_get(rig, i, PCI_ID) == (0x10401af4 + ((uint32_t)type.id << 16)));
	check(!(command & ~UINT32_C(0x00100006)));
	check(bar % VIRTIO_PCI_BAR_SIZE == 0);
	check(!(status & ~(uint32_t)(15 | VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED)));
	check(stage == 0 || stage == 1 || stage == 3 || stage == 11 || stage == 15);
	check(d->dev.no_memory == !(command & PCI_COMMAND_MASTER));
	check(!d->dev.no_memory || (!live(&d->dev) && d->held == 0));
	for (unsigned q = 0; q < QUEUES; q++) {
		const struct virtqueue *vq = &d->dev.queues[q];

		check(!vq->ready || stage >= 11);
		check(!vq->ready || (vq->num && vq->num <= NUM_MAX && !(vq->num & (vq->num - 1))));
	}
}

/* Of a device that is decoded, doorbells hang where it is decoded. */
static void check_bells(struct rig *rig)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		uint64_t bar = config_get(rig, i, PCI_BAR0);
		unsigned found = 0;

		if (!(config_get(rig, i, PCI_COMMAND) & PCI_COMMAND_MEMORY) || bar < WINDOW ||
		    bar + VIRTIO_PCI_BAR_SIZE > WINDOW + (uint64_t)WINDOW_SIZE)
			continue;
		for (unsigned b = 0; b < BELLS; b++) {
			for (unsigned q = 0; q < QUEUES; q++)
				found += rig->bells[b].fd == rig->devices[i].dev.kick_fd[q] &&
					 rig->bells[b].at == bar + VIRTIO_PCI_NOTIFY + 4 * q;
		}
		check(found == QUEUES);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig rig;

	if (!rig.mem)
		make_rig(&rig);
	rig.data = data;
	rig.left = size;
	for (unsigned i = 0; i < DEVICES; i++) {
		config_put(&rig, i, PCI_BAR0, WINDOW + i * VIRTIO_PCI_BAR_SIZE);
		config_put(&rig, i, PCI_COMMAND, PCI_COMMAND_MEMORY);
		config_put(&rig, i, PCI_FIRST_CAPABILITY, 0);
		bar_put(&rig, i * VIRTIO_PCI_BAR_SIZE + 0x14, 1, 0);
		for (uint32_t at = 0; at < 12; at += 4)
			bar_put(&rig, i * VIRTIO_PCI_BAR_SIZE + at, 4, 0);
		bar_put(&rig, i * VIRTIO_PCI_BAR_SIZE + 0x16, 2, 0);
		memset(rig.devices[i].config, 0, CONFIG);
		memset(rig.devices[i].avail_idx, 0, sizeof(rig.devices[i].avail_idx));
	}
	turn(&rig);
	check(mem_fill(rig.mem, gpa(0), 0, RAM_SIZE) == 0);
	for (unsigned i = 0; i < MAX_STEPS && rig.left; i++) {
		step(&rig);
		for (unsigned d = 0; d < DEVICES; d++)
			check_device(&rig, d);
		check_bells(&rig);
	}
	return 0;
}
