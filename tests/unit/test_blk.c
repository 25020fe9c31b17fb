/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk, one request at a time: every type, every split, every limit, on a real file.
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

#include "base/le.h"
#include "tests/lib/capture.h"
#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"
#include "virtio/io_uring.h"

enum {
	T_IN = 0,
	T_OUT = 1,
	T_FLUSH = 4,
	T_GET_ID = 8,
	T_DISCARD = 11,
	T_ZEROES = 13,
	S_OK = 0,
	S_IOERR = 1,
	S_UNSUPP = 2,
	S_NONE = 0xee, /* what lies there before */
	SECTORS = 2048,
	/* Where things lie in the guest. */
	HEADER = RIG_DATA,
	RANGES = RIG_DATA + 0x400,
	STATUS = RIG_DATA + 0x800,
	DATA = RIG_DATA + 0x1000,
};

#define F_FLUSH	  (UINT64_C(1) << 9)
#define F_DISCARD (UINT64_C(1) << 13)
#define F_ZEROES  (UINT64_C(1) << 14)
#define F_ALL	  (F_FLUSH | F_DISCARD | F_ZEROES)

/* How the devices of this group do their I/O. */
static bool by_ring;

struct bench {
	struct dev_rig rig;
	int fd; /* a second descriptor of the image */
};

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + at / 512 * 31 + 3);
}

/* An image of SECTORS sectors full of the pattern. */
static int image(void)
{
	char path[] = "/tmp/hvrun-test-blk-XXXXXX";
	int fd = mkstemp(path);
	uint8_t *bytes = malloc(SECTORS * 512);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	(void)unlink(path);
	for (uint64_t i = 0; i < SECTORS * 512; i++)
		bytes[i] = pattern(i);
	assert_int_equal(pwrite(fd, bytes, SECTORS * 512, 0), SECTORS * 512);
	free(bytes);
	return fd;
}

static void open_bench(struct bench *b, unsigned threads, bool readonly, const char *serial)
{
	struct virtio_blk_config config = { .serial = serial, .threads = threads };
	int fd = image();

	config.io_uring = by_ring && threads > 0;
	rig_init(&b->rig);
	b->fd = dup(fd);
	assert_int_equal(disk_open_raw(fd, "dir/test.img", readonly, false, &config.disk), 0);
	assert_int_equal(virtio_blk_create(&config, 0, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
}

/* A fresh device with the features of a good driver. */
static void open_default(struct bench *b)
{
	open_bench(b, 2, false, NULL);
	rig_start(&b->rig, F_ALL, 1);
}

static void close_bench(struct bench *b)
{
	rig_fini(&b->rig);
	(void)close(b->fd);
}

static void put_header(struct bench *b, uint32_t type, uint64_t sector)
{
	uint8_t *h = rig_at(&b->rig, HEADER);

	le32_store(h, type);
	le32_store(h + 4, 0xdeadbeef); /* reserved: of no meaning */
	le64_store(h + 8, sector);
	*rig_at(&b->rig, STATUS) = S_NONE;
}

/* One request in the usual layout with @len bytes of data at DATA: the status. */
static uint8_t request(struct bench *b, uint32_t type, uint64_t sector, uint32_t len, bool to_guest,
		       uint32_t *used)
{
	struct dr_buf bufs[] = {
		{ HEADER, 16, false },
		{ type == T_DISCARD || type == T_ZEROES ? RANGES : DATA, len, to_guest },
		{ STATUS, 1, true },
	};
	uint32_t n;

	put_header(b, type, sector);
	n = rig_do(&b->rig, 0, bufs, 3);
	if (used)
		*used = n;
	return *rig_at(&b->rig, STATUS);
}

static void file_read(struct bench *b, uint64_t off, void *to, size_t len)
{
	assert_int_equal(pread(b->fd, to, len, (off_t)off), len);
}

static bool image_untouched(struct bench *b)
{
	uint8_t *bytes = malloc(SECTORS * 512);
	bool same = true;

	file_read(b, 0, bytes, SECTORS * 512);
	for (uint64_t i = 0; i < SECTORS * 512; i++)
		same = same && bytes[i] == pattern(i);
	free(bytes);
	return same;
}

static void identity_and_config(void **state)
{
	struct bench b;
	uint8_t c[60];
	uint32_t low;

	(void)state;
	open_bench(&b, 1, false, NULL);
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
	close_bench(&b);

	open_bench(&b, 1, true, NULL);
	assert_int_equal(virtio_features(b.rig.dev, 0) & 0xffffff,
			 1 << 2 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10);
	close_bench(&b);
}

static void reads_and_writes(void **state)
{
	uint8_t back[8 * 512];
	struct bench b;
	uint32_t used;

	(void)state;
	open_default(&b);
	assert_int_equal(request(&b, T_IN, 5, 4096, true, &used), S_OK);
	assert_int_equal(used, 4097);
	for (uint64_t i = 0; i < 4096; i++)
		assert_int_equal(*rig_at(&b.rig, DATA + i), pattern(5 * 512 + i));

	memset(rig_at(&b.rig, DATA), 0x5a, 1024);
	assert_int_equal(request(&b, T_OUT, 7, 1024, false, &used), S_OK);
	assert_int_equal(used, 1);
	file_read(&b, 6 * 512, back, sizeof(back));
	for (uint64_t i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], i >= 512 && i < 1536 ? 0x5a : pattern(6 * 512 + i));
	close_bench(&b);
}

/* The whole disk in requests of all sizes, by threads and on the loop alone. */
static void whole_disk(void **state)
{
	(void)state;
	for (unsigned threads = 0; threads < 4; threads += 3) {
		uint64_t sector = 0;
		struct bench b;

		open_bench(&b, threads, false, NULL);
		rig_start(&b.rig, F_ALL | VIRTIO_F_EVENT_IDX, 1);
		for (uint32_t n = 1; sector + n <= SECTORS; sector += n, n = n % 900 * 3 / 2 + 1) {
			assert_int_equal(request(&b, T_IN, sector, n * 512, true, NULL), S_OK);
			for (uint64_t i = 0; i < n * 512; i++)
				if (*rig_at(&b.rig, DATA + i) != pattern(sector * 512 + i))
					fail_msg("sector %llu", (unsigned long long)sector);
		}
		assert_true(sector > SECTORS / 2);
		close_bench(&b);
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
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		uint8_t expect[20] = { 0 };
		struct bench b;

		memcpy(expect, cases[c].id, strlen(cases[c].id));
		open_bench(&b, 1, false, cases[c].serial);
		rig_start(&b.rig, F_ALL, 1);
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			uint32_t n = lens[i] < 20 ? lens[i] : 20, used;

			memset(rig_at(&b.rig, DATA), 0x77, 600);
			assert_int_equal(request(&b, T_GET_ID, 0, lens[i], true, &used), S_OK);
			assert_int_equal(used, lens[i] <= 20 ? lens[i] + 1 : 20);
			assert_memory_equal(rig_at(&b.rig, DATA), expect, n);
			assert_int_equal(*rig_at(&b.rig, DATA + n), 0x77);
		}
		close_bench(&b);
	}
}

static void put_range(struct bench *b, unsigned i, uint64_t sector, uint32_t sectors,
		      uint32_t flags)
{
	uint8_t *r = rig_at(&b->rig, RANGES + i * 16);

	le64_store(r, sector);
	le32_store(r + 8, sectors);
	le32_store(r + 12, flags);
}

static blkcnt_t blocks(struct bench *b)
{
	struct stat st;

	assert_int_equal(fstat(b->fd, &st), 0);
	return st.st_blocks;
}

static void discard(void **state)
{
	blkcnt_t before;
	struct bench b;

	(void)state;
	open_default(&b);
	assert_int_equal(request(&b, T_FLUSH, 0, 0, false, NULL), S_OK);
	before = blocks(&b);
	put_range(&b, 0, 1024, 512, 0);
	put_range(&b, 1, 64, 256, 0);
	assert_int_equal(request(&b, T_DISCARD, 0, 32, false, NULL), S_OK);
	assert_true(blocks(&b) <= before - 768);
	assert_int_equal(request(&b, T_IN, 63, 1024, true, NULL), S_OK);
	assert_int_equal(*rig_at(&b.rig, DATA + 511), pattern(64 * 512 - 1));
	assert_int_equal(*rig_at(&b.rig, DATA + 512), 0);
	for (unsigned i = 0; i < 17; i++)
		put_range(&b, i, i, 1, 0);
	assert_int_equal(request(&b, T_DISCARD, 0, 17 * 16, false, NULL), S_IOERR);
	assert_int_equal(request(&b, T_DISCARD, 0, 16 * 16, false, NULL), S_OK);
	close_bench(&b);
}

static void write_zeroes(void **state)
{
	uint8_t back[3 * 512];

	(void)state;
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		struct bench b;

		open_default(&b);
		put_range(&b, 0, 9, 1, unmap);
		assert_int_equal(request(&b, T_ZEROES, 0, 16, false, NULL), S_OK);
		file_read(&b, 8 * 512, back, sizeof(back));
		for (uint64_t i = 0; i < sizeof(back); i++)
			assert_int_equal(back[i], i / 512 == 1 ? 0 : pattern(8 * 512 + i));
		assert_int_equal(lseek(b.fd, 0, SEEK_END), SECTORS * 512);
		close_bench(&b);
	}
}

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
	struct bench b;

	(void)state;
	open_default(&b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_range(&b, 0, cases[i].sector, cases[i].sectors, cases[i].flags);
		put_range(&b, 1, 0, 1, 0);
		if (request(&b, cases[i].type, 0, cases[i].len, false, NULL) != cases[i].status)
			fail_msg("case %zu: status %u", i, *rig_at(&b.rig, STATUS));
	}
	assert_true(image_untouched(&b));
	rig_start(&b.rig, F_FLUSH, 1);
	put_range(&b, 0, 0, 1, 0);
	assert_int_equal(request(&b, T_DISCARD, 0, 16, false, NULL), S_UNSUPP);
	assert_int_equal(request(&b, T_ZEROES, 0, 16, false, NULL), S_UNSUPP);
	assert_true(image_untouched(&b));
	close_bench(&b);
}

static void limits_of_the_disk(void **state)
{
	static const uint64_t outside[] = {
		SECTORS,	  SECTORS + 1,	  UINT64_C(1) << 55, (UINT64_C(1) << 55) - 1,
		UINT64_MAX / 512, UINT64_MAX - 1, UINT64_MAX,	     (UINT64_C(1) << 55) + 3,
	};
	struct bench b;
	uint32_t used;

	(void)state;
	open_default(&b);
	assert_int_equal(request(&b, T_IN, SECTORS - 1, 512, true, NULL), S_OK);
	assert_int_equal(*rig_at(&b.rig, DATA + 511), pattern(SECTORS * 512 - 1));
	assert_int_equal(request(&b, T_IN, SECTORS - 1, 1024, true, &used), S_IOERR);
	assert_int_equal(used, 0);
	assert_int_equal(request(&b, T_OUT, SECTORS - 1, 1024, false, &used), S_IOERR);
	assert_int_equal(used, 1);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		assert_int_equal(request(&b, T_IN, outside[i], 512, true, NULL), S_IOERR);
		assert_int_equal(request(&b, T_OUT, outside[i], 512, false, NULL), S_IOERR);
	}
	for (uint32_t len = 1; len < 1536; len += len % 512 == 511 ? 2 : 1) {
		assert_int_equal(request(&b, T_IN, 0, len, true, NULL), S_IOERR);
		assert_int_equal(request(&b, T_OUT, 0, len, false, NULL), S_IOERR);
	}
	assert_true(image_untouched(&b));
	close_bench(&b);
}

static void wrong_direction(void **state)
{
	struct bench b;

	(void)state;
	open_default(&b);
	memset(rig_at(&b.rig, DATA), 0x11, 512);
	assert_int_equal(request(&b, T_IN, 0, 512, false, NULL), S_IOERR);
	assert_int_equal(request(&b, T_OUT, 0, 512, true, NULL), S_IOERR);
	assert_int_equal(*rig_at(&b.rig, DATA), 0x11);
	assert_true(image_untouched(&b));
	close_bench(&b);
}

static void unknown_types(void **state)
{
	static const uint32_t types[] = { 2,  3,  5,  6,  7,  9,	  10,	      12,
					  14, 15, 16, 26, 28, 0x80000000, 0x80000001, 0xffffffff };
	struct bench b;
	uint32_t used;

	(void)state;
	open_default(&b);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_int_equal(request(&b, types[i], 0, 512, true, &used), S_UNSUPP);
		assert_int_equal(used, 0);
		assert_int_equal(request(&b, types[i], 0, 512, false, &used), S_UNSUPP);
		assert_int_equal(used, 1);
	}
	assert_true(image_untouched(&b));
	close_bench(&b);
}

static void read_only(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, 1, true, NULL);
	rig_start(&b.rig, F_FLUSH, 1);
	put_range(&b, 0, 0, 1, 0);
	assert_int_equal(request(&b, T_OUT, 0, 512, false, NULL), S_IOERR);
	assert_int_equal(request(&b, T_DISCARD, 0, 16, false, NULL), S_UNSUPP);
	assert_int_equal(request(&b, T_ZEROES, 0, 16, false, NULL), S_UNSUPP);
	assert_int_equal(request(&b, T_FLUSH, 0, 0, false, NULL), S_OK);
	assert_int_equal(request(&b, T_IN, 0, 512, true, NULL), S_OK);
	assert_true(image_untouched(&b));
	close_bench(&b);
}

/* One read of two sectors and one write, with the @cuts cuts of its bytes anywhere. */
static void split_request(struct bench *b, bool write, uint32_t cut, uint32_t cut2)
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
	put_header(b, write ? T_OUT : T_IN, 3);
	for (uint32_t i = 16; i < out; i++)
		base[i] = (uint8_t)(i ^ cut);
	base[total - 1] = S_NONE;
	assert_int_equal(rig_do(&b->rig, 0, bufs, n), in);
	assert_int_equal(base[total - 1], S_OK);
	file_read(b, 3 * 512, back, 512);
	assert_memory_equal(back, base + 16, 512);
}

static void split_everywhere(void **state)
{
	struct bench b;

	(void)state;
	open_default(&b);
	for (uint32_t cut = 0; cut <= 529; cut++)
		split_request(&b, true, cut, 529);
	for (uint32_t cut = 0; cut <= 529; cut++)
		split_request(&b, false, cut, cut * 211 % 530);
	for (uint32_t cut = 0; cut <= 529; cut += 3)
		split_request(&b, true, cut, cut * 101 % 530);
	close_bench(&b);
}

static void many_segments(void **state)
{
	struct dr_buf bufs[200];
	struct bench b;

	(void)state;
	open_bench(&b, 2, false, NULL);
	b.rig.ring_size = 256;
	rig_start(&b.rig, F_ALL | VIRTIO_F_INDIRECT_DESC, 1);
	put_header(&b, T_IN, 0);
	bufs[0] = (struct dr_buf){ HEADER, 16, false };
	for (unsigned i = 1; i < 199; i++)
		bufs[i] = (struct dr_buf){ DATA + i * 4096, 1024, true };
	bufs[199] = (struct dr_buf){ STATUS, 1, true };
	assert_int_equal(rig_do(&b.rig, 0, bufs, 200), 198 * 1024 + 1);
	for (uint64_t i = 0; i < 198 * 1024; i++)
		assert_int_equal(*rig_at(&b.rig, DATA + (i / 1024 + 1) * 4096 + i % 1024),
				 pattern(i));

	/* The same as an indirect table. */
	*rig_at(&b.rig, STATUS) = S_NONE;
	dr_offer(&b.rig.ring[0], dr_indirect(&b.rig.ring[0], 5, gpa(0x40000), bufs, 200));
	virtio_kick(b.rig.dev, 0);
	rig_used(&b.rig, 0, NULL, NULL);
	assert_int_equal(*rig_at(&b.rig, STATUS), S_OK);
	close_bench(&b);
}

static void truncated_under_us(void **state)
{
	struct bench b;

	(void)state;
	open_default(&b);
	assert_int_equal(ftruncate(b.fd, 10 * 512 + 100), 0);
	assert_int_equal(request(&b, T_IN, 9, 512, true, NULL), S_OK);
	assert_int_equal(request(&b, T_IN, 9, 1024, true, NULL), S_IOERR);
	assert_int_equal(request(&b, T_IN, 100, 512, true, NULL), S_IOERR);
	assert_false(rig_broken(&b.rig));
	close_bench(&b);
}

/* A disk that can take no more: part of a request fits, the rest fails. */
static void full_disk(void **state)
{
	struct rlimit old, limit;
	struct bench b;

	(void)state;
	open_default(&b);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 100 * 512 + 256;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	memset(rig_at(&b.rig, DATA), 0x99, 2048);
	assert_int_equal(request(&b, T_OUT, 98, 1024, false, NULL), S_OK);
	assert_int_equal(request(&b, T_OUT, 99, 1024, false, NULL), S_IOERR);
	assert_int_equal(request(&b, T_OUT, 200, 512, false, NULL), S_IOERR);
	assert_int_equal(request(&b, T_FLUSH, 0, 0, false, NULL), S_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(request(&b, T_OUT, 200, 512, false, NULL), S_OK);
	close_bench(&b);
}

/* The next machine may have the disk as soon as this one is gone. */
static void lock_ends_with_the_device(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		struct disk *disk;
		char path[64];
		struct bench b;

		open_default(&b);
		assert_int_equal(request(&b, T_IN, 0, 4096, true, NULL), S_OK);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", b.fd);
		rig_fini(&b.rig);
		assert_int_equal(disk_open_raw(open(path, O_RDWR), "next", false, false, &disk), 0);
		disk_close(disk);
		(void)close(b.fd);
	}
}

/* A reset while reads of a cold file are under way, then the same reads, all of them good. */
static void reset_amid_reads(void **state)
{
	const uint8_t *ram;
	struct bench b;

	(void)state;
	open_bench(&b, 2, false, NULL);
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
			virtio_set_status(b.rig.dev, 0);
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
					 pattern(i / 4096 * 16 * 512 + i % 4096));
	}
	close_bench(&b);
}

static void fail_often(void *arg)
{
	struct virtio_blk_config config = { .threads = 1 };
	struct stub_disk *stub = stub_disk_new(SECTORS * 512);
	struct bench b;

	(void)arg;
	rig_init(&b.rig);
	stub->fail_after = 0;
	stub->fail_with = -ENOSPC;
	config.disk = &stub->disk;
	assert_int_equal(virtio_blk_create(&config, 0, b.rig.mem, b.rig.loop, &b.rig.dev), 0);
	rig_start(&b.rig, F_ALL, 1);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(request(&b, T_OUT, 8, 512, false, NULL), S_IOERR);
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

static bool have_ring(void)
{
	struct io_ring *ring = NULL;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool have = io_ring_create(fd, 1, &ring) == 0;

	io_ring_destroy(ring);
	(void)close(fd);
	return have;
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
		cmocka_unit_test(refused_ranges),
		cmocka_unit_test(limits_of_the_disk),
		cmocka_unit_test(wrong_direction),
		cmocka_unit_test(unknown_types),
		cmocka_unit_test(read_only),
		cmocka_unit_test(split_everywhere),
		cmocka_unit_test(many_segments),
		cmocka_unit_test(truncated_under_us),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(lock_ends_with_the_device),
		cmocka_unit_test(reset_amid_reads),
		cmocka_unit_test(user_is_told_once),
	};
	int failed = cmocka_run_group_tests_name("blk", tests, NULL, NULL);

	if (have_ring()) {
		by_ring = true;
		failed += cmocka_run_group_tests_name("blk by io_uring", tests, NULL, NULL);
	} else {
		(void)puts("skip blk by io_uring: the host has none");
	}
	return failed;
}
