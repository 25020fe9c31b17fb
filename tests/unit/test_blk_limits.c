/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk, one request at a time, on a real file by threads and by io_uring: what is
 * refused, and disks that are short, full, read-only, or fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/blk_rig.h"
#include "tests/lib/capture.h"
#include "virtio/devices.h"

/* Ranges that are judged: none of these may change the disk. */
static void refused_ranges(void **state)
{
	static const struct {
		uint32_t type, len;
		uint64_t sector;
		uint32_t sectors, flags;
		uint8_t status;
	} cases[] = {
		{ T_DISCARD, 0, 0, 1, 0, S_IOERR },
		{ T_DISCARD, 15, 0, 1, 0, S_IOERR },
		{ T_DISCARD, 17, 0, 1, 0, S_IOERR },
		{ T_DISCARD, 16, 0, 1, 1, S_UNSUPP },
		{ T_DISCARD, 16, 0, 1, 2, S_UNSUPP },
		{ T_DISCARD, 16, SECTORS, 1, 0, S_IOERR },
		{ T_DISCARD, 16, SECTORS - 1, 2, 0, S_IOERR },
		{ T_DISCARD, 16, 0, UINT32_MAX, 0, S_IOERR },
		{ T_DISCARD, 16, UINT64_MAX, 1, 0, S_IOERR },
		{ T_DISCARD, 16, UINT64_C(1) << 55, 1, 0, S_IOERR },
		{ T_DISCARD, 16, 0, 0, 0, S_OK },
		{ T_ZEROES, 0, 0, 1, 0, S_IOERR },
		{ T_ZEROES, 32, 0, 1, 0, S_IOERR },
		{ T_ZEROES, 16, 0, 1, 2, S_UNSUPP },
		{ T_ZEROES, 16, 0, 1, 0x80000000, S_UNSUPP },
		{ T_ZEROES, 16, SECTORS - 1, 2, 1, S_IOERR },
		{ T_ZEROES, 16, SECTORS + 1, 0, 1, S_IOERR },
		{ T_ZEROES, 16, SECTORS, 0, 1, S_OK },
		{ T_ZEROES, 16, 0, 128 * 1024 + 1, 0, S_IOERR },
		{ T_ZEROES, 16, UINT64_MAX / 512, 1, 0, S_IOERR },
	};
	struct blk_rig b;

	(void)state;
	blk_rig_open_default(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		blk_rig_range(&b, 0, cases[i].sector, cases[i].sectors, cases[i].flags);
		blk_rig_range(&b, 1, 0, 1, 0);
		if (blk_rig_request(&b, cases[i].type, 0, cases[i].len, false, NULL) !=
		    cases[i].status)
			fail_msg("case %zu: status %u", i, *rig_at(&b.rig, STATUS));
	}
	assert_true(blk_rig_untouched(&b));
	rig_start(&b.rig, F_FLUSH, 1);
	blk_rig_range(&b, 0, 0, 1, 0);
	assert_int_equal(blk_rig_request(&b, T_DISCARD, 0, 16, false, NULL), S_UNSUPP);
	assert_int_equal(blk_rig_request(&b, T_ZEROES, 0, 16, false, NULL), S_UNSUPP);
	assert_true(blk_rig_untouched(&b));
	blk_rig_close(&b);
}

static void limits_of_the_disk(void **state)
{
	static const uint64_t outside[] = {
		SECTORS,	  SECTORS + 1,	  UINT64_C(1) << 55, (UINT64_C(1) << 55) - 1,
		UINT64_MAX / 512, UINT64_MAX - 1, UINT64_MAX,	     (UINT64_C(1) << 55) + 3,
	};
	struct blk_rig b;
	uint32_t used;

	(void)state;
	blk_rig_open_default(&b);
	assert_int_equal(blk_rig_request(&b, T_IN, SECTORS - 1, 512, true, NULL), S_OK);
	assert_int_equal(*rig_at(&b.rig, DATA + 511), image_byte(SECTORS * 512 - 1));
	assert_int_equal(blk_rig_request(&b, T_IN, SECTORS - 1, 1024, true, &used), S_IOERR);
	assert_int_equal(used, 0);
	assert_int_equal(blk_rig_request(&b, T_OUT, SECTORS - 1, 1024, false, &used), S_IOERR);
	assert_int_equal(used, 1);
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		assert_int_equal(blk_rig_request(&b, T_IN, outside[i], 512, true, NULL), S_IOERR);
		assert_int_equal(blk_rig_request(&b, T_OUT, outside[i], 512, false, NULL), S_IOERR);
	}
	for (uint32_t len = 1; len < 1536; len += len % 512 == 511 ? 2 : 1) {
		assert_int_equal(blk_rig_request(&b, T_IN, 0, len, true, NULL), S_IOERR);
		assert_int_equal(blk_rig_request(&b, T_OUT, 0, len, false, NULL), S_IOERR);
	}
	assert_true(blk_rig_untouched(&b));
	blk_rig_close(&b);
}

static void wrong_direction(void **state)
{
	struct blk_rig b;

	(void)state;
	blk_rig_open_default(&b);
	memset(rig_at(&b.rig, DATA), 0x11, 512);
	assert_int_equal(blk_rig_request(&b, T_IN, 0, 512, false, NULL), S_IOERR);
	assert_int_equal(blk_rig_request(&b, T_OUT, 0, 512, true, NULL), S_IOERR);
	assert_int_equal(*rig_at(&b.rig, DATA), 0x11);
	assert_true(blk_rig_untouched(&b));
	blk_rig_close(&b);
}

static void read_only(void **state)
{
	struct blk_rig b;

	(void)state;
	blk_rig_open(&b, 1, true, NULL);
	rig_start(&b.rig, F_FLUSH, 1);
	blk_rig_range(&b, 0, 0, 1, 0);
	assert_int_equal(blk_rig_request(&b, T_OUT, 0, 512, false, NULL), S_IOERR);
	assert_int_equal(blk_rig_request(&b, T_DISCARD, 0, 16, false, NULL), S_UNSUPP);
	assert_int_equal(blk_rig_request(&b, T_ZEROES, 0, 16, false, NULL), S_UNSUPP);
	assert_int_equal(blk_rig_request(&b, T_FLUSH, 0, 0, false, NULL), S_OK);
	assert_int_equal(blk_rig_request(&b, T_IN, 0, 512, true, NULL), S_OK);
	assert_true(blk_rig_untouched(&b));
	blk_rig_close(&b);
}

static void truncated_under_us(void **state)
{
	struct blk_rig b;

	(void)state;
	blk_rig_open_default(&b);
	assert_int_equal(ftruncate(b.fd, 10 * 512 + 100), 0);
	assert_int_equal(blk_rig_request(&b, T_IN, 9, 512, true, NULL), S_OK);
	assert_int_equal(blk_rig_request(&b, T_IN, 9, 1024, true, NULL), S_IOERR);
	assert_int_equal(blk_rig_request(&b, T_IN, 100, 512, true, NULL), S_IOERR);
	assert_false(rig_broken(&b.rig));
	blk_rig_close(&b);
}

/* A disk that can take no more: part of a request fits, the rest fails. */
static void full_disk(void **state)
{
	struct rlimit old, limit;
	struct blk_rig b;

	(void)state;
	blk_rig_open_default(&b);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 100 * 512 + 256;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	memset(rig_at(&b.rig, DATA), 0x99, 2048);
	assert_int_equal(blk_rig_request(&b, T_OUT, 98, 1024, false, NULL), S_OK);
	assert_int_equal(blk_rig_request(&b, T_OUT, 99, 1024, false, NULL), S_IOERR);
	assert_int_equal(blk_rig_request(&b, T_OUT, 200, 512, false, NULL), S_IOERR);
	assert_int_equal(blk_rig_request(&b, T_FLUSH, 0, 0, false, NULL), S_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(blk_rig_request(&b, T_OUT, 200, 512, false, NULL), S_OK);
	blk_rig_close(&b);
}

/* The next machine may have the disk as soon as this one is gone. */
static void lock_ends_with_the_device(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		struct disk *disk;
		struct blk_rig b;

		blk_rig_open_default(&b);
		assert_int_equal(blk_rig_request(&b, T_IN, 0, 4096, true, NULL), S_OK);
		rig_fini(&b.rig);
		assert_int_equal(
			disk_open_raw(image_again(b.fd, O_RDWR), "next", false, false, &disk), 0);
		disk_close(disk);
		(void)close(b.fd);
	}
}

static void fail_often(void *arg)
{
	struct virtio_blk_config config = { .threads = 1 };
	struct stub_disk *stub = stub_disk_new(SECTORS * 512);
	struct blk_rig b;

	(void)arg;
	rig_init(&b.rig);
	stub->fail_after = 0;
	stub->fail_with = -ENOSPC;
	config.disk = &stub->disk;
	assert_int_equal(virtio_blk_create(&config, 0, b.rig.mem, b.rig.loop, &b.rig.dev), 0);
	rig_start(&b.rig, F_ALL, 1);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(blk_rig_request(&b, T_OUT, 8, 512, false, NULL), S_IOERR);
	rig_fini(&b.rig);
}

static void user_is_told_once(void **state)
{
	struct captured *out = malloc(sizeof(*out));

	(void)state;
	capture_child(out, fail_often, NULL);
	assert_int_equal(out->status, 0);
	assert_string_equal(out->text,
			    "hvrun: warning: disk stub: writing 512 bytes at 4096 failed: "
			    "No space left on device; the guest sees an I/O error\n");
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_ranges),
		cmocka_unit_test(limits_of_the_disk),
		cmocka_unit_test(wrong_direction),
		cmocka_unit_test(read_only),
		cmocka_unit_test(truncated_under_us),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(lock_ends_with_the_device),
		cmocka_unit_test(user_is_told_once),
	};

	int failed = cmocka_run_group_tests_name("blk_limits", tests, NULL, NULL);

	if (blk_rig_use_io_uring("blk_limits by io_uring"))
		failed += cmocka_run_group_tests_name("blk_limits by io_uring", tests, NULL, NULL);
	return failed;
}
