/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk with a driver whose chains lie about lengths and places, or change (test_threat_NN
 * is row NN of docs/threats.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/blk_flight.h"

/* Whether this build reports races. */
#ifdef __SANITIZE_THREAD__
#define RACES_FOUND true
#else
#define RACES_FOUND false
#endif

/* A started device: where the status of its odd chains is. */
static uint8_t *open_odd(struct blk_flight *b)
{
	blk_flight_open(b, 1);
	rig_start(&b->rig, F_FLUSH, 1);
	return rig_at(&b->rig, ODD + 0x800);
}

/* A chain of @count buffers: what the device makes of it, 0xff for a broken device. */
static uint8_t odd_chain(struct blk_flight *b, const struct dr_buf *bufs, unsigned count,
			 uint8_t *status)
{
	uint32_t id;

	*status = S_NONE;
	rig_offer(&b->rig, 0, 0, bufs, count);
	rig_settle(&b->rig);
	if (rig_broken(&b->rig)) {
		assert_int_equal(*status, S_NONE);
		rig_start(&b->rig, F_FLUSH, 1);
		return 0xff;
	}
	rig_used(&b->rig, 0, &id, NULL);
	assert_int_equal(b->rig.dev->queues[0].in_flight, 0);
	return *status;
}

/* Row 4: the header up to the last byte of RAM, and one beyond. */
static void test_threat_04_header_at_the_end_of_ram(void **state)
{
	uint8_t *status;
	struct blk_flight b;

	(void)state;
	status = open_odd(&b);
	memset(rig_at(&b.rig, RIG_RAM - 16), 0, 16);
	for (uint64_t at = RIG_RAM - 16; at < RIG_RAM; at++) {
		struct dr_buf bufs[] = {
			{ at, 16, false },
			{ ODD, 512, true },
			{ ODD + 0x800, 1, true },
		};

		assert_int_equal(odd_chain(&b, bufs, 3, status), at == RIG_RAM - 16 ? 0 : 0xff);
	}
	blk_flight_close(&b);
}

/* Row 5: lengths that lie, in each of the three places. */
static void test_threat_05_lengths(void **state)
{
	static const uint32_t lens[] = { 0,	1,	    2,		15,	   16,	 17,
					 511,	512,	    513,	1024,	   4096, 8192,
					 65536, 0x7fffffff, 0x80000000, 0xffffffff };
	uint8_t *status;
	struct blk_flight b;

	(void)state;
	status = open_odd(&b);
	for (size_t i = 0; i < ARRAY_SIZE(lens) * 3; i++) {
		struct dr_buf bufs[] = {
			{ ODD - 0x100, 16, false },
			{ ODD, 512, true },
			{ ODD + 0x800, 1, true },
		};
		uint32_t len = lens[i / 3];
		uint8_t expect = 1, got;

		memset(rig_at(&b.rig, ODD - 0x100), 0, 16);
		bufs[i % 3].len = len;
		if (len >= 0x7fffffff || (i % 3 == 2 && len > RIG_RAM - ODD - 0x800))
			expect = 0xff;
		else if (i % 3 == 0 && len == 16)
			expect = 0;
		else if (i % 3 == 1 && len % 512 == 0 && len <= SECTORS * 512)
			expect = 0;
		else if (i % 3 == 2 && len == 1)
			expect = 0;
		else if (i % 3 == 2 && len == 0)
			expect = S_NONE; /* the status is the last byte of the data then */
		else if (i % 3 == 2 && (512 + len - 1) % 512 == 0)
			expect = S_NONE; /* a longer read, the status at its end */
		got = odd_chain(&b, bufs, 3, status);
		/* A long read or a longer last buffer puts the status elsewhere. */
		if (i % 3 == 2 && len > 1 && len < 0x7fffffff)
			got = expect == S_NONE ? S_NONE : *rig_at(&b.rig, ODD + 0x800 + len - 1);
		if (got != expect && !(i % 3 == 1 && len > 2048))
			fail_msg("place %zu length %u: %u, not %u", i % 3, len, got, expect);
	}
	blk_flight_close(&b);
}

/* Too short for a header: an error. No room for a status: the device gives the driver up. */
static void short_chains(void **state)
{
	uint8_t *status;
	struct blk_flight b;

	(void)state;
	status = open_odd(&b);
	for (uint32_t len = 0; len < 16; len++) {
		struct dr_buf bufs[] = { { ODD, len, false }, { ODD + 0x800, 1, true } };

		assert_int_equal(odd_chain(&b, bufs, 2, status), 1);
	}
	for (uint32_t type = 0; type < 16; type++) {
		struct dr_buf bufs[] = { { ODD, 16, false }, { ODD + 0x400, 512, false } };

		le32_store(rig_at(&b.rig, ODD), type);
		assert_int_equal(odd_chain(&b, bufs, 2, status), 0xff);
		assert_int_equal(odd_chain(&b, bufs, 1, status), 0xff);
	}
	assert_int_equal(atomic_load(&b.stub->writes), 0);
	blk_flight_close(&b);
}

/* Row 6: data in a hole, and wrapping the address space. */
static void test_threat_06_data_outside_ram(void **state)
{
	static const uint64_t addrs[] = { RIG_RAM,	    RIG_RAM - 511,  0xc0000000,
					  UINT64_MAX - 511, UINT64_MAX - 3, UINT64_C(1) << 63 };
	uint8_t *status;
	struct blk_flight b;

	(void)state;
	status = open_odd(&b);
	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		struct dr_buf bufs[] = {
			{ ODD, 16, false },
			{ addrs[i], 512, true },
			{ ODD + 0x800, 1, true },
		};

		memset(rig_at(&b.rig, ODD), 0, 16);
		assert_int_equal(odd_chain(&b, bufs, 3, status), 0xff);
	}
	assert_int_equal(atomic_load(&b.stub->reads), 0);
	blk_flight_close(&b);
}

/* Rows 9 and 26: nothing to do, in many ways, ends. */
static void test_threat_09_26_zero_sizes(void **state)
{
	uint8_t *status;
	struct blk_flight b;

	(void)state;
	status = open_odd(&b);
	for (uint32_t type = 0; type < 16; type++) {
		struct dr_buf bufs[200] = { { ODD, 16, false } };

		memset(rig_at(&b.rig, ODD), 0, 16);
		le32_store(rig_at(&b.rig, ODD), type);
		for (unsigned i = 1; i < 199; i++)
			bufs[i] = (struct dr_buf){ ODD + i, 0, i > 100 };
		bufs[199] = (struct dr_buf){ ODD + 0x800, 1, true };
		assert_int_equal(odd_chain(&b, bufs, 200, status),
				 type < 2 || type == T_FLUSH || type == T_GET_ID ? 0 : 2);
	}
	assert_int_equal(atomic_load(&b.stub->reads) + atomic_load(&b.stub->writes), 0);
	blk_flight_close(&b);
}

struct flipper {
	uint8_t *header;
	atomic_bool stop;
};

/* Turns a good header into a bad one and back, all the time. */
static void *flip(void *arg)
{
	struct flipper *f = arg;
	volatile uint8_t *h = f->header;

	for (unsigned i = 0; !atomic_load(&f->stop); i++) {
		h[0] = (uint8_t)(i % 5);
		h[10] = (uint8_t)(i % 7);
		h[15] = (uint8_t)(i % 2 ? 0x80 : 0);
	}
	return NULL;
}

/* Row 14: the header changes while it is judged; the disk sees no range that it does not have. */
static void test_threat_14_header_flips(void **state)
{
	struct flipper f = { .stop = false };
	unsigned seen[3] = { 0 };
	pthread_t thread;
	struct blk_flight b;

	(void)state;
	if (RACES_FOUND)
		skip(); /* this race is the guest's, and the point */
	blk_flight_open(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	f.header = rig_at(&b.rig, ODD);
	memset(f.header, 0, 16);
	assert_int_equal(pthread_create(&thread, NULL, flip, &f), 0);
	for (unsigned i = 0; i < 3000; i++) {
		struct dr_buf bufs[] = {
			{ ODD, 16, false },
			{ ODD + 0x200, i % 2 ? 512 : 0, false },
			{ ODD + 0x400, i % 2 ? 0 : 512, true },
			{ ODD + 0x800, 1, true },
		};

		(void)rig_do(&b.rig, 0, bufs, 4);
		assert_true(*rig_at(&b.rig, ODD + 0x800) <= 2);
		seen[*rig_at(&b.rig, ODD + 0x800)]++;
	}
	atomic_store(&f.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	printf("# %u good, %u bad, %u unknown\n", seen[0], seen[1], seen[2]);
	assert_false(rig_broken(&b.rig));
	blk_flight_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threat_04_header_at_the_end_of_ram),
		cmocka_unit_test(test_threat_05_lengths),
		cmocka_unit_test(short_chains),
		cmocka_unit_test(test_threat_06_data_outside_ram),
		cmocka_unit_test(test_threat_09_26_zero_sizes),
		cmocka_unit_test(test_threat_14_header_flips),
	};

	return cmocka_run_group_tests_name("blk_lies", tests, NULL, NULL);
}
