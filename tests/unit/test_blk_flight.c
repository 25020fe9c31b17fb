/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk with many requests in flight: all come back once, resets and ends wait for them,
 * memory is bounded, errors and a hostile driver harm nothing. The numbers are rows of docs on
 * threats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"

enum {
	T_IN = 0,
	T_OUT = 1,
	T_FLUSH = 4,
	T_GET_ID = 8,
	T_DISCARD = 11,
	S_NONE = 0xee,
	SECTORS = 1024,
	IN_FLIGHT = 64, /* what the device takes at most */
	/* One request of many: its header, status and 512 bytes. */
	SLOT = 0x800,
	STATUS = 0x20,
	PAYLOAD = 0x400,
	/* A page of the guest with a header, for the odd ones. */
	ODD = RIG_DATA + 0x200000,
};

/* What a device may cost in KiB; sanitizers keep books of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RESIDENT_MAX (64 * 1024)
#else
#define RESIDENT_MAX 512
#endif

/* Whether this build reports races. */
#ifdef __SANITIZE_THREAD__
#define RACES_FOUND true
#else
#define RACES_FOUND false
#endif

#define F_FLUSH	  (UINT64_C(1) << 9)
#define F_DISCARD (UINT64_C(1) << 13)

struct bench {
	struct dev_rig rig;
	struct stub_disk *stub;
	atomic_bool closed;
};

static void make_disk(struct bench *b)
{
	rig_init(&b->rig);
	b->rig.ring_size = 256;
	b->stub = stub_disk_new(SECTORS * 512);
	b->stub->closed = &b->closed;
	atomic_store(&b->closed, false);
	for (unsigned i = 0; i < SECTORS; i++)
		memset(b->stub->data + i * 512, (int)i, 512);
}

static void make_device(struct bench *b, unsigned threads)
{
	struct virtio_blk_config config = { .threads = threads };

	config.disk = &b->stub->disk;
	assert_int_equal(virtio_blk_create(&config, 3, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
	assert_string_equal(b->rig.dev->name, "blk3");
}

static void open_bench(struct bench *b, unsigned threads)
{
	make_disk(b);
	make_device(b, threads);
}

static void close_bench(struct bench *b)
{
	assert_int_equal(atomic_load(&b->stub->outside), 0);
	rig_fini(&b->rig);
	assert_true(atomic_load(&b->closed));
}

static uint64_t slot_at(unsigned i)
{
	return RIG_DATA + (uint64_t)i * SLOT;
}

static uint8_t status_of(struct bench *b, unsigned i)
{
	return *rig_at(&b->rig, slot_at(i) + STATUS);
}

/* Offers request @i of one sector, in descriptors 3i to 3i + 2. */
static void offer(struct bench *b, unsigned i, uint32_t type, uint64_t sector)
{
	struct dr_buf bufs[] = {
		{ slot_at(i), 16, false },
		{ slot_at(i) + PAYLOAD, type == T_FLUSH ? 0 : 512, type == T_IN },
		{ slot_at(i) + STATUS, 1, true },
	};
	uint8_t *h = rig_at(&b->rig, slot_at(i));

	le32_store(h, type);
	le32_store(h + 4, 0);
	le64_store(h + 8, sector);
	h[STATUS] = S_NONE;
	rig_offer(&b->rig, 0, (uint16_t)(3 * i), bufs, 3);
}

/* Takes @count used entries, each of them one of the requests 0 .. count-1, and each once. */
static void take_all(struct bench *b, unsigned count, uint8_t status)
{
	bool seen[128] = { false };

	for (unsigned n = 0; n < count; n++) {
		uint32_t id;

		rig_used(&b->rig, 0, &id, NULL);
		assert_int_equal(id % 3, 0);
		assert_true(id / 3 < count);
		assert_false(seen[id / 3]);
		seen[id / 3] = true;
		assert_int_equal(status_of(b, id / 3), status);
	}
	rig_settle(&b->rig);
	assert_false(dr_take_used(&b->rig.ring[0], NULL, NULL));
}

static void wait_running(struct bench *b, unsigned count)
{
	for (unsigned i = 0; atomic_load(&b->stub->running) < count; i++) {
		assert_true(i < RIG_WAIT_MS);
		(void)usleep(1000);
	}
}

static void many_at_once(void **state)
{
	static const uint64_t features[] = { 0, VIRTIO_F_EVENT_IDX };

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		struct bench b;

		open_bench(&b, 4);
		rig_start(&b.rig, F_FLUSH | features[f], 1);
		stub_disk_shut(b.stub, true);
		for (unsigned i = 0; i < IN_FLIGHT; i++)
			offer(&b, i, i % 2 ? T_OUT : T_IN, i);
		for (unsigned i = 1; i < IN_FLIGHT; i += 2)
			memset(rig_at(&b.rig, slot_at(i) + PAYLOAD), 0xa0, 512);
		rig_settle(&b.rig);
		wait_running(&b, 4);
		assert_int_equal(dr_used_idx(&b.rig.ring[0]), 0);
		stub_disk_shut(b.stub, false);
		take_all(&b, IN_FLIGHT, 0);
		assert_int_equal(atomic_load(&b.stub->most), 4);
		for (unsigned i = 0; i < IN_FLIGHT; i++)
			assert_int_equal(i % 2 ? b.stub->data[i * 512 + 511]
					       : *rig_at(&b.rig, slot_at(i) + PAYLOAD + 511),
					 i % 2 ? 0xa0 : i);
		close_bench(&b);
	}
}

/* Row 8: more than the device holds waits in the ring, and comes in turn. */
static void test_threat_08_bounded_requests(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	stub_disk_shut(b.stub, true);
	for (unsigned i = 0; i < 85; i++)
		offer(&b, i, T_IN, i);
	rig_settle(&b.rig);
	wait_running(&b, 2);
	assert_int_equal(b.rig.dev->queues[0].in_flight, IN_FLIGHT);
	stub_disk_shut(b.stub, false);
	take_all(&b, 85, 0);
	for (unsigned i = 0; i < 85; i++)
		assert_int_equal(*rig_at(&b.rig, slot_at(i) + PAYLOAD), i);
	close_bench(&b);
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
	struct bench b;
	long before, grown;

	(void)state;
	make_disk(&b);
	memset(rig_at(&b.rig, 0), 0, RIG_RAM);
	before = resident_kib();
	make_device(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	grown = resident_kib() - before;
	stub_disk_shut(b.stub, true);
	for (unsigned i = 0; i < 85; i++)
		offer(&b, i, T_IN, i);
	rig_settle(&b.rig);
	printf("# blk: %ld KiB when made, %ld KiB with all requests in flight\n", grown,
	       resident_kib() - before);
	assert_true(resident_kib() - before < RESIDENT_MAX);
	stub_disk_shut(b.stub, false);
	take_all(&b, 85, 0);
	close_bench(&b);
}

/* One turn of the loop serves a bounded number, even if all of it can be served at once. */
static void others_get_a_turn(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, 1);
	b.stub->nowait = true;
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 80; i++)
		offer(&b, i, T_IN, i);
	assert_int_equal(loop_turn(b.rig.loop, 60000), 1);
	assert_int_equal(dr_used_idx(&b.rig.ring[0]), 64);
	take_all(&b, 80, 0);
	close_bench(&b);
}

static void served_without_threads_if_possible(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, 1);
	b.stub->nowait = true;
	rig_start(&b.rig, F_FLUSH, 1);
	stub_disk_shut(b.stub, true); /* a blocking call would hang */
	for (unsigned i = 0; i < 10; i++)
		offer(&b, i, i % 2 ? T_OUT : T_IN, i);
	take_all(&b, 10, 0);
	assert_int_equal(atomic_load(&b.rig.irq.pulses) - b.rig.pulses, 0);
	stub_disk_shut(b.stub, false);
	close_bench(&b);
}

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
	struct bench b;

	(void)state;
	open_bench(&b, 3);
	for (unsigned round = 0; round < 5; round++) {
		rig_start(&b.rig, F_FLUSH, 1);
		stub_disk_shut(b.stub, true);
		for (unsigned i = 0; i < 85; i++)
			offer(&b, i, i % 3 ? T_IN : T_OUT, i);
		rig_settle(&b.rig);
		wait_running(&b, 3);
		assert_int_equal(pthread_create(&thread, NULL, open_later, b.stub), 0);
		virtio_set_status(b.rig.dev, 0);
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
		offer(&b, i, T_IN, i + 100);
	take_all(&b, 85, 0);
	close_bench(&b);
}

/* Rows 8, 9: what no thread has begun is dropped by a reset, which would take hours on a slow disk else. */
static void test_threat_08_09_reset_drops_what_waits(void **state)
{
	unsigned begun;
	pthread_t thread;
	struct bench b;

	(void)state;
	open_bench(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	stub_disk_shut(b.stub, true);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		offer(&b, i, T_IN, i);
	rig_settle(&b.rig);
	wait_running(&b, 2);
	begun = atomic_load(&b.stub->reads);
	assert_int_equal(pthread_create(&thread, NULL, open_later, b.stub), 0);
	virtio_set_status(b.rig.dev, 0);
	assert_int_equal(atomic_load(&b.stub->running), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load(&b.stub->reads), begun);
	/* None of the places for requests is lost. */
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		offer(&b, i, T_IN, i);
	take_all(&b, IN_FLIGHT, 0);
	close_bench(&b);
}

/* Row 9: of one long request what was not yet done is left, too; without a reset all of it is done. */
static void test_threat_09_reset_cuts_a_long_request(void **state)
{
	enum { PARTS = 6, PART = 7 << 20, STEP = 16 << 20, HEAD = 0x80000 };

	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		struct dr_buf bufs[PARTS + 2] = { { HEAD, 16, false } };
		pthread_t thread;
		struct bench b;

		rig_init(&b.rig);
		b.stub = stub_disk_new((uint64_t)PARTS * PART);
		b.stub->closed = &b.closed;
		atomic_store(&b.closed, false);
		make_device(&b, 1);
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
		wait_running(&b, 1);
		assert_int_equal(pthread_create(&thread, NULL, open_later, b.stub), 0);
		if (reset)
			virtio_set_status(b.rig.dev, 0);
		else
			rig_used(&b.rig, 0, NULL, NULL);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(atomic_load(&b.stub->running), 0);
		assert_int_equal(b.stub->data[STEP - 1], 0x55);
		assert_int_equal(b.stub->data[STEP], reset ? 0 : 0x55);
		assert_int_equal(b.stub->data[PARTS * PART - 1], reset ? 0 : 0x55);
		close_bench(&b);
	}
}

/* Row 11: the device ends while requests are in flight, some of them finished and not reaped. */
static void test_threat_11_end_in_flight(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct stub_disk *stub;
		pthread_t thread;
		struct bench b;

		open_bench(&b, 3);
		rig_start(&b.rig, F_FLUSH, 1);
		stub = b.stub;
		stub_disk_keep(
			stub); /* a device that has begun nothing yet does not wait for the thread */
		stub_disk_shut(stub, round % 2);
		for (unsigned i = 0; i < 40; i++)
			offer(&b, i, T_IN, i);
		(void)loop_turn(b.rig.loop, 0);
		assert_int_equal(pthread_create(&thread, NULL, open_later, b.stub), 0);
		if (round % 2 == 0)
			assert_int_equal(pthread_join(thread, NULL), 0);
		close_bench(&b);
		if (round % 2)
			assert_int_equal(pthread_join(thread, NULL), 0);
		stub_disk_leave(stub);
	}
}

/* Row 11: the driver breaks its queue while requests are in flight. */
static void test_threat_11_broken_in_flight(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, 2);
	rig_start(&b.rig, F_FLUSH, 1);
	stub_disk_shut(b.stub, true);
	for (unsigned i = 0; i < 10; i++)
		offer(&b, i, T_IN, i);
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
		offer(&b, i, T_IN, i);
	take_all(&b, 85, 0);
	close_bench(&b);
}

/* Row 12: whatever call fails, each request comes back once and none is lost. */
static void test_threat_12_errors_at_each_step(void **state)
{
	static const int errors[] = { -EIO, -ENOSPC, -EINTR, -ENODATA };

	(void)state;
	for (unsigned step = 0; step < 24; step++) {
		unsigned bad = 0;
		struct bench b;

		open_bench(&b, 1 + step % 3);
		b.stub->fail_after = step;
		b.stub->fail_with = errors[step % 4];
		b.stub->nowait = step % 5 == 0;
		rig_start(&b.rig, F_FLUSH, 1);
		for (unsigned i = 0; i < 24; i++)
			offer(&b, i, i % 8 == 7 ? T_FLUSH : T_OUT, i);
		for (unsigned i = 0; i < 24; i++)
			rig_used(&b.rig, 0, NULL, NULL);
		for (unsigned i = 0; i < 24; i++) {
			assert_true(status_of(&b, i) <= 1);
			bad += status_of(&b, i);
		}
		assert_int_equal(bad, 24 - step);
		assert_int_equal(b.rig.dev->queues[0].in_flight, 0);
		close_bench(&b);
	}
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

/* A flush comes after the writes that the driver has seen end, and is passed on. */
static void flush_after_writes(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, 4);
	rig_start(&b.rig, F_FLUSH, 1);
	for (unsigned i = 0; i < 20; i++)
		offer(&b, i, T_OUT, i);
	take_all(&b, 20, 0);
	assert_int_equal(atomic_load(&b.stub->writes), 20);
	assert_int_equal(atomic_load(&b.stub->flushes), 0);
	assert_int_equal(atomic_load(&b.stub->durable), 0);
	offer(&b, 0, T_FLUSH, 0);
	take_all(&b, 1, 0);
	assert_int_equal(atomic_load(&b.stub->flushes), 1);
	b.stub->fail_after = 0;
	offer(&b, 0, T_FLUSH, 0);
	take_all(&b, 1, 1);
	close_bench(&b);
}

/* A driver without flush gets each write on stable storage before its end. */
static void without_flush_writes_are_durable(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, 2);
	b.stub->nowait = true;
	rig_start(&b.rig, F_DISCARD, 1);
	for (unsigned i = 0; i < 5; i++)
		offer(&b, i, T_OUT, i);
	take_all(&b, 5, 0);
	assert_int_equal(atomic_load(&b.stub->durable), 5);
	le64_store(rig_at(&b.rig, slot_at(0) + PAYLOAD), 0);
	le32_store(rig_at(&b.rig, slot_at(0) + PAYLOAD + 8), 1);
	le32_store(rig_at(&b.rig, slot_at(0) + PAYLOAD + 12), 0);
	rig_offer(&b.rig, 0, 0,
		  (const struct dr_buf[]){
			  { ODD, 16, false },
			  { slot_at(0) + PAYLOAD, 16, false },
			  { slot_at(0) + STATUS, 1, true },
		  },
		  3);
	le32_store(rig_at(&b.rig, ODD), T_DISCARD);
	take_all(&b, 1, 0);
	assert_int_equal(atomic_load(&b.stub->discards), 1);
	assert_int_equal(atomic_load(&b.stub->flushes), 1);
	close_bench(&b);
}

/* A chain of @count buffers: what the device makes of it, 0xff for a broken device. */
static uint8_t odd_chain(struct bench *b, const struct dr_buf *bufs, unsigned count,
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
	struct bench b;

	(void)state;
	open_bench(&b, 1);
	rig_start(&b.rig, F_FLUSH, 1);
	status = rig_at(&b.rig, ODD + 0x800);
	memset(rig_at(&b.rig, RIG_RAM - 16), 0, 16);
	for (uint64_t at = RIG_RAM - 16; at < RIG_RAM; at++) {
		struct dr_buf bufs[] = {
			{ at, 16, false },
			{ ODD, 512, true },
			{ ODD + 0x800, 1, true },
		};

		assert_int_equal(odd_chain(&b, bufs, 3, status), at == RIG_RAM - 16 ? 0 : 0xff);
	}
	close_bench(&b);
}

/* Row 5: lengths that lie, in each of the three places. */
static void test_threat_05_lengths(void **state)
{
	static const uint32_t lens[] = { 0,	1,	    2,		15,	   16,	 17,
					 511,	512,	    513,	1024,	   4096, 8192,
					 65536, 0x7fffffff, 0x80000000, 0xffffffff };
	uint8_t *status;
	struct bench b;

	(void)state;
	open_bench(&b, 1);
	rig_start(&b.rig, F_FLUSH, 1);
	status = rig_at(&b.rig, ODD + 0x800);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]) * 3; i++) {
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
	close_bench(&b);
}

/* Too short for a header: an error. No room for a status: the device gives the driver up. */
static void short_chains(void **state)
{
	uint8_t *status;
	struct bench b;

	(void)state;
	open_bench(&b, 1);
	rig_start(&b.rig, F_FLUSH, 1);
	status = rig_at(&b.rig, ODD + 0x800);
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
	close_bench(&b);
}

/* Row 6: data in a hole, and wrapping the address space. */
static void test_threat_06_data_outside_ram(void **state)
{
	static const uint64_t addrs[] = { RIG_RAM,	    RIG_RAM - 511,  0xc0000000,
					  UINT64_MAX - 511, UINT64_MAX - 3, UINT64_C(1) << 63 };
	uint8_t *status;
	struct bench b;

	(void)state;
	open_bench(&b, 1);
	rig_start(&b.rig, F_FLUSH, 1);
	status = rig_at(&b.rig, ODD + 0x800);
	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		struct dr_buf bufs[] = {
			{ ODD, 16, false },
			{ addrs[i], 512, true },
			{ ODD + 0x800, 1, true },
		};

		memset(rig_at(&b.rig, ODD), 0, 16);
		assert_int_equal(odd_chain(&b, bufs, 3, status), 0xff);
	}
	assert_int_equal(atomic_load(&b.stub->reads), 0);
	close_bench(&b);
}

/* Rows 9 and 26: nothing to do, in many ways, ends. */
static void test_threat_09_26_zero_sizes(void **state)
{
	uint8_t *status;
	struct bench b;

	(void)state;
	open_bench(&b, 1);
	rig_start(&b.rig, F_FLUSH, 1);
	status = rig_at(&b.rig, ODD + 0x800);
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
	close_bench(&b);
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
	struct bench b;

	(void)state;
	if (RACES_FOUND)
		skip(); /* this race is the guest's, and the point */
	open_bench(&b, 2);
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
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(test_threat_08_resident_memory),
		cmocka_unit_test(test_threat_08_bounded_requests),
		cmocka_unit_test(others_get_a_turn),
		cmocka_unit_test(served_without_threads_if_possible),
		cmocka_unit_test(test_threat_11_reset_in_flight),
		cmocka_unit_test(test_threat_08_09_reset_drops_what_waits),
		cmocka_unit_test(test_threat_09_reset_cuts_a_long_request),
		cmocka_unit_test(test_threat_11_end_in_flight),
		cmocka_unit_test(test_threat_11_broken_in_flight),
		cmocka_unit_test(test_threat_12_errors_at_each_step),
		cmocka_unit_test(test_threat_12_create_fails),
		cmocka_unit_test(flush_after_writes),
		cmocka_unit_test(without_flush_writes_are_durable),
		cmocka_unit_test(test_threat_04_header_at_the_end_of_ram),
		cmocka_unit_test(test_threat_05_lengths),
		cmocka_unit_test(short_chains),
		cmocka_unit_test(test_threat_06_data_outside_ram),
		cmocka_unit_test(test_threat_09_26_zero_sizes),
		cmocka_unit_test(test_threat_14_header_flips),
	};

	return cmocka_run_group_tests_name("blk_flight", tests, NULL, NULL);
}
