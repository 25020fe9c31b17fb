/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMIO transport, through the bus as a guest reaches it: registers one by one, a whole bring-up,
 * accesses of every size at every offset, and hostile drivers (test_threat_NN: row NN of the project's
 * list of ways in which device models were broken).
 *
 * Each test runs twice: with reads through the bus, and (_shown) with reads from the page that shows
 * the registers to the guest, which is compared with the bus after each write.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/le.h"
#include "tests/lib/test_device.h"
#include "virtio/mmio.h"

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

/* Registers as the standard's table gives them (4.2.2). */
enum {
	R_MAGIC = 0x00,
	R_VERSION = 0x04,
	R_DEVICE = 0x08,
	R_VENDOR = 0x0c,
	R_DEVICE_FEATURES = 0x10,
	R_DEVICE_FEATURES_SEL = 0x14,
	R_DRIVER_FEATURES = 0x20,
	R_DRIVER_FEATURES_SEL = 0x24,
	R_QUEUE_SEL = 0x30,
	R_QUEUE_NUM_MAX = 0x34,
	R_QUEUE_NUM = 0x38,
	R_QUEUE_READY = 0x44,
	R_NOTIFY = 0x50,
	R_ISR = 0x60,
	R_ACK = 0x64,
	R_STATUS = 0x70,
	R_DESC_LOW = 0x80,
	R_DESC_HIGH = 0x84,
	R_DRIVER_LOW = 0x90,
	R_DRIVER_HIGH = 0x94,
	R_DEVICE_LOW = 0xa0,
	R_DEVICE_HIGH = 0xa4,
	R_SHM_LEN_LOW = 0xb0,
	R_SHM_BASE_HIGH = 0xbc,
	R_GENERATION = 0xfc,
	R_CONFIG = 0x100,
};

enum {
	BASE = 0xc0000000,
	S_LIVE = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK,
};

struct fixture {
	struct test_device *td;
	struct bus *bus;
	struct virtio_mmio *mmio;
	const uint8_t *page; /* shows the registers; NULL: reads go through the bus */
	bool crowd;	     /* other threads are at the registers too */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	void *td;

	assert_non_null(f);
	assert_int_equal(test_device_setup(&td), 0);
	f->td = td;
	assert_int_equal(bus_create(&f->bus), 0);
	assert_int_equal(virtio_mmio_create(&f->td->dev, f->bus, BASE, &f->mmio), 0);
	*state = f;
	return 0;
}

/* The same with the registers in memory that the guest reads, as on x86. */
static int setup_shown(void **state)
{
	struct fixture *f;
	void *page;

	assert_int_equal(setup(state), 0);
	f = *state;
	assert_int_equal(mem_add(f->td->mem, gpa(BASE), VIRTIO_MMIO_SIZE, MEM_REGISTERS), 0);
	page = mem_registers(f->td->mem, gpa(BASE));
	assert_non_null(page);
	virtio_mmio_show(f->mmio, page);
	f->page = page;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *td = f->td;

	bus_destroy(f->bus);
	virtio_mmio_destroy(f->mmio);
	(void)test_device_teardown(&td);
	free(f);
	return 0;
}

static uint32_t shown(const struct fixture *f, uint64_t reg)
{
	return le32toh(
		__atomic_load_n((const uint32_t *)(const void *)(f->page + reg), __ATOMIC_ACQUIRE));
}

static uint32_t rd(struct fixture *f, uint64_t reg)
{
	uint8_t data[4];

	if (f->page && reg + sizeof(data) <= VIRTIO_MMIO_SIZE)
		return shown(f, reg);
	assert_true(bus_read(f->bus, BUS_MMIO, BASE + reg, data, sizeof(data)));
	return le32_load(data);
}

/* What the page shows is what the bus would answer. */
static void check_shown(struct fixture *f)
{
	uint8_t data[4];

	if (!f->page || f->crowd)
		return;
	for (uint64_t at = 0; at < R_CONFIG + 2 * TD_CONFIG; at += sizeof(data)) {
		assert_true(bus_read(f->bus, BUS_MMIO, BASE + at, data, sizeof(data)));
		assert_int_equal(shown(f, at), le32_load(data));
	}
	for (uint64_t at = R_CONFIG + 2 * TD_CONFIG; at < VIRTIO_MMIO_SIZE; at++)
		assert_int_equal(f->page[at], 0xff);
}

static void wr(struct fixture *f, uint64_t reg, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	assert_true(bus_write(f->bus, BUS_MMIO, BASE + reg, data, sizeof(data)));
	check_shown(f);
}

/* By registers only: reset to FEATURES_OK. */
static void negotiate(struct fixture *f)
{
	wr(f, R_STATUS, 0);
	wr(f, R_STATUS, 1);
	wr(f, R_STATUS, 3);
	wr(f, R_DRIVER_FEATURES_SEL, 0);
	wr(f, R_DRIVER_FEATURES, (uint32_t)TD_FEATURES);
	wr(f, R_DRIVER_FEATURES_SEL, 1);
	wr(f, R_DRIVER_FEATURES, (uint32_t)(TD_FEATURES >> 32));
	wr(f, R_STATUS, 11);
	assert_int_equal(rd(f, R_STATUS), 11);
}

static void setup_queue(struct fixture *f, uint32_t queue)
{
	const struct driver_ring *ring = &f->td->rings[queue];

	wr(f, R_QUEUE_SEL, queue);
	assert_int_equal(rd(f, R_QUEUE_READY), 0);
	assert_int_equal(rd(f, R_QUEUE_NUM_MAX), TD_QUEUE_MAX);
	wr(f, R_QUEUE_NUM, ring->num);
	wr(f, R_DESC_LOW, (uint32_t)ring->desc.v);
	wr(f, R_DESC_HIGH, 0);
	wr(f, R_DRIVER_LOW, (uint32_t)ring->avail.v);
	wr(f, R_DRIVER_HIGH, 0);
	wr(f, R_DEVICE_LOW, (uint32_t)ring->used.v);
	wr(f, R_DEVICE_HIGH, 0);
	wr(f, R_QUEUE_READY, 1);
	assert_int_equal(rd(f, R_QUEUE_READY), 1);
}

static void start(struct fixture *f)
{
	test_device_clear_rings(f->td);
	negotiate(f);
	for (uint32_t i = 0; i < TD_QUEUES; i++)
		setup_queue(f, i);
	wr(f, R_STATUS, S_LIVE);
	assert_int_equal(rd(f, R_STATUS), S_LIVE);
}

static void test_identity(void **state)
{
	struct fixture *f = *state;
	char bytes[4];

	assert_true(bus_read(f->bus, BUS_MMIO, BASE + R_MAGIC, bytes, 4));
	assert_memory_equal(bytes, "virt", 4);
	assert_int_equal(rd(f, R_VERSION), 2);
	assert_int_equal(rd(f, R_DEVICE), TD_ID);
	assert_true(bus_read(f->bus, BUS_MMIO, BASE + R_VENDOR, bytes, 4));
	assert_memory_equal(bytes, "HVRN", 4);
	for (uint64_t reg = R_SHM_LEN_LOW; reg <= R_SHM_BASE_HIGH; reg += 4)
		assert_int_equal(rd(f, reg), UINT32_MAX);
	assert_int_equal(rd(f, 0xc0), 0); /* queue reset is not offered */
	for (uint64_t reg = 0; reg <= R_VENDOR; reg += 4) {
		uint32_t before = rd(f, reg);

		wr(f, reg, ~before);
		assert_int_equal(rd(f, reg), before);
	}
}

static void test_features(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rd(f, R_DEVICE_FEATURES), (uint32_t)TD_FEATURES);
	wr(f, R_DRIVER_FEATURES_SEL, 1); /* the other selector */
	assert_int_equal(rd(f, R_DEVICE_FEATURES), (uint32_t)TD_FEATURES);
	wr(f, R_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(rd(f, R_DEVICE_FEATURES), (uint32_t)(TD_FEATURES >> 32));
	wr(f, R_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(rd(f, R_DEVICE_FEATURES), 0);
	negotiate(f);
	assert_int_equal(f->td->dev.driver_features, TD_FEATURES);
}

static void test_a_request_by_registers_only(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(f->td->readies, 1);
	test_device_offer(f->td, 2, 4);
	wr(f, R_NOTIFY, 2);
	test_device_turn(f->td);
	assert_int_equal(dr_used_idx(&f->td->rings[2]), 1);
	assert_int_equal(rd(f, R_ISR), VIRTIO_ISR_QUEUE);
	wr(f, R_ACK, VIRTIO_ISR_QUEUE);
	assert_int_equal(rd(f, R_ISR), 0);
	assert_int_equal(atomic_load(&f->td->irq.pulses), 1);
	wr(f, R_STATUS, 0);
	assert_int_equal(rd(f, R_STATUS), 0);
	assert_int_equal(rd(f, R_QUEUE_READY), 0);
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
	struct fixture *f = *state;

	negotiate(f);
	wr(f, R_QUEUE_SEL, 1);
	for (unsigned i = 0; i < COUNT(regs); i++) {
		const gpa_t *at =
			(const gpa_t *)(const void *)((const char *)&f->td->dev.queues[1] +
						      regs[i].field);

		wr(f, regs[i].reg, 0x11111111);
		wr(f, regs[i].reg + 4, 0x22222222);
		assert_int_equal(at->v, UINT64_C(0x2222222211111111));
		wr(f, regs[i].reg, 0x33333333);
		assert_int_equal(at->v, UINT64_C(0x2222222233333333));
	}
	assert_int_equal(f->td->dev.queues[0].desc.v, 0);
}

static void test_config_space(void **state)
{
	struct fixture *f = *state;
	uint32_t generation;

	memcpy(f->td->config, "0123456789ab", TD_CONFIG);
	virtio_config_changed(&f->td->dev);
	generation = rd(f, R_GENERATION);
	assert_int_equal(rd(f, R_CONFIG), 0x33323130);
	wr(f, R_CONFIG + 4, 0x64636261);
	assert_memory_equal(f->td->config, "0123abcd89ab", TD_CONFIG);
	assert_int_equal(rd(f, R_GENERATION), generation);
	virtio_config_changed(&f->td->dev);
	assert_int_not_equal(rd(f, R_GENERATION), generation);
}

static void test_windows_must_not_overlap(void **state)
{
	struct fixture *f = *state;
	struct virtio_mmio *other = NULL;

	assert_int_equal(virtio_mmio_create(&f->td->dev, f->bus, BASE + 0xffc, &other), -EEXIST);
	assert_null(other);
	assert_int_equal(virtio_mmio_create(&f->td->dev, f->bus, BASE + VIRTIO_MMIO_SIZE, &other),
			 0);
	/* Two windows on one device have selectors of their own. */
	wr(f, R_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(rd(f, VIRTIO_MMIO_SIZE + R_DEVICE_FEATURES), (uint32_t)TD_FEATURES);
	virtio_mmio_destroy(other);
	virtio_mmio_destroy(NULL);
}

/* What the driver can see or change; two equal ones mean that nothing happened. */
struct view {
	uint32_t status, isr, features, selected;
	unsigned kicks, config_writes, resets;
	uint64_t driver_features;
	struct virtqueue queues[TD_QUEUES];
};

static void look(struct fixture *f, struct view *v)
{
	test_device_turn(f->td);
	v->status = rd(f, R_STATUS);
	v->isr = rd(f, R_ISR);
	v->features = rd(f, R_DEVICE_FEATURES);
	v->selected = rd(f, R_QUEUE_NUM_MAX);
	v->kicks = 0;
	for (unsigned i = 0; i < TD_QUEUES; i++)
		v->kicks += f->td->kicks[i];
	v->config_writes = f->td->config_writes;
	v->resets = f->td->resets;
	v->driver_features = f->td->dev.driver_features;
	memcpy(v->queues, f->td->dev.queues, sizeof(v->queues));
}

static void assert_same(const struct view *a, const struct view *b)
{
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->isr, b->isr);
	assert_int_equal(a->features, b->features);
	assert_int_equal(a->selected, b->selected);
	assert_int_equal(a->kicks, b->kicks);
	assert_int_equal(a->config_writes, b->config_writes);
	assert_int_equal(a->resets, b->resets);
	assert_int_equal(a->driver_features, b->driver_features);
	for (unsigned i = 0; i < TD_QUEUES; i++)
		assert_true(dr_same_queue(&a->queues[i], &b->queues[i]));
}

/* Below config space only aligned words count: the rest reads as ones and changes nothing. */
static void test_threat_17_register_accesses_of_every_size(void **state)
{
	struct fixture *f = *state;

	for (unsigned live = 0; live < 2; live++) {
		struct view before, after;

		if (live)
			start(f);
		else
			negotiate(f);
		look(f, &before);
		for (uint64_t at = 0; at < R_CONFIG; at++) {
			for (size_t len = 1; len <= 8; len++) {
				uint8_t data[9], zero[8] = { 0 };

				if (len == 4 && at % 4 == 0)
					continue;
				memset(data, 0xaa, sizeof(data));
				assert_true(bus_read(f->bus, BUS_MMIO, BASE + at, data, len));
				for (size_t i = 0; i < len; i++)
					assert_int_equal(data[i], 0xff);
				assert_int_equal(data[len], 0xaa);
				assert_true(bus_write(f->bus, BUS_MMIO, BASE + at, zero, len));
			}
		}
		look(f, &after);
		assert_same(&before, &after);
	}
}

static void test_threat_17_config_accesses_of_every_size(void **state)
{
	struct fixture *f = *state;

	memset(f->td->config, 0x5a, TD_CONFIG);
	for (uint64_t at = R_CONFIG; at < VIRTIO_MMIO_SIZE; at++) {
		for (size_t len = 1; len <= 8; len++) {
			uint8_t data[9];
			bool in = at + len <= VIRTIO_MMIO_SIZE;

			memset(data, 0xaa, sizeof(data));
			assert_int_equal(bus_read(f->bus, BUS_MMIO, BASE + at, data, len), in);
			for (size_t i = 0; i < len; i++)
				assert_int_equal(data[i],
						 in && at + i < R_CONFIG + TD_CONFIG ? 0x5a : 0xff);
			assert_int_equal(data[len], 0xaa);
			if (at >= R_CONFIG + TD_CONFIG)
				assert_int_equal(bus_write(f->bus, BUS_MMIO, BASE + at, data, len),
						 in);
		}
	}
	assert_int_equal(f->td->config_writes, 0);
}

/* Every register written while the device is live, with one queue selected. */
static void test_threat_01_registers_after_activation(void **state)
{
	static const uint64_t shut[] = { R_QUEUE_NUM,	R_DESC_LOW,   R_DESC_HIGH,  R_DRIVER_LOW,
					 R_DRIVER_HIGH, R_DEVICE_LOW, R_DEVICE_HIGH };
	struct fixture *f = *state;

	for (unsigned i = 0; i < COUNT(shut); i++) {
		struct virtqueue before;

		start(f);
		before = f->td->dev.queues[2];
		wr(f, shut[i], 0x8000);
		assert_true(dr_same_queue(&before, &f->td->dev.queues[2]));
		assert_int_equal(rd(f, R_STATUS), S_LIVE | VIRTIO_S_NEEDS_RESET);
		assert_int_equal(rd(f, R_ISR), VIRTIO_ISR_CONFIG);
		test_device_offer(f->td, 2, 0);
		wr(f, R_NOTIFY, 2);
		test_device_turn(f->td);
		assert_int_equal(dr_used_idx(&f->td->rings[2]), 0);
	}
	/* Features after FEATURES_OK: without effect. */
	start(f);
	wr(f, R_DRIVER_FEATURES, 0);
	assert_int_equal(f->td->dev.driver_features, TD_FEATURES);
	assert_int_equal(rd(f, R_STATUS), S_LIVE);
}

/* Classes of 32-bit values as queue number, each with every register. */
static void test_threat_02_queue_sel_and_notify(void **state)
{
	static const uint32_t bad[] = {
		TD_QUEUES,  VIRTIO_MAX_QUEUES, 9,	64,	    255,	256,
		0xffff,	    0x10000,	       0x10001, 0x7fffffff, 0x80000000, 0x80000001,
		0xfffffffe, UINT32_MAX
	};
	struct fixture *f = *state;

	for (unsigned live = 0; live < 2; live++) {
		for (unsigned i = 0; i < COUNT(bad); i++) {
			struct view before, after;

			if (live)
				start(f);
			else
				negotiate(f);
			wr(f, R_QUEUE_SEL, bad[i]);
			look(f, &before);
			assert_int_equal(before.selected, 0);
			assert_int_equal(rd(f, R_QUEUE_READY), 0);
			for (uint64_t reg = 0; reg < R_CONFIG; reg += 4) {
				(void)rd(f, reg);
				if (reg == R_STATUS || reg == R_QUEUE_SEL || reg == R_ACK)
					continue;
				/* The number itself, and 1, which means ready. */
				wr(f, reg, bad[i]);
				wr(f, reg, reg == R_NOTIFY ? bad[i] : 1);
			}
			wr(f, R_DEVICE_FEATURES_SEL, 0);
			look(f, &after);
			before.features = after.features = 0;
			assert_same(&before, &after);
		}
	}
}

/* Descriptors, tables and rings that point at the device's own registers: refused, not re-entered. */
static void test_threat_13_dma_into_registers(void **state)
{
	struct fixture *f = *state;
	struct test_device *td = f->td;

	/* Registers that the guest may read as memory are none for devices either. */
	if (!f->page)
		assert_int_equal(mem_add(td->mem, gpa(BASE), VIRTIO_MMIO_SIZE, MEM_HOLE), 0);
	for (unsigned how = 0; how < 3; how++) {
		start(f);
		td->config_writes = 0;
		td->resets = 0;
		if (how == 0)
			dr_desc(&td->rings[0], 0, BASE + R_STATUS, 4, DR_WRITE, 0);
		else if (how == 1)
			dr_desc(&td->rings[0], 0, BASE + R_CONFIG, 8, 0, 0);
		else
			dr_desc(&td->rings[0], 0, BASE + R_CONFIG, 16, DR_INDIRECT, 0);
		dr_offer(&td->rings[0], 0);
		wr(f, R_NOTIFY, 0);
		test_device_turn(td);
		assert_int_equal(rd(f, R_STATUS), S_LIVE | VIRTIO_S_NEEDS_RESET);
		assert_int_equal(td->config_writes, 0);
		assert_int_equal(td->resets, 0);
	}
	negotiate(f);
	td->rings[0].used = gpa(BASE);
	wr(f, R_QUEUE_SEL, 0);
	wr(f, R_QUEUE_NUM, 8);
	wr(f, R_DESC_LOW, TD_RINGS);
	wr(f, R_DRIVER_LOW, TD_RINGS + 0x4000);
	wr(f, R_DEVICE_LOW, BASE);
	wr(f, R_QUEUE_READY, 1);
	assert_int_equal(rd(f, R_QUEUE_READY), 0);
	assert_int_equal(rd(f, R_STATUS), 11 | VIRTIO_S_NEEDS_RESET);
}

/* The status register in an order that the standard does not know. */
static void test_threat_30_steps_out_of_order(void **state)
{
	struct fixture *f = *state;

	wr(f, R_STATUS, 4); /* DRIVER_OK before all */
	assert_int_equal(rd(f, R_STATUS), 0);
	wr(f, R_STATUS, 15); /* all at once, with no feature taken */
	assert_int_equal(rd(f, R_STATUS), 3);
	wr(f, R_STATUS, 7);
	assert_int_equal(rd(f, R_STATUS), 3);
	negotiate(f);
	wr(f, R_STATUS, 3); /* bits taken back */
	wr(f, R_STATUS, 1);
	assert_int_equal(rd(f, R_STATUS), 11);
	wr(f, R_STATUS, 0x80000000 | S_LIVE); /* unknown bits mean nothing */
	assert_int_equal(rd(f, R_STATUS), S_LIVE);
	wr(f, R_STATUS, S_LIVE | VIRTIO_S_FAILED);
	assert_int_equal(rd(f, R_STATUS), S_LIVE | VIRTIO_S_FAILED);
	test_device_offer(f->td, 0, 0);
	wr(f, R_NOTIFY, 0);
	test_device_turn(f->td);
	assert_int_equal(f->td->served[0], 0);
}

/* Threads. */

static void *run_loop(void *arg)
{
	assert_int_equal(loop_run(arg), 0);
	return NULL;
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
	struct fixture *f = *state;
	struct blocker b = { eventfd(0, 0), eventfd(0, 0) };
	int go = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;
	pthread_t thread;

	start(f);
	f->crowd = true;
	virtio_config_changed(&f->td->dev);
	assert_int_equal(loop_add_eventfd(f->td->loop, go, block, &b), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, f->td->loop), 0);
	assert_int_equal(write(go, &one, sizeof(one)), sizeof(one));
	assert_int_equal(read(b.entered, &one, sizeof(one)), sizeof(one));

	/* The loop's thread is stuck; if one of these needed it, the test would hang here. */
	assert_int_equal(rd(f, R_MAGIC), 0x74726976);
	assert_int_equal(rd(f, R_VERSION), 2);
	assert_int_equal(rd(f, R_DEVICE), TD_ID);
	assert_int_equal(rd(f, R_VENDOR), 0x4e525648);
	assert_int_equal(rd(f, R_SHM_LEN_LOW), UINT32_MAX);
	assert_int_equal(rd(f, R_ISR), VIRTIO_ISR_CONFIG);
	wr(f, R_ACK, VIRTIO_ISR_CONFIG);
	assert_int_equal(rd(f, R_ISR), 0);
	wr(f, R_NOTIFY, 0);
	assert_true(bus_read(f->bus, BUS_MMIO, BASE + 1, &one, 2));

	one = 1;
	assert_int_equal(write(b.leave, &one, sizeof(one)), sizeof(one));
	loop_stop(f->td->loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(loop_del(f->td->loop, go), 0);
	(void)close(go);
	(void)close(b.entered);
	(void)close(b.leave);
}

static void *hammer(void *arg)
{
	static const uint32_t values[] = { 0, 1, 3, 11, 15, 2, 0x10000, 64, UINT32_MAX };
	struct fixture *f = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&seed;

	for (unsigned i = 0; i < 3000; i++) {
		uint64_t reg;

		seed = seed * 1664525 + 1013904223;
		reg = (seed >> 8) % 0x44 * 4;
		wr(f, reg, values[(seed >> 20) % COUNT(values)]);
		(void)rd(f, reg);
	}
	return NULL;
}

/* Three vCPUs at the registers while the loop serves; the thread sanitizer watches. */
static void test_registers_from_many_threads(void **state)
{
	struct fixture *f = *state;
	pthread_t loop_thread, threads[3];

	f->crowd = true;
	assert_int_equal(pthread_create(&loop_thread, NULL, run_loop, f->td->loop), 0);
	for (unsigned i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, f), 0);
	for (unsigned i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	wr(f, R_STATUS, 0);
	start(f);
	test_device_offer(f->td, 0, 0);
	wr(f, R_NOTIFY, 0);
	while (rd(f, R_ISR) == 0)
		(void)usleep(100);
	assert_int_equal(rd(f, R_ISR), VIRTIO_ISR_QUEUE);
	loop_stop(f->td->loop);
	assert_int_equal(pthread_join(loop_thread, NULL), 0);
	assert_int_equal(dr_used_idx(&f->td->rings[0]), 1);
}

/* What the device does by itself is shown before its interrupt. */
static void test_changes_by_the_device(void **state)
{
	struct fixture *f = *state;
	struct test_device *td = f->td;
	uint32_t generation;

	start(f);
	generation = rd(f, R_GENERATION);
	td->config[1] ^= 0x5a;
	virtio_config_changed(&td->dev);
	check_shown(f);
	assert_int_not_equal(rd(f, R_GENERATION), generation);
	assert_int_equal(rd(f, R_CONFIG) >> 8 & 0xff, td->config[1]);
	assert_int_equal(rd(f, R_ISR), VIRTIO_ISR_CONFIG);
	wr(f, R_ACK, VIRTIO_ISR_CONFIG);
	assert_int_equal(rd(f, R_ISR), 0);

	test_device_offer(td, 0, 0);
	wr(f, R_NOTIFY, 0);
	test_device_turn(td);
	assert_int_equal(rd(f, R_ISR), VIRTIO_ISR_QUEUE);
	virtio_dev_broken(&td->dev, "the test says so");
	assert_int_equal(rd(f, R_STATUS), S_LIVE | VIRTIO_S_NEEDS_RESET);
	assert_int_equal(rd(f, R_ISR), VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	wr(f, R_STATUS, 0);
	assert_int_equal(rd(f, R_ISR), 0);
	assert_int_equal(rd(f, R_STATUS), 0);
}

/*
 * A driver that read config space while it changed, and before it could be told, is told when it goes
 * live; one that began after the change is not.
 */
static void test_config_change_before_driver_ok(void **state)
{
	struct fixture *f = *state;

	virtio_config_changed(&f->td->dev);
	start(f);
	assert_int_equal(rd(f, R_ISR), 0);
	test_device_clear_rings(f->td);
	negotiate(f);
	virtio_config_changed(&f->td->dev);
	assert_int_equal(rd(f, R_ISR), 0);
	wr(f, R_STATUS, S_LIVE);
	assert_int_equal(rd(f, R_ISR), VIRTIO_ISR_CONFIG);
}

/* A device outlives its transport, and its interrupt status comes home. */
static void test_page_is_left_alone_at_the_end(void **state)
{
	struct fixture *f = *state;

	start(f);
	virtio_config_changed(&f->td->dev);
	virtio_mmio_destroy(f->mmio);
	f->mmio = NULL;
	assert_int_equal(virtio_isr_read(&f->td->dev), VIRTIO_ISR_CONFIG);
	virtio_isr_ack(&f->td->dev, VIRTIO_ISR_CONFIG);
	virtio_config_changed(&f->td->dev);
	virtio_isr_ack(&f->td->dev, VIRTIO_ISR_CONFIG);
	if (f->page)
		assert_int_equal(shown(f, R_ISR), VIRTIO_ISR_CONFIG);
}

int main(void)
{
#define T(name)                                                   \
	cmocka_unit_test_setup_teardown(name, setup, teardown),   \
	{                                                         \
#name "_shown", name, setup_shown, teardown, NULL \
	}
	static const struct CMUnitTest tests[] = {
		T(test_identity),
		T(test_features),
		T(test_a_request_by_registers_only),
		T(test_addresses_have_two_halves),
		T(test_config_space),
		T(test_windows_must_not_overlap),
		T(test_threat_17_register_accesses_of_every_size),
		T(test_threat_17_config_accesses_of_every_size),
		T(test_threat_01_registers_after_activation),
		T(test_threat_02_queue_sel_and_notify),
		T(test_threat_13_dma_into_registers),
		T(test_threat_30_steps_out_of_order),
		T(test_fast_registers_do_not_wait),
		T(test_registers_from_many_threads),
		T(test_changes_by_the_device),
		T(test_config_change_before_driver_ok),
		T(test_page_is_left_alone_at_the_end),
	};

	(void)alarm(500);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
