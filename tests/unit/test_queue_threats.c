/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The split virtqueue with a driver that lies about sizes, addresses and lengths, or changes
 * memory while the queue looks (test_threat_NN is row NN of docs/threats.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/queue_fixture.h"

static void try_geometry(struct queue_fixture *f, uint32_t num, const char *why)
{
	vq_reset(&f->vq);
	dr_set_queue(&f->ring, &f->vq);
	f->vq.num = num;
	assert_int_equal(vq_enable(&f->vq, true, true), why ? -EINVAL : 0);
	assert_int_equal(f->vq.ready, !why);
	if (why)
		assert_string_equal(f->vq.why, why);
	else
		assert_null(f->vq.why);
	if (why)
		assert_int_equal(vq_pop(&f->vq, &f->chain), 0);
}

static void test_threat_03_queue_sizes(void **state)
{
	static const uint32_t odd[] = { 3, 5, 6, 7, 9, 100, 255 };
	static const uint32_t large[] = { 257,	      512,	  1024,	      2048,
					  0x8000,     0x10000,	  0x10001,    0x10010,
					  0x7fffffff, 0x80000000, 0x80000010, UINT32_MAX };
	struct queue_fixture *f = *state;

	try_geometry(f, 0, "queue size 0");
	for (uint32_t num = 1; num <= QF_NUM_MAX; num *= 2)
		try_geometry(f, num, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++)
		try_geometry(f, odd[i], "queue size is not a power of two");
	for (unsigned i = 0; i < ARRAY_SIZE(large); i++)
		try_geometry(f, large[i], "queue size larger than offered");
}

/* One of the three addresses of the queue is @at; the other two are good. */
static int enable_at(struct queue_fixture *f, unsigned area, uint64_t at)
{
	vq_reset(&f->vq);
	dr_set_queue(&f->ring, &f->vq);
	if (area == 0)
		f->vq.desc = gpa(at);
	else if (area == 1)
		f->vq.avail = gpa(at);
	else
		f->vq.used = gpa(at);
	return vq_enable(&f->vq, true, true);
}

static void test_threat_03_queue_addresses(void **state)
{
	static const uint64_t align[] = { 16, 2, 4 };
	static const uint64_t size[] = { 16 * QF_NUM, 6 + 2 * QF_NUM, 6 + 8 * QF_NUM };
	static const uint64_t bad[] = { QF_ROM,
					QF_HOLE,
					QF_END,
					QF_HOLE - 16,
					QF_BIG - 16,
					QF_BIG + QF_BIG_SIZE,
					UINT64_MAX & ~UINT64_C(15),
					UINT64_C(1) << 63,
					UINT64_C(0x100000000) };
	struct queue_fixture *f = *state;

	for (unsigned area = 0; area < 3; area++) {
		uint64_t last = (QF_END - size[area]) & ~(align[area] - 1);

		for (uint64_t off = 0; off < 16; off++)
			assert_int_equal(enable_at(f, area, QF_RING + 0x2000 + off),
					 off % align[area] ? -EINVAL : 0);
		for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
			assert_int_equal(enable_at(f, area, bad[i]), -EINVAL);
		/* To the last byte of RAM, and one step further. */
		assert_int_equal(enable_at(f, area, last), 0);
		assert_int_equal(enable_at(f, area, last + align[area]), -EINVAL);
		assert_non_null(strstr(f->vq.why, "outside RAM"));
		/* Across two regions. */
		assert_int_equal(enable_at(f, area, QF_SEAM - 16), 0);
		assert_int_equal(enable_at(f, area, 0), 0);
	}
}

/* A header split at every byte into two buffers, the second one at the end of RAM. */
static void test_threat_04_header_split_at_every_byte(void **state)
{
	static const char header[] = "0123456789abcdef";
	struct queue_fixture *f = *state;
	char got[17];

	for (uint32_t cut = 0; cut <= 16; cut++) {
		const struct dr_buf bufs[] = {
			{ QF_BUFFER, cut, false },
			{ QF_END - (16 - cut), 16 - cut, false },
			{ QF_END - 1, 1, true },
		};

		queue_fixture_restart(f, QF_NUM, false, true);
		dr_store(f->mem, gpa(QF_BUFFER), header, cut);
		dr_store(f->mem, gpa(QF_END - (16 - cut)), header + cut, 16 - cut);
		assert_int_equal(queue_fixture_pop(f, bufs, ARRAY_SIZE(bufs)), 1);
		queue_fixture_check_chain(f, &f->chain);
		memset(got, '#', sizeof(got));
		assert_int_equal(vq_chain_read(&f->chain, 0, got, 16), 16);
		assert_memory_equal(got, "0123456789abcdef#", 17);
		assert_int_equal(vq_chain_read(&f->chain, 0, got, 17), 16);

		/* One byte further is outside: nothing of the chain may be used. */
		queue_fixture_restart(f, QF_NUM, false, true);
		dr_chain(&f->ring, 0, bufs, ARRAY_SIZE(bufs));
		dr_desc(&f->ring, 1, bufs[1].addr, bufs[1].len + 1, DR_NEXT, 2);
		dr_offer(&f->ring, 0);
		queue_fixture_refuses(f, "buffer outside RAM");
	}
}

/* Whatever length a buffer claims, no more than the reader's own buffer is filled. */
static void test_threat_05_lengths_against_a_fixed_buffer(void **state)
{
	static const uint32_t lens[] = {
		0, 1, 15, 16, 17, 4096, 0x7fffffff, 0x80000000, UINT32_MAX
	};
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		for (unsigned write = 0; write < 2; write++) {
			const struct dr_buf buf = { QF_BUFFER, lens[i], write };
			char got[18];
			size_t want = lens[i] < 16 ? lens[i] : 16;

			queue_fixture_restart(f, QF_NUM, false, true);
			if (lens[i] > QF_END) {
				dr_offer(&f->ring, dr_chain(&f->ring, 0, &buf, 1));
				queue_fixture_refuses(f, "buffer outside RAM");
				continue;
			}
			assert_int_equal(queue_fixture_pop(f, &buf, 1), 1);
			memset(got, '#', sizeof(got));
			assert_int_equal(vq_chain_read(&f->chain, 0, got, 16), write ? 0 : want);
			assert_int_equal(vq_chain_write(&f->chain, 0, got, 16), write ? want : 0);
			assert_int_equal(got[16], '#');
		}
	}
}

static void test_threat_06_buffers_outside_ram(void **state)
{
	static const struct dr_buf bad[] = {
		{ QF_END, 1, false },
		{ QF_END - 1, 2, false },
		{ QF_END - 1, 2, true },
		{ QF_HOLE, 4, false },
		{ QF_HOLE, 4, true },
		{ QF_ROM, 4, true }, /* not to be written */
		{ QF_ROM + QF_ROM_SIZE - 1, 2, false },
		{ QF_ROM - 4, 8, false }, /* begins in nothing */
		{ QF_BIG + QF_BIG_SIZE - 1, 2, false },
		{ QF_SEAM - 1, 0x40000000, false }, /* over everything */
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX, 2, true }, /* wraps 2^64 */
		{ UINT64_MAX - 0xfffffffe, UINT32_MAX, true },
		{ UINT64_MAX - 15, 32, true },	  /* wraps into LOW */
		{ UINT64_C(1) << 32, 16, false }, /* 0 in 32 bits */
		{ (UINT64_C(1) << 52) + QF_BUFFER, 16, true },
	};
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		queue_fixture_restart(f, QF_NUM, false, true);
		dr_offer(&f->ring, dr_chain(&f->ring, 0, &bad[i], 1));
		queue_fixture_refuses(f, "buffer outside RAM");
		/* The same from an indirect table, behind a good buffer. */
		queue_fixture_restart(f, QF_NUM, false, true);
		dr_write_desc(f->mem, gpa(QF_TABLE), 0, QF_BUFFER, 1, DR_NEXT, 1);
		dr_write_desc(f->mem, gpa(QF_TABLE), 1, bad[i].addr, bad[i].len,
			      bad[i].write ? DR_WRITE : 0, 0);
		dr_desc(&f->ring, 0, QF_TABLE, 32, DR_INDIRECT, 0);
		dr_offer(&f->ring, 0);
		queue_fixture_refuses(f, "buffer outside RAM");
	}
}

struct second_cpu {
	struct queue_fixture *f;
	volatile uint8_t *host; /* guest memory from 0 to QF_SEAM */
	gpa_t at;		/* a word that it changes */
	atomic_bool stop;
};

/*
 * Descriptors, tables and ring entries change between good and bad all the time. Like a vCPU, it is
 * not seen by the thread sanitizer: guest memory is written without order by design.
 */
__attribute__((no_sanitize("thread"))) static void flip_once(volatile uint8_t *host, uint32_t *seed)
{
	static const uint8_t bytes[] = { 0, 1, 2, 3, 4, 5, 0x10, 0x20, 0x80, 0xff };
	static const uint32_t areas[] = { QF_RING, QF_TABLE };

	for (unsigned i = 0; i < 64; i++) {
		uint32_t r = *seed = *seed * 1664525 + 1013904223;
		uint32_t at = areas[r >> 31] + (r >> 8) % (16 * 8);

		host[at] = bytes[(r >> 20) % sizeof(bytes)];
	}
	/* And good again: descriptor 0 leads to a table of two. */
	for (unsigned i = 0; i < 4; i++) {
		volatile uint8_t *d = host + QF_RING + (i % 2) * 16;
		volatile uint8_t *t = host + QF_TABLE + i * 16;

		for (unsigned k = 0; k < 16; k++) {
			d[k] = 0;
			t[k] = 0;
		}
		d[2] = QF_TABLE >> 16;
		d[8] = 64;
		d[12] = DR_INDIRECT;
		t[2] = QF_BUFFER >> 16;
		t[9] = 1;
		t[12] = (uint8_t)((i < 3 ? DR_NEXT : 0) | (i > 1 ? DR_WRITE : 0));
		t[14] = (uint8_t)(i + 1);
	}
}

static void *flip(void *arg)
{
	struct second_cpu *flipper = arg;
	uint32_t seed = 1;

	while (!atomic_load(&flipper->stop))
		flip_once(flipper->host, &seed);
	return NULL;
}

static volatile uint8_t *host_of(struct queue_fixture *f)
{
	struct iovec iov;

	assert_int_equal(mem_segments(f->mem, gpa(0), QF_SEAM, MEM_WRITE, &iov, 1), 1);
	return iov.iov_base;
}

static void test_threat_14_rings_change_while_the_queue_looks(void **state)
{
	struct queue_fixture *f = *state;
	struct second_cpu flipper = { .f = f, .host = host_of(f) };
	unsigned chains = 0, breaks = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, flip, &flipper), 0);
	for (unsigned i = 0; i < 20000; i++) {
		int r;

		dr_offer(&f->ring, (uint16_t)(i % 2));
		r = vq_pop(&f->vq, &f->chain);
		if (r == 1) {
			chains++;
			queue_fixture_check_chain(f, &f->chain);
			vq_push(&f->vq, f->chain.head, 0);
			continue;
		}
		assert_int_equal(r, -EPROTO);
		breaks++;
		vq_reset(&f->vq);
		dr_set_queue(&f->ring, &f->vq);
		dr_set_avail_idx(&f->ring, 0);
		assert_int_equal(vq_enable(&f->vq, false, true), 0);
	}
	atomic_store(&flipper.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(chains + breaks, 20000);
	print_message("%u chains, %u refused\n", chains, breaks);
}

static void *count_over_a_byte(void *arg)
{
	struct second_cpu *flipper = arg;
	gpa_t idx = gpa_add(flipper->f->ring.avail, 2);

	for (uint16_t v = 0; !atomic_load(&flipper->stop); v ^= 1)
		assert_int_equal(mem_store16(flipper->f->mem, idx, v ? 0x0100 : 0x00ff), 0);
	return NULL;
}

/*
 * The index goes from 0x00ff to 0x0100 and back. Halves of both, 0x0000 or 0x01ff, would be a jump
 * that breaks a queue of two entries.
 */
static void test_threat_15_index_is_never_torn(void **state)
{
	struct queue_fixture *f = *state;
	struct second_cpu flipper = { .f = f };
	pthread_t thread;

	queue_fixture_restart(f, 2, false, true);
	dr_chain(&f->ring, 0, &(struct dr_buf){ QF_BUFFER, 8, true }, 1);
	f->vq.next_avail = f->vq.next_used = f->vq.avail_idx = 0xff;
	dr_set_avail_idx(&f->ring, 0xff);
	assert_int_equal(pthread_create(&thread, NULL, count_over_a_byte, &flipper), 0);
	for (unsigned i = 0; i < 200000 && !f->vq.broken; i++) {
		if (vq_pop(&f->vq, &f->chain) == 1)
			vq_unpop(&f->vq);
		f->vq.avail_idx = f->vq.next_avail; /* look again */
	}
	atomic_store(&flipper.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(f->vq.broken);
}

static void *move_over_two_bytes(void *arg)
{
	struct second_cpu *flipper = arg;

	for (unsigned v = 0; !atomic_load(&flipper->stop); v ^= 1)
		assert_int_equal(mem_store64(flipper->f->mem, flipper->at, v ? 0x080100 : 0x0700ff),
				 0);
	return NULL;
}

static bool is_half(uint64_t word)
{
	return word != 0x0700ff && word != 0x080100;
}

/*
 * A buffer is at 0x0700ff or at 0x080100. Halves of both would be memory that the driver never named;
 * a memcpy byte by byte (arm64's, where there is SVE) brings such.
 */
static void test_threat_15_address_is_never_torn(void **state)
{
	struct queue_fixture *f = *state;
	struct second_cpu flipper = { .f = f, .at = f->ring.desc };
	volatile uint8_t *host = host_of(f);
	pthread_t thread;
	uint64_t at = 0;

	queue_fixture_restart(f, 2, false, true);
	dr_chain(&f->ring, 0, &(struct dr_buf){ 0x0700ff, 8, true }, 1);
	dr_offer(&f->ring, 0);
	assert_int_equal(pthread_create(&thread, NULL, move_over_two_bytes, &flipper), 0);
	for (unsigned i = 0; i < 200000; i++) {
		assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
		at = (uint64_t)((uint8_t *)f->chain.iov[0].iov_base - (uint8_t *)host);
		vq_unpop(&f->vq);
		if (is_half(at))
			break;
	}
	atomic_store(&flipper.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(is_half(at));
}

/* The same for a word of a header: a disk's sector, say. */
static void test_threat_15_header_is_never_torn(void **state)
{
	struct queue_fixture *f = *state;
	struct second_cpu flipper = { .f = f, .at = gpa(QF_BUFFER + 8) };
	uint64_t header[2] = { 0, 0x0700ff };
	pthread_t thread;

	assert_int_equal(mem_write(f->mem, gpa(QF_BUFFER), header, sizeof(header)), 0);
	assert_int_equal(queue_fixture_pop(f, &(struct dr_buf){ QF_BUFFER, 16, false }, 1), 1);
	assert_int_equal(pthread_create(&thread, NULL, move_over_two_bytes, &flipper), 0);
	for (unsigned i = 0; i < 200000 && !is_half(header[1]); i++)
		assert_int_equal(vq_chain_read(&f->chain, 0, header, sizeof(header)), 16);
	atomic_store(&flipper.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(is_half(header[1]));
}

/* Copies out of and into a chain never trust a length: offsets and lengths at every edge. */
static void test_threat_16_lengths_of_copies(void **state)
{
	static const struct dr_buf bufs[] = {
		{ QF_BUFFER, 8, false },
		{ QF_BUFFER + 0x1000, 8, true },
	};
	static const uint64_t offsets[] = { 0,	       1,	  7,	      8,
					    9,	       INT64_MAX, UINT32_MAX, UINT64_C(1) << 32,
					    UINT64_MAX };
	struct queue_fixture *f = *state;
	char data[64];

	assert_int_equal(queue_fixture_pop(f, bufs, ARRAY_SIZE(bufs)), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++) {
		size_t want = offsets[i] < 8 ? 8 - (size_t)offsets[i] : 0;

		assert_int_equal(vq_chain_read(&f->chain, offsets[i], data, sizeof(data)), want);
		assert_int_equal(vq_chain_write(&f->chain, offsets[i], data, sizeof(data)), want);
		assert_int_equal(vq_chain_read(&f->chain, offsets[i], data, 0), 0);
		assert_int_equal(vq_chain_write(&f->chain, offsets[i], data, 0), 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, queue_fixture_setup, queue_fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(test_threat_03_queue_sizes),
		T(test_threat_03_queue_addresses),
		T(test_threat_04_header_split_at_every_byte),
		T(test_threat_05_lengths_against_a_fixed_buffer),
		T(test_threat_06_buffers_outside_ram),
		T(test_threat_14_rings_change_while_the_queue_looks),
		T(test_threat_15_index_is_never_torn),
		T(test_threat_15_address_is_never_torn),
		T(test_threat_15_header_is_never_torn),
		T(test_threat_16_lengths_of_copies),
	};

	/* A hang is a failure, too: threats 7, 9 and 10. */
	(void)alarm(500);
	return cmocka_run_group_tests_name("queue_threats", tests, NULL, NULL);
}
