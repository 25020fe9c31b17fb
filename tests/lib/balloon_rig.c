/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-balloon on the bench, and its pages. */
#include "tests/lib/balloon_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "base/le.h"

void balloon_rig_open(struct dev_rig *rig, uint64_t features, unsigned queues)
{
	rig_init(rig);
	assert_int_equal(virtio_balloon_create(rig->mem, rig->loop, &rig->dev), 0);
	rig_start(rig, features, queues);
	memset(rig_at(rig, LIST), 0x5a, RIG_RAM - LIST);
}

void balloon_rig_list(struct dev_rig *rig, const uint32_t *pfns, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		le32_store(rig_at(rig, LIST + i * 4), pfns[i]);
}

void balloon_rig_hand_over(struct dev_rig *rig, const uint32_t *pfns, unsigned count)
{
	struct dr_buf buf = { LIST, count * 4, false };

	balloon_rig_list(rig, pfns, count);
	assert_int_equal(rig_do(rig, INFLATE, &buf, 1), 0);
}

unsigned balloon_rig_pages(struct dev_rig *rig, uint64_t at, uint8_t byte)
{
	unsigned n = 0;

	for (; at < RIG_RAM; at += PAGE, n++) {
		const uint8_t *p = rig_at(rig, at);

		for (unsigned i = 0; i < PAGE; i++)
			if (p[i] != byte)
				return n;
	}
	return n;
}

unsigned balloon_rig_resident(struct dev_rig *rig)
{
	unsigned char there[RIG_RAM / PAGE];
	unsigned n = 0;

	assert_int_equal(mincore(rig_at(rig, 0), RIG_RAM, there), 0);
	for (size_t i = 0; i < sizeof(there); i++)
		n += there[i] & 1;
	return n;
}

struct virtio_balloon_info balloon_rig_look(struct dev_rig *rig)
{
	struct virtio_balloon_info info;

	virtio_balloon_look(rig->dev, &info);
	return info;
}

uint32_t balloon_rig_config(struct dev_rig *rig, uint64_t offset)
{
	uint8_t word[4];

	virtio_config_read(rig->dev, offset, word, sizeof(word));
	return le32_load(word);
}

void balloon_rig_set_config(struct dev_rig *rig, uint64_t offset, uint32_t value)
{
	uint8_t word[4];

	le32_store(word, value);
	virtio_config_write(rig->dev, offset, word, sizeof(word));
}
