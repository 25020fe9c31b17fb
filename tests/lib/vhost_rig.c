/* SPDX-License-Identifier: BSD-2-Clause */
/* A vhost-user device on the bench. */
#include "tests/lib/vhost_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

static void on_gone(void *opaque)
{
	((struct vhost_rig *)opaque)->gone++;
}

void vhost_rig_init(struct vhost_rig *b)
{
	*b = (struct vhost_rig){ .rig = { .ring_size = 64 } };
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

int vhost_rig_create(struct vhost_rig *b, enum vhost_user_kind kind)
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

void vhost_rig_fini(struct vhost_rig *b)
{
	rig_fini(&b->rig);
	fake_stop(&b->fake);
	close(b->memory);
}
