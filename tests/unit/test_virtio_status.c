/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status machine of all virtio devices against a model: every value in every status,
 * features, and queue set-up out of turn (test_threat_NN is row NN of docs/threats.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/test_device.h"

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

	for (unsigned stage = 0; stage < ARRAY_SIZE(stages); stage++) {
		for (unsigned e = 0; e < ARRAY_SIZE(endings); e++) {
			for (uint32_t w = 0; w < 256 * ARRAY_SIZE(high); w++) {
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

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
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
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++)
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

	for (unsigned stage = 0; stage < ARRAY_SIZE(stages); stage++) {
		for (unsigned e = 0; e < ARRAY_SIZE(endings); e++) {
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

/* Every queue register in every status: taken in one only, and otherwise without effect. */
static void test_threat_01_queue_registers_in_every_status(void **state)
{
	static const uint32_t endings[] = { 0, S_NEEDS_RESET, S_FAILED };
	struct test_device *td = *state;

	for (unsigned stage = 0; stage < ARRAY_SIZE(stages); stage++) {
		for (unsigned e = 0; e < ARRAY_SIZE(endings); e++) {
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

	for (unsigned stage = 0; stage < ARRAY_SIZE(stages); stage++) {
		for (unsigned e = 0; e < ARRAY_SIZE(endings); e++) {
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

	for (unsigned stage = 0; stage < ARRAY_SIZE(stages); stage++) {
		for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
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

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_device_setup, test_device_teardown)
	const struct CMUnitTest tests[] = {
		T(test_threat_30_status_walk),
		T(test_threat_30_features_refused),
		T(test_threat_30_feature_words_in_every_status),
		T(test_threat_01_queue_registers_in_every_status),
		T(test_threat_01_queue_registers_of_a_ready_queue),
		T(test_threat_01_ready_in_every_status),
		T(test_threat_02_queue_numbers),
		T(test_threat_03_bad_queue_needs_reset),
	};

	(void)alarm(500);
	return cmocka_run_group_tests_name("virtio_status", tests, NULL, NULL);
}
