/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk that is reset, broken or ended with requests in flight, or cannot be made
 * (test_threat_NN is row NN of docs/threats.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/blk_flight.h"
#include "virtio/devices.h"

static void *open_later(void *arg)
{
	(void)usleep(30000);
	stub_disk_shut(arg, false);
	return NULL;
}

/* Row 11: a reset waits for what is in flight, and nothing is pushed or written after it. */
static void test_threat_11_reset_in_flight(void **state)
{
	pthread_t thread;
	struct blk_flight b;

	(void)state;
	blk_flight_open(&b, 3);
	for (unsigned round = 0; round < 5; round++) {
		rig_start(&b.rig, F_FLUSH, 1);
		stub_disk_shut(b.stub, true);
		for (unsigned i = 0; i < 85; i++)
			blk_flight_offer(&b, i, i % 3 ? T_IN : T_OUT, i);
		rig_settle(&b.rig);
		stub_disk_wait(b.stub, 3);
		assert_int_equal(pthread_create(&thread, NULL, open_later, b.stub), 0);
		rig_reset(&b.rig);
		assert_int_equal(atomic_load(&b.stub->running), 0);
		/* The driver has its memory back: whatever is there now must stay. */
		memset(rig_at(&b.rig, 0), 0x44, RIG_RAM);
		assert_int_equal(pthread_join(thread, NULL), 0);
		rig_settle(&b.rig);
		for (uint64_t i = 0; i < RIG_RAM; i++)
			if (*rig_at(&b.rig, i) != 0x44)
				fail_msg("byte %llx written after reset", (unsigned long long)i);
	}
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 85; i++)
		blk_flight_offer(&b, i, T_IN, i + 100);
	blk_flight_take_all(&b, 85, 0);
	blk_flight_close(&b);
}

/* Rows 8, 9: what no thread has begun is dropped by a reset, which would take hours on a slow disk else. */
static void test_threat_08_09_reset_drops_what_waits(void **state)
{
	unsigned begun;
	pthread_t thread;
	struct blk_flight b;

	(void)state;
	blk_flight_open(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	stub_disk_shut(b.stub, true);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		blk_flight_offer(&b, i, T_IN, i);
	rig_settle(&b.rig);
	stub_disk_wait(b.stub, 2);
	begun = atomic_load(&b.stub->reads);
	assert_int_equal(pthread_create(&thread, NULL, open_later, b.stub), 0);
	rig_reset(&b.rig);
	assert_int_equal(atomic_load(&b.stub->running), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load(&b.stub->reads), begun);
	/* None of the places for requests is lost. */
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		blk_flight_offer(&b, i, T_IN, i);
	blk_flight_take_all(&b, IN_FLIGHT, 0);
	blk_flight_close(&b);
}

/* Row 9: of one long request what was not yet done is left, too; without a reset all of it is done. */
static void test_threat_09_reset_cuts_a_long_request(void **state)
{
	enum { PARTS = 6, PART = 7 << 20, STEP = 16 << 20, HEAD = 0x80000 };

	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		struct dr_buf bufs[PARTS + 2] = { { HEAD, 16, false } };
		pthread_t thread;
		struct blk_flight b;

		rig_init(&b.rig);
		b.stub = stub_disk_new((uint64_t)PARTS * PART);
		b.stub->closed = &b.closed;
		atomic_store(&b.closed, false);
		blk_flight_device(&b, 1);
		rig_start(&b.rig, F_FLUSH, 1);
		memset(rig_at(&b.rig, RIG_RAM - PART), 0x55, PART);
		memset(rig_at(&b.rig, HEAD), 0, 32);
		le32_store(rig_at(&b.rig, HEAD), T_OUT);
		for (unsigned i = 0; i < PARTS; i++)
			bufs[i + 1] = (struct dr_buf){ RIG_RAM - PART, PART, false };
		bufs[PARTS + 1] = (struct dr_buf){ HEAD + 16, 1, true };
		stub_disk_shut(b.stub, true);
		rig_offer(&b.rig, 0, 0, bufs, PARTS + 2);
		rig_settle(&b.rig);
		stub_disk_wait(b.stub, 1);
		assert_int_equal(pthread_create(&thread, NULL, open_later, b.stub), 0);
		if (reset)
			rig_reset(&b.rig);
		else
			rig_used(&b.rig, 0, NULL, NULL);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(atomic_load(&b.stub->running), 0);
		assert_int_equal(b.stub->data[STEP - 1], 0x55);
		assert_int_equal(b.stub->data[STEP], reset ? 0 : 0x55);
		assert_int_equal(b.stub->data[PARTS * PART - 1], reset ? 0 : 0x55);
		blk_flight_close(&b);
	}
}

/* A disk whose medium answers nothing, with requests in flight; and who waits for its reset. */
struct dead {
	struct blk_flight b;
	const atomic_bool *draining; /* that somebody is to wait for */
	unsigned held, let_go, ticks;
	uint32_t shown; /* the status when the device last changed it by itself */
};

static void dead_hold(void *opaque, const atomic_bool *draining)
{
	struct dead *d = opaque;

	assert_true(atomic_load(draining));
	d->draining = draining;
	d->held++;
}

static void dead_let_go(void *opaque)
{
	struct dead *d = opaque;

	assert_false(atomic_load(d->draining));
	d->let_go++;
}

static void dead_changed(void *opaque)
{
	struct dead *d = opaque;

	d->shown = virtio_status(d->b.rig.dev);
}

static void tick(void *opaque)
{
	struct dead *d = opaque;

	d->ticks++;
}

static void dead_open(struct dead *d)
{
	*d = (struct dead){ .shown = UINT32_MAX };
	blk_flight_open(&d->b, 2);
	d->b.rig.dev->hold = dead_hold;
	d->b.rig.dev->let_go = dead_let_go;
	d->b.rig.dev->hold_opaque = d;
	d->b.rig.dev->changed = dead_changed;
	d->b.rig.dev->transport = d;
	rig_start(&d->b.rig, F_FLUSH, 1);
	stub_disk_shut(d->b.stub, true);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		blk_flight_offer(&d->b, i, T_IN, i);
	rig_settle(&d->b.rig);
	stub_disk_wait(d->b.stub, 2);
}

/* The medium answers at last; on return the loop has heard of it. */
static void dead_wakes(struct dead *d)
{
	stub_disk_shut(d->b.stub, false);
	for (unsigned i = 0; !d->let_go; i++) {
		assert_true(i < RIG_WAIT_MS / 10);
		assert_true(loop_turn(d->b.rig.loop, 10) >= 0);
	}
	assert_int_equal(d->let_go, 1);
	assert_int_equal(atomic_load(&d->b.stub->running), 0);
}

/* After it all the disk serves as ever, and no place for a request is lost. */
static void dead_close(struct dead *d)
{
	d->b.rig.dev->changed = NULL;
	rig_start(&d->b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		blk_flight_offer(&d->b, i, T_IN, i);
	blk_flight_take_all(&d->b, IN_FLIGHT, 0);
	blk_flight_close(&d->b);
}

/* Rows 9, 11: a medium that answers nothing holds who resets its device, and neither the loop nor other devices. */
static void test_threat_09_11_reset_of_a_dead_medium(void **state)
{
	struct loop_timer *timer;
	unsigned pulses;
	struct dead d;

	(void)state;
	dead_open(&d);
	virtio_set_status(d.b.rig.dev, 0);
	assert_int_equal(d.held, 1);
	pulses = atomic_load(&d.b.rig.irq.pulses);
	assert_int_equal(loop_timer_add(d.b.rig.loop, tick, &d, &timer), 0);
	loop_timer_arm(timer, 1);
	while (!d.ticks)
		assert_true(loop_turn(d.b.rig.loop, 10) >= 0);
	assert_false(virtio_dev_settle(d.b.rig.dev, 0));
	assert_false(virtio_dev_settle(d.b.rig.dev, 30));
	/* It is not over, and the device takes nothing until it is; whoever resets again waits too. */
	assert_int_equal(virtio_status(d.b.rig.dev), VIRTIO_S_NEEDS_RESET);
	virtio_set_status(d.b.rig.dev, VIRTIO_S_ACKNOWLEDGE);
	virtio_set_driver_features(d.b.rig.dev, 0, 1);
	assert_int_equal(virtio_status(d.b.rig.dev), VIRTIO_S_NEEDS_RESET);
	assert_false(dr_setup_queue(d.b.rig.dev, 0, &d.b.rig.ring[0]));
	virtio_kick(d.b.rig.dev, 0);
	assert_int_equal(d.held, 1);
	virtio_set_status(d.b.rig.dev, 0);
	assert_int_equal(d.held, 2);
	assert_int_equal(d.let_go, 0);
	/* The queue is no longer the device's, whatever comes back from the medium. */
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		assert_int_equal(blk_flight_status(&d.b, i), S_NONE);
	dead_wakes(&d);
	assert_int_equal(virtio_status(d.b.rig.dev), 0);
	assert_int_equal(d.shown, 0);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		assert_int_equal(blk_flight_status(&d.b, i), S_NONE);
	assert_int_equal(dr_used_idx(&d.b.rig.ring[0]), 0);
	assert_int_equal(atomic_load(&d.b.rig.irq.pulses), pulses);
	dead_close(&d);
}

/* So does a queue that is stopped with requests in flight; the device then needs a reset, as ever. */
static void test_threat_09_11_queue_of_a_dead_medium(void **state)
{
	struct dead d;

	(void)state;
	for (unsigned reset = 0; reset < 2; reset++) {
		dead_open(&d);
		virtio_queue_set_ready(d.b.rig.dev, 0, 0);
		assert_int_equal(d.held, 1);
		assert_true(rig_broken(&d.b.rig));
		if (reset)
			virtio_set_status(d.b.rig.dev, 0);
		assert_int_equal(d.held, 1 + reset);
		dead_wakes(&d);
		assert_int_equal(virtio_status(d.b.rig.dev) != 0, !reset);
		assert_int_equal(dr_used_idx(&d.b.rig.ring[0]), 0);
		dead_close(&d);
	}
}

/* And a device that may not reach memory any more (PCI): it does until its medium has answered. */
static void test_threat_09_11_memory_of_a_dead_medium(void **state)
{
	struct dead d;

	(void)state;
	dead_open(&d);
	virtio_allow_memory(d.b.rig.dev, false);
	assert_int_equal(d.held, 1);
	assert_true(rig_broken(&d.b.rig));
	virtio_allow_memory(d.b.rig.dev, false);
	assert_int_equal(d.held, 2);
	dead_wakes(&d);
	assert_true(rig_broken(&d.b.rig));
	assert_int_equal(dr_used_idx(&d.b.rig.ring[0]), 0);
	virtio_allow_memory(d.b.rig.dev, true);
	dead_close(&d);
}

/* Row 11: the device ends while requests are in flight, some of them finished and not reaped. */
static void test_threat_11_end_in_flight(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct stub_disk *stub;
		pthread_t thread;
		struct blk_flight b;

		blk_flight_open(&b, 3);
		rig_start(&b.rig, F_FLUSH, 1);
		stub = b.stub;
		stub_disk_keep(
			stub); /* a device that has begun nothing yet does not wait for the thread */
		stub_disk_shut(stub, round % 2);
		for (unsigned i = 0; i < 40; i++)
			blk_flight_offer(&b, i, T_IN, i);
		(void)loop_turn(b.rig.loop, 0);
		assert_int_equal(pthread_create(&thread, NULL, open_later, b.stub), 0);
		if (round % 2 == 0)
			assert_int_equal(pthread_join(thread, NULL), 0);
		blk_flight_close(&b);
		if (round % 2)
			assert_int_equal(pthread_join(thread, NULL), 0);
		stub_disk_leave(stub);
	}
}

/* Row 11: the driver breaks its queue while requests are in flight. */
static void test_threat_11_broken_in_flight(void **state)
{
	struct blk_flight b;

	(void)state;
	blk_flight_open(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	stub_disk_shut(b.stub, true);
	for (unsigned i = 0; i < 10; i++)
		blk_flight_offer(&b, i, T_IN, i);
	rig_settle(&b.rig);
	dr_offer(&b.rig.ring[0], 0xffff);
	virtio_kick(b.rig.dev, 0);
	rig_settle(&b.rig);
	assert_true(rig_broken(&b.rig));
	stub_disk_shut(b.stub, false);
	for (unsigned i = 0; i < 20; i++)
		(void)loop_turn(b.rig.loop, 10);
	assert_int_equal(dr_used_idx(&b.rig.ring[0]), 0);
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 85; i++)
		blk_flight_offer(&b, i, T_IN, i);
	blk_flight_take_all(&b, 85, 0);
	blk_flight_close(&b);
}

static unsigned open_files(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Row 12: creation that fails at each descriptor leaves nothing open, and closes the disk. */
static void test_threat_12_create_fails(void **state)
{
	struct rlimit old, limit;
	unsigned made = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned room = 0; made < 2; room++) {
		struct virtio_blk_config config = { .threads = 2 };
		struct stub_disk *stub = stub_disk_new(4096);
		struct virtio_dev *dev = NULL;
		atomic_bool closed = false;
		struct dev_rig rig;
		int err;

		rig_init(&rig);
		stub->closed = &closed;
		config.disk = &stub->disk;
		limit = old;
		limit.rlim_cur = open_files() + room;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		err = virtio_blk_create(&config, 0, rig.mem, rig.loop, &dev);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (err == 0) {
			made++;
			virtio_dev_destroy(dev);
		} else {
			assert_int_equal(err, -EMFILE);
			assert_null(dev);
		}
		assert_true(closed);
		assert_int_equal(open_files(), limit.rlim_cur - room);
		rig_fini(&rig);
		assert_true(room < 20);
	}
	for (unsigned threads = 17; threads < 19; threads++) {
		struct virtio_blk_config config = { .threads = threads };
		struct virtio_dev *dev;
		struct dev_rig rig;

		rig_init(&rig);
		config.disk = &stub_disk_new(4096)->disk;
		assert_int_equal(virtio_blk_create(&config, 0, rig.mem, rig.loop, &dev), -EINVAL);
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threat_11_reset_in_flight),
		cmocka_unit_test(test_threat_08_09_reset_drops_what_waits),
		cmocka_unit_test(test_threat_09_reset_cuts_a_long_request),
		cmocka_unit_test(test_threat_09_11_reset_of_a_dead_medium),
		cmocka_unit_test(test_threat_09_11_queue_of_a_dead_medium),
		cmocka_unit_test(test_threat_09_11_memory_of_a_dead_medium),
		cmocka_unit_test(test_threat_11_end_in_flight),
		cmocka_unit_test(test_threat_11_broken_in_flight),
		cmocka_unit_test(test_threat_12_create_fails),
	};

	return cmocka_run_group_tests_name("blk_resets", tests, NULL, NULL);
}
