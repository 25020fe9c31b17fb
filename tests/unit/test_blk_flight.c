/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk with many requests in flight: all come back once, errors or not, memory and turns
 * of the loop are bounded, and flushes keep their promise (test_threat_NN is row NN of
 * docs/threats.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/blk_flight.h"

/* What a device may cost in KiB; sanitizers keep books of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RESIDENT_MAX (64 * 1024)
#else
#define RESIDENT_MAX 512
#endif

static void many_at_once(void **state)
{
	static const uint64_t features[] = { 0, VIRTIO_F_EVENT_IDX };

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		struct blk_flight b;

		blk_flight_open(&b, 4);
		rig_start(&b.rig, F_FLUSH | features[f], 1);
		stub_disk_shut(b.stub, true);
		for (unsigned i = 0; i < IN_FLIGHT; i++)
			blk_flight_offer(&b, i, i % 2 ? T_OUT : T_IN, i);
		for (unsigned i = 1; i < IN_FLIGHT; i += 2)
			memset(rig_at(&b.rig, blk_flight_slot(i) + PAYLOAD), 0xa0, 512);
		rig_settle(&b.rig);
		stub_disk_wait(b.stub, 4);
		assert_int_equal(dr_used_idx(&b.rig.ring[0]), 0);
		stub_disk_shut(b.stub, false);
		blk_flight_take_all(&b, IN_FLIGHT, 0);
		assert_int_equal(atomic_load(&b.stub->most), 4);
		for (unsigned i = 0; i < IN_FLIGHT; i++)
			assert_int_equal(i % 2 ? b.stub->data[i * 512 + 511]
					       : *rig_at(&b.rig,
							 blk_flight_slot(i) + PAYLOAD + 511),
					 i % 2 ? 0xa0 : i);
		blk_flight_close(&b);
	}
}

/* Row 8: more than the device holds waits in the ring, and comes in turn. */
static void test_threat_08_bounded_requests(void **state)
{
	struct blk_flight b;

	(void)state;
	blk_flight_open(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	stub_disk_shut(b.stub, true);
	for (unsigned i = 0; i < 85; i++)
		blk_flight_offer(&b, i, T_IN, i);
	rig_settle(&b.rig);
	stub_disk_wait(b.stub, 2);
	assert_int_equal(b.rig.dev->queues[0].in_flight, IN_FLIGHT);
	stub_disk_shut(b.stub, false);
	blk_flight_take_all(&b, 85, 0);
	for (unsigned i = 0; i < 85; i++)
		assert_int_equal(*rig_at(&b.rig, blk_flight_slot(i) + PAYLOAD), i);
	blk_flight_close(&b);
}

static long resident_kib(void)
{
	long pages = 0, total = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &total, &pages), 2);
	(void)fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Row 8: a device with two threads, used and in flight to the brim, costs little memory. */
static void test_threat_08_resident_memory(void **state)
{
	struct blk_flight b;
	long before, grown;

	(void)state;
	blk_flight_disk(&b);
	memset(rig_at(&b.rig, 0), 0, RIG_RAM);
	before = resident_kib();
	blk_flight_device(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	grown = resident_kib() - before;
	stub_disk_shut(b.stub, true);
	for (unsigned i = 0; i < 85; i++)
		blk_flight_offer(&b, i, T_IN, i);
	rig_settle(&b.rig);
	printf("# blk: %ld KiB when made, %ld KiB with all requests in flight\n", grown,
	       resident_kib() - before);
	assert_true(resident_kib() - before < RESIDENT_MAX);
	stub_disk_shut(b.stub, false);
	blk_flight_take_all(&b, 85, 0);
	blk_flight_close(&b);
}

/* One turn of the loop serves a bounded number, even if all of it can be served at once. */
static void others_get_a_turn(void **state)
{
	struct blk_flight b;

	(void)state;
	blk_flight_open(&b, 1);
	b.stub->nowait = true;
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 80; i++)
		blk_flight_offer(&b, i, T_IN, i);
	assert_int_equal(loop_turn(b.rig.loop, 60000), 1);
	assert_int_equal(dr_used_idx(&b.rig.ring[0]), 64);
	blk_flight_take_all(&b, 80, 0);
	blk_flight_close(&b);
}

static void served_without_threads_if_possible(void **state)
{
	struct blk_flight b;

	(void)state;
	blk_flight_open(&b, 1);
	b.stub->nowait = true;
	rig_start(&b.rig, F_FLUSH, 1);
	stub_disk_shut(b.stub, true); /* a blocking call would hang */
	for (unsigned i = 0; i < 10; i++)
		blk_flight_offer(&b, i, i % 2 ? T_OUT : T_IN, i);
	blk_flight_take_all(&b, 10, 0);
	assert_int_equal(atomic_load(&b.rig.irq.pulses) - b.rig.pulses, 0);
	stub_disk_shut(b.stub, false);
	blk_flight_close(&b);
}

/* Row 12: whatever call fails, each request comes back once and none is lost. */
static void test_threat_12_errors_at_each_step(void **state)
{
	static const int errors[] = { -EIO, -ENOSPC, -EINTR, -ENODATA };

	(void)state;
	for (unsigned step = 0; step < 24; step++) {
		unsigned bad = 0;
		struct blk_flight b;

		blk_flight_open(&b, 1 + step % 3);
		b.stub->fail_after = step;
		b.stub->fail_with = errors[step % 4];
		b.stub->nowait = step % 5 == 0;
		rig_start(&b.rig, F_FLUSH, 1);
		for (unsigned i = 0; i < 24; i++)
			blk_flight_offer(&b, i, i % 8 == 7 ? T_FLUSH : T_OUT, i);
		for (unsigned i = 0; i < 24; i++)
			rig_used(&b.rig, 0, NULL, NULL);
		for (unsigned i = 0; i < 24; i++) {
			assert_true(blk_flight_status(&b, i) <= 1);
			bad += blk_flight_status(&b, i);
		}
		assert_int_equal(bad, 24 - step);
		assert_int_equal(b.rig.dev->queues[0].in_flight, 0);
		blk_flight_close(&b);
	}
}

/* A flush comes after the writes that the driver has seen end, and is passed on. */
static void flush_after_writes(void **state)
{
	struct blk_flight b;

	(void)state;
	blk_flight_open(&b, 4);
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 20; i++)
		blk_flight_offer(&b, i, T_OUT, i);
	blk_flight_take_all(&b, 20, 0);
	assert_int_equal(atomic_load(&b.stub->writes), 20);
	assert_int_equal(atomic_load(&b.stub->flushes), 0);
	assert_int_equal(atomic_load(&b.stub->durable), 0);
	blk_flight_offer(&b, 0, T_FLUSH, 0);
	blk_flight_take_all(&b, 1, 0);
	assert_int_equal(atomic_load(&b.stub->flushes), 1);
	b.stub->fail_after = 0;
	blk_flight_offer(&b, 0, T_FLUSH, 0);
	blk_flight_take_all(&b, 1, 1);
	blk_flight_close(&b);
}

/* A driver without flush gets each write on stable storage before its end. */
static void without_flush_writes_are_durable(void **state)
{
	struct blk_flight b;

	(void)state;
	blk_flight_open(&b, 2);
	b.stub->nowait = true;
	rig_start(&b.rig, F_DISCARD, 1);
	for (unsigned i = 0; i < 5; i++)
		blk_flight_offer(&b, i, T_OUT, i);
	blk_flight_take_all(&b, 5, 0);
	assert_int_equal(atomic_load(&b.stub->durable), 5);
	le64_store(rig_at(&b.rig, blk_flight_slot(0) + PAYLOAD), 0);
	le32_store(rig_at(&b.rig, blk_flight_slot(0) + PAYLOAD + 8), 1);
	le32_store(rig_at(&b.rig, blk_flight_slot(0) + PAYLOAD + 12), 0);
	rig_offer(&b.rig, 0, 0,
		  (const struct dr_buf[]){
			  { ODD, 16, false },
			  { blk_flight_slot(0) + PAYLOAD, 16, false },
			  { blk_flight_slot(0) + STATUS, 1, true },
		  },
		  3);
	le32_store(rig_at(&b.rig, ODD), T_DISCARD);
	blk_flight_take_all(&b, 1, 0);
	assert_int_equal(atomic_load(&b.stub->discards), 1);
	assert_int_equal(atomic_load(&b.stub->flushes), 1);
	blk_flight_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(test_threat_08_resident_memory),
		cmocka_unit_test(test_threat_08_bounded_requests),
		cmocka_unit_test(others_get_a_turn),
		cmocka_unit_test(served_without_threads_if_possible),
		cmocka_unit_test(test_threat_12_errors_at_each_step),
		cmocka_unit_test(flush_after_writes),
		cmocka_unit_test(without_flush_writes_are_durable),
	};

	return cmocka_run_group_tests_name("blk_flight", tests, NULL, NULL);
}
