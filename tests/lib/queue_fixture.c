/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest memory with every kind of neighbour, and one virtqueue in it.
 */
#include "tests/lib/queue_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

int queue_fixture_setup(void **state)
{
	struct queue_fixture *f = (struct queue_fixture *)calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(mem_create(&f->mem), 0);
	assert_int_equal(mem_add(f->mem, gpa(QF_LOW), QF_SEAM - QF_LOW, MEM_RAM), 0);
	assert_int_equal(mem_add(f->mem, gpa(QF_SEAM), QF_END - QF_SEAM, MEM_RAM), 0);
	assert_int_equal(mem_add(f->mem, gpa(QF_ROM), QF_ROM_SIZE, MEM_READONLY), 0);
	assert_int_equal(mem_add(f->mem, gpa(QF_HOLE), QF_HOLE_SIZE, MEM_HOLE), 0);
	assert_int_equal(mem_add(f->mem, gpa(QF_BIG), QF_BIG_SIZE, MEM_RAM), 0);
	vq_init(&f->vq, f->mem, QF_NUM_MAX);
	queue_fixture_restart(f, QF_NUM, false, true);
	*state = f;
	return 0;
}

int queue_fixture_teardown(void **state)
{
	struct queue_fixture *f = (struct queue_fixture *)*state;

	mem_destroy(f->mem);
	free(f);
	return 0;
}

void queue_fixture_restart(struct queue_fixture *f, uint16_t num, bool event_idx, bool indirect)
{
	vq_reset(&f->vq);
	dr_init(&f->ring, f->mem, gpa(QF_RING), num);
	dr_set_queue(&f->ring, &f->vq);
	assert_int_equal(vq_enable(&f->vq, event_idx, indirect), 0);
}

int queue_fixture_pop(struct queue_fixture *f, const struct dr_buf *bufs, unsigned count)
{
	dr_offer(&f->ring, dr_chain(&f->ring, 0, bufs, count));
	return vq_pop(&f->vq, &f->chain);
}

/* Whether @seg lies whole in one region that may be touched so. */
static bool in_memory(const struct guest_mem *mem, const struct iovec *seg, bool write)
{
	size_t count;
	const struct mem_region *region = mem_regions(mem, &count);
	uintptr_t at = (uintptr_t)seg->iov_base;

	for (; count; count--, region++) {
		uintptr_t host = (uintptr_t)region->host;

		if (!host || (write && region->kind != MEM_RAM))
			continue;
		if (at >= host && at - host <= region->size &&
		    seg->iov_len <= region->size - (at - host))
			return true;
	}
	return false;
}

void queue_fixture_check_chain(const struct queue_fixture *f, const struct vq_chain *chain)
{
	uint64_t out = 0, in = 0;

	assert_true(chain->head < f->vq.num);
	assert_true(chain->out_segs + chain->in_segs <= VQ_MAX_SEGS);
	for (unsigned i = 0; i < chain->out_segs; i++) {
		assert_true(in_memory(f->mem, &chain->iov[i], false));
		out += chain->iov[i].iov_len;
	}
	for (unsigned i = chain->out_segs; i < (unsigned)chain->out_segs + chain->in_segs; i++) {
		assert_true(in_memory(f->mem, &chain->iov[i], true));
		in += chain->iov[i].iov_len;
	}
	assert_int_equal(out, chain->out_len);
	assert_int_equal(in, chain->in_len);
}

void queue_fixture_refuses(struct queue_fixture *f, const char *why)
{
	uint16_t used = dr_used_idx(&f->ring);

	assert_int_equal(vq_pop(&f->vq, &f->chain), -EPROTO);
	assert_true(f->vq.broken);
	assert_string_equal(f->vq.why, why);
	assert_int_equal(vq_pop(&f->vq, &f->chain), 0);
	for (uint32_t head = 0; head < f->vq.num; head++)
		vq_push(&f->vq, (uint16_t)head, 0);
	vq_unpop(&f->vq);
	assert_false(vq_should_signal(&f->vq));
	assert_false(vq_enable_kick(&f->vq));
	assert_int_equal(dr_used_idx(&f->ring), used);
}
