/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user front end and a back-end that is slow, late or never answers, when it is given its rings and when they
 * are taken back: nobody waits but the driver, where it must, and that has an end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/capture.h"
#include "tests/lib/vhost_rig.h"
#include "virtio/vhost_user.h"

enum {
	SOON_MS = 40,	    /* in place of the time that an answer has */
	OTHER_AT = 1 << 20, /* where the other device's ring lies, and its buffer behind it */
};

static atomic_uint slept_ms;

/* In place of the C library's: the front end waits for a disk's requests, and these tests do not. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	atomic_fetch_add(&slept_ms, (unsigned)(time->tv_sec * 1000 + time->tv_nsec / 1000000));
	return 0;
}

static void disk_of_four(struct vhost_rig *b)
{
	vhost_rig_init(b);
	b->fake.features |= BLK_F_MQ;
	b->fake.queue_num = 4;
	le16_store(b->fake.config + 34, 4);
	assert_int_equal(vhost_rig_create(b, VHOST_USER_BLK), 0);
}

static void announce(struct vhost_rig *b)
{
	rig_start(&b->rig, 0, 4);
	for (unsigned i = 0; i < 4; i++)
		dr_set_avail_idx(&b->rig.ring[i], 1);
}

/*
 * A driver that announces in all its rings what it never offered: its reset waits for that once, not for each,
 * and the next one as long again, since it is nobody else who waits.
 */
static void drains_are_bounded_together(void **state)
{
	struct vhost_rig b;

	(void)state;
	disk_of_four(&b);
	for (unsigned round = 0; round < 2; round++) {
		announce(&b);
		atomic_store(&slept_ms, 0);
		virtio_set_status(b.rig.dev, 0);
		assert_int_equal(atomic_load(&slept_ms), 0);
		rig_reset(&b.rig);
		assert_in_range(atomic_load(&slept_ms), 1000, 2000);
	}
	assert_int_equal(b.gone, 0);
	vhost_rig_fini(&b);
}

static void count_call(void *opaque)
{
	++*(unsigned *)opaque;
}

static void count_hold(void *opaque, const atomic_bool *draining)
{
	assert_true(atomic_load(draining));
	count_call(opaque);
}

/* *@told counts: once when the driver is held, once when it is let go. */
static void count_holds(struct vhost_rig *b, unsigned *told)
{
	b->rig.dev->hold = count_hold;
	b->rig.dev->let_go = count_call;
	b->rig.dev->hold_opaque = told;
}

static void turn_until_let_go(struct vhost_rig *b, const unsigned *told)
{
	unsigned turns = 0;

	while (*told < 2) {
		assert_true(turns++ < RIG_WAIT_MS / 10);
		assert_true(loop_turn(b->rig.loop, 10) >= 0);
	}
}

/* A back-end that is slow: the loop goes on, and the ring is its own until it has answered. */
static void slow_is_waited_for(void **state)
{
	for (unsigned reset = 0; reset < 2; reset++) {
		unsigned told = 0;
		struct vhost_rig b;

		(void)state;
		disk_of_four(&b);
		count_holds(&b, &told);
		announce(&b);
		for (unsigned i = 1; i < 4; i++)
			dr_set_avail_idx(&b.rig.ring[i], 0);
		if (reset)
			virtio_set_status(b.rig.dev, 0);
		else
			virtio_queue_set_ready(b.rig.dev, 0, 0);
		assert_int_equal(told, 1);
		for (unsigned i = 0; i < 20; i++)
			assert_true(loop_turn(b.rig.loop, 5) >= 0);
		assert_int_equal(told, 1);
		assert_int_not_equal(virtio_status(b.rig.dev), 0);
		dr_set_avail_idx(&b.rig.ring[0], 0);
		turn_until_let_go(&b, &told);
		assert_int_equal(virtio_status(b.rig.dev) == 0, reset);
		assert_int_equal(b.gone, 0);
		vhost_rig_fini(&b);
	}
}

/* A file system whose back-end answers request @at when it is told to. */
static void late_fs(struct vhost_rig *b, uint32_t at)
{
	vhost_rig_init(b);
	b->fake.protocol |= VHOST_USER_P_INFLIGHT_SHMFD;
	b->fake.trick = FAKE_LATE;
	b->fake.trick_at = at;
	assert_int_equal(vhost_rig_create(b, VHOST_USER_FS), 0);
}

/*
 * One that gives a ring back late, as others than QEMU's do while a medium has something: nobody waits but the
 * driver. And one that never does, for as long as an answer has.
 */
static void late_is_not_waited_for(void **state)
{
	for (unsigned never = 0; never < 2; never++) {
		unsigned told = 0;
		struct vhost_rig b;

		(void)state;
		late_fs(&b, VHOST_USER_GET_VRING_BASE);
		rig_start(&b.rig, 0, 2);
		count_holds(&b, &told);
		if (never)
			((struct vhost *)b.rig.dev->priv)->link.wait_ms = 40;
		virtio_set_status(b.rig.dev, 0);
		for (unsigned i = 0; !never && i < 20; i++)
			assert_true(loop_turn(b.rig.loop, 5) >= 0);
		assert_int_equal(told, 1);
		assert_int_not_equal(virtio_status(b.rig.dev), 0);
		atomic_store(&b.fake.late, !never);
		turn_until_let_go(&b, &told);
		assert_int_equal(virtio_status(b.rig.dev), 0);
		assert_int_equal(b.gone, never);
		assert_int_equal(atomic_load(&b.fake.ring[1].stopped), !never);
		vhost_rig_fini(&b);
	}
}

/*
 * A back-end that hangs up between two queues that are stopped: whoever waits for the first one is let go, though the
 * second one is who finds out.
 */
static void gone_between_two_stops(void **state)
{
	unsigned told = 0;
	struct vhost_rig b;

	(void)state;
	late_fs(&b, VHOST_USER_GET_VRING_BASE);
	rig_start(&b.rig, 0, 2);
	count_holds(&b, &told);
	virtio_queue_set_ready(b.rig.dev, 0, 0);
	assert_int_equal(told, 1);
	(void)shutdown(b.fake.fd, SHUT_RDWR);
	virtio_queue_set_ready(b.rig.dev, 1, 0);
	assert_int_equal(b.gone, 1);
	assert_int_equal(told, 2);
	assert_false(atomic_load(&b.rig.dev->draining));
	vhost_rig_fini(&b);
}

/* To DRIVER_OK with two queues, and on until the back-end makes us wait for its answer; @never: not long. */
static void go_live(struct vhost_rig *b, bool never)
{
	b->rig.dev->irq = &b->rig.irq.line;
	assert_true(dr_negotiate(b->rig.dev, VIRTIO_F_VERSION_1));
	for (unsigned i = 0; i < 2; i++) {
		dr_init(&b->rig.ring[i], b->rig.mem, gpa(i * 0x10000), 64);
		assert_true(dr_setup_queue(b->rig.dev, i, &b->rig.ring[i]));
	}
	assert_true(dr_driver_ok(b->rig.dev));
	for (unsigned i = 0; !atomic_load(&b->fake.waits); i++) {
		assert_true(i < RIG_WAIT_MS / 10);
		assert_true(loop_turn(b->rig.loop, 10) >= 0);
	}
	if (never)
		((struct vhost *)b->rig.dev->priv)->answer_ticks = SOON_MS;
}

static void turn_some(struct vhost_rig *b)
{
	for (unsigned i = 0; i < 20; i++)
		assert_true(loop_turn(b->rig.loop, 5) >= 0);
}

/* Another device on the same loop, with a driver of its own. */
static void open_other(const struct vhost_rig *b, struct dev_rig *other)
{
	*other = (struct dev_rig){ .mem = b->rig.mem, .loop = b->rig.loop };
	count_irq_init(&other->irq);
	assert_int_equal(virtio_rng_create(other->mem, other->loop, &other->dev), 0);
	other->dev->irq = &other->irq.line;
	other->features = VIRTIO_F_VERSION_1;
	assert_true(dr_negotiate(other->dev, other->features));
	dr_init(&other->ring[0], other->mem, gpa(OTHER_AT), 64);
	assert_true(dr_setup_queue(other->dev, 0, &other->ring[0]));
	assert_true(dr_driver_ok(other->dev));
}

static const uint32_t questions[] = {
	VHOST_USER_GET_INFLIGHT_FD,
	VHOST_USER_SET_INFLIGHT_FD,
	VHOST_USER_SET_VRING_ENABLE,
};

/*
 * One that hangs while it is given its rings: the driver goes on, another device is served, and what the
 * driver rang meanwhile is there when the back-end comes.
 */
static void the_start_is_not_waited_for(void **state)
{
	const struct dr_buf buf = { OTHER_AT + 0x10000, 32, true };

	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(questions); at++) {
		unsigned told = 0;
		uint64_t count = 0;
		struct dev_rig other;
		struct vhost_rig b;

		late_fs(&b, questions[at]);
		count_holds(&b, &told);
		open_other(&b, &other);
		go_live(&b, false);
		virtio_kick(b.rig.dev, 0);
		for (unsigned i = 0; i < 8; i++) {
			assert_int_equal(rig_do(&other, 0, &buf, 1), 32);
			assert_true(vhost_busy(b.rig.dev));
		}
		turn_some(&b);
		assert_true(vhost_busy(b.rig.dev));
		assert_int_equal(atomic_load(&b.fake.ring[1].enabled), 0);
		atomic_store(&b.fake.late, true);
		rig_await(&b.rig);
		assert_int_equal(told, 0);
		assert_int_equal(b.gone, 0);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(atomic_load(&b.fake.ring[i].enabled), 1);
			assert_int_equal(read(b.fake.ring[i].kick, &count, 8), 8);
			assert_int_equal(count, i ? 1 : 2);
		}
		virtio_dev_destroy(other.dev);
		vhost_rig_fini(&b);
	}
}

/* One that never answers is gone when its time is over, and the driver is told. */
static void a_start_that_never_ends(void **state)
{
	(void)state;
	for (size_t at = 0; at < ARRAY_SIZE(questions); at++) {
		unsigned told = 0;
		struct vhost_rig b;

		late_fs(&b, questions[at]);
		count_holds(&b, &told);
		go_live(&b, true);
		assert_int_equal(b.gone, 0);
		rig_await(&b.rig);
		assert_int_equal(b.gone, 1);
		assert_int_equal(told, 0);
		assert_true(rig_broken(&b.rig));
		assert_int_equal(virtio_isr_read(b.rig.dev), VIRTIO_ISR_CONFIG);
		/* Its driver can let go of it at once. */
		virtio_set_status(b.rig.dev, 0);
		assert_int_equal(virtio_status(b.rig.dev), 0);
		assert_int_equal(told, 0);
		vhost_rig_fini(&b);
	}
}

static void never_aloud(void *opaque)
{
	struct vhost_rig b;

	(void)opaque;
	late_fs(&b, VHOST_USER_SET_VRING_ENABLE);
	go_live(&b, true);
	rig_await(&b.rig);
	vhost_rig_fini(&b);
}

static void it_is_one_line(void **state)
{
	struct captured out;

	(void)state;
	capture_child(&out, never_aloud, NULL);
	assert_int_equal(out.status, 0);
	assert_string_equal(out.text, "hvrun: virtio-fs0: its back-end fake is gone: it does not "
				      "answer in time; the device serves nothing any more\n");
}

/*
 * A reset meanwhile: the driver waits until what was asked is answered and the ring that was given is back; the
 * other is not given any more. After it all is as at first. Or the back-end never answers.
 */
static void reset_while_it_starts(void **state)
{
	(void)state;
	for (size_t at = 0; at < 2 * ARRAY_SIZE(questions); at++) {
		const uint32_t question = questions[at / 2];
		const bool given = question == VHOST_USER_SET_VRING_ENABLE, never = at % 2;
		unsigned told = 0;
		struct vhost_rig b;

		late_fs(&b, question);
		count_holds(&b, &told);
		go_live(&b, never);
		virtio_set_status(b.rig.dev, 0);
		assert_int_equal(told, 1);
		if (!never)
			turn_some(&b);
		assert_int_equal(told, 1);
		assert_int_equal(virtio_status(b.rig.dev), VIRTIO_S_NEEDS_RESET);
		/* Nothing that another vCPU tries is heard before. */
		virtio_set_status(b.rig.dev, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
		assert_int_equal(virtio_status(b.rig.dev), VIRTIO_S_NEEDS_RESET);
		if (!never)
			atomic_store(&b.fake.late, true);
		turn_until_let_go(&b, &told);
		assert_int_equal(virtio_status(b.rig.dev), 0);
		assert_int_equal(b.gone, never);
		assert_int_equal(atomic_load(&b.fake.ring[0].stopped), given && !never);
		assert_int_equal(atomic_load(&b.fake.ring[1].enabled), 0);
		assert_int_equal(atomic_load(&b.fake.ring[1].stopped), 0);
		if (!never) {
			rig_start(&b.rig, 0, 2);
			assert_int_equal(atomic_load(&b.fake.ring[0].enabled), given ? 2 : 1);
			assert_int_equal(atomic_load(&b.fake.ring[1].enabled), 1);
		}
		vhost_rig_fini(&b);
	}
}

/* One queue is stopped meanwhile: one that was given is taken back, one that was not is not given; the other starts. */
static void queue_stopped_while_it_starts(void **state)
{
	(void)state;
	for (unsigned stopped = 0; stopped < 2; stopped++) {
		unsigned told = 0;
		struct vhost_rig b;

		late_fs(&b, VHOST_USER_SET_VRING_ENABLE);
		count_holds(&b, &told);
		go_live(&b, false);
		virtio_queue_set_ready(b.rig.dev, stopped, 0);
		assert_int_equal(told, 1);
		turn_some(&b);
		assert_int_equal(told, 1);
		atomic_store(&b.fake.late, true);
		turn_until_let_go(&b, &told);
		assert_int_equal(b.gone, 0);
		assert_false(vhost_busy(b.rig.dev));
		assert_int_equal(atomic_load(&b.fake.ring[0].enabled), 1);
		assert_int_equal(atomic_load(&b.fake.ring[0].stopped), stopped == 0);
		assert_int_equal(atomic_load(&b.fake.ring[1].enabled), stopped == 0);
		assert_int_equal(atomic_load(&b.fake.ring[1].stopped), 0);
		vhost_rig_fini(&b);
	}
}

/* The machine ends meanwhile, with nobody who turns the loop: settled when the answer comes, or when its time is over. */
static void the_end_while_it_starts(void **state)
{
	(void)state;
	for (unsigned never = 0; never < 2; never++) {
		struct vhost_rig b;

		late_fs(&b, VHOST_USER_SET_VRING_ENABLE);
		go_live(&b, never);
		virtio_set_status(b.rig.dev, 0);
		if (!never) {
			assert_false(virtio_dev_settle(b.rig.dev, 20));
			atomic_store(&b.fake.late, true);
		}
		assert_true(virtio_dev_settle(b.rig.dev, RIG_WAIT_MS));
		assert_int_equal(b.gone, never);
		assert_int_equal(atomic_load(&b.fake.ring[0].stopped), !never);
		vhost_rig_fini(&b);
		/* Or nobody settles anything. */
		late_fs(&b, VHOST_USER_SET_VRING_ENABLE);
		go_live(&b, true);
		vhost_rig_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drains_are_bounded_together),
		cmocka_unit_test(slow_is_waited_for),
		cmocka_unit_test(late_is_not_waited_for),
		cmocka_unit_test(gone_between_two_stops),
		cmocka_unit_test(the_start_is_not_waited_for),
		cmocka_unit_test(a_start_that_never_ends),
		cmocka_unit_test(it_is_one_line),
		cmocka_unit_test(reset_while_it_starts),
		cmocka_unit_test(queue_stopped_while_it_starts),
		cmocka_unit_test(the_end_while_it_starts),
	};

	return cmocka_run_group_tests_name("vhost_user_late", tests, NULL, NULL);
}
