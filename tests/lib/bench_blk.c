/* SPDX-License-Identifier: BSD-2-Clause */
/* On the bench: block devices, one that is written and has two queues, one that is only read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/bench.h"
#include "virtio/blk_config.h"
#include "virtio/devices.h"

enum {
	SECTORS = 64,
	HEADER = RIG_DATA,
	STATUS = RIG_DATA + 0x100,
	DATA = RIG_DATA + 0x1000,
};

struct blk_bench {
	struct dev_rig rig;
	struct stub_disk *stub;
};

static void open_blk(struct bench *b, bool readonly, unsigned queues)
{
	struct virtio_blk_config config = { .threads = 2, .queues = queues, .serial = "bench" };
	struct blk_bench *blk = calloc(1, sizeof(*blk));

	assert_non_null(blk);
	rig_init(&blk->rig);
	blk->stub = stub_disk_new(SECTORS * BLK_SECTOR);
	blk->stub->disk.readonly = readonly;
	config.disk = &blk->stub->disk;
	assert_int_equal(virtio_blk_create(&config, 0, blk->rig.mem, blk->rig.loop, &blk->rig.dev),
			 0);
	b->rig = &blk->rig;
	b->priv = blk;
}

static void blk_open(struct bench *b)
{
	open_blk(b, false, 2);
}

static void blk_ro_open(struct bench *b)
{
	open_blk(b, true, 1);
}

static void blk_close(struct bench *b)
{
	struct blk_bench *blk = b->priv;

	assert_int_equal(atomic_load(&blk->stub->outside), 0);
	rig_fini(&blk->rig);
	free(blk);
}

static unsigned blk_queues(uint64_t features)
{
	return features & BLK_F_MQ ? 2 : 1;
}

/* A request with @len bytes of data, which the device writes if @in: its status. */
static uint8_t ask(struct bench *b, unsigned queue, uint32_t type, uint64_t sector, uint32_t len,
		   bool in)
{
	const struct dr_buf bufs[] = {
		{ HEADER, 16, false },
		{ DATA, len, in },
		{ STATUS, 1, true },
	};

	le32_store(rig_at(b->rig, HEADER), type);
	le32_store(rig_at(b->rig, HEADER + 4), 0);
	le64_store(rig_at(b->rig, HEADER + 8), sector);
	*rig_at(b->rig, STATUS) = 0xee;
	(void)bench_do(b, queue, bufs, 3);
	return *rig_at(b->rig, STATUS);
}

static void read_back(struct bench *b, unsigned queue, uint8_t byte)
{
	memset(rig_at(b->rig, DATA), 0xee, BLK_SECTOR);
	assert_int_equal(ask(b, queue, BLK_T_IN, 7, BLK_SECTOR, true), BLK_S_OK);
	assert_int_equal(*rig_at(b->rig, DATA), byte);
	assert_int_equal(*rig_at(b->rig, DATA + BLK_SECTOR - 1), byte);
}

/* Without FLUSH there is no cache to the driver: what is written is durable when it is answered. */
static void write_one(struct bench *b, unsigned queue, uint8_t byte)
{
	struct stub_disk *stub = ((struct blk_bench *)b->priv)->stub;
	unsigned durable = atomic_load(&stub->durable);

	memset(rig_at(b->rig, DATA), byte, BLK_SECTOR);
	assert_int_equal(ask(b, queue, BLK_T_OUT, 7, BLK_SECTOR, false), BLK_S_OK);
	assert_int_equal(atomic_load(&stub->durable) - durable, !(b->rig->features & BLK_F_FLUSH));
}

/* What was not agreed on is not there. */
static void range(struct bench *b, uint32_t type, bool agreed)
{
	le64_store(rig_at(b->rig, DATA), 7);
	le32_store(rig_at(b->rig, DATA + 8), 1);
	le32_store(rig_at(b->rig, DATA + 12), 0);
	assert_int_equal(ask(b, 0, type, 0, 16, false), agreed ? BLK_S_OK : BLK_S_UNSUPP);
}

static void drive_queue(struct bench *b, unsigned queue)
{
	if (!((struct blk_bench *)b->priv)->stub->disk.readonly) {
		write_one(b, queue, (uint8_t)(0x11 + queue));
		read_back(b, queue, (uint8_t)(0x11 + queue));
	} else {
		assert_int_equal(ask(b, queue, BLK_T_OUT, 7, BLK_SECTOR, false), BLK_S_IOERR);
		read_back(b, queue, 0);
	}
	assert_int_equal(ask(b, queue, BLK_T_GET_ID, 0, 20, true), BLK_S_OK);
	assert_string_equal((const char *)rig_at(b->rig, DATA), "bench");
}

static void blk_drive(struct bench *b)
{
	const uint64_t features = b->rig->features;

	for (unsigned i = 0; i < blk_queues(features); i++)
		drive_queue(b, i);
	assert_int_equal(ask(b, 0, BLK_T_FLUSH, 0, 0, false), BLK_S_OK);
	assert_int_equal(ask(b, 0, BLK_T_IN, SECTORS, BLK_SECTOR, true), BLK_S_IOERR);
	if (((struct blk_bench *)b->priv)->stub->disk.readonly)
		return;
	range(b, BLK_T_DISCARD, features & BLK_F_DISCARD);
	range(b, BLK_T_WRITE_ZEROES, features & BLK_F_WRITE_ZEROES);
	read_back(b, 0, features & BLK_F_WRITE_ZEROES ? 0 : features & BLK_F_MQ ? 0x12 : 0x11);
}

const struct bench_kind bench_blk = {
	.name = "blk",
	.open = blk_open,
	.close = blk_close,
	.queues = blk_queues,
	.drive = blk_drive,
};

const struct bench_kind bench_blk_ro = {
	.name = "blk-ro",
	.open = blk_ro_open,
	.close = blk_close,
	.queues = blk_queues,
	.drive = blk_drive,
};
