/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-balloon: a target, pages that the guest hands over, which leave the host's memory
 * while nothing else does, whatever a driver writes; statistics.
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
#include "base/le.h"
#include "tests/lib/balloon_rig.h"

static void identity(void **state)
{
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	assert_int_equal(rig.dev->type->id, 5);
	assert_int_equal(rig.dev->config_size, 16);
	assert_int_equal(virtio_features(rig.dev, 0) & 0xffffff, ALL_FEATURES);
	for (uint64_t at = 0; at < 16; at += 4)
		assert_int_equal(balloon_rig_config(&rig, at), 0);
	rig_fini(&rig);
}

static void a_target_is_told_and_bounded(void **state)
{
	unsigned pulses;
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	pulses = atomic_load(&rig.irq.pulses);
	assert_int_equal(virtio_balloon_set(rig.dev, 3 * PAGE + 1), 0);
	assert_int_equal(balloon_rig_config(&rig, 0), 3);
	assert_true(atomic_load(&rig.irq.pulses) > pulses);
	assert_true(virtio_isr_read(rig.dev) & VIRTIO_ISR_CONFIG);
	assert_int_equal(virtio_balloon_set(rig.dev, RIG_RAM), 0);
	assert_int_equal(virtio_balloon_set(rig.dev, RIG_RAM + 1), -ERANGE);
	assert_int_equal(virtio_balloon_set(rig.dev, UINT64_MAX), -ERANGE);
	assert_int_equal(balloon_rig_config(&rig, 0), RIG_RAM / PAGE);

	/* What the driver says it did; it cannot have handed over more than there is. */
	balloon_rig_set_config(&rig, 4, 2);
	assert_int_equal(balloon_rig_look(&rig).actual, 2 * PAGE);
	balloon_rig_set_config(&rig, 4, UINT32_MAX);
	assert_int_equal(balloon_rig_look(&rig).actual, RIG_RAM);
	/* And it writes its own fields only. */
	balloon_rig_set_config(&rig, 0, 7);
	balloon_rig_set_config(&rig, 8, 7);
	assert_int_equal(balloon_rig_config(&rig, 0), RIG_RAM / PAGE);
	assert_int_equal(balloon_rig_config(&rig, 8), 0);

	/* The wish outlasts the driver, what that said does not. */
	virtio_set_status(rig.dev, 0);
	assert_false(balloon_rig_look(&rig).driver);
	assert_int_equal(balloon_rig_look(&rig).actual, 0);
	assert_int_equal(balloon_rig_config(&rig, 0), RIG_RAM / PAGE);
	rig_fini(&rig);
}

static void pages_leave(void **state)
{
	const uint32_t first = PAGES / PAGE;
	const uint32_t up[] = { first, first + 1, first + 2 };
	const uint32_t down[] = { first + 9, first + 8, first + 7 };
	const uint32_t apart[] = { first + 20, first + 30, first + 30, first + 25 };
	struct dev_rig rig;
	unsigned before;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	before = balloon_rig_resident(&rig);
	balloon_rig_hand_over(&rig, up, 3);
	balloon_rig_hand_over(&rig, down, 3);
	balloon_rig_hand_over(&rig, apart, 4);
	assert_int_equal(before - balloon_rig_resident(&rig), 9);
	assert_int_equal(balloon_rig_look(&rig).inflated, 10 * PAGE); /* one of them twice */
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0), 3);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 3 * PAGE, 0x5a), 4);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 7 * PAGE, 0), 3);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 10 * PAGE, 0x5a), 10);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 20 * PAGE, 0), 1);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 21 * PAGE, 0x5a), 4);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 25 * PAGE, 0), 1);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + 30 * PAGE, 0), 1);

	/* Taken back: nothing to do but the answer. */
	balloon_rig_list(&rig, up, 3);
	assert_int_equal(rig_do(&rig, DEFLATE, &(struct dr_buf){ LIST, 12, false }, 1), 0);
	memset(rig_at(&rig, PAGES), 1, PAGE);
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 1), 1);
	assert_false(rig_broken(&rig));
	rig_fini(&rig);
}

/* A list in several buffers, cut in the middle of a number, with a rest that is none. */
static void framing_means_nothing(void **state)
{
	const uint32_t first = PAGES / PAGE;
	const uint32_t pfns[] = { first, first + 1, first + 2, first + 3 };
	const struct dr_buf bufs[] = {
		{ LIST, 3, false },	 { LIST + 3, 0, false },     { LIST + 3, 10, false },
		{ LIST + 13, 2, false }, { LIST + 0x100, 16, true },
	};
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, 0, 2);
	balloon_rig_list(&rig, pfns, 4);
	assert_int_equal(rig_do(&rig, INFLATE, bufs, 5), 0);
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0), 3);
	assert_int_equal(balloon_rig_look(&rig).inflated, 3 * PAGE);
	rig_fini(&rig);
}

/* Memory that another process sees too goes out of its file. */
static void shared_memory(void **state)
{
	const uint32_t first = PAGES / PAGE;
	const uint32_t pfns[] = { first, first + 1 };
	struct dev_rig rig;
	uint8_t byte = 1;
	unsigned before;
	int fd;

	(void)state;
	rig_init(&rig);
	mem_destroy(rig.mem);
	fd = mem_share_create(RIG_RAM, false);
	assert_true(fd >= 0);
	assert_int_equal(mem_create(&rig.mem), 0);
	assert_int_equal(mem_share(rig.mem, fd), 0);
	assert_int_equal(mem_add(rig.mem, gpa(0), RIG_RAM, MEM_RAM), 0);
	assert_int_equal(virtio_balloon_create(rig.mem, rig.loop, &rig.dev), 0);
	rig_start(&rig, ALL_FEATURES, 5);
	memset(rig_at(&rig, LIST), 0x5a, RIG_RAM - LIST);
	before = balloon_rig_resident(&rig);
	balloon_rig_hand_over(&rig, pfns, 2);
	assert_int_equal(before - balloon_rig_resident(&rig), 2);
	assert_int_equal(pread(fd, &byte, 1, PAGES), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(pread(fd, &byte, 1, PAGES + 2 * PAGE), 1);
	assert_int_equal(byte, 0x5a);
	rig_fini(&rig);
	close(fd);
}

static void ring_sizes(void **state)
{
	(void)state;
	for (unsigned size = 1; size <= 128; size *= 2) {
		const uint32_t pfn = PAGES / PAGE;
		struct dev_rig rig;

		rig_init(&rig);
		rig.ring_size = size;
		assert_int_equal(virtio_balloon_create(rig.mem, rig.loop, &rig.dev), 0);
		for (unsigned turn = 0; turn < 3; turn++) {
			rig_start(&rig, ALL_FEATURES, 5);
			memset(rig_at(&rig, LIST), 0x5a, RIG_RAM - LIST);
			for (unsigned i = 0; i < 300; i++) {
				balloon_rig_list(&rig, &pfn, 1);
				assert_int_equal(rig_do(&rig, INFLATE,
							&(struct dr_buf){ LIST, 4, false }, 1),
						 0);
			}
			assert_int_equal(balloon_rig_pages(&rig, PAGES, 0), 1);
		}
		rig_fini(&rig);
	}
}

static void put_stat(struct dev_rig *rig, unsigned at, uint16_t tag, uint64_t value)
{
	le16_store(rig_at(rig, LIST + at * 10), tag);
	le64_store(rig_at(rig, LIST + at * 10 + 2), value);
}

static void statistics(void **state)
{
	struct virtio_balloon_info info;
	struct dev_rig rig;
	uint32_t id;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	assert_int_equal(balloon_rig_look(&rig).stats_known, 0);
	put_stat(&rig, 0, 4, 111);
	put_stat(&rig, 1, 0xffff, 5);
	put_stat(&rig, 2, VIRTIO_BALLOON_STATS, 5);
	put_stat(&rig, 3, 5, UINT64_MAX);
	/* The last one is cut. */
	rig_offer(&rig, STAT_QUEUE, 3, &(struct dr_buf){ LIST, 49, false }, 1);
	rig_settle(&rig);
	assert_int_equal(dr_used_idx(&rig.ring[STAT_QUEUE]), 0);
	info = balloon_rig_look(&rig);
	assert_int_equal(info.stats_known, 1 << 4 | 1 << 5);
	assert_int_equal(info.stats[4], 111);
	assert_true(info.stats[5] == UINT64_MAX);
	/* A look asks for more: the driver has its buffer back. */
	rig_used(&rig, STAT_QUEUE, &id, NULL);
	assert_int_equal(id, 3);
	put_stat(&rig, 0, 4, 222);
	rig_offer(&rig, STAT_QUEUE, 0, &(struct dr_buf){ LIST, 10, false }, 1);
	rig_settle(&rig);
	info = balloon_rig_look(&rig);
	assert_int_equal(info.stats_known, 1 << 4);
	assert_int_equal(info.stats[4], 222);
	assert_true(info.stats_age_ns < UINT64_C(20000000000));
	rig_used(&rig, STAT_QUEUE, &id, NULL);

	/* Two at once: the first comes back. None: a look waits for nobody. */
	rig_offer(&rig, STAT_QUEUE, 0, &(struct dr_buf){ LIST, 10, false }, 1);
	rig_offer(&rig, STAT_QUEUE, 1, &(struct dr_buf){ LIST, 0, false }, 1);
	rig_settle(&rig);
	rig_used(&rig, STAT_QUEUE, &id, NULL);
	assert_int_equal(id, 0);
	assert_int_equal(balloon_rig_look(&rig).stats_known, 0);
	(void)balloon_rig_look(&rig);
	rig_used(&rig, STAT_QUEUE, &id, NULL);
	assert_int_equal(id, 1);
	assert_false(rig_broken(&rig));
	/* A reset while we hold one. */
	rig_offer(&rig, STAT_QUEUE, 0, &(struct dr_buf){ LIST, 10, false }, 1);
	rig_settle(&rig);
	rig_start(&rig, ALL_FEATURES, 5);
	assert_int_equal(balloon_rig_look(&rig).stats_known, 0);
	assert_int_equal(dr_used_idx(&rig.ring[STAT_QUEUE]), 0);
	rig_fini(&rig);
}

/* Row 29: numbers of pages that are no RAM, up to those that overflow when they become addresses. */
static void test_threat_29_pages(void **state)
{
	static const uint32_t bad[] = { RIG_RAM / PAGE, RIG_RAM / PAGE + 1, 0x100000,  0x7fffffff,
					0x80000000,	0xfffff000,	    0xffffffff };
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const uint32_t list[] = { PAGES / PAGE, bad[i], PAGES / PAGE + 5 };

		balloon_rig_list(&rig, list, 3);
		rig_offer(&rig, INFLATE, 0, &(struct dr_buf){ LIST, 12, false }, 1);
		rig_settle(&rig);
		assert_true(rig_broken(&rig));
		rig_start(&rig, ALL_FEATURES, 5);
	}
	/* The page behind the bad one was not looked at any more, and all the others stay. */
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0), 1);
	assert_int_equal(balloon_rig_pages(&rig, PAGES + PAGE, 0x5a), (RIG_RAM - PAGES) / PAGE - 1);
	rig_fini(&rig);
}

/* Row 29: nor read-only memory, nor the registers of devices, nor what lies across two regions. */
static void test_threat_29_kinds(void **state)
{
	static const uint64_t starts[] = { RIG_RAM, RIG_RAM + 0x10000, RIG_RAM + 0x20000 };
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	assert_int_equal(mem_add(rig.mem, gpa(starts[0]), 0x10000, MEM_READONLY), 0);
	assert_int_equal(mem_add(rig.mem, gpa(starts[1]), 0x10000, MEM_REGISTERS), 0);
	assert_int_equal(mem_add(rig.mem, gpa(starts[2]), 0x10000, MEM_HOLE), 0);
	memset(mem_registers(rig.mem, gpa(starts[1])), 0x5a, 0x10000);
	for (size_t i = 0; i < 3; i++) {
		const uint32_t list[] = { (uint32_t)(starts[i] / PAGE) - 1,
					  (uint32_t)(starts[i] / PAGE) };

		balloon_rig_list(&rig, list, 2);
		rig_offer(&rig, INFLATE, 0, &(struct dr_buf){ LIST, 8, false }, 1);
		rig_settle(&rig);
		assert_true(rig_broken(&rig));
		rig_start(&rig, ALL_FEATURES, 5);
		rig_offer(&rig, REPORT_QUEUE, 0, &(struct dr_buf){ starts[i], PAGE, true }, 1);
		rig_settle(&rig);
		assert_true(rig_broken(&rig));
		rig_start(&rig, ALL_FEATURES, 5);
	}
	assert_int_equal(*(uint8_t *)mem_registers(rig.mem, gpa(starts[1])), 0x5a);
	/* A run with such a page in it is refused whole. */
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0x5a), (RIG_RAM - PAGES) / PAGE);
	rig_fini(&rig);
}

/* Row 9: a list as long as memory itself is served, in turns of bounded length. */
static void test_threat_09_long_list(void **state)
{
	const struct dr_buf buf = { 0x80000, RIG_RAM - 0x80000, false };
	unsigned turns = 0;
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, 0, 2);
	/* Zeroes: page 0 over and over, which holds the rings; give the driver's back each time. */
	memset(rig_at(&rig, 0x80000), 0, RIG_RAM - 0x80000);
	for (uint64_t at = 0x80000; at < RIG_RAM; at += 4)
		le32_store(rig_at(&rig, at), 0x30000 / PAGE);
	rig_offer(&rig, INFLATE, 0, &buf, 1);
	while (loop_turn(rig.loop, 0) > 0) {
		turns++;
		assert_true(balloon_rig_look(&rig).inflated <= (uint64_t)turns * 1024 * PAGE);
	}
	assert_true(turns >= (RIG_RAM - 0x80000) / 4 / 1024);
	assert_int_equal(dr_used_idx(&rig.ring[INFLATE]), 1);
	/* And a reset in the middle of it. */
	rig_start(&rig, 0, 2);
	rig_offer(&rig, INFLATE, 0, &buf, 1);
	assert_int_equal(loop_turn(rig.loop, 0), 1);
	rig_start(&rig, 0, 2);
	assert_int_equal(loop_turn(rig.loop, 0), 0);
	assert_int_equal(dr_used_idx(&rig.ring[INFLATE]), 0);
	rig_fini(&rig);
}

/* Rows 5, 6 and 26: sizes of nothing and of too much. */
static void test_threat_05_06_26_lengths(void **state)
{
	static const struct dr_buf bad[] = {
		{ PAGES, RIG_RAM, true },
		{ RIG_RAM, 1, true },
		{ UINT64_MAX, 2, false },
		{ PAGES, UINT32_MAX, false },
	};
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	for (unsigned queue = 0; queue < 5; queue++) {
		for (uint32_t len = 0; len < 4; len++) {
			rig_offer(&rig, queue, 0, &(struct dr_buf){ LIST, len, false }, 1);
			rig_offer(&rig, queue, 1, &(struct dr_buf){ LIST, len, true }, 1);
			rig_settle(&rig);
			assert_false(rig_broken(&rig));
			rig_start(&rig, ALL_FEATURES, 5);
		}
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			rig_offer(&rig, queue, 0, &bad[i], 1);
			rig_settle(&rig);
			assert_true(rig_broken(&rig));
			rig_start(&rig, ALL_FEATURES, 5);
		}
	}
	assert_int_equal(balloon_rig_pages(&rig, PAGES, 0x5a), (RIG_RAM - PAGES) / PAGE);
	rig_fini(&rig);
}

/* Row 17: config space by every piece, inside and outside. */
static void test_threat_17_config(void **state)
{
	uint8_t bytes[64];
	struct dev_rig rig;

	(void)state;
	balloon_rig_open(&rig, ALL_FEATURES, 5);
	for (uint64_t at = 0; at < 24; at++) {
		for (size_t len = 1; len <= 8; len++) {
			memset(bytes, 0x77, sizeof(bytes));
			virtio_config_write(rig.dev, at, bytes, len);
			virtio_config_read(rig.dev, at, bytes, len);
			for (size_t i = 0; at + i < 24 && i < len; i++) {
				bool own = (at + i) / 4 == 1 || (at + i) / 4 == 3;

				assert_int_equal(bytes[i], at + i >= 16 ? 0xff : own ? 0x77 : 0);
			}
		}
	}
	rig_fini(&rig);
}

static int create(struct dev_rig *rig, struct virtio_dev **dev)
{
	return virtio_balloon_create(rig->mem, rig->loop, dev);
}

/* Row 12: creation that fails at each descriptor leaves nothing open. */
static void test_threat_12_create_fails(void **state)
{
	(void)state;
	rig_create_fails(create);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(a_target_is_told_and_bounded),
		cmocka_unit_test(pages_leave),
		cmocka_unit_test(framing_means_nothing),
		cmocka_unit_test(shared_memory),
		cmocka_unit_test(ring_sizes),
		cmocka_unit_test(statistics),
		cmocka_unit_test(test_threat_29_pages),
		cmocka_unit_test(test_threat_29_kinds),
		cmocka_unit_test(test_threat_09_long_list),
		cmocka_unit_test(test_threat_05_06_26_lengths),
		cmocka_unit_test(test_threat_17_config),
		cmocka_unit_test(test_threat_12_create_fails),
	};

	return cmocka_run_group_tests_name("balloon", tests, NULL, NULL);
}
