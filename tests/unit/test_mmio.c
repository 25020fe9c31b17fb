/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMIO transport, each test with reads through the bus and (_shown) from the page of
 * registers: registers one by one, a whole bring-up, many threads, changes that the device
 * makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/loop_thread.h"
#include "tests/lib/mmio_rig.h"

static void test_identity(void **state)
{
	struct mmio_rig *f = *state;
	char bytes[4];

	assert_true(bus_read(f->bus, BUS_MMIO, BASE + R_MAGIC, bytes, 4));
	assert_memory_equal(bytes, "virt", 4);
	assert_int_equal(mmio_rig_get(f, R_VERSION), 2);
	assert_int_equal(mmio_rig_get(f, R_DEVICE), TD_ID);
	assert_true(bus_read(f->bus, BUS_MMIO, BASE + R_VENDOR, bytes, 4));
	assert_memory_equal(bytes, "HVRN", 4);
	for (uint64_t reg = R_SHM_LEN_LOW; reg <= R_SHM_BASE_HIGH; reg += 4)
		assert_int_equal(mmio_rig_get(f, reg), UINT32_MAX);
	assert_int_equal(mmio_rig_get(f, 0xc0), 0); /* queue reset is not offered */
	for (uint64_t reg = 0; reg <= R_VENDOR; reg += 4) {
		uint32_t before = mmio_rig_get(f, reg);

		mmio_rig_put(f, reg, ~before);
		assert_int_equal(mmio_rig_get(f, reg), before);
	}
}

static void test_features(void **state)
{
	struct mmio_rig *f = *state;

	assert_int_equal(mmio_rig_get(f, R_DEVICE_FEATURES), (uint32_t)TD_FEATURES);
	mmio_rig_put(f, R_DRIVER_FEATURES_SEL, 1); /* the other selector */
	assert_int_equal(mmio_rig_get(f, R_DEVICE_FEATURES), (uint32_t)TD_FEATURES);
	mmio_rig_put(f, R_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(mmio_rig_get(f, R_DEVICE_FEATURES), (uint32_t)(TD_FEATURES >> 32));
	mmio_rig_put(f, R_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(mmio_rig_get(f, R_DEVICE_FEATURES), 0);
	mmio_rig_negotiate(f);
	assert_int_equal(f->td->dev.driver_features, TD_FEATURES);
}

static void test_a_request_by_registers_only(void **state)
{
	struct mmio_rig *f = *state;

	mmio_rig_start(f);
	assert_int_equal(f->td->readies, 1);
	test_device_offer(f->td, 2, 4);
	mmio_rig_put(f, R_NOTIFY, 2);
	test_device_turn(f->td);
	assert_int_equal(dr_used_idx(&f->td->rings[2]), 1);
	assert_int_equal(mmio_rig_get(f, R_ISR), VIRTIO_ISR_QUEUE);
	mmio_rig_put(f, R_ACK, VIRTIO_ISR_QUEUE);
	assert_int_equal(mmio_rig_get(f, R_ISR), 0);
	assert_int_equal(atomic_load(&f->td->irq.pulses), 1);
	mmio_rig_put(f, R_STATUS, 0);
	assert_int_equal(mmio_rig_get(f, R_STATUS), 0);
	assert_int_equal(mmio_rig_get(f, R_QUEUE_READY), 0);
}

static void test_addresses_have_two_halves(void **state)
{
	static const struct {
		uint64_t reg;
		size_t field;
	} regs[] = {
		{ R_DESC_LOW, offsetof(struct virtqueue, desc) },
		{ R_DRIVER_LOW, offsetof(struct virtqueue, avail) },
		{ R_DEVICE_LOW, offsetof(struct virtqueue, used) },
	};
	struct mmio_rig *f = *state;

	mmio_rig_negotiate(f);
	mmio_rig_put(f, R_QUEUE_SEL, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
		const gpa_t *at =
			(const gpa_t *)(const void *)((const char *)&f->td->dev.queues[1] +
						      regs[i].field);

		mmio_rig_put(f, regs[i].reg, 0x11111111);
		mmio_rig_put(f, regs[i].reg + 4, 0x22222222);
		assert_int_equal(at->v, UINT64_C(0x2222222211111111));
		mmio_rig_put(f, regs[i].reg, 0x33333333);
		assert_int_equal(at->v, UINT64_C(0x2222222233333333));
	}
	assert_int_equal(f->td->dev.queues[0].desc.v, 0);
}

static void test_config_space(void **state)
{
	struct mmio_rig *f = *state;
	uint32_t generation;

	memcpy(f->td->config, "0123456789ab", TD_CONFIG);
	virtio_config_changed(&f->td->dev);
	generation = mmio_rig_get(f, R_GENERATION);
	assert_int_equal(mmio_rig_get(f, R_CONFIG), 0x33323130);
	mmio_rig_put(f, R_CONFIG + 4, 0x64636261);
	assert_memory_equal(f->td->config, "0123abcd89ab", TD_CONFIG);
	assert_int_equal(mmio_rig_get(f, R_GENERATION), generation);
	virtio_config_changed(&f->td->dev);
	assert_int_not_equal(mmio_rig_get(f, R_GENERATION), generation);
}

static void test_windows_must_not_overlap(void **state)
{
	struct mmio_rig *f = *state;
	struct virtio_mmio *other = NULL;

	assert_int_equal(virtio_mmio_create(&f->td->dev, f->bus, BASE + 0xffc, &other), -EEXIST);
	assert_null(other);
	assert_int_equal(virtio_mmio_create(&f->td->dev, f->bus, BASE + VIRTIO_MMIO_SIZE, &other),
			 0);
	/* Two windows on one device have selectors of their own. */
	mmio_rig_put(f, R_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(mmio_rig_get(f, VIRTIO_MMIO_SIZE + R_DEVICE_FEATURES),
			 (uint32_t)TD_FEATURES);
	virtio_mmio_destroy(other);
	virtio_mmio_destroy(NULL);
}

struct blocker {
	int entered; /* eventfds */
	int leave;
};

static void block(void *arg)
{
	struct blocker *b = arg;
	uint64_t one = 1;

	assert_int_equal(write(b->entered, &one, sizeof(one)), sizeof(one));
	assert_int_equal(read(b->leave, &one, sizeof(one)), sizeof(one));
}

/* Constant registers, interrupt status, acknowledgement and doorbell do not wait for the loop. */
static void test_fast_registers_do_not_wait(void **state)
{
	struct mmio_rig *f = *state;
	struct blocker b = { eventfd(0, 0), eventfd(0, 0) };
	int go = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;
	struct loop_thread thread;

	mmio_rig_start(f);
	f->crowd = true;
	virtio_config_changed(&f->td->dev);
	assert_int_equal(loop_add_eventfd(f->td->loop, go, block, &b), 0);
	loop_thread_start(&thread, f->td->loop);
	assert_int_equal(write(go, &one, sizeof(one)), sizeof(one));
	assert_int_equal(read(b.entered, &one, sizeof(one)), sizeof(one));

	/* The loop's thread is stuck; if one of these needed it, the test would hang here. */
	assert_int_equal(mmio_rig_get(f, R_MAGIC), 0x74726976);
	assert_int_equal(mmio_rig_get(f, R_VERSION), 2);
	assert_int_equal(mmio_rig_get(f, R_DEVICE), TD_ID);
	assert_int_equal(mmio_rig_get(f, R_VENDOR), 0x4e525648);
	assert_int_equal(mmio_rig_get(f, R_SHM_LEN_LOW), UINT32_MAX);
	assert_int_equal(mmio_rig_get(f, R_ISR), VIRTIO_ISR_CONFIG);
	mmio_rig_put(f, R_ACK, VIRTIO_ISR_CONFIG);
	assert_int_equal(mmio_rig_get(f, R_ISR), 0);
	mmio_rig_put(f, R_NOTIFY, 0);
	assert_true(bus_read(f->bus, BUS_MMIO, BASE + 1, &one, 2));

	one = 1;
	assert_int_equal(write(b.leave, &one, sizeof(one)), sizeof(one));
	loop_thread_end(&thread);
	assert_int_equal(loop_del(f->td->loop, go), 0);
	(void)close(go);
	(void)close(b.entered);
	(void)close(b.leave);
}

static void *hammer(void *arg)
{
	static const uint32_t values[] = { 0, 1, 3, 11, 15, 2, 0x10000, 64, UINT32_MAX };
	struct mmio_rig *f = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&seed;

	for (unsigned i = 0; i < 3000; i++) {
		uint64_t reg;

		seed = seed * 1664525 + 1013904223;
		reg = (seed >> 8) % 0x44 * 4;
		mmio_rig_put(f, reg, values[(seed >> 20) % ARRAY_SIZE(values)]);
		(void)mmio_rig_get(f, reg);
	}
	return NULL;
}

/* Three vCPUs at the registers while the loop serves; the thread sanitizer watches. */
static void test_registers_from_many_threads(void **state)
{
	struct mmio_rig *f = *state;
	struct loop_thread loop_thread;
	pthread_t threads[3];

	f->crowd = true;
	loop_thread_start(&loop_thread, f->td->loop);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, f), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	mmio_rig_put(f, R_STATUS, 0);
	mmio_rig_start(f);
	test_device_offer(f->td, 0, 0);
	mmio_rig_put(f, R_NOTIFY, 0);
	while (mmio_rig_get(f, R_ISR) == 0)
		(void)usleep(100);
	assert_int_equal(mmio_rig_get(f, R_ISR), VIRTIO_ISR_QUEUE);
	loop_thread_end(&loop_thread);
	assert_int_equal(dr_used_idx(&f->td->rings[0]), 1);
}

/* What the device does by itself is shown before its interrupt. */
static void test_changes_by_the_device(void **state)
{
	struct mmio_rig *f = *state;
	struct test_device *td = f->td;
	uint32_t generation;

	mmio_rig_start(f);
	generation = mmio_rig_get(f, R_GENERATION);
	td->config[1] ^= 0x5a;
	virtio_config_changed(&td->dev);
	mmio_rig_check_shown(f);
	assert_int_not_equal(mmio_rig_get(f, R_GENERATION), generation);
	assert_int_equal(mmio_rig_get(f, R_CONFIG) >> 8 & 0xff, td->config[1]);
	assert_int_equal(mmio_rig_get(f, R_ISR), VIRTIO_ISR_CONFIG);
	mmio_rig_put(f, R_ACK, VIRTIO_ISR_CONFIG);
	assert_int_equal(mmio_rig_get(f, R_ISR), 0);

	test_device_offer(td, 0, 0);
	mmio_rig_put(f, R_NOTIFY, 0);
	test_device_turn(td);
	assert_int_equal(mmio_rig_get(f, R_ISR), VIRTIO_ISR_QUEUE);
	virtio_dev_broken(&td->dev, "the test says so");
	assert_int_equal(mmio_rig_get(f, R_STATUS), S_LIVE | VIRTIO_S_NEEDS_RESET);
	assert_int_equal(mmio_rig_get(f, R_ISR), VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	mmio_rig_put(f, R_STATUS, 0);
	assert_int_equal(mmio_rig_get(f, R_ISR), 0);
	assert_int_equal(mmio_rig_get(f, R_STATUS), 0);
}

/*
 * A driver that read config space while it changed, and before it could be told, is told when it goes
 * live; one that began after the change is not.
 */
static void test_config_change_before_driver_ok(void **state)
{
	struct mmio_rig *f = *state;

	virtio_config_changed(&f->td->dev);
	mmio_rig_start(f);
	assert_int_equal(mmio_rig_get(f, R_ISR), 0);
	test_device_clear_rings(f->td);
	mmio_rig_negotiate(f);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(mmio_rig_get(f, R_ISR), 0);
	mmio_rig_put(f, R_STATUS, S_LIVE);
	assert_int_equal(mmio_rig_get(f, R_ISR), VIRTIO_ISR_CONFIG);
}

/* A device outlives its transport, and its interrupt status comes home. */
static void test_page_is_left_alone_at_the_end(void **state)
{
	struct mmio_rig *f = *state;

	mmio_rig_start(f);
	virtio_config_changed(&f->td->dev);
	virtio_mmio_destroy(f->mmio);
	f->mmio = NULL;
	assert_int_equal(virtio_isr_read(&f->td->dev), VIRTIO_ISR_CONFIG);
	virtio_isr_ack(&f->td->dev, VIRTIO_ISR_CONFIG);
	virtio_config_changed(&f->td->dev);
	virtio_isr_ack(&f->td->dev, VIRTIO_ISR_CONFIG);
	if (f->page)
		assert_int_equal(mmio_rig_shown(f, R_ISR), VIRTIO_ISR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MMIO_RIG_TEST(test_identity),
		MMIO_RIG_TEST(test_features),
		MMIO_RIG_TEST(test_a_request_by_registers_only),
		MMIO_RIG_TEST(test_addresses_have_two_halves),
		MMIO_RIG_TEST(test_config_space),
		MMIO_RIG_TEST(test_windows_must_not_overlap),
		MMIO_RIG_TEST(test_fast_registers_do_not_wait),
		MMIO_RIG_TEST(test_registers_from_many_threads),
		MMIO_RIG_TEST(test_changes_by_the_device),
		MMIO_RIG_TEST(test_config_change_before_driver_ok),
		MMIO_RIG_TEST(test_page_is_left_alone_at_the_end),
	};

	(void)alarm(500);
	return cmocka_run_group_tests_name("mmio", tests, NULL, NULL);
}
