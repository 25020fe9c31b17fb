/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all virtio devices share once they are up, and their making: kicks, interrupts, config
 * space, queues that stop or break, reports, reset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/capture.h"
#include "tests/lib/open_fds.h"
#include "tests/lib/test_device.h"

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

/* A driver that takes the reason at another interrupt just before it is shown the change. */
static void early_driver(void *opaque)
{
	struct virtio_dev *dev = opaque;

	/* It stands there before whoever polls sees the change. */
	assert_int_equal(virtio_isr_read(dev), VIRTIO_ISR_CONFIG);
	virtio_isr_ack(dev, VIRTIO_ISR_CONFIG);
}

/* It has read what was before the change; the interrupt that follows has a reason of its own. */
static void test_reason_taken_too_early(void **state)
{
	struct test_device *td = *state;

	test_device_start(td);
	td->dev.changed = early_driver;
	td->dev.transport = &td->dev;
	virtio_config_changed(&td->dev);
	assert_int_equal(virtio_isr_read(&td->dev), VIRTIO_ISR_CONFIG);
	assert_int_equal(atomic_load(&td->irq.pulses), 1);
	virtio_isr_ack(&td->dev, VIRTIO_ISR_CONFIG);
	virtio_dev_broken(&td->dev, "a made-up reason");
	assert_int_equal(virtio_isr_read(&td->dev), VIRTIO_ISR_CONFIG);
	assert_int_equal(atomic_load(&td->irq.pulses), 2);
	td->dev.changed = NULL;
	td->dev.transport = NULL;
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
	for (uint64_t at = 0; at < 2 * TD_CONFIG + ARRAY_SIZE(far); at++) {
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
	const struct CMUnitTest tests[] = {
		T(test_features_offered),
		T(test_kick_serves_a_queue),
		T(test_kicks_before_driver_ok),
		T(test_interrupt_status),
		T(test_reason_taken_too_early),
		T(test_broken_queue_stops_the_device),
		T(test_threat_11_completion_after_reset),
		T(test_queue_stop),
		T(test_threat_17_config_space_bounds),
		T(test_reports_are_bounded),
		T(test_init_and_fini),
	};

	(void)alarm(500);
	return cmocka_run_group_tests_name("virtio_device", tests, NULL, NULL);
}
