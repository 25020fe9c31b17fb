/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the MMIO transport and the status machine: the input is a guest that reads and writes
 * registers in any order, size and value, writes into rings and memory, and rings doorbells. A small
 * device serves. What must hold is checked after each step; a breach aborts.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "hw/bus.h"
#include "virtio/mmio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	BASE = 0x10000,
	RAM_SIZE = 0x4000,
	RING = 0x1000, /* between the rings of two queues */
	QUEUES = 2,
	NUM_MAX = 16,
	CONFIG = 7,
	MAX_STEPS = 2048,
};

enum op {
	OP_READ,
	OP_WRITE,
	OP_WRITE_REG, /* an aligned register and a likely value */
	OP_POKE,
	OP_DESC,
	OP_OFFER,
	OP_TURN,
	OP_COMPLETE,
	OP_BRING_UP,
	OP_CONFIG_CHANGED,
	OPS,
};

struct input {
	const uint8_t *data;
	size_t left;
};

/* Made once: making it opens descriptors. Each input begins with a reset and empty memory. */
struct rig {
	struct guest_mem *mem;
	struct loop *loop;
	struct bus *bus;
	struct virtio_mmio *mmio;
	struct virtio_dev dev;
	struct irq_line irq;
	const uint8_t *page; /* shows the registers to the guest */
	struct vq_chain chain;
	uint8_t config[CONFIG];
	uint64_t held[QUEUES]; /* heads in flight */
	uint64_t pulses;
	uint16_t avail_idx[QUEUES];
	struct input in;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static uint32_t word(struct input *in)
{
	uint32_t low = byte(in);

	return low | (uint32_t)byte(in) << 8;
}

/* The device: takes every chain, and returns each second one at once. */

static bool live(const struct virtio_dev *dev)
{
	const uint32_t bits = 15 | VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED;

	return (virtio_status(dev) & bits) == 15;
}

static void config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	struct rig *rig = dev->priv;

	check(len > 0 && offset < CONFIG && len <= CONFIG - offset);
	memcpy(data, rig->config + offset, len);
}

static void config_write(struct virtio_dev *dev, size_t offset, const void *data, size_t len)
{
	struct rig *rig = dev->priv;

	check(len > 0 && offset < CONFIG && len <= CONFIG - offset);
	memcpy(rig->config + offset, data, len);
}

static void ready(struct virtio_dev *dev)
{
	check(live(dev));
	check(dev->driver_features & VIRTIO_F_VERSION_1);
	check(!(dev->driver_features & ~dev->features));
}

static void serve(struct rig *rig, unsigned index)
{
	struct virtio_dev *dev = &rig->dev;

	while (virtio_pop(dev, index, &rig->chain)) {
		uint16_t head = rig->chain.head;

		if (head == 4) {
			vq_unpop(&dev->queues[index]);
			return;
		}
		check(head < NUM_MAX && !(rig->held[index] >> head & 1));
		rig->held[index] |= UINT64_C(1) << head;
		if (head % 2) {
			vq_push(&dev->queues[index], head, 1);
			rig->held[index] &= ~(UINT64_C(1) << head);
		}
	}
}

static void queue_kick(struct virtio_dev *dev, unsigned index)
{
	struct rig *rig = dev->priv;

	check(live(dev) && index < QUEUES && virtio_queue_ready(dev, index));
	vq_disable_kick(&dev->queues[index]);
	serve(rig, index);
	if (vq_enable_kick(&dev->queues[index]))
		serve(rig, index);
	virtio_signal(dev, index);
}

static void reset(struct virtio_dev *dev)
{
	struct rig *rig = dev->priv;

	check(!live(dev));
	memset(rig->held, 0, sizeof(rig->held));
}

static void pulse(struct irq_line *line)
{
	((struct rig *)line->opaque)->pulses++;
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

static void make_rig(struct rig *rig)
{
	check(mem_create(&rig->mem) == 0);
	check(mem_add(rig->mem, gpa(0), RAM_SIZE, MEM_RAM) == 0);
	check(mem_add(rig->mem, gpa(BASE), VIRTIO_MMIO_SIZE, MEM_REGISTERS) == 0);
	check(loop_create(&rig->loop) == 0);
	check(bus_create(&rig->bus) == 0);
	check(virtio_dev_init(&rig->dev, &type, "fuzz0", rig->mem, rig->loop, QUEUES, NUM_MAX, 1,
			      CONFIG) == 0);
	rig->dev.priv = rig;
	rig->irq = (struct irq_line){ .pulse = pulse, .opaque = rig, .eventfd = -1 };
	rig->dev.irq = &rig->irq;
	check(virtio_mmio_create(&rig->dev, rig->bus, BASE, &rig->mmio) == 0);
	rig->page = mem_registers(rig->mem, gpa(BASE));
	virtio_mmio_show(rig->mmio, mem_registers(rig->mem, gpa(BASE)));
}

static void turn(struct rig *rig)
{
	for (unsigned i = 0; i < 4 && loop_turn(rig->loop, 0) > 0; i++)
		;
}

/* Accesses. */

static void write_reg(struct rig *rig, uint64_t reg, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	check(bus_write(rig->bus, BUS_MMIO, BASE + reg, data, sizeof(data)));
}

static void any_access(struct rig *rig, bool write)
{
	uint64_t at = word(&rig->in) % (VIRTIO_MMIO_SIZE + 16);
	size_t len = byte(&rig->in) % 8 + 1U;
	bool fits = at + len <= VIRTIO_MMIO_SIZE, got;
	uint8_t data[9];

	memset(data, 0xa5, sizeof(data));
	if (write) {
		for (size_t i = 0; i < len; i++)
			data[i] = byte(&rig->in);
		got = bus_write(rig->bus, BUS_MMIO, BASE + at, data, len);
	} else {
		got = bus_read(rig->bus, BUS_MMIO, BASE + at, data, len);
		check(data[len] == 0xa5);
		for (size_t i = 0; i < len && at < 0x100 && (len != 4 || at % 4); i++)
			check(data[i] == 0xff);
	}
	check(got == fits);
}

static void likely_write(struct rig *rig)
{
	static const uint32_t values[] = { 0,	    1,	    2,		3,	   4,	 8,
					   11,	    15,	    7,		5,	   0x80, 0xffff,
					   0x10000, 0x1000, 0x80000000, UINT32_MAX };
	uint64_t reg = byte(&rig->in) % 64 * 4U;

	write_reg(rig, reg, values[byte(&rig->in) % (sizeof(values) / sizeof(values[0]))]);
}

static void bring_up(struct rig *rig)
{
	static const uint32_t areas[] = { 0x80, 0x90, 0xa0 };
	uint8_t how = byte(&rig->in), odd = how & 0x80 ? byte(&rig->in) : 0;

	write_reg(rig, 0x70, 0);
	memset(rig->avail_idx, 0, sizeof(rig->avail_idx));
	check(mem_fill(rig->mem, gpa(0), 0, RAM_SIZE / 2) == 0);
	write_reg(rig, 0x70, 1);
	write_reg(rig, 0x70, 3);
	write_reg(rig, 0x24, 0);
	write_reg(rig, 0x20, (how & 1 ? 1U << 29 : 0) | (how & 2 ? 1U << 28 : 0));
	write_reg(rig, 0x24, 1);
	write_reg(rig, 0x20, how & 4 ? 3 : 1);
	write_reg(rig, 0x70, 11);
	for (uint32_t q = 0; q < QUEUES; q++) {
		write_reg(rig, 0x30, q);
		write_reg(rig, 0x38, (1U << (how >> 4 & 7)) + (odd & 1));
		for (uint32_t i = 0; i < 3; i++) {
			write_reg(rig, areas[i], q * RING + i * 0x400 + (odd >> (2 * i + 2) & 3));
			write_reg(rig, areas[i] + 4, odd & 2 ? i : 0);
		}
		write_reg(rig, 0x44, 1);
	}
	if (how & 8)
		write_reg(rig, 0x70, 15);
}

static void write_desc(struct rig *rig)
{
	static const uint64_t bases[] = { 0, 0x2000, RAM_SIZE - 8, BASE, UINT64_MAX - 3 };
	static const uint32_t lens[] = { 0, 4, 8, 16, 32, 4096, UINT32_MAX };
	unsigned queue = byte(&rig->in) % QUEUES, index = byte(&rig->in) % NUM_MAX;
	uint8_t raw[16];

	le64_store(raw, bases[byte(&rig->in) % 5]);
	le32_store(raw + 8, lens[byte(&rig->in) % 7]);
	le16_store(raw + 12, byte(&rig->in) % 8);
	le16_store(raw + 14, byte(&rig->in) % 20);
	check(mem_write(rig->mem, gpa(queue * RING + index * 16), raw, sizeof(raw)) == 0);
}

static void offer(struct rig *rig)
{
	unsigned queue = byte(&rig->in) % QUEUES;
	uint32_t num = rig->dev.queues[queue].num;
	uint64_t avail = queue * RING + 0x400;
	uint64_t slot = num ? rig->avail_idx[queue] % num % NUM_MAX : 0;

	check(mem_store16(rig->mem, gpa(avail + 4 + 2 * slot), byte(&rig->in) % 18) == 0);
	check(mem_store16(rig->mem, gpa(avail + 2), ++rig->avail_idx[queue]) == 0);
	write_reg(rig, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

static void complete(struct rig *rig)
{
	unsigned queue = byte(&rig->in) % QUEUES;
	uint16_t head = byte(&rig->in) % NUM_MAX;

	vq_push(&rig->dev.queues[queue], head, word(&rig->in));
	rig->held[queue] &= ~(UINT64_C(1) << head);
	virtio_signal(&rig->dev, queue);
}

static void step(struct rig *rig)
{
	uint8_t value;

	switch ((enum op)(byte(&rig->in) % OPS)) {
	case OP_READ:
		any_access(rig, false);
		break;
	case OP_WRITE:
		any_access(rig, true);
		break;
	case OP_WRITE_REG:
		likely_write(rig);
		break;
	case OP_POKE:
		value = byte(&rig->in);
		check(mem_write(rig->mem, gpa(word(&rig->in) % RAM_SIZE), &value, 1) == 0);
		break;
	case OP_DESC:
		write_desc(rig);
		break;
	case OP_OFFER:
		offer(rig);
		break;
	case OP_TURN:
		turn(rig);
		break;
	case OP_COMPLETE:
		complete(rig);
		break;
	case OP_BRING_UP:
		bring_up(rig);
		break;
	case OP_CONFIG_CHANGED:
	case OPS:
		virtio_config_changed(&rig->dev);
		break;
	}
}

/* The guest sees the same through its memory as through the bus. */
static void check_shown(const struct rig *rig)
{
	uint8_t data[4];

	for (uint64_t at = 0; at < 0x100 + 2 * CONFIG; at += sizeof(data)) {
		check(bus_read(rig->bus, BUS_MMIO, BASE + at, data, sizeof(data)));
		check(memcmp(data, rig->page + at, sizeof(data)) == 0);
	}
}

/* The stages of 3.1.1, each with all before it, and what a queue may be in each. */
static void check_device(const struct rig *rig, uint64_t pulses_before)
{
	const struct virtio_dev *dev = &rig->dev;
	uint32_t status = virtio_status(dev), stage = status & 15;

	check(!(status & ~(uint32_t)(15 | VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED)));
	check(stage == 0 || stage == 1 || stage == 3 || stage == 11 || stage == 15);
	check(stage == 15 || rig->pulses == pulses_before || virtio_isr_read(&rig->dev) == 0);
	check(stage >= 3 || dev->driver_features == 0);
	for (unsigned i = 0; i < QUEUES; i++) {
		const struct virtqueue *vq = &dev->queues[i];

		check(!vq->ready || stage >= 11);
		check(!vq->ready || (vq->num && vq->num <= NUM_MAX && !(vq->num & (vq->num - 1))));
		check(vq->ready || vq->in_flight == 0);
		check(!vq->broken || status & VIRTIO_S_NEEDS_RESET);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig rig;

	if (!rig.mem)
		make_rig(&rig);
	rig.in = (struct input){ data, size };
	write_reg(&rig, 0x70, 0);
	write_reg(&rig, 0x14, 0);
	write_reg(&rig, 0x24, 0);
	write_reg(&rig, 0x30, 0);
	turn(&rig);
	memset(rig.config, 0, sizeof(rig.config));
	virtio_config_changed(&rig.dev);
	memset(rig.avail_idx, 0, sizeof(rig.avail_idx));
	check(mem_fill(rig.mem, gpa(0), 0, RAM_SIZE) == 0);
	for (unsigned i = 0; i < MAX_STEPS && rig.in.left; i++) {
		uint64_t pulses = rig.pulses;

		step(&rig);
		check_device(&rig, pulses);
		check_shown(&rig);
	}
	return 0;
}
