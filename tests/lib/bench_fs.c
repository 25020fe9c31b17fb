/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On the bench: a device that another process serves (vhost-user, a file system). A back-end in a thread answers the
 * protocol; the rings it serves are served by the test, with what it was handed over the socket and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/bench.h"
#include "tests/lib/fake_backend.h"
#include "virtio/devices.h"

#define RING_BITS (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)
#define USER_BASE (UINT64_C(1) << 46)

enum { FS_QUEUES = 2 };

struct fs_bench {
	struct dev_rig rig;
	struct fake_backend fake;
	int memory;
	uint8_t *seen;		   /* the memory as the back-end maps it */
	uint16_t taken[FS_QUEUES]; /* chains of each ring since its start */
};

static void fs_open(struct bench *b)
{
	struct fs_bench *fs = calloc(1, sizeof(*fs));
	struct vhost_user_config config = { .kind = VHOST_USER_FS, .peer = "bench", .tag = "tag" };

	assert_non_null(fs);
	fs->rig.ring_size = 64;
	count_irq_init(&fs->rig.irq);
	fs->memory = mem_share_create(RIG_RAM, false);
	assert_true(fs->memory >= 0);
	assert_int_equal(mem_create(&fs->rig.mem), 0);
	assert_int_equal(mem_share(fs->rig.mem, fs->memory), 0);
	assert_int_equal(mem_add(fs->rig.mem, gpa(0), RIG_RAM, MEM_RAM), 0);
	assert_int_equal(loop_create(&fs->rig.loop), 0);
	fake_init(&fs->fake, RING_BITS,
		  VHOST_USER_P_MQ | VHOST_USER_P_REPLY_ACK | VHOST_USER_P_CONFIG);
	config.fd = fake_start(&fs->fake);
	assert_int_equal(
		virtio_vhost_user_create(&config, 0, fs->rig.mem, fs->rig.loop, &fs->rig.dev), 0);
	assert_int_equal(fs->fake.regions, 1);
	fs->seen = mmap(NULL, RIG_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fs->fake.memory, 0);
	assert_true(fs->seen != MAP_FAILED);
	b->rig = &fs->rig;
	b->priv = fs;
}

static void fs_close(struct bench *b)
{
	struct fs_bench *fs = b->priv;

	rig_fini(&fs->rig);
	fake_stop(&fs->fake);
	assert_int_equal(munmap(fs->seen, RIG_RAM), 0);
	(void)close(fs->memory);
	free(fs);
}

static unsigned fs_queues(uint64_t features)
{
	(void)features;
	return FS_QUEUES;
}

static bool readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

/*
 * As the back-end: the doorbell rang; the chain at the head of the ring is given back with 7 bytes, and the
 * front end is called.
 */
static void fs_serve(struct bench *b, unsigned queue)
{
	struct fs_bench *fs = b->priv;
	const uint32_t num = fs->fake.ring[queue].num;
	uint8_t *avail = fs->seen + (fs->fake.ring[queue].avail - USER_BASE);
	uint8_t *used = fs->seen + (fs->fake.ring[queue].used - USER_BASE);
	const uint16_t at = fs->taken[queue]++;
	const uint64_t one = 1;
	uint64_t rung;

	assert_int_equal(num, b->rig->ring_size);
	assert_true(readable(fs->fake.ring[queue].kick));
	assert_int_equal(read(fs->fake.ring[queue].kick, &rung, sizeof(rung)), sizeof(rung));
	assert_int_equal(le16_load(avail + 2), (uint16_t)(at + 1));
	le32_store(used + 4 + at % num * 8, le16_load(avail + 4 + at % num * 2));
	le32_store(used + 8 + at % num * 8, 7);
	le16_store(used + 2, (uint16_t)(at + 1));
	/* The next one is to be announced. */
	le16_store(used + 4 + num * 8, (uint16_t)(at + 1));
	assert_int_equal(write(fs->fake.ring[queue].call, &one, sizeof(one)), sizeof(one));
}

/* A request of each queue comes back, and its interrupt with it. */
static void fs_drive(struct bench *b)
{
	const struct dr_buf bufs[] = { { RIG_DATA, 40, false }, { RIG_DATA + 0x1000, 80, true } };
	struct fs_bench *fs = b->priv;

	assert_int_equal(fs->fake.agreed, b->rig->features | VHOST_USER_F_PROTOCOL_FEATURES);
	if (b->fresh)
		memset(fs->taken, 0, sizeof(fs->taken));
	for (unsigned queue = 0; queue < FS_QUEUES; queue++) {
		unsigned pulses = atomic_load(&b->rig->irq.pulses);

		assert_int_equal(bench_do(b, queue, bufs, 2), 7);
		rig_settle(b->rig);
		assert_int_equal(atomic_load(&b->rig->irq.pulses), pulses + 1);
	}
}

const struct bench_kind bench_fs = {
	.name = "fs",
	.open = fs_open,
	.close = fs_close,
	.queues = fs_queues,
	.drive = fs_drive,
	.serve = fs_serve,
};
