/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent memory (virtio 1.3, section 5.19): tells where in the guest's address space a file lies, and
 * answers flushes. The memory is the board's (mem_add_file): the guest reads it without us.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "virtio/devices.h"
#include "virtio/take.h"

enum {
	QUEUE_SIZE = 64,
	BATCH_CHAINS = 64,
	CONFIG_SIZE = 16, /* le64 start, le64 size */
	REQUEST_FLUSH = 0,
	ANSWER_FAILED = -1,
};

struct pmem {
	uint64_t start;
	uint64_t size;
	struct vq_chain chain;
};

static void pmem_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	const struct pmem *pmem = dev->priv;
	uint8_t config[CONFIG_SIZE];

	le64_store(config, pmem->start);
	le64_store(config + 8, pmem->size);
	memcpy(data, config + offset, len);
}

/* The answer to the chain just taken: bytes written. Nothing is ever dirty, so a flush is done. */
static uint32_t answer(const struct pmem *pmem)
{
	uint8_t word[4];
	bool flush = vq_chain_read(&pmem->chain, 0, word, sizeof(word)) == sizeof(word) &&
		     le32_load(word) == REQUEST_FLUSH;

	le32_store(word, flush ? 0 : (uint32_t)ANSWER_FAILED);
	return (uint32_t)vq_chain_write(&pmem->chain, 0, word, sizeof(word));
}

static void pmem_kick(struct virtio_dev *dev, unsigned index)
{
	struct pmem *pmem = dev->priv;
	unsigned chains = 0;

	while (virtio_take(dev, index, &pmem->chain)) {
		vq_push(&dev->queues[index], pmem->chain.head, answer(pmem));
		if (++chains == BATCH_CHAINS) {
			virtio_kick(dev, index);
			break;
		}
	}
	virtio_signal(dev, index);
}

static void pmem_destroy(struct virtio_dev *dev)
{
	free(dev->priv);
}

static const struct virtio_type pmem_type = {
	.name = "pmem",
	.id = 27,
	.config_read = pmem_config_read,
	.queue_kick = pmem_kick,
	.destroy = pmem_destroy,
};

int virtio_pmem_create(uint64_t start, uint64_t size, unsigned index, struct guest_mem *mem,
		       struct loop *loop, struct virtio_dev **out)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	struct pmem *pmem = calloc(1, sizeof(*pmem));
	char name[16];
	int err = -ENOMEM;

	(void)snprintf(name, sizeof(name), "pmem%u", index);
	if (dev && pmem)
		err = virtio_dev_init(dev, &pmem_type, name, mem, loop, 1, QUEUE_SIZE, 0,
				      CONFIG_SIZE);
	if (err < 0) {
		free(pmem);
		free(dev);
		return err;
	}
	pmem->start = start;
	pmem->size = size;
	dev->priv = pmem;
	*out = dev;
	return 0;
}
