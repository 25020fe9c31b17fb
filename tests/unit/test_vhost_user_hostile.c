/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user front end and a back-end that lies, blocks, is silent or dies: it is gone for
 * good with one line said, while the device and the driver live on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/capture.h"
#include "tests/lib/open_fds.h"
#include "tests/lib/vhost_rig.h"
#include "virtio/vhost_user.h"

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

static void turn_until_gone(struct vhost_rig *b)
{
	for (unsigned i = 0; !b->gone; i++) {
		assert_true(i < RIG_WAIT_MS / 10);
		assert_true(loop_turn(b->rig.loop, 10) >= 0);
	}
}

/*
 * An eventfd is shared with all its flags: a back-end that makes ours block, and empties or fills them at the
 * wrong time, makes nobody here wait for it.
 */
static void blocking_eventfds(void **state)
{
	const uint64_t one = 1, full = UINT64_MAX - 1;
	struct vhost_rig b;
	uint64_t count;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	(void)alarm(500); /* a hang is a failure, too */
	assert_int_equal(read(b.fake.ring[0].kick, &count, 8), 8);
	assert_int_equal(fcntl(b.fake.ring[0].kick, F_SETFL, 0), 0);
	rig_reset(&b.rig);
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
	vhost_rig_fini(&b);
}

/*
 * A doorbell that comes to us because KVM did not take it, and one that we ring when a ring starts: both wait
 * for nobody, neither at a counter that is full nor at one that is filled under our hands.
 */
static void test_threat_09_blocking_doorbells(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	struct vhost_rig b;
	uint64_t count;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	(void)alarm(500);
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
	vhost_rig_fini(&b);
}

static void doorbell_filled_at_the_start(void **state)
{
	struct vhost_rig b;
	uint64_t count;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	assert_int_equal(read(b.fake.ring[0].kick, &count, 8), 8);
	assert_int_equal(fcntl(b.fake.ring[0].kick, F_SETFL, 0), 0);
	rig_reset(&b.rig);
	(void)alarm(500);
	filled_when_polled = b.rig.dev->kick_fd[0];
	assert_true(dr_negotiate(b.rig.dev, b.rig.features));
	for (unsigned i = 0; i < 2; i++)
		assert_true(dr_setup_queue(b.rig.dev, i, &b.rig.ring[i]));
	(void)dr_driver_ok(b.rig.dev);
	rig_await(&b.rig);
	(void)alarm(0);
	filled_when_polled = -1;
	assert_int_equal(b.gone, 1);
	vhost_rig_fini(&b);
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
			struct vhost_rig b;
			int r;

			vhost_rig_init(&b);
			b.fake.trick = (enum fake_trick)trick;
			b.fake.trick_at = questions[i];
			r = vhost_rig_create(&b, VHOST_USER_BLK);
			if (trick == FAKE_DRIP)
				assert_int_equal(r, 0);
			else if (trick < FAKE_REFUSE)
				assert_true(r == -EPROTO || r == -ECONNRESET);
			vhost_rig_fini(&b);
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
			struct vhost_rig b;

			vhost_rig_init(&b);
			b.fake.protocol |= VHOST_USER_P_INFLIGHT_SHMFD;
			b.fake.trick = (enum fake_trick)trick;
			b.fake.trick_at = questions[i];
			assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
			for (unsigned turn = 0; turn < 3; turn++) {
				b.rig.dev->irq = &b.rig.irq.line;
				assert_true(dr_negotiate(b.rig.dev, VIRTIO_F_VERSION_1));
				dr_init(&b.rig.ring[0], b.rig.mem, gpa(0), 64);
				assert_true(dr_setup_queue(b.rig.dev, 0, &b.rig.ring[0]));
				virtio_set_status(b.rig.dev,
						  virtio_status(b.rig.dev) | VIRTIO_S_DRIVER_OK);
				virtio_kick(b.rig.dev, 0);
				rig_await(&b.rig);
				rig_reset(&b.rig);
			}
			assert_int_equal(b.gone, 1);
			vhost_rig_fini(&b);
		}
	}
}

/* A right answer to another question than was asked, and a no to what cannot be refused. */
static void stops_another_queue_and_refuses(void **state)
{
	struct vhost_rig b;

	(void)state;
	vhost_rig_init(&b);
	b.fake.trick = FAKE_ZEROES;
	b.fake.trick_at = VHOST_USER_GET_VRING_BASE;
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	virtio_queue_set_ready(b.rig.dev, 0, 0);
	assert_true(virtio_dev_settle(b.rig.dev, -1));
	assert_int_equal(b.gone, 0);
	virtio_queue_set_ready(b.rig.dev, 1, 0);
	assert_true(virtio_dev_settle(b.rig.dev, -1));
	assert_int_equal(b.gone, 1);
	assert_true(rig_broken(&b.rig));
	vhost_rig_fini(&b);

	vhost_rig_init(&b);
	b.fake.features |= BLK_F_WCE;
	b.fake.trick = FAKE_REFUSE;
	b.fake.trick_at = VHOST_USER_SET_CONFIG;
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_BLK), 0);
	rig_start(&b.rig, BLK_F_WCE, 1);
	virtio_config_write(b.rig.dev, 32, "\1", 1);
	assert_int_equal(b.gone, 1);
	virtio_config_write(b.rig.dev, 32, "\1", 1);
	assert_int_equal(b.gone, 1);
	vhost_rig_fini(&b);
}

static void death_is_seen(void **state)
{
	struct vhost_rig b;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	rig_start(&b.rig, 0, 2);
	(void)shutdown(b.fake.fd, SHUT_RDWR);
	turn_until_gone(&b);
	assert_true(rig_broken(&b.rig));
	assert_int_equal(virtio_isr_read(b.rig.dev), VIRTIO_ISR_CONFIG);
	assert_int_equal(b.gone, 1);
	/* A reset does not bring it back, and nobody is asked. */
	rig_reset(&b.rig);
	assert_true(dr_negotiate(b.rig.dev, VIRTIO_F_VERSION_1));
	virtio_set_status(b.rig.dev, virtio_status(b.rig.dev) | VIRTIO_S_DRIVER_OK);
	assert_true(rig_broken(&b.rig));
	vhost_rig_fini(&b);
}

static void speaking_unasked_ends_it(void **state)
{
	struct vhost_rig b;

	(void)state;
	vhost_rig_init(&b);
	assert_int_equal(vhost_rig_create(&b, VHOST_USER_FS), 0);
	assert_int_equal(send(b.fake.fd, "x", 1, 0), 1);
	turn_until_gone(&b);
	assert_int_equal(b.gone, 1);
	vhost_rig_fini(&b);
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
		cmocka_unit_test(blocking_eventfds),
		cmocka_unit_test(test_threat_09_blocking_doorbells),
		cmocka_unit_test(doorbell_filled_at_the_start),
		cmocka_unit_test(hostile_at_first),
		cmocka_unit_test(hostile_later),
		cmocka_unit_test(stops_another_queue_and_refuses),
		cmocka_unit_test(death_is_seen),
		cmocka_unit_test(speaking_unasked_ends_it),
		cmocka_unit_test(silence_is_bounded),
		cmocka_unit_test(death_is_one_line),
	};

	return cmocka_run_group_tests_name("vhost_user_hostile", tests, NULL, NULL);
}
