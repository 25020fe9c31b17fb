/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk by io_uring with many requests at once: the kernel has no more of them than a reset may wait for.
 * The kernel's side is held back here, so that what it was given stays given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/blk_rig.h"

enum {
	REQUESTS = 64,
	LEN = SECTORS / 2 * 512,
	MOST = 16 << 20, /* bytes */
	HEADERS = RIG_DATA + 0x200000,
	SLOT = 32,
};

static struct {
	bool held;
	long ring;  /* the descriptor */
	long given; /* submissions that the kernel has not heard of */
} kernel;

static long (*real)(long number, ...);

/* In place of the C library's: io_uring_enter keeps what it was given. */
long syscall(long number, ...)
{
	long arg[6];
	va_list list;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (unsigned i = 0; i < 6; i++)
		arg[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_io_uring_enter && kernel.held) {
		kernel.ring = arg[0];
		kernel.given += (unsigned)arg[1];
		return (unsigned)arg[1];
	}
	return real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* The kernel hears of it now. */
static void let_go(void)
{
	kernel.held = false;
	assert_int_equal(real(SYS_io_uring_enter, kernel.ring, kernel.given, 0L, 0L, 0L, 0L),
			 kernel.given);
	kernel.given = 0;
}

static uint64_t status_at(unsigned i)
{
	return HEADERS + (uint64_t)i * SLOT + 16;
}

/* All requests write the same bytes to the same place. */
static void offer_all(struct blk_rig *b)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		const struct dr_buf bufs[] = {
			{ HEADERS + (uint64_t)i * SLOT, 16, false },
			{ DATA, LEN, false },
			{ status_at(i), 1, true },
		};
		uint8_t *h = rig_at(&b->rig, HEADERS + (uint64_t)i * SLOT);

		le32_store(h, T_OUT);
		le32_store(h + 4, 0);
		le64_store(h + 8, 0);
		h[16] = S_NONE;
		rig_offer(&b->rig, 0, (uint16_t)(3 * i), bufs, 3);
	}
}

static unsigned count_done(struct blk_rig *b)
{
	unsigned done = 0;

	for (unsigned i = 0; i < REQUESTS; i++)
		done += *rig_at(&b->rig, status_at(i)) == S_OK;
	return done;
}

/* What the kernel is not given the threads do. */
static void hold(struct blk_rig *b)
{
	blk_rig_open(b, 2, false, NULL);
	b->rig.ring_size = 256;
	rig_start(&b->rig, F_ALL, 1);
	kernel.held = true;
	offer_all(b);
	for (unsigned n = 0; n < REQUESTS - MOST / LEN; n++)
		rig_used(&b->rig, 0, NULL, NULL);
	rig_settle(&b->rig);
	assert_int_equal(kernel.given, MOST / LEN);
	assert_int_equal(count_done(b), REQUESTS - MOST / LEN);
}

static void test_threat_09_reset_of_a_ring(void **state)
{
	struct blk_rig b;

	(void)state;
	hold(&b);
	virtio_set_status(b.rig.dev, 0);
	assert_int_not_equal(virtio_status(b.rig.dev), 0);
	assert_false(virtio_dev_settle(b.rig.dev, 20));
	let_go();
	rig_reset(&b.rig);
	assert_int_equal(count_done(&b), REQUESTS - MOST / LEN);
	/* All of the ring's room is there again. */
	rig_start(&b.rig, F_ALL, 1);
	offer_all(&b);
	for (unsigned n = 0; n < REQUESTS; n++)
		rig_used(&b.rig, 0, NULL, NULL);
	assert_int_equal(count_done(&b), REQUESTS);
	blk_rig_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threat_09_reset_of_a_ring),
	};

	return blk_rig_use_io_uring("blk_ring") ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
