/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk, one request at a time, on a real file by threads and by io_uring: every type and
 * every split.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/blk_rig.h"

static void identity_and_config(void **state)
{
	struct blk_rig b;
	uint8_t c[60];
	uint32_t low;

	(void)state;
	blk_rig_open(&b, 1, false, NULL);
	low = virtio_features(b.rig.dev, 0);
	assert_int_equal(b.rig.dev->type->id, 2);
	assert_int_equal(low & 0xffffff, 1 << 2 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 13 | 1 << 14);
	virtio_config_read(b.rig.dev, 0, c, 8);
	assert_int_equal(le64_load(c), SECTORS);
	for (size_t i = 0; i < sizeof(c); i += 4)
		virtio_config_read(b.rig.dev, i, c + i, 4);
	assert_int_equal(le32_load(c + 12), 126);
	assert_int_equal(le32_load(c + 20), 512);
	assert_int_equal(c[24], 3); /* 4096 byte blocks of the file system */
	assert_int_equal(le16_load(c + 26), 8);
	assert_int_equal(le32_load(c + 36), 4 * 1024 * 1024);
	assert_int_equal(le32_load(c + 40), 16);
	assert_int_equal(le32_load(c + 48), 128 * 1024);
	assert_int_equal(le32_load(c + 52), 1);
	assert_int_equal(c[56], 1);
	blk_rig_close(&b);

	blk_rig_open(&b, 1, true, NULL);
	assert_int_equal(virtio_features(b.rig.dev, 0) & 0xffffff,
			 1 << 2 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10);
	blk_rig_close(&b);
}

static void reads_and_writes(void **state)
{
	uint8_t back[8 * 512];
	struct blk_rig b;
	uint32_t used;

	(void)state;
	blk_rig_open_default(&b);
	assert_int_equal(blk_rig_request(&b, T_IN, 5, 4096, true, &used), S_OK);
	assert_int_equal(used, 4097);
	for (uint64_t i = 0; i < 4096; i++)
		assert_int_equal(*rig_at(&b.rig, DATA + i), image_byte(5 * 512 + i));

	memset(rig_at(&b.rig, DATA), 0x5a, 1024);
	assert_int_equal(blk_rig_request(&b, T_OUT, 7, 1024, false, &used), S_OK);
	assert_int_equal(used, 1);
	blk_rig_file(&b, 6 * 512, back, sizeof(back));
	for (uint64_t i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], i >= 512 && i < 1536 ? 0x5a : image_byte(6 * 512 + i));
	blk_rig_close(&b);
}

/* The whole disk in requests of all sizes, by threads and on the loop alone. */
static void whole_disk(void **state)
{
	(void)state;
	for (unsigned threads = 0; threads < 4; threads += 3) {
		uint64_t sector = 0;
		struct blk_rig b;

		blk_rig_open(&b, threads, false, NULL);
		rig_start(&b.rig, F_ALL | VIRTIO_F_EVENT_IDX, 1);
		for (uint32_t n = 1; sector + n <= SECTORS; sector += n, n = n % 900 * 3 / 2 + 1) {
			assert_int_equal(blk_rig_request(&b, T_IN, sector, n * 512, true, NULL),
					 S_OK);
			for (uint64_t i = 0; i < n * 512; i++)
				if (*rig_at(&b.rig, DATA + i) != image_byte(sector * 512 + i))
					fail_msg("sector %llu", (unsigned long long)sector);
		}
		assert_true(sector > SECTORS / 2);
		blk_rig_close(&b);
	}
}

static void get_id(void **state)
{
	static const struct {
		const char *serial, *id;
	} cases[] = {
		{ NULL, "test.img" },
		{ "abc", "abc" },
		{ "12345678901234567890", "12345678901234567890" },
		{ "12345678901234567890+", "12345678901234567890" },
		{ "", "" },
	};
	static const uint32_t lens[] = { 0, 1, 19, 20, 21, 40, 512 };

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		uint8_t expect[20] = { 0 };
		struct blk_rig b;

		memcpy(expect, cases[c].id, strlen(cases[c].id));
		blk_rig_open(&b, 1, false, cases[c].serial);
		rig_start(&b.rig, F_ALL, 1);
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			uint32_t n = lens[i] < 20 ? lens[i] : 20, used;

			memset(rig_at(&b.rig, DATA), 0x77, 600);
			assert_int_equal(blk_rig_request(&b, T_GET_ID, 0, lens[i], true, &used),
					 S_OK);
			assert_int_equal(used, lens[i] <= 20 ? lens[i] + 1 : 20);
			assert_memory_equal(rig_at(&b.rig, DATA), expect, n);
			assert_int_equal(*rig_at(&b.rig, DATA + n), 0x77);
		}
		blk_rig_close(&b);
	}
}

static blkcnt_t blocks(struct blk_rig *b)
{
	struct stat st;

	assert_int_equal(fstat(b->fd, &st), 0);
	return st.st_blocks;
}

static void discard(void **state)
{
	blkcnt_t before;
	struct blk_rig b;

	(void)state;
	blk_rig_open_default(&b);
	assert_int_equal(blk_rig_request(&b, T_FLUSH, 0, 0, false, NULL), S_OK);
	before = blocks(&b);
	blk_rig_range(&b, 0, 1024, 512, 0);
	blk_rig_range(&b, 1, 64, 256, 0);
	assert_int_equal(blk_rig_request(&b, T_DISCARD, 0, 32, false, NULL), S_OK);
	assert_true(blocks(&b) <= before - 768);
	assert_int_equal(blk_rig_request(&b, T_IN, 63, 1024, true, NULL), S_OK);
	assert_int_equal(*rig_at(&b.rig, DATA + 511), image_byte(64 * 512 - 1));
	assert_int_equal(*rig_at(&b.rig, DATA + 512), 0);
	for (unsigned i = 0; i < 17; i++)
		blk_rig_range(&b, i, i, 1, 0);
	assert_int_equal(blk_rig_request(&b, T_DISCARD, 0, 17 * 16, false, NULL), S_IOERR);
	assert_int_equal(blk_rig_request(&b, T_DISCARD, 0, 16 * 16, false, NULL), S_OK);
	blk_rig_close(&b);
}

static void write_zeroes(void **state)
{
	uint8_t back[3 * 512];

	(void)state;
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		struct blk_rig b;

		blk_rig_open_default(&b);
		blk_rig_range(&b, 0, 9, 1, unmap);
		assert_int_equal(blk_rig_request(&b, T_ZEROES, 0, 16, false, NULL), S_OK);
		blk_rig_file(&b, 8 * 512, back, sizeof(back));
		for (uint64_t i = 0; i < sizeof(back); i++)
			assert_int_equal(back[i], i / 512 == 1 ? 0 : image_byte(8 * 512 + i));
		assert_int_equal(lseek(b.fd, 0, SEEK_END), SECTORS * 512);
		blk_rig_close(&b);
	}
}

static void unknown_types(void **state)
{
	static const uint32_t types[] = { 2,  3,  5,  6,  7,  9,	  10,	      12,
					  14, 15, 16, 26, 28, 0x80000000, 0x80000001, 0xffffffff };
	struct blk_rig b;
	uint32_t used;

	(void)state;
	blk_rig_open_default(&b);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		assert_int_equal(blk_rig_request(&b, types[i], 0, 512, true, &used), S_UNSUPP);
		assert_int_equal(used, 0);
		assert_int_equal(blk_rig_request(&b, types[i], 0, 512, false, &used), S_UNSUPP);
		assert_int_equal(used, 1);
	}
	assert_true(blk_rig_untouched(&b));
	blk_rig_close(&b);
}

/* One read of two sectors and one write, with the @cuts cuts of its bytes anywhere. */
static void split_request(struct blk_rig *b, bool write, uint32_t cut, uint32_t cut2)
{
	uint32_t out = write ? 16 + 512 : 16, in = write ? 1 : 513, total = out + in;
	uint32_t ends[] = { cut < cut2 ? cut : cut2, cut < cut2 ? cut2 : cut, out, total };
	uint8_t *base = rig_at(&b->rig, HEADER);
	struct dr_buf bufs[4];
	unsigned n = 0;
	uint8_t back[512];

	/* Insert the border between the directions into the sorted cuts. */
	for (unsigned i = 2; i > 0 && ends[i - 1] > ends[i]; i--) {
		uint32_t t = ends[i];

		ends[i] = ends[i - 1];
		ends[i - 1] = t;
	}
	for (uint32_t i = 0, at = 0; i < 4; at = ends[i++])
		bufs[n++] = (struct dr_buf){ HEADER + at, ends[i] - at, at >= out };
	/* An empty piece at the border is a readable one, before the writable ones. */
	for (unsigned i = 0; i < n; i++)
		if (bufs[i].len == 0 && bufs[i].addr <= HEADER + out)
			bufs[i].write = i > 0 && bufs[i - 1].write;
	memset(base, 0x33, total);
	blk_rig_header(b, write ? T_OUT : T_IN, 3);
	for (uint32_t i = 16; i < out; i++)
		base[i] = (uint8_t)(i ^ cut);
	base[total - 1] = S_NONE;
	assert_int_equal(rig_do(&b->rig, 0, bufs, n), in);
	assert_int_equal(base[total - 1], S_OK);
	blk_rig_file(b, 3 * 512, back, 512);
	assert_memory_equal(back, base + 16, 512);
}

static void split_everywhere(void **state)
{
	struct blk_rig b;

	(void)state;
	blk_rig_open_default(&b);
	for (uint32_t cut = 0; cut <= 529; cut++)
		split_request(&b, true, cut, 529);
	for (uint32_t cut = 0; cut <= 529; cut++)
		split_request(&b, false, cut, cut * 211 % 530);
	for (uint32_t cut = 0; cut <= 529; cut += 3)
		split_request(&b, true, cut, cut * 101 % 530);
	blk_rig_close(&b);
}

static void many_segments(void **state)
{
	struct dr_buf bufs[200];
	struct blk_rig b;

	(void)state;
	blk_rig_open(&b, 2, false, NULL);
	b.rig.ring_size = 256;
	rig_start(&b.rig, F_ALL | VIRTIO_F_INDIRECT_DESC, 1);
	blk_rig_header(&b, T_IN, 0);
	bufs[0] = (struct dr_buf){ HEADER, 16, false };
	for (unsigned i = 1; i < 199; i++)
		bufs[i] = (struct dr_buf){ DATA + i * 4096, 1024, true };
	bufs[199] = (struct dr_buf){ STATUS, 1, true };
	assert_int_equal(rig_do(&b.rig, 0, bufs, 200), 198 * 1024 + 1);
	for (uint64_t i = 0; i < 198 * 1024; i++)
		assert_int_equal(*rig_at(&b.rig, DATA + (i / 1024 + 1) * 4096 + i % 1024),
				 image_byte(i));

	/* The same as an indirect table. */
	*rig_at(&b.rig, STATUS) = S_NONE;
	dr_offer(&b.rig.ring[0], dr_indirect(&b.rig.ring[0], 5, gpa(0x40000), bufs, 200));
	virtio_kick(b.rig.dev, 0);
	rig_used(&b.rig, 0, NULL, NULL);
	assert_int_equal(*rig_at(&b.rig, STATUS), S_OK);
	blk_rig_close(&b);
}

/* A reset while reads of a cold file are under way, then the same reads, all of them good. */
static void reset_amid_reads(void **state)
{
	const uint8_t *ram;
	struct blk_rig b;

	(void)state;
	blk_rig_open(&b, 2, false, NULL);
	b.rig.ring_size = 256;
	for (unsigned round = 0; round < 20; round++) {
		bool reset = round % 4 != 3;

		(void)fdatasync(b.fd);
		(void)posix_fadvise(b.fd, 0, 0, POSIX_FADV_DONTNEED);
		rig_start(&b.rig, F_ALL | VIRTIO_F_EVENT_IDX, 1);
		for (unsigned i = 0; i < 85; i++) {
			struct dr_buf bufs[] = {
				{ HEADER + i * 16, 16, false },
				{ DATA + i * 8192, 4096, true },
				{ DATA + i * 8192 + 4096, 1, true },
			};

			le32_store(rig_at(&b.rig, bufs[0].addr), T_IN);
			le64_store(rig_at(&b.rig, bufs[0].addr + 8), i * 16);
			rig_offer(&b.rig, 0, (uint16_t)(3 * i), bufs, 3);
		}
		if (reset) {
			(void)loop_turn(b.rig.loop, 0);
			rig_reset(&b.rig);
			memset(rig_at(&b.rig, 0), 0x44, RIG_RAM);
			rig_settle(&b.rig);
			/* Not one byte came after the reset. */
			ram = rig_at(&b.rig, 0);
			assert_true(ram[0] == 0x44 && !memcmp(ram, ram + 1, RIG_RAM - 1));
			continue;
		}
		for (unsigned i = 0; i < 85; i++)
			rig_used(&b.rig, 0, NULL, NULL);
		for (uint64_t i = 0; i < 85 * 4096; i++)
			assert_int_equal(*rig_at(&b.rig, DATA + i / 4096 * 8192 + i % 4096),
					 image_byte(i / 4096 * 16 * 512 + i % 4096));
	}
	blk_rig_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_and_config),
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(whole_disk),
		cmocka_unit_test(get_id),
		cmocka_unit_test(discard),
		cmocka_unit_test(write_zeroes),
		cmocka_unit_test(unknown_types),
		cmocka_unit_test(split_everywhere),
		cmocka_unit_test(many_segments),
		cmocka_unit_test(reset_amid_reads),
	};

	int failed = cmocka_run_group_tests_name("blk", tests, NULL, NULL);

	if (blk_rig_use_io_uring("blk by io_uring"))
		failed += cmocka_run_group_tests_name("blk by io_uring", tests, NULL, NULL);
	return failed;
}
