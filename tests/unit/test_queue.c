/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The split virtqueue with an honest driver: chains, indices over their wrap, notifications. What a
 * hostile driver does is in test_queue_threats.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/lib/queue_fixture.h"

static void test_empty_queue_gives_nothing(void **state)
{
	struct queue_fixture *f = *state;

	assert_int_equal(vq_pop(&f->vq, &f->chain), 0);
	assert_false(f->vq.broken);
	assert_false(vq_should_signal(&f->vq));
}

static void test_queue_that_is_not_ready_does_nothing(void **state)
{
	struct queue_fixture *f = *state;

	dr_offer(&f->ring, dr_chain(&f->ring, 0, &(struct dr_buf){ QF_BUFFER, 8, false }, 1));
	vq_reset(&f->vq);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 0);
	vq_push(&f->vq, 0, 0);
	vq_unpop(&f->vq);
	vq_disable_kick(&f->vq);
	assert_false(vq_enable_kick(&f->vq));
	assert_false(vq_should_signal(&f->vq));
	assert_int_equal(dr_used_idx(&f->ring), 0);
	assert_int_equal(f->vq.num_max, QF_NUM_MAX);
	assert_ptr_equal(f->vq.mem, f->mem);
}

static void test_chain_with_both_parts(void **state)
{
	static const struct dr_buf bufs[] = {
		{ QF_BUFFER, 16, false },
		{ QF_BUFFER + 0x1000, 512, false },
		{ QF_BUFFER + 0x2000, 100, true },
		{ QF_BUFFER + 0x3000, 1, true },
	};
	struct queue_fixture *f = *state;
	uint32_t id, len;

	dr_offer(&f->ring, dr_chain(&f->ring, 3, bufs, ARRAY_SIZE(bufs)));
	assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	assert_int_equal(f->chain.head, 3);
	assert_int_equal(f->chain.out_segs, 2);
	assert_int_equal(f->chain.in_segs, 2);
	assert_int_equal(f->chain.out_len, 528);
	assert_int_equal(f->chain.in_len, 101);
	assert_int_equal(f->chain.iov[1].iov_len, 512);
	assert_int_equal(f->chain.iov[3].iov_len, 1);
	queue_fixture_check_chain(f, &f->chain);
	assert_int_equal(f->vq.in_flight, 1);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 0);

	assert_int_equal(dr_used_idx(&f->ring), 0);
	vq_push(&f->vq, 3, 101);
	assert_int_equal(f->vq.in_flight, 0);
	assert_true(dr_take_used(&f->ring, &id, &len));
	assert_int_equal(id, 3);
	assert_int_equal(len, 101);
	assert_false(dr_take_used(&f->ring, NULL, NULL));
}

/* Bytes go where they belong, from any offset, and never past the end of their part. */
static void test_copy_in_and_out_of_a_chain(void **state)
{
	static const struct dr_buf bufs[] = {
		{ QF_BUFFER, 3, false },
		{ QF_BUFFER + 0x1000, 5, false },
		{ QF_BUFFER + 0x2000, 2, true },
		{ QF_BUFFER + 0x3000, 4, true },
	};
	struct queue_fixture *f = *state;
	static const char text[] = "abcdefgh";
	char got[16], guest[8];

	dr_store(f->mem, gpa(QF_BUFFER), "abc", 3);
	dr_store(f->mem, gpa(QF_BUFFER + 0x1000), "defghXXX", 8);
	assert_int_equal(queue_fixture_pop(f, bufs, ARRAY_SIZE(bufs)), 1);

	for (unsigned from = 0; from <= 10; from++) {
		for (unsigned len = 0; len <= 10; len++) {
			size_t want = from >= 8 ? 0 : (8 - from < len ? 8 - from : len);

			memset(got, '#', sizeof(got));
			assert_int_equal(vq_chain_read(&f->chain, from, got, len), want);
			assert_memory_equal(got, &text[from < 8 ? from : 8], want);
			assert_int_equal(got[want], '#');
		}
	}
	assert_int_equal(vq_chain_read(&f->chain, UINT64_MAX, got, 1), 0);

	dr_store(f->mem, gpa(QF_BUFFER + 0x2000), "........", 8);
	dr_store(f->mem, gpa(QF_BUFFER + 0x3000), "........", 8);
	assert_int_equal(vq_chain_write(&f->chain, 1, "123456789", 9), 5);
	dr_load(f->mem, gpa(QF_BUFFER + 0x2000), guest, 8);
	assert_memory_equal(guest, ".1......", 8);
	dr_load(f->mem, gpa(QF_BUFFER + 0x3000), guest, 8);
	assert_memory_equal(guest, "2345....", 8);
	assert_int_equal(vq_chain_write(&f->chain, 6, "x", 1), 0);
}

static void test_buffer_across_two_regions_has_two_segments(void **state)
{
	static const struct dr_buf buf = { QF_SEAM - 10, 30, true };
	struct queue_fixture *f = *state;

	assert_int_equal(queue_fixture_pop(f, &buf, 1), 1);
	assert_int_equal(f->chain.in_segs, 2);
	assert_int_equal(f->chain.iov[0].iov_len, 10);
	assert_int_equal(f->chain.iov[1].iov_len, 20);
	queue_fixture_check_chain(f, &f->chain);
}

static void test_read_only_memory_can_be_sent(void **state)
{
	static const struct dr_buf buf = { QF_ROM, 16, false };
	struct queue_fixture *f = *state;

	assert_int_equal(queue_fixture_pop(f, &buf, 1), 1);
	assert_int_equal(f->chain.out_len, 16);
}

/* Zero-length buffers are no segments, wherever they point. */
static void test_zero_length_buffers(void **state)
{
	static const struct dr_buf bufs[] = {
		{ UINT64_MAX, 0, false }, { QF_BUFFER, 4, false }, { QF_HOLE, 0, true },
		{ QF_BUFFER, 8, true },	  { 0, 0, true },
	};
	struct queue_fixture *f = *state;

	assert_int_equal(queue_fixture_pop(f, bufs, ARRAY_SIZE(bufs)), 1);
	assert_int_equal(f->chain.out_segs, 1);
	assert_int_equal(f->chain.in_segs, 1);
	assert_int_equal(f->chain.out_len, 4);
	assert_int_equal(f->chain.in_len, 8);

	vq_push(&f->vq, 0, 0);
	assert_int_equal(queue_fixture_pop(f, bufs, 1), 1);
	assert_int_equal(f->chain.out_segs + f->chain.in_segs, 0);
	assert_int_equal(vq_chain_read(&f->chain, 0, &(char){ 0 }, 1), 0);
}

static void test_indirect_table(void **state)
{
	static const struct dr_buf bufs[] = {
		{ QF_BUFFER, 16, false },
		{ QF_BUFFER + 0x1000, 4096, true },
		{ QF_BUFFER + 0x2000, 1, true },
	};
	struct queue_fixture *f = *state;

	/* A table needs no alignment, may cross regions, and may lie in read-only memory. */
	static const uint64_t tables[] = { QF_TABLE, QF_TABLE + 1, QF_SEAM - 24 };

	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		dr_offer(&f->ring,
			 dr_indirect(&f->ring, 5, gpa(tables[i]), bufs, ARRAY_SIZE(bufs)));
		assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
		assert_int_equal(f->chain.head, 5);
		assert_int_equal(f->chain.out_len, 16);
		assert_int_equal(f->chain.in_len, 4097);
		vq_push(&f->vq, 5, 0);
	}
}

/* Normal descriptors followed by one indirect one (2.7.5.3.2), whose write flag means nothing. */
static void test_indirect_at_the_end_of_a_chain(void **state)
{
	static const struct dr_buf bufs[] = {
		{ QF_BUFFER + 0x1000, 8, false },
		{ QF_BUFFER + 0x2000, 2, true },
	};
	struct queue_fixture *f = *state;

	dr_indirect(&f->ring, 2, gpa(QF_TABLE), bufs, ARRAY_SIZE(bufs));
	dr_desc(&f->ring, 2, QF_TABLE, 32, DR_INDIRECT | DR_WRITE, 0);
	dr_desc(&f->ring, 1, QF_BUFFER, 4, DR_NEXT, 2);
	dr_offer(&f->ring, 1);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	assert_int_equal(f->chain.head, 1);
	assert_int_equal(f->chain.out_segs, 2);
	assert_int_equal(f->chain.out_len, 12);
	assert_int_equal(f->chain.in_len, 2);
}

/* The longest chains that are allowed: all of the queue, and 256 segments from a table. */
static void test_longest_chains(void **state)
{
	struct dr_buf bufs[VQ_MAX_SEGS];
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct dr_buf){ QF_BUFFER + 16 * i, 16, i >= 3 };
	assert_int_equal(queue_fixture_pop(f, bufs, QF_NUM), 1);
	assert_int_equal(f->chain.out_segs + f->chain.in_segs, QF_NUM);
	vq_push(&f->vq, 0, 0);

	dr_offer(&f->ring, dr_indirect(&f->ring, 0, gpa(QF_TABLE), bufs, ARRAY_SIZE(bufs)));
	assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	assert_int_equal(f->chain.out_segs, 3);
	assert_int_equal(f->chain.in_segs, VQ_MAX_SEGS - 3);
	queue_fixture_check_chain(f, &f->chain);
}

/* A chain may be 2^32 bytes, not one more (2.7.5.1). */
static void test_chain_of_4_gib(void **state)
{
	struct dr_buf bufs[130];
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct dr_buf){ QF_BIG, QF_BIG_SIZE, true };
	dr_offer(&f->ring, dr_indirect(&f->ring, 0, gpa(QF_TABLE), bufs, 128));
	assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	assert_int_equal(f->chain.in_len, UINT64_C(1) << 32);
	vq_push(&f->vq, 0, 0);

	bufs[128].len = 1;
	dr_offer(&f->ring, dr_indirect(&f->ring, 0, gpa(QF_TABLE), bufs, 129));
	assert_int_equal(vq_pop(&f->vq, &f->chain), -EPROTO);
	assert_string_equal(f->vq.why, "chain longer than 2^32 bytes");
}

static void test_chains_return_in_any_order(void **state)
{
	static const uint16_t order[] = { 2, 0, 3, 1 };
	struct queue_fixture *f = *state;
	uint32_t id, len;

	for (uint16_t i = 0; i < 4; i++)
		dr_offer(&f->ring,
			 dr_chain(&f->ring, i, &(struct dr_buf){ QF_BUFFER, 8, true }, 1));
	for (uint16_t i = 0; i < 4; i++) {
		assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
		assert_int_equal(f->chain.head, i);
	}
	assert_int_equal(f->vq.in_flight, 4);
	for (uint16_t i = 0; i < 4; i++)
		vq_push(&f->vq, order[i], 100U + order[i]);
	for (uint16_t i = 0; i < 4; i++) {
		assert_true(dr_take_used(&f->ring, &id, &len));
		assert_int_equal(id, order[i]);
		assert_int_equal(len, 100 + order[i]);
	}
}

/* Both indices go once around 2^16 and more; no chain is lost or seen twice. */
static void test_indices_wrap(void **state)
{
	static const struct dr_buf buf = { QF_BUFFER, 8, true };
	struct queue_fixture *f = *state;
	uint32_t id, len;

	queue_fixture_restart(f, 4, true, false);
	for (uint16_t i = 0; i < 4; i++)
		dr_chain(&f->ring, i, &buf, 1);
	for (uint32_t i = 0; i < 70000; i++) {
		dr_offer(&f->ring, (uint16_t)(i % 4));
		if (vq_pop(&f->vq, &f->chain) != 1 || f->chain.head != i % 4)
			fail_msg("pop %u", i);
		vq_push(&f->vq, f->chain.head, i);
		if (!dr_take_used(&f->ring, &id, &len) || id != i % 4 || len != i)
			fail_msg("used %u: id %u len %u", i, id, len);
	}
	assert_int_equal(vq_pop(&f->vq, &f->chain), 0);
	assert_int_equal(dr_used_idx(&f->ring), (uint16_t)70000);
}

static void test_queue_of_one_entry(void **state)
{
	static const struct dr_buf buf = { QF_BUFFER, 8, false };
	struct queue_fixture *f = *state;

	queue_fixture_restart(f, 1, false, true);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(queue_fixture_pop(f, &buf, 1), 1);
		vq_push(&f->vq, 0, 0);
		assert_true(dr_take_used(&f->ring, NULL, NULL));
	}
}

static void test_unpop_gives_the_chain_again(void **state)
{
	static const struct dr_buf bufs[] = { { QF_BUFFER, 8, true }, { QF_BUFFER, 9, true } };
	struct queue_fixture *f = *state;

	dr_offer(&f->ring, dr_chain(&f->ring, 0, &bufs[0], 1));
	dr_offer(&f->ring, dr_chain(&f->ring, 1, &bufs[1], 1));
	assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	vq_unpop(&f->vq);
	assert_int_equal(f->vq.in_flight, 0);
	assert_true(vq_enable_kick(&f->vq));
	vq_unpop(&f->vq); /* a second one has nothing to put back */
	assert_int_equal(f->vq.in_flight, 0);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	assert_int_equal(f->chain.head, 0);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	assert_int_equal(f->chain.head, 1);
	vq_push(&f->vq, 1, 0);
	vq_unpop(&f->vq); /* not directly after a pop */
	assert_int_equal(f->vq.in_flight, 1);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 0);
}

static void test_push_of_what_is_not_in_flight_is_ignored(void **state)
{
	static const struct dr_buf buf = { QF_BUFFER, 8, true };
	struct queue_fixture *f = *state;

	assert_int_equal(queue_fixture_pop(f, &buf, 1), 1);
	vq_push(&f->vq, 1, 0);
	vq_push(&f->vq, QF_NUM, 0);
	vq_push(&f->vq, UINT16_MAX, 0);
	assert_int_equal(dr_used_idx(&f->ring), 0);
	vq_push(&f->vq, 0, 0);
	vq_push(&f->vq, 0, 0);
	assert_int_equal(dr_used_idx(&f->ring), 1);
	assert_int_equal(f->vq.in_flight, 0);
}

static void push_one(struct queue_fixture *f)
{
	assert_int_equal(queue_fixture_pop(f, &(struct dr_buf){ QF_BUFFER, 8, true }, 1), 1);
	vq_push(&f->vq, 0, 8);
}

static void test_signal_by_flags(void **state)
{
	struct queue_fixture *f = *state;

	assert_false(vq_should_signal(&f->vq));
	push_one(f);
	assert_true(vq_should_signal(&f->vq));
	assert_false(vq_should_signal(&f->vq)); /* nothing new */
	dr_set_avail_flags(&f->ring, DR_NO_INTERRUPT);
	push_one(f);
	assert_false(vq_should_signal(&f->vq));
	dr_set_avail_flags(&f->ring, 0);
	push_one(f);
	assert_true(vq_should_signal(&f->vq));
}

/* The event index against its definition, counted out step by step, on both sides of the wrap. */
static void test_signal_by_event_index(void **state)
{
	struct queue_fixture *f = *state;

	for (unsigned event = 0; event < 12; event++) {
		for (unsigned batch = 1; batch <= 4; batch++) {
			uint16_t start = 65530, used = start;

			queue_fixture_restart(f, QF_NUM, true, false);
			f->vq.next_avail = f->vq.next_used = f->vq.signalled = start;
			f->vq.avail_idx = start;
			dr_set_avail_idx(&f->ring, start);
			dr_set_used_event(&f->ring, (uint16_t)(start + event));
			for (unsigned round = 0; round < 3; round++) {
				bool want = false;

				for (unsigned i = 0; i < batch; i++) {
					want |= used == (uint16_t)(start + event);
					used++;
					push_one(f);
				}
				if (vq_should_signal(&f->vq) != want)
					fail_msg("event %u batch %u round %u", event, batch, round);
				assert_false(vq_should_signal(&f->vq));
			}
		}
	}
}

/* The no-interrupt flag means nothing when the event index was negotiated (2.7.7.2). */
static void test_event_index_overrules_the_flag(void **state)
{
	struct queue_fixture *f = *state;

	queue_fixture_restart(f, QF_NUM, true, false);
	dr_set_avail_flags(&f->ring, DR_NO_INTERRUPT);
	push_one(f);
	assert_true(vq_should_signal(&f->vq));
}

/* After 2^16 pushes unasked, no interval can be told any more: signal rather than be silent. */
static void test_signal_after_the_index_went_around(void **state)
{
	struct queue_fixture *f = *state;

	queue_fixture_restart(f, QF_NUM, true, false);
	dr_set_used_event(&f->ring, 40000);
	for (unsigned i = 0; i < 65536; i++)
		push_one(f);
	assert_true(vq_should_signal(&f->vq));
	assert_false(vq_should_signal(&f->vq));
	push_one(f);
	assert_false(vq_should_signal(&f->vq));
}

static void test_kick_by_flags(void **state)
{
	struct queue_fixture *f = *state;

	vq_disable_kick(&f->vq);
	assert_int_equal(dr_used_flags(&f->ring), DR_NO_NOTIFY);
	assert_false(vq_enable_kick(&f->vq));
	assert_int_equal(dr_used_flags(&f->ring), 0);
	dr_offer(&f->ring, 0);
	assert_true(vq_enable_kick(&f->vq));
}

static void test_kick_by_event_index(void **state)
{
	struct queue_fixture *f = *state;

	queue_fixture_restart(f, QF_NUM, true, false);
	push_one(f);
	push_one(f);
	assert_false(vq_enable_kick(&f->vq));
	assert_int_equal(dr_avail_event(&f->ring), 2);
	vq_disable_kick(&f->vq);
	assert_int_equal(dr_used_flags(&f->ring), 0); /* 2.7.10: flags stay 0 */
	push_one(f);
	assert_int_equal(dr_avail_event(&f->ring), 2);
	assert_false(vq_enable_kick(&f->vq));
	assert_int_equal(dr_avail_event(&f->ring), 3);
	dr_offer(&f->ring, 0);
	assert_true(vq_enable_kick(&f->vq));
}

static void test_reset_starts_anew(void **state)
{
	struct queue_fixture *f = *state;

	push_one(f);
	dr_offer(&f->ring, 0);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	queue_fixture_restart(f, QF_NUM, false, false);
	assert_int_equal(f->vq.in_flight, 0);
	push_one(f);
	assert_int_equal(dr_used_idx(&f->ring), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, queue_fixture_setup, queue_fixture_teardown)
	static const struct CMUnitTest tests[] = {
		T(test_empty_queue_gives_nothing),
		T(test_queue_that_is_not_ready_does_nothing),
		T(test_chain_with_both_parts),
		T(test_copy_in_and_out_of_a_chain),
		T(test_buffer_across_two_regions_has_two_segments),
		T(test_read_only_memory_can_be_sent),
		T(test_zero_length_buffers),
		T(test_indirect_table),
		T(test_indirect_at_the_end_of_a_chain),
		T(test_longest_chains),
		T(test_chain_of_4_gib),
		T(test_chains_return_in_any_order),
		T(test_indices_wrap),
		T(test_queue_of_one_entry),
		T(test_unpop_gives_the_chain_again),
		T(test_push_of_what_is_not_in_flight_is_ignored),
		T(test_signal_by_flags),
		T(test_signal_by_event_index),
		T(test_event_index_overrules_the_flag),
		T(test_signal_after_the_index_went_around),
		T(test_kick_by_flags),
		T(test_kick_by_event_index),
		T(test_reset_starts_anew),
	};

	(void)alarm(500);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
