/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all virtio devices share: the status machine against a model, features, queue set-up in every
 * status, kicks, interrupts, config space, reset. test_threat_NN replays row NN of the project's list of
 * ways in which device models were broken.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/capture.h"
#include "tests/lib/test_device.h"

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

enum {
	S_ACK = VIRTIO_S_ACKNOWLEDGE,
	S_DRIVER = S_ACK | VIRTIO_S_DRIVER,
	S_FEATURES = S_DRIVER | VIRTIO_S_FEATURES_OK,
	S_LIVE = S_FEATURES | VIRTIO_S_DRIVER_OK,
	S_NEEDS_RESET = VIRTIO_S_NEEDS_RESET,
	S_FAILED = VIRTIO_S_FAILED,
};

/* The way up. Each stage is reached from the one before. */
static const uint32_t stages[] = { 0, S_ACK, S_DRIVER, S_FEATURES, S_LIVE };

/* Brings the device to a stage by single steps, then perhaps breaks or fails it. */
static void go_to(struct test_device *td, unsigned stage, uint64_t features, uint32_t ending)
{
	virtio_set_status(&td->dev, 0);
	for (unsigned i = 1; i <= stage; i++) {
		virtio_set_status(&td->dev, stages[i]);
		if (stages[i] == S_DRIVER) {
			virtio_set_driver_features(&td->dev, 0, (uint32_t)features);
			virtio_set_driver_features(&td->dev, 1, (uint32_t)(features >> 32));
		}
	}
	if (ending & S_NEEDS_RESET)
		virtio_dev_broken(&td->dev, "a test");
	if (ending & S_FAILED)
		virtio_set_status(&td->dev, virtio_status(&td->dev) | S_FAILED);
	assert_int_equal(virtio_status(&td->dev), stages[stage] | ending);
}

/* What the status is after @write: said by stages, not as the code says it. */
static uint32_t model(unsigned stage, uint32_t ending, bool features_good, uint32_t write)
{
	uint32_t old = stages[stage] | ending;
	unsigned top = stage == 3 ? 4 : 3;

	if (write == 0)
		return 0;
	if ((write & stages[stage]) != stages[stage] || ((old & S_FAILED) && !(write & S_FAILED)))
		return old; /* would clear a bit */
	if (write & S_FAILED)
		return old | S_FAILED;
	if (ending)
		return old;
	while (stage < top && (write & stages[stage + 1]) == stages[stage + 1] &&
	       (stage != 2 || features_good))
		stage++;
	return stages[stage];
}

/* Every value of the low 9 bits, and some with higher ones, written in every reachable status. */
static void test_threat_30_status_walk(void **state)
{
	static const uint32_t endings[] = { 0, S_NEEDS_RESET, S_FAILED, S_NEEDS_RESET | S_FAILED };
	static const uint32_t high[] = { 0x0000, 0x100, 0x80000000, 0xffffff00 };
	struct test_device *td = *state;

	for (unsigned stage = 0; stage < COUNT(stages); stage++) {
		for (unsigned e = 0; e < COUNT(endings); e++) {
			for (uint32_t w = 0; w < 256 * COUNT(high); w++) {
				uint32_t write = (w & 0xff) | high[w >> 8];
				/* Below DRIVER no feature word was taken, so VERSION_1 lacks. */
				uint32_t want = model(stage, endings[e], stage >= 2, write);
				unsigned readies;

				go_to(td, stage, TD_FEATURES, endings[e]);
				readies = td->readies;
				virtio_set_status(&td->dev, write);
				if (virtio_status(&td->dev) != want)
					fail_msg("status %#x, written %#x: %#x, not %#x",
						 stages[stage] | endings[e], write,
						 virtio_status(&td->dev), want);
				assert_int_equal(td->readies - readies,
						 want == S_LIVE && stage < 4);
			}
		}
	}
}

/* FEATURES_OK is refused for a bit that was not offered, and without VERSION_1. */
static void test_threat_30_features_refused(void **state)
{
	static const uint64_t bad[] = {
		0,
		TD_FEATURE,
		TD_FEATURES & ~VIRTIO_F_VERSION_1,
		TD_FEATURES | 1,
		TD_FEATURES | UINT64_C(1) << 33, /* IOMMU: ACCESS_PLATFORM */
		TD_FEATURES | UINT64_C(1) << 34, /* packed rings */
		TD_FEATURES | UINT64_C(1) << 40, /* queue reset */
		TD_FEATURES | UINT64_C(1) << 63,
		UINT64_MAX,
	};
	static const uint64_t good[] = { VIRTIO_F_VERSION_1, VIRTIO_F_VERSION_1 | TD_FEATURE,
					 TD_FEATURES };
	struct test_device *td = *state;

	for (unsigned i = 0; i < COUNT(bad); i++) {
		for (uint32_t write = 0; write < 256; write++) {
			go_to(td, 2, bad[i], 0);
			virtio_set_status(&td->dev, write);
			assert_int_equal(virtio_status(&td->dev), model(2, 0, false, write));
		}
		/* The driver may think again. */
		go_to(td, 2, bad[i], 0);
		virtio_set_status(&td->dev, S_FEATURES);
		virtio_set_driver_features(&td->dev, 0, 0);
		virtio_set_driver_features(&td->dev, 1, (uint32_t)(VIRTIO_F_VERSION_1 >> 32));
		virtio_set_status(&td->dev, S_FEATURES);
		assert_int_equal(virtio_status(&td->dev), S_FEATURES);
	}
	for (unsigned i = 0; i < COUNT(good); i++)
		assert_true(dr_negotiate(&td->dev, good[i]));

	/* Bits that have no word of their own in the 64. */
	go_to(td, 2, TD_FEATURES, 0);
	virtio_set_driver_features(&td->dev, 2, 0);
	virtio_set_driver_features(&td->dev, UINT32_MAX, 1);
	virtio_set_status(&td->dev, S_FEATURES);
	assert_int_equal(virtio_status(&td->dev), S_DRIVER);
	assert_true(dr_negotiate(&td->dev, TD_FEATURES));
}

/* Feature words are taken between DRIVER and FEATURES_OK only. */
static void test_threat_30_feature_words_in_every_status(void **state)
{
	static const uint32_t endings[] = { 0, S_NEEDS_RESET, S_FAILED };
	struct test_device *td = *state;

	for (unsigned stage = 0; stage < COUNT(stages); stage++) {
		for (unsigned e = 0; e < COUNT(endings); e++) {
			uint64_t before;

			go_to(td, stage, TD_FEATURES, endings[e]);
			before = td->dev.driver_features;
			assert_int_equal(before, stage >= 2 ? TD_FEATURES : 0);
			virtio_set_driver_features(&td->dev, 0, 0xdeadbeef);
			virtio_set_driver_features(&td->dev, 1, 0xfeedface);
			assert_int_equal(td->dev.driver_features,
					 stages[stage] == S_DRIVER && !endings[e]
						 ? UINT64_C(0xfeedfacedeadbeef)
						 : before);
		}
	}
}

static void test_features_offered(void **state)
{
	struct test_device *td = *state;

	assert_int_equal(virtio_features(&td->dev, 0), (uint32_t)TD_FEATURES);
	assert_int_equal(virtio_features(&td->dev, 1), (uint32_t)(TD_FEATURES >> 32));
	for (uint32_t sel = 2; sel; sel = sel * 2 + 1) {
		assert_int_equal(virtio_features(&td->dev, sel), 0);
		if (sel == UINT32_MAX)
			break;
	}
}

/* Every queue register in every status: taken in one only, and otherwise without effect. */
static void test_threat_01_queue_registers_in_every_status(void **state)
{
	static const uint32_t endings[] = { 0, S_NEEDS_RESET, S_FAILED };
	struct test_device *td = *state;

	for (unsigned stage = 0; stage < COUNT(stages); stage++) {
		for (unsigned e = 0; e < COUNT(endings); e++) {
			for (unsigned field = VIRTIO_Q_NUM; field <= VIRTIO_Q_USED_HIGH; field++) {
				struct virtqueue *vq = &td->dev.queues[1];
				struct virtqueue before;
				bool taken = stages[stage] == S_FEATURES && !endings[e];
				bool fatal = stages[stage] == S_LIVE && !endings[e];

				go_to(td, stage, TD_FEATURES, endings[e]);
				before = *vq;
				virtio_queue_set(&td->dev, 1, (enum virtio_queue_field)field, 4096);
				assert_int_equal(!dr_same_queue(&before, vq), taken);
				assert_int_equal(virtio_status(&td->dev),
						 stages[stage] | endings[e] |
							 (fatal ? S_NEEDS_RESET : 0));
			}
		}
	}
}

/* Once a queue is ready, its registers are shut, before and after DRIVER_OK. */
static void test_threat_01_queue_registers_of_a_ready_queue(void **state)
{
	struct test_device *td = *state;

	for (unsigned live = 0; live < 2; live++) {
		for (unsigned field = VIRTIO_Q_NUM; field <= VIRTIO_Q_USED_HIGH; field++) {
			struct virtqueue *vq = &td->dev.queues[0];
			struct virtqueue before;

			test_device_clear_rings(td);
			assert_true(dr_negotiate(&td->dev, TD_FEATURES));
			assert_true(dr_setup_queue(&td->dev, 0, &td->rings[0]));
			if (live)
				assert_true(dr_driver_ok(&td->dev));
			before = *vq;
			virtio_queue_set(&td->dev, 0, (enum virtio_queue_field)field, 0x8000);
			assert_true(dr_same_queue(&before, vq));
			assert_true(virtio_status(&td->dev) & S_NEEDS_RESET);
			/* Whatever is offered now is not served. */
			test_device_offer(td, 0, 0);
			virtio_kick(&td->dev, 0);
			test_device_turn(td);
			assert_int_equal(dr_used_idx(&td->rings[0]), 0);
			/* A reset makes good. */
			test_device_start(td);
			test_device_offer(td, 0, 0);
			virtio_kick(&td->dev, 0);
			test_device_turn(td);
			assert_int_equal(dr_used_idx(&td->rings[0]), 1);
		}
	}
}

/* A queue is enabled between FEATURES_OK and DRIVER_OK only. */
static void test_threat_01_ready_in_every_status(void **state)
{
	static const uint32_t endings[] = { 0, S_NEEDS_RESET, S_FAILED };
	struct test_device *td = *state;

	for (unsigned stage = 0; stage < COUNT(stages); stage++) {
		for (unsigned e = 0; e < COUNT(endings); e++) {
			bool good = stages[stage] == S_FEATURES && !endings[e];
			bool fatal = stages[stage] == S_LIVE && !endings[e];

			go_to(td, stage, TD_FEATURES, endings[e]);
			dr_set_queue(&td->rings[2], &td->dev.queues[2]);
			virtio_queue_set_ready(&td->dev, 2, 0);
			virtio_queue_set_ready(&td->dev, 2, 2);
			virtio_queue_set_ready(&td->dev, 2, UINT32_MAX);
			assert_false(virtio_queue_ready(&td->dev, 2));
			virtio_queue_set_ready(&td->dev, 2, 1);
			assert_int_equal(virtio_queue_ready(&td->dev, 2), good);
			assert_int_equal(virtio_status(&td->dev),
					 stages[stage] | endings[e] | (fatal ? S_NEEDS_RESET : 0));
			virtio_queue_set_ready(&td->dev, 2, 1); /* again: nothing */
			assert_int_equal(virtio_queue_ready(&td->dev, 2), good);
		}
	}
}

/* Queue numbers out of range, in every call that takes one. */
static void test_threat_02_queue_numbers(void **state)
{
	static const uint32_t bad[] = {
		TD_QUEUES, VIRTIO_MAX_QUEUES, 255,	  256,	      65535,	      65536,
		0x10001,   0x7fffffff,	      0x80000000, 0x80000001, UINT32_MAX - 1, UINT32_MAX
	};
	struct test_device *td = *state;

	for (unsigned stage = 0; stage < COUNT(stages); stage++) {
		for (unsigned i = 0; i < COUNT(bad); i++) {
			struct virtqueue before[VIRTIO_MAX_QUEUES];

			go_to(td, stage, TD_FEATURES, 0);
			memcpy(before, td->dev.queues, sizeof(before));
			assert_int_equal(virtio_queue_num_max(&td->dev, bad[i]), 0);
			for (unsigned field = VIRTIO_Q_NUM; field <= VIRTIO_Q_USED_HIGH; field++)
				virtio_queue_set(&td->dev, bad[i], (enum virtio_queue_field)field,
						 1);
			virtio_queue_set_ready(&td->dev, bad[i], 1);
			assert_false(virtio_queue_ready(&td->dev, bad[i]));
			virtio_kick(&td->dev, bad[i]);
			test_device_turn(td);
			virtio_signal(&td->dev, bad[i]);
			assert_int_equal(virtio_pop(&td->dev, bad[i], &td->chain), 0);
			for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++)
				assert_true(dr_same_queue(&before[q], &td->dev.queues[q]));
			assert_int_equal(virtio_status(&td->dev), stages[stage]);
		}
		for (unsigned i = 0; i < TD_QUEUES; i++)
			assert_int_equal(virtio_queue_num_max(&td->dev, i), TD_QUEUE_MAX);
	}
	for (unsigned i = 0; i < TD_QUEUES; i++)
		assert_int_equal(td->served[i], 0);
}

/* A queue of bad shape is not ready, and the device says so. */
static void test_threat_03_bad_queue_needs_reset(void **state)
{
	static const uint32_t sizes[] = { 0,	   3,	    TD_QUEUE_MAX + 1, TD_QUEUE_MAX * 2,
					  0x10000, 0x10010, UINT32_MAX };
	struct test_device *td = *state;

	for (unsigned i = 0; i < COUNT(sizes); i++) {
		assert_true(dr_negotiate(&td->dev, TD_FEATURES));
		virtio_queue_set(&td->dev, 0, VIRTIO_Q_NUM, sizes[i]);
		virtio_queue_set(&td->dev, 0, VIRTIO_Q_DESC_LOW, TD_RINGS);
		virtio_queue_set(&td->dev, 0, VIRTIO_Q_AVAIL_LOW, TD_RINGS + 0x4000);
		virtio_queue_set(&td->dev, 0, VIRTIO_Q_USED_LOW, TD_RINGS + 0x8000);
		virtio_queue_set_ready(&td->dev, 0, 1);
		assert_false(virtio_queue_ready(&td->dev, 0));
		assert_int_equal(virtio_status(&td->dev), S_FEATURES | S_NEEDS_RESET);
		assert_false(dr_driver_ok(&td->dev));
	}
	/* The high halves count: this ring is above 4 GiB. */
	assert_true(dr_negotiate(&td->dev, TD_FEATURES));
	td->rings[0].used = gpa_add(td->rings[0].used, UINT64_C(1) << 32);
	assert_false(dr_setup_queue(&td->dev, 0, &td->rings[0]));
}

static void test_kick_serves_a_queue(void **state)
{
	struct test_device *td = *state;

	test_device_start(td);
	assert_int_equal(td->readies, 1);
	for (uint16_t i = 0; i < 5; i++)
		test_device_offer(td, 1, (uint16_t)(i * 2));
	virtio_kick(&td->dev, 1);
	virtio_kick(&td->dev, 1);
	test_device_turn(td);
	assert_int_equal(td->served[1], 5);
	assert_int_equal(td->served[0], 0);
	assert_int_equal(dr_used_idx(&td->rings[1]), 5);
	assert_int_equal(atomic_load(&td->irq.pulses), 1);
	assert_int_equal(atomic_load(&td->dev.interrupts), 1);
	assert_int_equal(virtio_isr_read(&td->dev), VIRTIO_ISR_QUEUE);
}

/* What was offered and kicked before DRIVER_OK waits for it, and is then served without a kick. */
static void test_kicks_before_driver_ok(void **state)
{
	struct test_device *td = *state;

	assert_true(dr_negotiate(&td->dev, TD_FEATURES));
	assert_true(dr_setup_queue(&td->dev, 0, &td->rings[0]));
	test_device_offer(td, 0, 0);
	virtio_kick(&td->dev, 0);
	test_device_turn(td);
	assert_int_equal(td->kicks[0], 0);
	assert_int_equal(virtio_pop(&td->dev, 0, &td->chain), 0);
	/* Even a type that goes around virtio_pop sends no interrupt yet. */
	assert_int_equal(vq_pop(&td->dev.queues[0], &td->chain), 1);
	vq_push(&td->dev.queues[0], 0, 0);
	virtio_signal(&td->dev, 0);
	assert_int_equal(atomic_load(&td->irq.pulses), 0);
	test_device_offer(td, 0, 0);
	assert_true(dr_driver_ok(&td->dev));
	assert_int_equal(td->served[0], 1);
	assert_int_equal(td->kicks[1], 0); /* not ready */
	assert_int_equal(atomic_load(&td->irq.pulses), 1);
}

static void test_interrupt_status(void **state)
{
	struct test_device *td = *state;
	uint32_t generation = td->dev.config_generation;

	virtio_config_changed(&td->dev); /* not live: the driver will read it anyway */
	assert_int_equal(atomic_load(&td->irq.pulses), 0);
	assert_int_not_equal(td->dev.config_generation, generation);
	test_device_start(td);
	virtio_config_changed(&td->dev);
	test_device_offer(td, 0, 0);
	virtio_kick(&td->dev, 0);
	test_device_turn(td);
	assert_int_equal(virtio_isr_read(&td->dev), VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	assert_int_equal(atomic_load(&td->irq.pulses), 2);
	virtio_isr_ack(&td->dev, VIRTIO_ISR_QUEUE);
	assert_int_equal(virtio_isr_read(&td->dev), VIRTIO_ISR_CONFIG);
	virtio_isr_ack(&td->dev, UINT32_MAX);
	assert_int_equal(virtio_isr_read(&td->dev), 0);
	td->dev.irq = NULL; /* a device without a line is quiet */
	virtio_config_changed(&td->dev);
	assert_int_equal(virtio_isr_read(&td->dev), VIRTIO_ISR_CONFIG);
	virtio_set_status(&td->dev, 0);
	assert_int_equal(virtio_isr_read(&td->dev), 0);
}

/* One broken queue stops the device; the driver is told once, by a config interrupt. */
static void test_broken_queue_stops_the_device(void **state)
{
	struct test_device *td = *state;

	test_device_start(td);
	dr_offer(&td->rings[0], 999);
	test_device_offer(td, 1, 0);
	virtio_kick(&td->dev, 0);
	virtio_kick(&td->dev, 1);
	test_device_turn(td);
	assert_int_equal(virtio_status(&td->dev), S_LIVE | S_NEEDS_RESET);
	assert_int_equal(virtio_isr_read(&td->dev), VIRTIO_ISR_CONFIG);
	assert_int_equal(atomic_load(&td->irq.pulses), 1);
	virtio_kick(&td->dev, 1);
	test_device_turn(td);
	virtio_dev_broken(&td->dev, "again");
	assert_int_equal(atomic_load(&td->irq.pulses), 1);
	test_device_start(td);
	test_device_offer(td, 1, 0);
	virtio_kick(&td->dev, 1);
	test_device_turn(td);
	assert_int_equal(dr_used_idx(&td->rings[1]), 1);
}

/* Requests finish after the reset that forgot them: nothing reaches the rings any more. */
static void test_threat_11_completion_after_reset(void **state)
{
	struct test_device *td = *state;

	test_device_start(td);
	td->hold = true;
	test_device_offer(td, 0, 0);
	test_device_offer(td, 0, 2);
	virtio_kick(&td->dev, 0);
	test_device_turn(td);
	assert_int_equal(td->dev.queues[0].in_flight, 2);
	test_device_offer(td, 0, 4);
	virtio_kick(&td->dev, 0); /* rung, not yet answered, when the reset comes */
	td->resets = 0;
	virtio_set_status(&td->dev, 0);
	assert_int_equal(td->resets, 1);
	assert_int_equal(td->status_at_reset, S_FEATURES); /* no more live, not yet gone */
	assert_int_equal(virtio_status(&td->dev), 0);
	assert_int_equal(td->dev.driver_features, 0);
	test_device_turn(td);
	assert_int_equal(td->served[0], 2);
	vq_push(&td->dev.queues[0], 0, 8);
	virtio_signal(&td->dev, 0);
	assert_int_equal(dr_used_idx(&td->rings[0]), 0);

	/* Nor into the rings of the driver's next life, where they would be others' chains. */
	test_device_start(td);
	vq_push(&td->dev.queues[0], 2, 8);
	virtio_signal(&td->dev, 0);
	assert_int_equal(dr_used_idx(&td->rings[0]), 0);
	assert_int_equal(atomic_load(&td->irq.pulses), 0);
}

/* A single queue stopped by the driver: quietly when idle, and with a drain when it is busy. */
static void test_queue_stop(void **state)
{
	struct test_device *td = *state;

	assert_true(dr_negotiate(&td->dev, TD_FEATURES));
	assert_true(dr_setup_queue(&td->dev, 0, &td->rings[0]));
	virtio_queue_set_ready(&td->dev, 0, 0);
	assert_false(virtio_queue_ready(&td->dev, 0));
	assert_true(dr_setup_queue(&td->dev, 0, &td->rings[0])); /* not live yet: once more */

	test_device_start(td);
	td->resets = 0;
	virtio_queue_set_ready(&td->dev, 1, 0);
	assert_false(virtio_queue_ready(&td->dev, 1));
	assert_int_equal(virtio_status(&td->dev), S_LIVE);
	test_device_offer(td, 0, 0);
	virtio_kick(&td->dev, 0);
	test_device_turn(td);
	assert_int_equal(dr_used_idx(&td->rings[0]), 1);
	assert_int_equal(td->resets, 0);

	td->hold = true;
	test_device_offer(td, 0, 0);
	virtio_kick(&td->dev, 0);
	test_device_turn(td);
	virtio_queue_set_ready(&td->dev, 0, 0);
	assert_int_equal(td->resets, 1);
	assert_false(virtio_queue_ready(&td->dev, 0));
	assert_int_equal(virtio_status(&td->dev), S_LIVE | S_NEEDS_RESET);
}

/* Accesses of every size at every offset around config space, and far from it. */
static void test_threat_17_config_space_bounds(void **state)
{
	static const uint64_t far[] = { 0x1000, UINT32_MAX, UINT64_MAX - 8, UINT64_MAX - 1,
					UINT64_MAX };
	struct test_device *td = *state;

	for (unsigned i = 0; i < TD_CONFIG; i++)
		td->config[i] = (uint8_t)(0x10 + i);
	for (uint64_t at = 0; at < 2 * TD_CONFIG + COUNT(far); at++) {
		uint64_t offset = at < 2 * TD_CONFIG ? at : far[at - 2 * TD_CONFIG];

		for (size_t len = 1; len <= 8; len++) {
			uint8_t data[9], config[TD_CONFIG];

			memset(data, 0xaa, sizeof(data));
			virtio_config_read(&td->dev, offset, data, len);
			for (size_t i = 0; i < len; i++) {
				uint64_t where = offset > UINT64_MAX - i ? UINT64_MAX : offset + i;

				assert_int_equal(data[i], where < TD_CONFIG ? 0x10 + where : 0xff);
			}
			assert_int_equal(data[len], 0xaa);

			memcpy(config, td->config, sizeof(config));
			memset(data, 0x77, sizeof(data));
			virtio_config_write(&td->dev, offset, data, len);
			for (uint64_t i = 0; i < TD_CONFIG; i++)
				assert_int_equal(td->config[i], i >= offset && i - offset < len
									? 0x77
									: config[i]);
			memcpy(td->config, config, sizeof(config));
		}
	}
}

/* A driver that breaks its device again and again fills no log. */
static void break_often(void *arg)
{
	struct test_device *td;
	void *state;

	/* A device of the child's own: guest memory is not inherited. */
	(void)arg;
	assert_int_equal(test_device_setup(&state), 0);
	td = state;
	for (unsigned i = 0; i < 1000; i++) {
		test_device_start(td);
		dr_offer(&td->rings[2], 77);
		virtio_kick(&td->dev, 2);
		test_device_turn(td);
		assert_true(virtio_status(&td->dev) & S_NEEDS_RESET);
		virtio_dev_broken(&td->dev, "not said: once until the next reset");
	}
	assert_int_equal(test_device_teardown(&state), 0);
}

static void test_reports_are_bounded(void **state)
{
	static const char first[] =
		"hvrun: warning: virtio-test0: guest driver error: queue 2: available "
		"ring names a descriptor outside the table\n";
	static struct captured said;
	unsigned lines = 0;

	(void)state;
	capture_child(&said, break_often, NULL);
	assert_int_equal(said.status, 0);
	assert_memory_equal(said.text, first, sizeof(first) - 1);
	for (size_t i = 0; i < said.len; i++)
		lines += said.text[i] == '\n';
	assert_int_equal(lines, VIRTIO_MAX_REPORTS);
	assert_non_null(strstr(said.text, "(more of this device are not shown)\n"));
	assert_null(strstr(said.text, "once until"));
}

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	assert_int_equal(closedir(dir), 0);
	return count;
}

static void test_init_and_fini(void **state)
{
	static const struct virtio_type bare = { .name = "bare", .id = 1 };
	struct test_device *td = *state;
	static struct virtio_dev dev;
	unsigned fds = open_fds();

	assert_int_equal(virtio_dev_init(&dev, &bare, "bare", td->mem, td->loop,
					 VIRTIO_MAX_QUEUES + 1, 8, 0, 0),
			 -EINVAL);
	assert_int_equal(virtio_dev_init(&dev, &bare, "bare", td->mem, td->loop, 1, 100, 0, 0),
			 -EINVAL);
	assert_int_equal(virtio_dev_init(&dev, &bare, "bare", td->mem, td->loop, 1, VQ_MAX_SIZE * 2,
					 0, 0),
			 -EINVAL);
	assert_int_equal(open_fds(), fds);

	/* A type without a single callback works, as far as that goes. */
	assert_int_equal(virtio_dev_init(&dev, &bare, "bare", td->mem, td->loop, VIRTIO_MAX_QUEUES,
					 64, 0, 4),
			 0);
	assert_int_equal(open_fds(), fds + VIRTIO_MAX_QUEUES);
	assert_true(dr_negotiate(&dev, VIRTIO_F_VERSION_1));
	assert_true(dr_setup_queue(&dev, 7, &td->rings[0]));
	test_device_offer(td, 0, 0);
	assert_true(dr_driver_ok(&dev));
	virtio_kick(&dev, 7);
	test_device_turn(td);
	virtio_config_write(&dev, 0, "abcd", 4);
	virtio_dev_fini(&dev);
	assert_int_equal(open_fds(), fds);
	test_device_turn(td);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_device_setup, test_device_teardown)
	static const struct CMUnitTest tests[] = {
		T(test_threat_30_status_walk),
		T(test_threat_30_features_refused),
		T(test_threat_30_feature_words_in_every_status),
		T(test_features_offered),
		T(test_threat_01_queue_registers_in_every_status),
		T(test_threat_01_queue_registers_of_a_ready_queue),
		T(test_threat_01_ready_in_every_status),
		T(test_threat_02_queue_numbers),
		T(test_threat_03_bad_queue_needs_reset),
		T(test_kick_serves_a_queue),
		T(test_kicks_before_driver_ok),
		T(test_interrupt_status),
		T(test_broken_queue_stops_the_device),
		T(test_threat_11_completion_after_reset),
		T(test_queue_stop),
		T(test_threat_17_config_space_bounds),
		T(test_reports_are_bounded),
		T(test_init_and_fini),
	};

	(void)alarm(500);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
