/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The split virtqueue with a driver whose heads, links, loops, indirect tables and indices
 * break the grammar (test_threat_NN is row NN of docs/threats.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/queue_fixture.h"

static void test_threat_07_heads_outside_the_table(void **state)
{
	static const uint16_t heads[] = { QF_NUM, QF_NUM + 1, 255, 256, 0x7fff, 0x8000, UINT16_MAX };
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(heads); i++) {
		queue_fixture_restart(f, QF_NUM, false, true);
		dr_offer(&f->ring, heads[i]);
		queue_fixture_refuses(f, "available ring names a descriptor outside the table");
	}
}

static void test_threat_07_next_outside_the_table(void **state)
{
	static const uint16_t next[] = { QF_NUM, QF_NUM + 1, 0x8000, UINT16_MAX };
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(next); i++) {
		queue_fixture_restart(f, QF_NUM, false, true);
		dr_desc(&f->ring, 0, QF_BUFFER, 4, DR_NEXT, next[i]);
		dr_offer(&f->ring, 0);
		queue_fixture_refuses(f, "descriptor index outside its table");
	}
	/* A table of 3 has no entry 3, though the queue has. */
	queue_fixture_restart(f, QF_NUM, false, true);
	dr_write_desc(f->mem, gpa(QF_TABLE), 0, QF_BUFFER, 4, DR_NEXT, 3);
	dr_desc(&f->ring, 0, QF_TABLE, 48, DR_INDIRECT, 0);
	dr_offer(&f->ring, 0);
	queue_fixture_refuses(f, "descriptor index outside its table");
}

/* Loops of every length, with and without bytes in them, in the queue and in a table. */
static void test_threat_07_loops(void **state)
{
	static const char why[] = "descriptor chain longer than its table (a loop)";
	struct queue_fixture *f = *state;

	for (unsigned len = 1; len <= QF_NUM; len++) {
		for (uint32_t bytes = 0; bytes < 2; bytes++) {
			queue_fixture_restart(f, QF_NUM, false, true);
			for (unsigned i = 0; i < len; i++) {
				uint16_t next = (uint16_t)((i + 1) % len);

				dr_desc(&f->ring, i, QF_BUFFER, bytes, DR_NEXT, next);
				dr_write_desc(f->mem, gpa(QF_TABLE), i, QF_BUFFER, bytes, DR_NEXT,
					      next);
			}
			dr_offer(&f->ring, 0);
			queue_fixture_refuses(f, why);

			queue_fixture_restart(f, QF_NUM, false, true);
			dr_desc(&f->ring, 0, QF_TABLE, 16 * len, DR_INDIRECT, 0);
			dr_offer(&f->ring, 0);
			queue_fixture_refuses(f, why);
		}
	}
}

static void test_threat_07_indirect_grammar(void **state)
{
	static const struct {
		uint64_t table;
		uint32_t len;
		uint16_t flags;
		const char *why;
	} bad[] = {
		{ QF_TABLE, 0, 0, "indirect table's length is not a multiple of 16, or 0" },
		{ QF_TABLE, 1, 0, "indirect table's length is not a multiple of 16, or 0" },
		{ QF_TABLE, 15, 0, "indirect table's length is not a multiple of 16, or 0" },
		{ QF_TABLE, 17, 0, "indirect table's length is not a multiple of 16, or 0" },
		{ QF_TABLE, UINT32_MAX, 0,
		  "indirect table's length is not a multiple of 16, or 0" },
		{ QF_TABLE, 16 * 1025, 0, "indirect table has more than 1024 entries" },
		{ QF_TABLE, 0xfffffff0, 0, "indirect table has more than 1024 entries" },
		{ QF_TABLE, 16, DR_NEXT, "indirect descriptor with a next one" },
		{ QF_TABLE, 16, DR_NEXT | DR_WRITE, "indirect descriptor with a next one" },
		{ QF_HOLE, 16, 0, "indirect table outside RAM" },
		{ QF_END, 16, 0, "indirect table outside RAM" },
		{ QF_END - 8, 16, 0, "indirect table outside RAM" },
		{ UINT64_MAX - 7, 16, 0, "indirect table outside RAM" },
		{ QF_ROM - 16, 32, 0, "indirect table outside RAM" },
	};
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		queue_fixture_restart(f, QF_NUM, false, true);
		dr_write_desc(f->mem, gpa(QF_TABLE), 0, QF_BUFFER, 4, 0, 0);
		dr_desc(&f->ring, 0, bad[i].table, bad[i].len,
			(uint16_t)(DR_INDIRECT | bad[i].flags), 1);
		dr_offer(&f->ring, 0);
		queue_fixture_refuses(f, bad[i].why);
	}
}

static void test_threat_07_indirect_nested_or_unasked(void **state)
{
	struct queue_fixture *f = *state;

	/* In itself, and in another table. */
	dr_write_desc(f->mem, gpa(QF_TABLE), 0, QF_TABLE, 16, DR_INDIRECT, 0);
	dr_desc(&f->ring, 0, QF_TABLE, 16, DR_INDIRECT, 0);
	dr_offer(&f->ring, 0);
	queue_fixture_refuses(f, "indirect descriptor inside an indirect table");

	/* The queue's own table as an indirect one: the descriptor finds itself. */
	queue_fixture_restart(f, QF_NUM, false, true);
	dr_desc(&f->ring, 0, QF_RING, 16 * QF_NUM, DR_INDIRECT, 0);
	dr_offer(&f->ring, 0);
	queue_fixture_refuses(f, "indirect descriptor inside an indirect table");

	queue_fixture_restart(f, QF_NUM, false, false);
	dr_write_desc(f->mem, gpa(QF_TABLE), 0, QF_BUFFER, 4, 0, 0);
	dr_desc(&f->ring, 0, QF_TABLE, 16, DR_INDIRECT, 0);
	dr_offer(&f->ring, 0);
	queue_fixture_refuses(f, "indirect descriptor without the feature negotiated");
}

static void test_threat_07_readable_after_writable(void **state)
{
	static const uint32_t lens[] = { 0, 8 };
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		const struct dr_buf bufs[] = {
			{ QF_BUFFER, 8, false },
			{ QF_BUFFER, lens[i], true },
			{ QF_BUFFER, lens[i], false },
		};

		queue_fixture_restart(f, QF_NUM, false, true);
		dr_offer(&f->ring, dr_chain(&f->ring, 0, bufs, ARRAY_SIZE(bufs)));
		queue_fixture_refuses(f, "device-readable buffer after a device-writable one");
		/* The order holds across the step into a table. */
		queue_fixture_restart(f, QF_NUM, false, true);
		dr_indirect(&f->ring, 1, gpa(QF_TABLE), &bufs[2], 1);
		dr_desc(&f->ring, 0, QF_BUFFER, lens[i], DR_NEXT | DR_WRITE, 1);
		dr_offer(&f->ring, 0);
		queue_fixture_refuses(f, "device-readable buffer after a device-writable one");
	}
}

static void test_threat_07_too_many_segments(void **state)
{
	struct dr_buf bufs[VQ_MAX_SEGS + 1];
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct dr_buf){ QF_BUFFER + 16 * i, 16, i > 5 };
	dr_offer(&f->ring, dr_indirect(&f->ring, 0, gpa(QF_TABLE), bufs, ARRAY_SIZE(bufs)));
	queue_fixture_refuses(f, "chain of more than 256 segments");

	/* 256 buffers, the last of which is two segments. */
	queue_fixture_restart(f, QF_NUM, false, true);
	bufs[VQ_MAX_SEGS - 1].addr = QF_SEAM - 8;
	dr_offer(&f->ring, dr_indirect(&f->ring, 0, gpa(QF_TABLE), bufs, VQ_MAX_SEGS));
	queue_fixture_refuses(f, "chain of more than 256 segments");
}

/* A chain in flight is not offered again: devices use the head as the number of a request. */
static void test_threat_07_head_offered_twice(void **state)
{
	struct queue_fixture *f = *state;

	assert_int_equal(queue_fixture_pop(f, &(struct dr_buf){ QF_BUFFER, 8, true }, 1), 1);
	dr_offer(&f->ring, 0);
	queue_fixture_refuses(f, "chain offered again while it is in flight");
}

/* A thousand descriptors without a byte: a bounded look, and the queue goes on. */
static void test_threat_09_no_progress_chains(void **state)
{
	struct dr_buf bufs[VQ_MAX_SIZE];
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct dr_buf){ UINT64_MAX, 0, false };
	dr_indirect(&f->ring, 0, gpa(QF_TABLE), bufs, VQ_MAX_SIZE - 1);
	for (unsigned i = 0; i < 1000; i++) {
		dr_offer(&f->ring, 0);
		assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
		assert_int_equal(f->chain.out_segs + f->chain.in_segs, 0);
		vq_push(&f->vq, 0, 0);
	}
	/* With the descriptor that names the table, that would be 1025 looked at. */
	dr_indirect(&f->ring, 0, gpa(QF_TABLE), bufs, VQ_MAX_SIZE);
	dr_offer(&f->ring, 0);
	queue_fixture_refuses(f, "descriptor chain longer than its table (a loop)");
}

/* Every jump of the available index, from some starts: at most as many chains as fit. */
static void test_threat_10_index_jumps(void **state)
{
	static const uint16_t starts[] = { 0, 1, 0x7fff, 65535 };
	struct queue_fixture *f = *state;

	for (unsigned s = 0; s < ARRAY_SIZE(starts); s++) {
		for (uint32_t jump = 0; jump <= UINT16_MAX; jump++) {
			int want = jump == 0 ? 0 : (jump <= QF_NUM ? 1 : -EPROTO);

			vq_reset(&f->vq);
			dr_set_queue(&f->ring, &f->vq);
			assert_int_equal(vq_enable(&f->vq, false, true), 0);
			f->vq.next_avail = f->vq.next_used = f->vq.avail_idx = starts[s];
			dr_set_avail_idx(&f->ring, (uint16_t)(starts[s] + jump));
			if (vq_pop(&f->vq, &f->chain) != want)
				fail_msg("start %u jump %u", starts[s], jump);
		}
	}
	assert_string_equal(f->vq.why,
			    "available index announces more chains than the queue can hold");
}

/* What is in flight counts: the driver owns only the rest of the queue's entries. */
static void test_threat_10_more_chains_than_entries(void **state)
{
	struct queue_fixture *f = *state;

	for (unsigned i = 0; i < QF_NUM; i++) {
		dr_offer(&f->ring, dr_chain(&f->ring, (uint16_t)i,
					    &(struct dr_buf){ QF_BUFFER, 8, true }, 1));
		assert_int_equal(vq_pop(&f->vq, &f->chain), 1);
	}
	assert_int_equal(f->vq.in_flight, QF_NUM);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 0);
	dr_offer(&f->ring, 0);
	queue_fixture_refuses(f, "available index announces more chains than the queue can hold");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, queue_fixture_setup, queue_fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(test_threat_07_heads_outside_the_table),
		T(test_threat_07_next_outside_the_table),
		T(test_threat_07_loops),
		T(test_threat_07_indirect_grammar),
		T(test_threat_07_indirect_nested_or_unasked),
		T(test_threat_07_readable_after_writable),
		T(test_threat_07_too_many_segments),
		T(test_threat_07_head_offered_twice),
		T(test_threat_09_no_progress_chains),
		T(test_threat_10_index_jumps),
		T(test_threat_10_more_chains_than_entries),
	};

	/* A hang is a failure, too: threats 7, 9 and 10. */
	(void)alarm(500);
	return cmocka_run_group_tests_name("queue_chains", tests, NULL, NULL);
}
