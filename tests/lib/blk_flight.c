/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-blk on the bench, with many requests in flight. */
#include "tests/lib/blk_flight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/le.h"
#include "virtio/devices.h"

void blk_flight_disk(struct blk_flight *b)
{
	rig_init(&b->rig);
	b->rig.ring_size = 256;
	b->stub = stub_disk_new(SECTORS * 512);
	b->stub->closed = &b->closed;
	atomic_store(&b->closed, false);
	for (unsigned i = 0; i < SECTORS; i++)
		memset(b->stub->data + i * 512, (int)i, 512);
}

void blk_flight_device(struct blk_flight *b, unsigned threads)
{
	struct virtio_blk_config config = { .threads = threads };

	config.disk = &b->stub->disk;
	assert_int_equal(virtio_blk_create(&config, 3, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
	assert_string_equal(b->rig.dev->name, "blk3");
}

void blk_flight_open(struct blk_flight *b, unsigned threads)
{
	blk_flight_disk(b);
	blk_flight_device(b, threads);
}

void blk_flight_close(struct blk_flight *b)
{
	assert_int_equal(atomic_load(&b->stub->outside), 0);
	rig_fini(&b->rig);
	assert_true(atomic_load(&b->closed));
}

uint64_t blk_flight_slot(unsigned i)
{
	return RIG_DATA + (uint64_t)i * SLOT;
}

uint8_t blk_flight_status(struct blk_flight *b, unsigned i)
{
	return *rig_at(&b->rig, blk_flight_slot(i) + STATUS);
}

void blk_flight_offer(struct blk_flight *b, unsigned i, uint32_t type, uint64_t sector)
{
	struct dr_buf bufs[] = {
		{ blk_flight_slot(i), 16, false },
		{ blk_flight_slot(i) + PAYLOAD, type == T_FLUSH ? 0 : 512, type == T_IN },
		{ blk_flight_slot(i) + STATUS, 1, true },
	};
	uint8_t *h = rig_at(&b->rig, blk_flight_slot(i));

	le32_store(h, type);
	le32_store(h + 4, 0);
	le64_store(h + 8, sector);
	h[STATUS] = S_NONE;
	rig_offer(&b->rig, 0, (uint16_t)(3 * i), bufs, 3);
}

void blk_flight_take_all(struct blk_flight *b, unsigned count, uint8_t status)
{
	bool seen[128] = { false };

	for (unsigned n = 0; n < count; n++) {
		uint32_t id;

		rig_used(&b->rig, 0, &id, NULL);
		assert_int_equal(id % 3, 0);
		assert_true(id / 3 < count);
		assert_false(seen[id / 3]);
		seen[id / 3] = true;
		assert_int_equal(blk_flight_status(b, id / 3), status);
	}
	rig_settle(&b->rig);
	assert_false(dr_take_used(&b->rig.ring[0], NULL, NULL));
}
