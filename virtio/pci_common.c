/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common configuration of the PCI transport, register by register. It judges nothing but the size of an
 * access (4.1.3.1) and which vectors there are. What a register means, and when, is virtio/device.c's.
 */
#include "virtio/pci_common.h"

#include <string.h>

#include "base/le.h"

/* Registers of the common configuration (4.1.4.3). */
enum {
	REG_DEVICE_FEATURES_SEL = 0x00,
	REG_DEVICE_FEATURES = 0x04,
	REG_DRIVER_FEATURES_SEL = 0x08,
	REG_DRIVER_FEATURES = 0x0c,
	REG_CONFIG_VECTOR = 0x10,
	REG_NUM_QUEUES = 0x12,
	REG_STATUS = 0x14,
	REG_CONFIG_GENERATION = 0x15,
	REG_QUEUE_SEL = 0x16,
	REG_QUEUE_SIZE = 0x18,
	REG_QUEUE_VECTOR = 0x1a,
	REG_QUEUE_ENABLE = 0x1c,
	REG_QUEUE_NOTIFY_OFF = 0x1e,
	REG_QUEUE_DESC = 0x20,
	REG_QUEUE_DESC_HIGH = 0x24,
	REG_QUEUE_DRIVER = 0x28,
	REG_QUEUE_DRIVER_HIGH = 0x2c,
	REG_QUEUE_DEVICE = 0x30,
	REG_QUEUE_DEVICE_HIGH = 0x34,
	REG_END = 0x38, /* what follows belongs to features that are not offered */
};

/* The only width that a register may be accessed with (4.1.3.1); 0: there is none. */
static size_t width(uint64_t reg)
{
	if (reg == REG_STATUS || reg == REG_CONFIG_GENERATION)
		return 1;
	if (reg >= REG_END)
		return 0;
	if (reg >= REG_CONFIG_VECTOR && reg < REG_QUEUE_DESC)
		return reg % 2 ? 0 : 2;
	return reg % 4 ? 0 : 4;
}

/* Whether the device has the queue that the driver selected. */
static bool selected(const struct virtio_pci_common *common)
{
	return common->queue_sel < common->dev->queue_count;
}

/* Until the driver writes another, a queue has the size that is offered (4.1.5.1.3). */
static uint32_t queue_size(const struct virtio_pci_common *common)
{
	const struct virtio_dev *dev = common->dev;
	uint32_t queue = common->queue_sel;

	if (!selected(common) || !(common->sized >> queue & 1))
		return virtio_queue_num_max(dev, queue);
	return virtio_queue_get(dev, queue, VIRTIO_Q_NUM);
}

static enum virtio_queue_field field_of(uint64_t reg)
{
	static const enum virtio_queue_field fields[] = {
		VIRTIO_Q_DESC_LOW,   VIRTIO_Q_DESC_HIGH, VIRTIO_Q_AVAIL_LOW,
		VIRTIO_Q_AVAIL_HIGH, VIRTIO_Q_USED_LOW,	 VIRTIO_Q_USED_HIGH,
	};

	return fields[(reg - REG_QUEUE_DESC) / 4];
}

static uint32_t reg_read(const struct virtio_pci_common *common, uint64_t reg)
{
	const struct virtio_dev *dev = common->dev;
	uint32_t queue = common->queue_sel;

	switch (reg) {
	case REG_DEVICE_FEATURES_SEL:
		return common->device_features_sel;
	case REG_DEVICE_FEATURES:
		return virtio_features(dev, common->device_features_sel);
	case REG_DRIVER_FEATURES_SEL:
		return common->driver_features_sel;
	case REG_DRIVER_FEATURES:
		return common->driver_features_sel < 2
			       ? (uint32_t)(dev->driver_features >>
					    32 * common->driver_features_sel)
			       : 0;
	case REG_CONFIG_VECTOR:
		return common->config_vector;
	case REG_NUM_QUEUES:
		return dev->queue_count;
	case REG_STATUS:
		return virtio_status(dev);
	case REG_CONFIG_GENERATION:
		return dev->config_generation;
	case REG_QUEUE_SEL:
		return queue;
	case REG_QUEUE_SIZE:
		return queue_size(common);
	case REG_QUEUE_VECTOR:
		return selected(common) ? common->queue_vectors[queue] : VIRTIO_PCI_NO_VECTOR;
	case REG_QUEUE_ENABLE:
		return virtio_queue_ready(dev, queue);
	case REG_QUEUE_NOTIFY_OFF:
		return selected(common) ? queue : 0;
	default:
		return virtio_queue_get(dev, queue, field_of(reg));
	}
}

/* A vector that is not there reads back as none: so the driver learns of it (4.1.5.1.2.1). */
static uint16_t vector(const struct virtio_pci_common *common, uint32_t value)
{
	return value < common->vectors ? (uint16_t)value : VIRTIO_PCI_NO_VECTOR;
}

static void forget_driver(struct virtio_pci_common *common)
{
	common->config_vector = VIRTIO_PCI_NO_VECTOR;
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
		common->queue_vectors[i] = VIRTIO_PCI_NO_VECTOR;
	common->sized = 0;
}

static void set_size(struct virtio_pci_common *common, uint32_t value)
{
	if (!selected(common))
		return;
	virtio_queue_set(common->dev, common->queue_sel, VIRTIO_Q_NUM, value);
	if (virtio_queue_get(common->dev, common->queue_sel, VIRTIO_Q_NUM) == value)
		common->sized |= UINT32_C(1) << common->queue_sel;
}

/* 0 must not be written (4.1.4.3.2): only a reset stops a queue of this transport. */
static void enable(struct virtio_pci_common *common, uint32_t value)
{
	if (!selected(common) || value != 1 || virtio_queue_ready(common->dev, common->queue_sel))
		return;
	if (!(common->sized >> common->queue_sel & 1))
		set_size(common, virtio_queue_num_max(common->dev, common->queue_sel));
	virtio_queue_set_ready(common->dev, common->queue_sel, 1);
}

static void reg_write(struct virtio_pci_common *common, uint64_t reg, uint32_t value)
{
	struct virtio_dev *dev = common->dev;

	switch (reg) {
	case REG_DEVICE_FEATURES_SEL:
		common->device_features_sel = value;
		break;
	case REG_DRIVER_FEATURES_SEL:
		common->driver_features_sel = value;
		break;
	case REG_DRIVER_FEATURES:
		virtio_set_driver_features(dev, common->driver_features_sel, value);
		break;
	case REG_CONFIG_VECTOR:
		common->config_vector = vector(common, value);
		break;
	case REG_STATUS:
		virtio_set_status(dev, value);
		if (value == 0)
			forget_driver(common);
		break;
	case REG_QUEUE_SEL:
		common->queue_sel = (uint16_t)value;
		break;
	case REG_QUEUE_SIZE:
		set_size(common, value);
		break;
	case REG_QUEUE_VECTOR:
		if (selected(common))
			common->queue_vectors[common->queue_sel] = vector(common, value);
		break;
	case REG_QUEUE_ENABLE:
		enable(common, value);
		break;
	case REG_DEVICE_FEATURES:
	case REG_NUM_QUEUES:
	case REG_CONFIG_GENERATION:
	case REG_QUEUE_NOTIFY_OFF:
		break; /* read-only */
	default:
		virtio_queue_set(dev, common->queue_sel, field_of(reg), value);
		break;
	}
}

void virtio_pci_common_read(const struct virtio_pci_common *common, uint64_t offset, void *data,
			    size_t len)
{
	uint8_t bytes[4];

	if (len != width(offset))
		return;
	le32_store(bytes, reg_read(common, offset));
	memcpy(data, bytes, len);
}

bool virtio_pci_common_write(struct virtio_pci_common *common, uint64_t offset, const void *data,
			     size_t len)
{
	uint8_t bytes[4] = { 0 };
	uint32_t value;

	if (len != width(offset))
		return false;
	memcpy(bytes, data, len);
	value = le32_load(bytes);
	reg_write(common, offset, value);
	return offset == REG_STATUS && value == 0;
}

void virtio_pci_common_init(struct virtio_pci_common *common, struct virtio_dev *dev,
			    unsigned vectors)
{
	*common = (struct virtio_pci_common){ .dev = dev, .vectors = vectors };
	forget_driver(common);
}
