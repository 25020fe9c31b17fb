/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user front end and a kind back-end: what it is told of memory, rings and
 * configuration, its calls, and what it must have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/vhost_rig.h"

static void fs_identity(void **state)
{
	struct vhost_rig b;
	uint8_t config[40];

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	assert_int_equal(b.rig.dev->type->id, 26);
	assert_int_equal(b.rig.dev->queue_count, 2);
	/* Neither packed rings, nor an IOMMU, nor a log; and no device bits that are not a file system's. */
	assert_int_equal(b.rig.dev->features, RING_BITS);
	for (unsigned i = 0; i < sizeof(config); i++)
		virtio_config_read(b.rig.dev, i, config + i, 1);
	assert_memory_equal(config, "the-tag\0\0\0\0", 11);
	assert_int_equal(le32_load(config + 36), 1);
	assert_int_equal(b.fake.agreed_protocol, ALL_P);
	vhost_rig_fini(&b);
}

/* All of RAM and nothing else, by addresses that are not ours. */
static void memory_table(void **state)
{
	struct vhost_rig b;
	const struct mem_region *region;
	char text[5];
	size_t count;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
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
	vhost_rig_fini(&b);
}

static void rings_start_and_stop(void **state)
{
	struct vhost_rig b;
	uint64_t count = 0;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
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
	rig_reset(&b.rig);
	assert_int_equal(atomic_load(&b.fake.ring[0].stopped), 1);
	assert_int_equal(atomic_load(&b.fake.ring[1].stopped), 1);
	/* And again, with one queue only. */
	rig_start(&b.rig, 0, 1);
	assert_int_equal(atomic_load(&b.fake.ring[0].enabled), 2);
	assert_int_equal(atomic_load(&b.fake.ring[1].enabled), 1);
	virtio_queue_set_ready(b.rig.dev, 0, 0);
	assert_true(virtio_dev_settle(b.rig.dev, -1));
	assert_int_equal(atomic_load(&b.fake.ring[0].stopped), 2);
	assert_int_equal(b.gone, 0);
	vhost_rig_fini(&b);
}

/* A call of the back-end: the status bit is there when the line is raised. */
static void calls_become_interrupts(void **state)
{
	const uint64_t one = 1;
	struct vhost_rig b;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	assert_int_equal(virtio_isr_read(b.rig.dev), 0);
	assert_int_equal(write(b.fake.ring[1].call, &one, 8), 8);
	rig_settle(&b.rig);
	assert_int_equal(atomic_load(&b.rig.irq.pulses), b.rig.pulses + 1);
	assert_int_equal(virtio_isr_read(b.rig.dev), VIRTIO_ISR_QUEUE);
	/* Not while the device is not live. */
	rig_reset(&b.rig);
	assert_int_equal(write(b.fake.ring[1].call, &one, 8), 8);
	rig_settle(&b.rig);
	assert_int_equal(virtio_isr_read(b.rig.dev), 0);
	vhost_rig_fini(&b);
}

static void blk_config(void **state)
{
	struct vhost_rig b;
	uint8_t byte = 0, capacity[8];

	(void)state;
	vhost_rig_init(&b);
	b.fake.features |= BLK_F_WCE | BLK_F_MQ;
	b.fake.queue_num = 100;
	le64_store(b.fake.config, 12345);
	b.fake.config[32] = 1;
	le16_store(b.fake.config + 34, 16);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_BLK), 0);
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
	vhost_rig_fini(&b);
}

static void net_without_protocol_features(void **state)
{
	struct vhost_rig b;
	uint8_t mac[6];

	(void)state;
	vhost_rig_init(&b);
	fake_init(&b.fake, RING_BITS | 1 << 17 /* CTRL_VQ */ | 1 << 22 /* MQ */ | 1, 0);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_NET), 0);
	assert_int_equal(b.rig.dev->queue_count, 2);
	assert_int_equal(b.rig.dev->features, RING_BITS | 1 << 5 | 1);
	for (unsigned i = 0; i < 6; i++)
		virtio_config_read(b.rig.dev, i, mac + i, 1);
	assert_memory_equal(mac, "\2\3\4\5\6\7", 6);
	rig_start(&b.rig, 1 << 5, 2);
	/* The address is ours to answer for, not the back-end's. */
	rig_reset(&b.rig);
	assert_int_equal(b.fake.agreed, VIRTIO_F_VERSION_1);
	assert_int_equal(atomic_load(&b.fake.ring[0].enabled), 0);
	vhost_rig_fini(&b);
}

static void inflight_is_held(void **state)
{
	struct vhost_rig b;

	(void)state;
	vhost_rig_init(&b);
	b.fake.protocol |= VHOST_USER_P_INFLIGHT_SHMFD;
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	assert_int_equal(b.fake.inflights, 1);
	vhost_rig_fini(&b);
	/* But not any amount of it. */
	vhost_rig_init(&b);
	b.fake.protocol |= VHOST_USER_P_INFLIGHT_SHMFD;
	b.fake.inflight_size = UINT64_C(1) << 40;
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	b.rig.dev->irq = &b.rig.irq.line;
	assert_true(dr_negotiate(b.rig.dev, VIRTIO_F_VERSION_1));
	virtio_set_status(b.rig.dev, virtio_status(b.rig.dev) | VIRTIO_S_DRIVER_OK);
	rig_await(&b.rig);
	assert_int_equal(b.gone, 1);
	assert_true(rig_broken(&b.rig));
	vhost_rig_fini(&b);
}

/* A guest cannot send a back-end past the end of what it has mapped. */
static void ring_across_regions(void **state)
{
	const uint64_t edge = RIG_RAM / 2 - 512;
	struct vhost_rig b;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	b.rig.dev->irq = &b.rig.irq.line;
	assert_true(dr_negotiate(b.rig.dev, VIRTIO_F_VERSION_1));
	dr_init(&b.rig.ring[0], b.rig.mem, gpa(edge), 64);
	assert_true(dr_setup_queue(b.rig.dev, 0, &b.rig.ring[0]));
	virtio_set_status(b.rig.dev, virtio_status(b.rig.dev) | VIRTIO_S_DRIVER_OK);
	assert_true(rig_broken(&b.rig));
	assert_int_equal(atomic_load(&b.fake.ring[0].enabled), 0);
	assert_int_equal(b.gone, 0);
	vhost_rig_fini(&b);
}

static void what_a_backend_must_have(void **state)
{
	struct vhost_rig b;

	(void)state;
	vhost_rig_init(&b);
	b.fake.features &= ~VIRTIO_F_VERSION_1;
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), -ENOTSUP);
	vhost_rig_fini(&b);
	vhost_rig_init(&b);
	b.fake.queue_num = 1;
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), -ENOTSUP);
	vhost_rig_fini(&b);
	vhost_rig_init(&b);
	b.fake.protocol &= ~VHOST_USER_P_CONFIG;
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_BLK), -ENOTSUP);
	vhost_rig_fini(&b);
	vhost_rig_init(&b);
	b.fake.queue_num = 0;
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_BLK), -ENOTSUP);
	vhost_rig_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fs_identity),
		cmocka_unit_test(memory_table),
		cmocka_unit_test(rings_start_and_stop),
		cmocka_unit_test(calls_become_interrupts),
		cmocka_unit_test(blk_config),
		cmocka_unit_test(net_without_protocol_features),
		cmocka_unit_test(inflight_is_held),
		cmocka_unit_test(ring_across_regions),
		cmocka_unit_test(what_a_backend_must_have),
	};

	return cmocka_run_group_tests_name("vhost_user", tests, NULL, NULL);
}
