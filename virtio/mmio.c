/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decodes the registers of the MMIO transport, version 2 (virtio 1.3, section 4.2.2). It judges
 * nothing but the size of an access: what a register means, and when, is virtio/device.c's.
 */
#include "virtio/mmio.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"

enum {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_VENDOR_ID = 0x00c,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_NUM_MAX = 0x034,
	REG_QUEUE_NUM = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = VIRTIO_MMIO_QUEUE_NOTIFY,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC_LOW = 0x080,
	REG_QUEUE_DESC_HIGH = 0x084,
	REG_QUEUE_DRIVER_LOW = 0x090,
	REG_QUEUE_DRIVER_HIGH = 0x094,
	REG_QUEUE_DEVICE_LOW = 0x0a0,
	REG_QUEUE_DEVICE_HIGH = 0x0a4,
	REG_SHM_LEN_LOW = 0x0b0,
	REG_SHM_LEN_HIGH = 0x0b4,
	REG_SHM_BASE_LOW = 0x0b8,
	REG_SHM_BASE_HIGH = 0x0bc,
	REG_CONFIG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100,
};

enum {
	MAGIC = 0x74726976,  /* "virt" */
	VENDOR = 0x4e525648, /* "HVRN" */
};

struct virtio_mmio {
	struct virtio_dev *dev;
	uint8_t *page; /* shown to the guest; NULL: none */

	/* What the driver selected; touched only within loop_call. */
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
};

/* One access on its way to the loop's thread. */
struct access {
	struct virtio_mmio *mmio;
	uint64_t offset;
	void *in;	 /* for a read; else NULL */
	const void *out; /* for a write */
	size_t len;
};

/* Registers are read and written whole: 32 bits, aligned (4.2.2.2). */
static bool is_register_access(uint64_t offset, size_t len)
{
	return len == 4 && offset % 4 == 0;
}

static uint32_t reg_read(const struct virtio_mmio *mmio, uint64_t reg)
{
	const struct virtio_dev *dev = mmio->dev;

	switch (reg) {
	case REG_DEVICE_FEATURES:
		return virtio_features(dev, mmio->device_features_sel);
	case REG_QUEUE_NUM_MAX:
		return virtio_queue_num_max(dev, mmio->queue_sel);
	case REG_QUEUE_READY:
		return virtio_queue_ready(dev, mmio->queue_sel);
	case REG_STATUS:
		return virtio_status(dev);
	case REG_CONFIG_GENERATION:
		return dev->config_generation;
	default:
		return 0; /* write-only or reserved */
	}
}

static void reg_write(struct virtio_mmio *mmio, uint64_t reg, uint32_t value)
{
	struct virtio_dev *dev = mmio->dev;
	uint32_t queue = mmio->queue_sel;

	switch (reg) {
	case REG_DEVICE_FEATURES_SEL:
		mmio->device_features_sel = value;
		break;
	case REG_DRIVER_FEATURES_SEL:
		mmio->driver_features_sel = value;
		break;
	case REG_DRIVER_FEATURES:
		virtio_set_driver_features(dev, mmio->driver_features_sel, value);
		break;
	case REG_QUEUE_SEL:
		mmio->queue_sel = value;
		break;
	case REG_QUEUE_NUM:
		virtio_queue_set(dev, queue, VIRTIO_Q_NUM, value);
		break;
	case REG_QUEUE_READY:
		virtio_queue_set_ready(dev, queue, value);
		break;
	case REG_STATUS:
		virtio_set_status(dev, value);
		break;
	case REG_QUEUE_DESC_LOW:
		virtio_queue_set(dev, queue, VIRTIO_Q_DESC_LOW, value);
		break;
	case REG_QUEUE_DESC_HIGH:
		virtio_queue_set(dev, queue, VIRTIO_Q_DESC_HIGH, value);
		break;
	case REG_QUEUE_DRIVER_LOW:
		virtio_queue_set(dev, queue, VIRTIO_Q_AVAIL_LOW, value);
		break;
	case REG_QUEUE_DRIVER_HIGH:
		virtio_queue_set(dev, queue, VIRTIO_Q_AVAIL_HIGH, value);
		break;
	case REG_QUEUE_DEVICE_LOW:
		virtio_queue_set(dev, queue, VIRTIO_Q_USED_LOW, value);
		break;
	case REG_QUEUE_DEVICE_HIGH:
		virtio_queue_set(dev, queue, VIRTIO_Q_USED_HIGH, value);
		break;
	default:
		break; /* read-only or reserved */
	}
}

/* What the guest sees of the registers without an exit. On the loop's thread. */

static void show_word(struct virtio_mmio *mmio, uint64_t at, uint32_t value)
{
	__atomic_store_n((uint32_t *)(void *)(mmio->page + at), htole32(value), __ATOMIC_RELEASE);
}

static void show_config_bytes(struct virtio_mmio *mmio, const uint8_t *config, size_t size)
{
	for (size_t at = 0; at < size; at += 4)
		show_word(mmio, REG_CONFIG + at, le32_load(config + at));
}

/*
 * Config space as it is now. Where the device changed it (not the driver, by its own write) the
 * generation moves before and after the bytes, so that whoever reads it on both sides of them sees that
 * they changed in between. A read that falls whole between two of our stores sees one generation and
 * perhaps half of a change; the interrupt that follows makes the driver read again.
 */
static void show_config(struct virtio_mmio *mmio, bool by_driver)
{
	struct virtio_dev *dev = mmio->dev;
	uint8_t config[VIRTIO_MMIO_SIZE - REG_CONFIG];

	virtio_config_read(dev, 0, config, sizeof(config));
	if (memcmp(mmio->page + REG_CONFIG, config, sizeof(config)) == 0)
		return;
	if (!by_driver)
		show_word(mmio, REG_CONFIG_GENERATION, ++dev->config_generation);
	show_config_bytes(mmio, config, sizeof(config));
	if (!by_driver)
		show_word(mmio, REG_CONFIG_GENERATION, ++dev->config_generation);
}

/* The registers that the driver's writes change, but for the interrupt status, which lives there. */
static void show_registers(struct virtio_mmio *mmio)
{
	static const uint16_t regs[] = { REG_DEVICE_FEATURES, REG_QUEUE_NUM_MAX, REG_QUEUE_READY,
					 REG_STATUS, REG_CONFIG_GENERATION };

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		show_word(mmio, regs[i], reg_read(mmio, regs[i]));
}

static void show_all(void *opaque)
{
	struct virtio_mmio *mmio = opaque;

	show_config(mmio, false);
	show_registers(mmio);
}

/* On the loop's thread, which owns the device. */
static void do_access(void *opaque)
{
	struct access *a = opaque;
	uint64_t config = a->offset - REG_CONFIG;

	if (a->offset < REG_CONFIG && a->in)
		le32_store(a->in, reg_read(a->mmio, a->offset));
	else if (a->offset < REG_CONFIG)
		reg_write(a->mmio, a->offset, le32_load(a->out));
	else if (a->in)
		virtio_config_read(a->mmio->dev, config, a->in, a->len);
	else
		virtio_config_write(a->mmio->dev, config, a->out, a->len);
	if (!a->mmio->page || a->in)
		return;
	if (a->offset == REG_STATUS || a->offset >= REG_CONFIG)
		show_config(a->mmio, a->offset >= REG_CONFIG);
	show_registers(a->mmio);
}

/* The registers that need no trip to the loop. False if @reg is none of them. */
static bool read_here(struct virtio_mmio *mmio, uint64_t reg, uint32_t *value)
{
	switch (reg) {
	case REG_MAGIC:
		*value = MAGIC;
		return true;
	case REG_VERSION:
		*value = 2;
		return true;
	case REG_DEVICE_ID:
		*value = mmio->dev->type->id;
		return true;
	case REG_VENDOR_ID:
		*value = VENDOR;
		return true;
	case REG_INTERRUPT_STATUS:
		*value = virtio_isr_read(mmio->dev);
		return true;
	case REG_SHM_LEN_LOW:
	case REG_SHM_LEN_HIGH:
	case REG_SHM_BASE_LOW:
	case REG_SHM_BASE_HIGH:
		*value = UINT32_MAX; /* no such shared memory region (4.2.2) */
		return true;
	default:
		return false;
	}
}

static bool write_here(struct virtio_mmio *mmio, uint64_t reg, uint32_t value)
{
	switch (reg) {
	case REG_QUEUE_NOTIFY:
		virtio_kick(mmio->dev, value);
		return true;
	case REG_INTERRUPT_ACK:
		virtio_isr_ack(mmio->dev, value);
		return true;
	default:
		return false;
	}
}

static void mmio_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct virtio_mmio *mmio = opaque;
	struct access access = { .mmio = mmio, .offset = offset, .in = data, .len = len };
	uint32_t value;

	memset(data, 0xff, len);
	if (offset < REG_CONFIG) {
		if (!is_register_access(offset, len))
			return;
		if (read_here(mmio, offset, &value)) {
			le32_store(data, value);
			return;
		}
	}
	loop_call(mmio->dev->loop, do_access, &access);
}

static void mmio_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct virtio_mmio *mmio = opaque;
	struct access access = { .mmio = mmio, .offset = offset, .out = data, .len = len };

	if (offset < REG_CONFIG) {
		if (!is_register_access(offset, len))
			return;
		if (write_here(mmio, offset, le32_load(data)))
			return;
	}
	loop_call(mmio->dev->loop, do_access, &access);
}

static const struct bus_ops mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
};

int virtio_mmio_create(struct virtio_dev *dev, struct bus *bus, uint64_t base,
		       struct virtio_mmio **out)
{
	struct virtio_mmio *mmio = calloc(1, sizeof(*mmio));
	int r;

	if (!mmio)
		return -ENOMEM;
	mmio->dev = dev;
	r = bus_add(bus, BUS_MMIO, base, VIRTIO_MMIO_SIZE, "virtio-mmio", &mmio_ops, mmio);
	if (r) {
		free(mmio);
		return r;
	}
	*out = mmio;
	return 0;
}

void virtio_mmio_show(struct virtio_mmio *mmio, void *page)
{
	struct virtio_dev *dev = mmio->dev;
	uint32_t value;

	mmio->page = page;
	for (uint64_t reg = 0; reg < REG_CONFIG; reg += 4) {
		if (!read_here(mmio, reg, &value))
			value = reg_read(mmio, reg);
		show_word(mmio, reg, value);
	}
	show_config(mmio, true);
	virtio_isr_place(dev, (_Atomic uint32_t *)(void *)(mmio->page + REG_INTERRUPT_STATUS));
	dev->changed = show_all;
	dev->transport = mmio;
}

void virtio_mmio_destroy(struct virtio_mmio *mmio)
{
	if (mmio && mmio->page) {
		mmio->dev->changed = NULL;
		virtio_isr_place(mmio->dev, NULL);
	}
	free(mmio);
}
