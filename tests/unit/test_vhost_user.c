/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user front end: what a kind back-end is told, and that a hostile one is gone for good with one
 * line said, while the device and the driver live on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/capture.h"
#include "tests/lib/dev_rig.h"
#include "tests/lib/fake_backend.h"
#include "virtio/devices.h"

#define RING_BITS   (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)
#define ALL_P	    (VHOST_USER_P_MQ | VHOST_USER_P_REPLY_ACK | VHOST_USER_P_CONFIG)
#define USER_BASE   (UINT64_C(1) << 46)
#define F_PACKED    (UINT64_C(1) << 34)
#define F_IOMMU	    (UINT64_C(1) << 33)
#define F_LOG_ALL   (UINT64_C(1) << 26)
#define BLK_F_FLUSH (UINT64_C(1) << 9)
#define BLK_F_WCE   (UINT64_C(1) << 11)
#define BLK_F_MQ    (UINT64_C(1) << 12)

static atomic_uint slept_ms;

/* In place of the C library's: the front end waits for a disk's requests, and these tests do not. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	atomic_fetch_add(&slept_ms, (unsigned)(time->tv_sec * 1000 + time->tv_nsec / 1000000));
	return 0;
}

static int filled_when_polled = -1; /* an eventfd */

/* In place of the C library's: somebody else fills the eventfd just after it was seen to have room. */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	const struct timespec wait = { timeout / 1000, timeout % 1000 * 1000000L };
	const uint64_t full = UINT64_MAX - 1;
	int r = (int)syscall(SYS_ppoll, fds, count, timeout < 0 ? NULL : &wait, NULL, 0);

	if (r > 0 && fds[0].fd == filled_when_polled)
		assert_int_equal(write(fds[0].fd, &full, 8), 8);
	return r;
}

/* A bench whose memory another process could have. */
struct bench {
	struct dev_rig rig;
	struct fake_backend fake;
	unsigned gone;
	int memory;
};

static void on_gone(void *opaque)
{
	((struct bench *)opaque)->gone++;
}

static void bench_init(struct bench *b)
{
	*b = (struct bench){ .rig = { .ring_size = 64 } };
	count_irq_init(&b->rig.irq);
	b->memory = mem_share_create(RIG_RAM, false);
	assert_true(b->memory >= 0);
	assert_int_equal(mem_create(&b->rig.mem), 0);
	assert_int_equal(mem_share(b->rig.mem, b->memory), 0);
	assert_int_equal(mem_add(b->rig.mem, gpa(0), RIG_RAM / 2, MEM_RAM), 0);
	assert_int_equal(mem_add(b->rig.mem, gpa(RIG_RAM / 2), RIG_RAM / 2, MEM_RAM), 0);
	assert_int_equal(mem_add(b->rig.mem, gpa(1 << 30), 4096, MEM_READONLY), 0);
	assert_int_equal(loop_create(&b->rig.loop), 0);
	fake_init(&b->fake, RING_BITS | BLK_F_FLUSH | F_PACKED | F_IOMMU | F_LOG_ALL, ALL_P);
}

static int bench_create(struct bench *b, enum vhost_user_kind kind)
{
	static const uint8_t mac[6] = { 2, 3, 4, 5, 6, 7 };
	const struct vhost_user_config config = {
		.kind = kind,
		.fd = fake_start(&b->fake),
		.peer = "fake",
		.tag = "the-tag",
		.queues = 4,
		.mac = mac,
		.gone = on_gone,
		.opaque = b,
	};

	return virtio_vhost_user_create(&config, 0, b->rig.mem, b->rig.loop, &b->rig.dev);
}

static void bench_fini(struct bench *b)
{
	rig_fini(&b->rig);
	fake_stop(&b->fake);
	close(b->memory);
}

static void turn_until_gone(struct bench *b)
{
	for (unsigned i = 0; !b->gone; i++) {
		assert_true(i < RIG_WAIT_MS / 10);
		assert_true(loop_turn(b->rig.loop, 10) >= 0);
	}
}

static void fs_identity(void **state)
{
	struct bench b;
	uint8_t config[40];

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	assert_int_equal(b.rig.dev->type->id, 26);
	assert_int_equal(b.rig.dev->queue_count, 2);
	/* Neither packed rings, nor an IOMMU, nor a log; and no device bits that are not a file system's. */
	assert_int_equal(b.rig.dev->features, RING_BITS);
	for (unsigned i = 0; i < sizeof(config); i++)
		virtio_config_read(b.rig.dev, i, config + i, 1);
	assert_memory_equal(config, "the-tag\0\0\0\0", 11);
	assert_int_equal(le32_load(config + 36), 1);
	assert_int_equal(b.fake.agreed_protocol, ALL_P);
	bench_fini(&b);
}

/* All of RAM and nothing else, by addresses that are not ours. */
static void memory_table(void **state)
{
	struct bench b;
	const struct mem_region *region;
	char text[5];
	size_t count;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	region = mem_regions(b.rig.mem, &count);
	assert_int_equal(b.fake.regions, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(le64_load(b.fake.region[i]), region[i].start.v);
		assert_int_equal(le64_load(b.fake.region[i] + 8), RIG_RAM / 2);
		assert_int_equal(le64_load(b.fake.region[i] + 16), USER_BASE + region[i].start.v);
		assert_int_equal(le64_load(b.fake.region[i] + 24), region[i].offset);
	}
	/* What is written through the file is what the guest sees. */
	assert_int_equal(pwrite(b.fake.memory, "hello", 5, (off_t)region[1].offset + 100), 5);
	assert_int_equal(mem_read(b.rig.mem, gpa(RIG_RAM / 2 + 100), text, 5), 0);
	assert_memory_equal(text, "hello", 5);
	bench_fini(&b);
}

static void rings_start_and_stop(void **state)
{
	struct bench b;
	uint64_t count = 0;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, VIRTIO_F_EVENT_IDX, 2);
	assert_int_equal(b.fake.agreed,
			 VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VHOST_USER_F_PROTOCOL_FEATURES);
	for (unsigned i = 0; i < 2; i++) {
		const struct virtqueue *vq = &b.rig.dev->queues[i];

		assert_int_equal(b.fake.ring[i].num, 64);
		assert_int_equal(b.fake.ring[i].base, 0);
		assert_int_equal(b.fake.ring[i].desc, USER_BASE + vq->desc.v);
		assert_int_equal(b.fake.ring[i].avail, USER_BASE + vq->avail.v);
		assert_int_equal(b.fake.ring[i].used, USER_BASE + vq->used.v);
		assert_int_equal(atomic_load(&b.fake.ring[i].enabled), 1);
		/* A doorbell rung before is heard, and one from now on. */
		assert_int_equal(read(b.fake.ring[i].kick, &count, 8), 8);
		virtio_kick(b.rig.dev, i);
		rig_settle(&b.rig);
		assert_int_equal(read(b.fake.ring[i].kick, &count, 8), 8);
	}
	virtio_set_status(b.rig.dev, 0);
	assert_int_equal(atomic_load(&b.fake.ring[0].stopped), 1);
	assert_int_equal(atomic_load(&b.fake.ring[1].stopped), 1);
	/* And again, with one queue only. */
	rig_start(&b.rig, 0, 1);
	assert_int_equal(atomic_load(&b.fake.ring[0].enabled), 2);
	assert_int_equal(atomic_load(&b.fake.ring[1].enabled), 1);
	virtio_queue_set_ready(b.rig.dev, 0, 0);
	assert_int_equal(atomic_load(&b.fake.ring[0].stopped), 2);
	assert_int_equal(b.gone, 0);
	bench_fini(&b);
}

/* A call of the back-end: the status bit is there when the line is raised. */
static void calls_become_interrupts(void **state)
{
	const uint64_t one = 1;
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	assert_int_equal(virtio_isr_read(b.rig.dev), 0);
	assert_int_equal(write(b.fake.ring[1].call, &one, 8), 8);
	rig_settle(&b.rig);
	assert_int_equal(atomic_load(&b.rig.irq.pulses), b.rig.pulses + 1);
	assert_int_equal(virtio_isr_read(b.rig.dev), VIRTIO_ISR_QUEUE);
	/* Not while the device is not live. */
	virtio_set_status(b.rig.dev, 0);
	assert_int_equal(write(b.fake.ring[1].call, &one, 8), 8);
	rig_settle(&b.rig);
	assert_int_equal(virtio_isr_read(b.rig.dev), 0);
	bench_fini(&b);
}

/*
 * An eventfd is shared with all its flags: a back-end that makes ours block, and empties or fills them at the
 * wrong time, makes nobody here wait for it.
 */
static void blocking_eventfds(void **state)
{
	const uint64_t one = 1, full = UINT64_MAX - 1;
	struct bench b;
	uint64_t count;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	(void)alarm(500); /* a hang is a failure, too */
	assert_int_equal(read(b.fake.ring[0].kick, &count, 8), 8);
	assert_int_equal(fcntl(b.fake.ring[0].kick, F_SETFL, 0), 0);
	virtio_set_status(b.rig.dev, 0);
	assert_int_equal(write(b.fake.ring[0].kick, &full, 8), 8);
	rig_start(&b.rig, 0, 2);
	assert_int_equal(fcntl(b.fake.ring[1].call, F_SETFL, 0), 0);
	assert_int_equal(write(b.fake.ring[1].call, &one, 8), 8);
	rig_settle(&b.rig);
	assert_int_equal(atomic_load(&b.rig.irq.pulses), b.rig.pulses + 1);
	/* It was heard without being read: a read is what could wait. */
	assert_int_equal(read(b.fake.ring[1].call, &count, 8), 8);
	assert_int_equal(write(b.fake.ring[1].call, &one, 8), 8);
	rig_settle(&b.rig);
	assert_int_equal(atomic_load(&b.rig.irq.pulses), b.rig.pulses + 2);
	(void)alarm(0);
	assert_int_equal(b.gone, 0);
	bench_fini(&b);
}

/*
 * A doorbell that comes to us because KVM did not take it, and one that we ring when a ring starts: both wait
 * for nobody, neither at a counter that is full nor at one that is filled under our hands.
 */
static void test_threat_09_blocking_doorbells(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	struct bench b;
	uint64_t count;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	(void)alarm(20);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(read(b.fake.ring[i].kick, &count, 8), 8);
	assert_int_equal(fcntl(b.fake.ring[0].kick, F_SETFL, 0), 0);
	assert_int_equal(write(b.fake.ring[0].kick, &full, 8), 8);
	virtio_kick(b.rig.dev, 0);
	virtio_kick(b.rig.dev, 1);
	assert_int_equal(read(b.fake.ring[1].kick, &count, 8), 8);
	assert_int_equal(b.gone, 0);
	assert_int_equal(read(b.fake.ring[0].kick, &count, 8), 8);
	filled_when_polled = b.rig.dev->kick_fd[0];
	virtio_kick(b.rig.dev, 0);
	assert_int_equal(b.gone, 1);
	assert_int_equal(virtio_status(b.rig.dev) & VIRTIO_S_NEEDS_RESET, VIRTIO_S_NEEDS_RESET);
	/* Once is enough. */
	assert_int_equal(read(b.fake.ring[0].kick, &count, 8), 8);
	virtio_kick(b.rig.dev, 0);
	(void)alarm(0);
	filled_when_polled = -1;
	bench_fini(&b);
}

static void doorbell_filled_at_the_start(void **state)
{
	struct bench b;
	uint64_t count;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	assert_int_equal(read(b.fake.ring[0].kick, &count, 8), 8);
	assert_int_equal(fcntl(b.fake.ring[0].kick, F_SETFL, 0), 0);
	virtio_set_status(b.rig.dev, 0);
	(void)alarm(20);
	filled_when_polled = b.rig.dev->kick_fd[0];
	assert_true(dr_negotiate(b.rig.dev, b.rig.features));
	for (unsigned i = 0; i < 2; i++)
		assert_true(dr_setup_queue(b.rig.dev, i, &b.rig.ring[i]));
	(void)dr_driver_ok(b.rig.dev);
	(void)alarm(0);
	filled_when_polled = -1;
	assert_int_equal(b.gone, 1);
	bench_fini(&b);
}

/* A driver that announces in all its rings what it never offered: a reset waits for that once, not for each. */
static void drains_are_bounded_together(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.fake.features |= BLK_F_MQ;
	b.fake.queue_num = 4;
	le16_store(b.fake.config + 34, 4);
	assert_int_equal(bench_create(&b, VHOST_USER_BLK), 0);
	rig_start(&b.rig, 0, 4);
	for (unsigned i = 0; i < 4; i++)
		dr_set_avail_idx(&b.rig.ring[i], 1);
	atomic_store(&slept_ms, 0);
	virtio_set_status(b.rig.dev, 0);
	assert_in_range(atomic_load(&slept_ms), 1000, 2000);
	/* Nor as long again. */
	rig_start(&b.rig, 0, 4);
	for (unsigned i = 0; i < 4; i++)
		dr_set_avail_idx(&b.rig.ring[i], 1);
	atomic_store(&slept_ms, 0);
	virtio_set_status(b.rig.dev, 0);
	assert_in_range(atomic_load(&slept_ms), 1, 50);
	assert_int_equal(b.gone, 0);
	bench_fini(&b);
}

static void blk_config(void **state)
{
	struct bench b;
	uint8_t byte = 0, capacity[8];

	(void)state;
	bench_init(&b);
	b.fake.features |= BLK_F_WCE | BLK_F_MQ;
	b.fake.queue_num = 100;
	le64_store(b.fake.config, 12345);
	b.fake.config[32] = 1;
	le16_store(b.fake.config + 34, 16);
	assert_int_equal(bench_create(&b, VHOST_USER_BLK), 0);
	assert_int_equal(b.rig.dev->type->id, 2);
	assert_int_equal(b.rig.dev->queue_count, 4);
	assert_int_equal(b.rig.dev->features, RING_BITS | BLK_F_FLUSH | BLK_F_WCE | BLK_F_MQ);
	virtio_config_read(b.rig.dev, 0, capacity, 8);
	assert_int_equal(le64_load(capacity), 12345);
	virtio_config_read(b.rig.dev, 34, &byte, 1);
	assert_int_equal(byte, 4); /* what it is told is what it has */
	rig_start(&b.rig, BLK_F_WCE, 1);
	virtio_config_write(b.rig.dev, 0, "\xff", 1);
	virtio_config_write(b.rig.dev, 32, "\xfe", 1);
	virtio_config_read(b.rig.dev, 32, &byte, 1);
	assert_int_equal(byte, 0);
	assert_int_equal(le32_load(b.fake.set_config), 32);
	assert_int_equal(le32_load(b.fake.set_config + 4), 1);
	assert_int_equal(b.fake.set_config[12], 0);
	bench_fini(&b);
}

static void net_without_protocol_features(void **state)
{
	struct bench b;
	uint8_t mac[6];

	(void)state;
	bench_init(&b);
	fake_init(&b.fake, RING_BITS | 1 << 17 /* CTRL_VQ */ | 1 << 22 /* MQ */ | 1, 0);
	assert_int_equal(bench_create(&b, VHOST_USER_NET), 0);
	assert_int_equal(b.rig.dev->queue_count, 2);
	assert_int_equal(b.rig.dev->features, RING_BITS | 1 << 5 | 1);
	for (unsigned i = 0; i < 6; i++)
		virtio_config_read(b.rig.dev, i, mac + i, 1);
	assert_memory_equal(mac, "\2\3\4\5\6\7", 6);
	rig_start(&b.rig, 1 << 5, 2);
	/* The address is ours to answer for, not the back-end's. */
	virtio_set_status(b.rig.dev, 0);
	assert_int_equal(b.fake.agreed, VIRTIO_F_VERSION_1);
	assert_int_equal(atomic_load(&b.fake.ring[0].enabled), 0);
	bench_fini(&b);
}

static void inflight_is_held(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.fake.protocol |= VHOST_USER_P_INFLIGHT_SHMFD;
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	assert_int_equal(b.fake.inflights, 1);
	bench_fini(&b);
	/* But not any amount of it. */
	bench_init(&b);
	b.fake.protocol |= VHOST_USER_P_INFLIGHT_SHMFD;
	b.fake.inflight_size = UINT64_C(1) << 40;
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	b.rig.dev->irq = &b.rig.irq.line;
	assert_true(dr_negotiate(b.rig.dev, VIRTIO_F_VERSION_1));
	virtio_set_status(b.rig.dev, virtio_status(b.rig.dev) | VIRTIO_S_DRIVER_OK);
	assert_int_equal(b.gone, 1);
	assert_true(rig_broken(&b.rig));
	bench_fini(&b);
}

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* Every trick on every question of the first talk: refused, or seen through; nothing is left behind. */
static void hostile_at_first(void **state)
{
	static const uint32_t questions[] = {
		VHOST_USER_GET_FEATURES,  VHOST_USER_GET_PROTOCOL_FEATURES,
		VHOST_USER_GET_QUEUE_NUM, VHOST_USER_SET_MEM_TABLE,
		VHOST_USER_GET_CONFIG,
	};

	(void)state;
	for (unsigned trick = FAKE_OTHER_REQUEST; trick < FAKE_TRICKS; trick++) {
		for (unsigned i = 0; i < ARRAY_SIZE(questions); i++) {
			unsigned before = open_fds();
			struct bench b;
			int r;

			bench_init(&b);
			b.fake.trick = (enum fake_trick)trick;
			b.fake.trick_at = questions[i];
			r = bench_create(&b, VHOST_USER_BLK);
			if (trick == FAKE_DRIP)
				assert_int_equal(r, 0);
			else if (trick < FAKE_REFUSE)
				assert_true(r == -EPROTO || r == -ECONNRESET);
			bench_fini(&b);
			assert_int_equal(open_fds(), before);
		}
	}
}

/* The same on each question that a running device asks: gone, once, and the driver can still talk. */
static void hostile_later(void **state)
{
	static const uint32_t questions[] = {
		VHOST_USER_SET_VRING_ENABLE,
		VHOST_USER_GET_VRING_BASE,
		VHOST_USER_GET_INFLIGHT_FD,
	};

	(void)state;
	for (unsigned trick = FAKE_OTHER_REQUEST; trick < FAKE_REFUSE; trick++) {
		for (unsigned i = 0; i < ARRAY_SIZE(questions); i++) {
			struct bench b;

			bench_init(&b);
			b.fake.protocol |= VHOST_USER_P_INFLIGHT_SHMFD;
			b.fake.trick = (enum fake_trick)trick;
			b.fake.trick_at = questions[i];
			assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
			for (unsigned turn = 0; turn < 3; turn++) {
				b.rig.dev->irq = &b.rig.irq.line;
				assert_true(dr_negotiate(b.rig.dev, VIRTIO_F_VERSION_1));
				dr_init(&b.rig.ring[0], b.rig.mem, gpa(0), 64);
				assert_true(dr_setup_queue(b.rig.dev, 0, &b.rig.ring[0]));
				virtio_set_status(b.rig.dev,
						  virtio_status(b.rig.dev) | VIRTIO_S_DRIVER_OK);
				virtio_kick(b.rig.dev, 0);
				rig_settle(&b.rig);
				virtio_set_status(b.rig.dev, 0);
				assert_int_equal(virtio_status(b.rig.dev), 0);
			}
			assert_int_equal(b.gone, 1);
			bench_fini(&b);
		}
	}
}

/* A right answer to another question than was asked, and a no to what cannot be refused. */
static void stops_another_queue_and_refuses(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.fake.trick = FAKE_ZEROES;
	b.fake.trick_at = VHOST_USER_GET_VRING_BASE;
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	virtio_queue_set_ready(b.rig.dev, 0, 0);
	assert_int_equal(b.gone, 0);
	virtio_queue_set_ready(b.rig.dev, 1, 0);
	assert_int_equal(b.gone, 1);
	assert_true(rig_broken(&b.rig));
	bench_fini(&b);

	bench_init(&b);
	b.fake.features |= BLK_F_WCE;
	b.fake.trick = FAKE_REFUSE;
	b.fake.trick_at = VHOST_USER_SET_CONFIG;
	assert_int_equal(bench_create(&b, VHOST_USER_BLK), 0);
	rig_start(&b.rig, BLK_F_WCE, 1);
	virtio_config_write(b.rig.dev, 32, "\1", 1);
	assert_int_equal(b.gone, 1);
	virtio_config_write(b.rig.dev, 32, "\1", 1);
	assert_int_equal(b.gone, 1);
	bench_fini(&b);
}

static void death_is_seen(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	(void)shutdown(b.fake.fd, SHUT_RDWR);
	turn_until_gone(&b);
	assert_true(rig_broken(&b.rig));
	assert_int_equal(virtio_isr_read(b.rig.dev), VIRTIO_ISR_CONFIG);
	assert_int_equal(b.gone, 1);
	/* A reset does not bring it back, and nobody is asked. */
	virtio_set_status(b.rig.dev, 0);
	assert_true(dr_negotiate(b.rig.dev, VIRTIO_F_VERSION_1));
	virtio_set_status(b.rig.dev, virtio_status(b.rig.dev) | VIRTIO_S_DRIVER_OK);
	assert_true(rig_broken(&b.rig));
	bench_fini(&b);
}

static void speaking_unasked_ends_it(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	assert_int_equal(send(b.fake.fd, "x", 1, 0), 1);
	turn_until_gone(&b);
	assert_int_equal(b.gone, 1);
	bench_fini(&b);
}

/* A guest cannot send a back-end past the end of what it has mapped. */
static void ring_across_regions(void **state)
{
	const uint64_t edge = RIG_RAM / 2 - 512;
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(bench_create(&b, VHOST_USER_FS), 0);
	b.rig.dev->irq = &b.rig.irq.line;
	assert_true(dr_negotiate(b.rig.dev, VIRTIO_F_VERSION_1));
	dr_init(&b.rig.ring[0], b.rig.mem, gpa(edge), 64);
	assert_true(dr_setup_queue(b.rig.dev, 0, &b.rig.ring[0]));
	virtio_set_status(b.rig.dev, virtio_status(b.rig.dev) | VIRTIO_S_DRIVER_OK);
	assert_true(rig_broken(&b.rig));
	assert_int_equal(atomic_load(&b.fake.ring[0].enabled), 0);
	assert_int_equal(b.gone, 0);
	bench_fini(&b);
}

/* What a silent one costs: the time given, and not more. */
static void silence_is_bounded(void **state)
{
	struct vhost_user_link link;
	uint64_t value = 7;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vhost_user_link_init(&link, pair[0]), 0);
	link.wait_ms = 50;
	assert_int_equal(vhost_user_link_silent(&link), 0);
	assert_int_equal(vhost_user_ask_u64(&link, VHOST_USER_GET_FEATURES, &value), -ETIMEDOUT);
	assert_int_equal(value, 7);
	/* Nor does one that never reads hold us up. */
	for (unsigned i = 0; i < 100000; i++) {
		int r = vhost_user_tell_u64(&link, VHOST_USER_SET_FEATURES, i);

		if (r < 0) {
			assert_int_equal(r, -ETIMEDOUT);
			break;
		}
		assert_true(i < 99999);
	}
	vhost_user_link_close(&link);
	vhost_user_link_close(&link);
	assert_int_equal(vhost_user_link_silent(&link), -ECONNRESET);
	assert_int_equal(vhost_user_ask_u64(&link, VHOST_USER_GET_FEATURES, &value), -ECONNRESET);
	close(pair[1]);
}

static void what_a_backend_must_have(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.fake.features &= ~VIRTIO_F_VERSION_1;
	assert_int_equal(bench_create(&b, VHOST_USER_FS), -ENOTSUP);
	bench_fini(&b);
	bench_init(&b);
	b.fake.queue_num = 1;
	assert_int_equal(bench_create(&b, VHOST_USER_FS), -ENOTSUP);
	bench_fini(&b);
	bench_init(&b);
	b.fake.protocol &= ~VHOST_USER_P_CONFIG;
	assert_int_equal(bench_create(&b, VHOST_USER_BLK), -ENOTSUP);
	bench_fini(&b);
	bench_init(&b);
	b.fake.queue_num = 0;
	assert_int_equal(bench_create(&b, VHOST_USER_BLK), -ENOTSUP);
	bench_fini(&b);
}

static void die_aloud(void *opaque)
{
	death_is_seen(opaque);
}

static void death_is_one_line(void **state)
{
	struct captured out;

	(void)state;
	capture_child(&out, die_aloud, NULL);
	assert_int_equal(out.status, 0);
	assert_string_equal(out.text, "hvrun: virtio-fs0: its back-end fake is gone: it closed the "
				      "connection; the device serves nothing any more\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fs_identity),
		cmocka_unit_test(memory_table),
		cmocka_unit_test(rings_start_and_stop),
		cmocka_unit_test(calls_become_interrupts),
		cmocka_unit_test(blocking_eventfds),
		cmocka_unit_test(test_threat_09_blocking_doorbells),
		cmocka_unit_test(doorbell_filled_at_the_start),
		cmocka_unit_test(drains_are_bounded_together),
		cmocka_unit_test(blk_config),
		cmocka_unit_test(net_without_protocol_features),
		cmocka_unit_test(inflight_is_held),
		cmocka_unit_test(hostile_at_first),
		cmocka_unit_test(hostile_later),
		cmocka_unit_test(stops_another_queue_and_refuses),
		cmocka_unit_test(death_is_seen),
		cmocka_unit_test(speaking_unasked_ends_it),
		cmocka_unit_test(ring_across_regions),
		cmocka_unit_test(silence_is_bounded),
		cmocka_unit_test(what_a_backend_must_have),
		cmocka_unit_test(death_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
