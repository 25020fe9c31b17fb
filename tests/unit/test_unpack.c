/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/unpack: packed kernels, whole, cut at every byte, damaged at every byte, nested, lying, bombs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/capture.h"
#include "tests/lib/packed.h"
#include "vm/unpack.h"

/* From a block of its own size, so that a sanitizer sees a read too far. */
static int unpack_bytes(const struct bytes *packed, uint64_t ram, struct unpacked *out)
{
	uint8_t *exact = malloc(packed->len ? packed->len : 1);
	int r;

	assert_non_null(exact);
	memcpy(exact, packed->data, packed->len);
	assert_true(unpack_wanted(exact, packed->len));
	r = unpack("Image", exact, packed->len, ram, out);
	free(exact);
	return r;
}

static void assert_unpacks(const struct bytes *packed, const void *wanted, size_t len)
{
	struct unpacked out;

	assert_int_equal(unpack_bytes(packed, 64 * MIB, &out), 0);
	assert_int_equal(out.size, len);
	assert_memory_equal(out.data, wanted, len);
	unpack_release(&out);
	assert_null(out.data);
}

struct refusal {
	const struct bytes *packed;
	uint64_t ram;
	int error;
};

static void refuse(void *arg)
{
	const struct refusal *refusal = arg;
	struct unpacked out;

	_exit(unpack_bytes(refusal->packed, refusal->ram, &out) == refusal->error ? 0 : 1);
}

/* The one line is "hvrun: kernel Image: " and @words. */
static void assert_refused(const struct bytes *packed, uint64_t ram, int error, const char *words)
{
	struct refusal refusal = { packed, ram, error };
	struct captured said;
	char line[1024];

	capture_child(&said, refuse, &refusal);
	snprintf(line, sizeof(line), "hvrun: kernel Image: %s\n", words);
	assert_string_equal(said.text, line);
	assert_int_equal(said.status, 0);
}

static void test_known_by_content(void **state)
{
	struct bytes plain = plain_bytes();

	(void)state;
	assert_true(unpack_wanted((const uint8_t *)"\x1f\x8b", 2));
	assert_false(unpack_wanted((const uint8_t *)"\x1f", 1));
	assert_true(unpack_wanted((const uint8_t *)"\x28\xb5\x2f\xfd", 4));
	assert_false(unpack_wanted((const uint8_t *)"\x28\xb5\x2f", 3));
	assert_true(unpack_wanted((const uint8_t *)"\xfd"
						   "7zXZ\0",
				  6));
	assert_false(unpack_wanted((const uint8_t *)"\xfd"
						    "7zXZ\0",
				   5));
	assert_true(unpack_wanted((const uint8_t *)"MZ\0\0zimg", 8));
	assert_false(unpack_wanted((const uint8_t *)"MZ\0\0zim", 7));
	assert_false(unpack_wanted((const uint8_t *)"MZ\0\0\0\0\0\0", 8)); /* a bzImage, an Image */
	assert_false(unpack_wanted((const uint8_t *)"\x7f"
						    "ELF",
				   4));
	assert_false(unpack_wanted(NULL, 0));
	assert_false(unpack_wanted(plain.data, plain.len));
}

static void test_gzip(void **state)
{
	struct bytes plain = plain_bytes();
	struct bytes packed = gzip_of(plain.data, plain.len);
	struct bytes first = gzip_of(plain.data, 1000);
	struct bytes second = gzip_of(plain.data + 1000, plain.len - 1000);

	(void)state;
	assert_in_range(packed.len, 1, plain.len - 1);
	assert_unpacks(&packed, plain.data, plain.len);
	first = joined(&first, second.data, second.len);
	assert_unpacks(&first, plain.data, plain.len);
}

static void test_zstd(void **state)
{
	struct bytes plain = plain_bytes();

	(void)state;
	for (int how = 0; how <= (SIZED | SUMMED); how++) {
		struct bytes packed = zstd_of(plain.data, plain.len, how);
		struct bytes first = zstd_of(plain.data, 1000, how);
		struct bytes second = zstd_of(plain.data + 1000, plain.len - 1000, how);

		assert_in_range(packed.len, 1, plain.len - 1);
		assert_unpacks(&packed, plain.data, plain.len);
		/* Between them, a frame to be skipped. */
		first = joined(&first, "\x5f\x2a\x4d\x18\x03\0\0\0abc", 11);
		first = joined(&first, second.data, second.len);
		assert_unpacks(&first, plain.data, plain.len);
	}
}

static const char *xz_twice(size_t len)
{
	static char words[128];

	snprintf(words, sizeof(words), "%zu bytes follow its xz data that do not belong to it",
		 len);
	return words;
}

static void test_xz(void **state)
{
	struct bytes plain = plain_bytes();
	struct bytes packed = xz_of(plain.data, plain.len);

	(void)state;
	assert_in_range(packed.len, 1, plain.len - 1);
	assert_unpacks(&packed, plain.data, plain.len);
	packed = joined(&packed, packed.data, packed.len);
	assert_refused(&packed, 64 * MIB, -ENOEXEC, xz_twice(packed.len / 2));
}

/* Larger than the first room, so that the mapping grows; and back to what is used. */
static void test_grows(void **state)
{
	static const size_t sizes[] = { MIB - 1, MIB, MIB + 1, 4 * MIB, 5 * MIB + 7 };
	uint8_t *zeros = calloc(1, 6 * MIB);

	(void)state;
	assert_non_null(zeros);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct bytes packed = gzip_of(zeros, sizes[i]);

		assert_unpacks(&packed, zeros, sizes[i]);
		packed = xz_of(zeros, sizes[i]);
		assert_unpacks(&packed, zeros, sizes[i]);
		packed = zstd_of(zeros, sizes[i], SUMMED);
		assert_unpacks(&packed, zeros, sizes[i]);
		packed = zstd_of(zeros, sizes[i], SUMMED | SIZED);
		assert_unpacks(&packed, zeros, sizes[i]);
	}
	free(zeros);
}

static void test_what_follows(void **state)
{
	struct bytes plain = plain_bytes();
	struct bytes packed[3] = { gzip_of(plain.data, plain.len),
				   zstd_of(plain.data, plain.len, SIZED),
				   xz_of(plain.data, plain.len) };
	static const uint8_t zeros[512];
	uint8_t size[4];

	(void)state;
	le32_store(size, PLAIN);
	for (size_t i = 0; i < 3; i++) {
		struct bytes b = joined(&packed[i], zeros, sizeof(zeros));

		assert_unpacks(&b, plain.data, plain.len);
		b = joined(&packed[i], size, sizeof(size));
		assert_unpacks(&b, plain.data, plain.len);
	}
	le32_store(size, PLAIN + 1);
	packed[0] = joined(&packed[0], "x", 1);
	assert_refused(&packed[0], MIB, -ENOEXEC,
		       "1 bytes follow its gzip data that do not belong to it");
	packed[1] = joined(&packed[1], size, 4);
	assert_refused(&packed[1], MIB, -ENOEXEC,
		       "4 bytes follow its zstd data that do not belong to it");
}

/* No words: hundreds of lines would hide those of other tests. */
static void be_silent(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dup2(fd, 2) < 0)
		_exit(2);
}

/* Every prefix is refused; what is not even recognised is not asked for. */
static void refuse_prefixes(void *arg)
{
	struct bytes b = *(const struct bytes *)arg;
	struct unpacked out;

	be_silent();
	while (b.len-- > 0)
		if (unpack_wanted(b.data, b.len) && unpack_bytes(&b, MIB, &out) != -ENOEXEC)
			_exit(1);
}

/*
 * One bit of it wrong: refused, or the same bytes come out (a field that means nothing to us). Each bit, or where
 * tests/run says that a suite is slow and another has done so, one of each byte.
 */
static void refuse_damaged(void *arg)
{
	const struct bytes *good = arg;
	struct bytes plain = plain_bytes();
	const int step = getenv("HVRUN_TEST_SPARSE") ? 8 : 1;

	be_silent();
	for (size_t i = 0; i < good->len; i++) {
		for (int bit = (int)i % step; bit < 8; bit += step) {
			struct bytes b = *good;
			struct unpacked out;

			b.data[i] ^= (uint8_t)(1 << bit);
			if (!unpack_wanted(b.data, b.len) || unpack_bytes(&b, 64 * MIB, &out))
				continue;
			if (out.size != plain.len || memcmp(out.data, plain.data, plain.len) != 0)
				_exit(1);
			unpack_release(&out);
		}
	}
}

static void assert_child(void (*fn)(void *arg), struct bytes *b)
{
	struct captured said;

	capture_child(&said, fn, b);
	assert_int_equal(said.status, 0);
}

static void test_threat_33_packed_cut_and_damaged(void **state)
{
	struct bytes plain = plain_bytes();
	struct bytes gzip = gzip_of(plain.data, plain.len);
	struct bytes zstd = zstd_of(plain.data, plain.len, SIZED | SUMMED);
	struct bytes stream = zstd_of(plain.data, plain.len, SUMMED);
	struct bytes xz = xz_of(plain.data, plain.len);
	struct bytes zboot = zboot_of(&gzip, "gzip");
	char words[128];

	(void)state;
	assert_child(refuse_prefixes, &gzip);
	assert_child(refuse_prefixes, &zstd);
	assert_child(refuse_prefixes, &stream);
	assert_child(refuse_prefixes, &xz);
	assert_child(refuse_damaged, &xz);
	assert_child(refuse_damaged, &gzip);
	assert_child(refuse_damaged, &zstd);
	assert_child(refuse_damaged, &stream);
	zboot.len -= 16;
	assert_child(refuse_prefixes, &zboot);
	gzip.len--;
	snprintf(words, sizeof(words), "cut short: its gzip data has no end (%zu bytes)", gzip.len);
	assert_refused(&gzip, MIB, -ENOEXEC, words);
	stream.len--;
	snprintf(words, sizeof(words), "cut short: its zstd data has no end (%zu bytes)",
		 stream.len);
	assert_refused(&stream, MIB, -ENOEXEC, words);
	gzip.len++;
	gzip.data[gzip.len - 5] ^= 1;
	assert_refused(&gzip, MIB, -ENOEXEC, "its gzip data is damaged: incorrect data check");
}

static void test_empty(void **state)
{
	struct bytes b = gzip_of("", 0);

	(void)state;
	assert_refused(&b, MIB, -ENOEXEC, "unpacked, it is empty");
	b = zstd_of("", 0, SIZED);
	assert_refused(&b, MIB, -ENOEXEC, "unpacked, it is empty");
	b = zstd_of("", 0, SUMMED);
	assert_refused(&b, MIB, -ENOEXEC, "unpacked, it is empty");
	b = xz_of("", 0);
	assert_refused(&b, MIB, -ENOEXEC, "unpacked, it is empty");
}

static void test_layers(void **state)
{
	struct bytes plain = plain_bytes();
	struct bytes zstd = zstd_of(plain.data, plain.len, SUMMED);
	struct bytes twice = gzip_of(zstd.data, zstd.len);
	struct bytes zboot = zboot_of(&twice, "gzip");
	struct bytes three = gzip_of(zboot.data, zboot.len);

	(void)state;
	assert_unpacks(&twice, plain.data, plain.len);
	assert_unpacks(&zboot, plain.data, plain.len);
	assert_refused(&three, MIB, -ENOEXEC, "packed more than 2 times; unpack it first");
	/* An inner layer that is damaged. */
	zstd.data[zstd.len - 1] ^= 1;
	twice = gzip_of(zstd.data, zstd.len);
	assert_refused(&twice, MIB, -ENOEXEC,
		       "its zstd data is damaged: Restored data doesn't match checksum");
}

static struct bytes packed_as(int kind, const void *data, size_t len)
{
	if (kind == 0)
		return gzip_of(data, len);
	return kind == 3 ? xz_of(data, len) : zstd_of(data, len, kind - 1);
}

/* Exactly as much as is allowed, and one byte more. */
static void test_threat_33_packed_bomb(void **state)
{
	static const char ram_words[] = "unpack to more than the guest's memory (1048576 bytes); "
					"give it more memory";
	uint8_t *zeros = calloc(1, 2 * MIB);
	char words[256];

	(void)state;
	assert_non_null(zeros);
	for (int kind = 0; kind < 4; kind++) {
		struct unpacked out;
		struct bytes fits = packed_as(kind, zeros, MIB);
		struct bytes over = packed_as(kind, zeros, MIB + 1);
		struct bytes bomb = packed_as(kind, zeros, 2 * MIB);

		assert_int_equal(unpack_bytes(&fits, MIB, &out), 0);
		assert_int_equal(out.size, MIB);
		unpack_release(&out);
		snprintf(words, sizeof(words), "its %zu bytes %s", over.len, ram_words);
		assert_refused(&over, MIB, -ENOSPC, words);
		snprintf(words, sizeof(words), "its %zu bytes %s", bomb.len, ram_words);
		assert_refused(&bomb, MIB, -ENOSPC, words);
		/* One byte too many, then a further member. */
		over = joined(&over, fits.data, fits.len);
		snprintf(words, sizeof(words), "its %zu bytes %s", over.len, ram_words);
		if (kind != 3) /* of xz, one stream is taken */
			assert_refused(&over, MIB, -ENOSPC, words);
	}
	free(zeros);
}

/* A frame that only claims what it has not: nothing is given for it, and no window. */
static void test_threat_33_packed_zstd_claims(void **state)
{
	static const uint8_t sized[] = { 0x28, 0xb5, 0x2f, 0xfd, 0xe0, 1, 0, 0,
					 0x40, 0,    0,	   0,	 0,    1, 0, 0 };
	static const uint8_t window[] = { 0x28, 0xb5, 0x2f, 0xfd, 0, 0x88 + 1, 1, 0, 0 };
	struct bytes b = { .len = sizeof(sized) };

	(void)state;
	memcpy(b.data, sized, sizeof(sized)); /* 1 GiB and one byte */
	assert_refused(&b, UINT64_MAX, -ENOEXEC,
		       "its 16 bytes unpack to more than any kernel has (the limit is 1073741824)");
	b.data[5] = 0; /* 1 GiB, but no more is in it than an empty block */
	assert_refused(&b, UINT64_MAX, -ENOEXEC,
		       "its zstd data is damaged: Data corruption detected");
	memset(b.data + 5, 0x7f, 8);
	assert_refused(&b, 64 * MIB, -ENOSPC,
		       "its 16 bytes unpack to more than the guest's memory (67108864 bytes); "
		       "give it more memory");
	b.len = sizeof(window);
	memcpy(b.data, window, sizeof(window)); /* 128 MiB and an eighth */
	assert_refused(&b, UINT64_MAX, -ENOEXEC,
		       "to unpack its zstd data needs a window of more than 128 MiB; pack it with "
		       "a smaller one (zstd -22 --ultra, without --long)");
	b.data[5]--;
	assert_refused(&b, UINT64_MAX, -ENOEXEC, "unpacked, it is empty");
}

/* The head of a block that asks for a dictionary of 4 GiB - 1: the library's limit holds. */
static void test_threat_33_packed_xz_claims(void **state)
{
	struct bytes plain = plain_bytes();
	struct bytes b = xz_of(plain.data, plain.len);
	size_t end = 12 + ((size_t)b.data[12] + 1) * 4 - 4, at = 14;
	uint32_t crc;

	(void)state;
	/* Stream header 12 bytes; block header: its size, flags, two lengths, the filter 0x21 with its 1 byte. */
	while (b.data[at] != 0x21 || b.data[at + 1] != 1)
		at++;
	assert_in_range(at, 14, end - 1);
	b.data[at + 2] = 40;
	crc = lzma_crc32(b.data + 12, end - 12, 0);
	le32_store(b.data + end, crc);
	assert_refused(&b, MIB, -ENOEXEC,
		       "to unpack its xz data needs more than 80 MiB; pack it with a smaller "
		       "dictionary (xz -9 is not too large)");
}

static void test_zboot(void **state)
{
	struct bytes plain = plain_bytes();
	struct bytes gzip = gzip_of(plain.data, plain.len);
	struct bytes zstd = zstd_of(plain.data, plain.len, SIZED | SUMMED);
	struct bytes xz = xz_of(plain.data, plain.len);
	struct bytes b = zboot_of(&gzip, "gzip");

	(void)state;
	assert_unpacks(&b, plain.data, plain.len);
	b = zboot_of(&zstd, "zstd");
	assert_unpacks(&b, plain.data, plain.len);
	b = zboot_of(&zstd, "zstd22");
	assert_unpacks(&b, plain.data, plain.len);
	b = zboot_of(&zstd, "gzip");
	assert_refused(&b, MIB, -ENOEXEC, "its gzip data is damaged: incorrect header check");
	b = zboot_of(&gzip, "zstd");
	assert_refused(&b, MIB, -ENOEXEC, "its zstd data is damaged: it does not begin as zstd");
	b = zboot_of(&xz, "xzkern");
	assert_unpacks(&b, plain.data, plain.len);
	b = zboot_of(&gzip, "xzkern");
	assert_refused(&b, MIB, -ENOEXEC, "its xz data is damaged: it does not begin as xz");
	b = zboot_of(&gzip, "lz4");
	assert_refused(&b, MIB, -ENOEXEC,
		       "an EFI zboot program packed by \"lz4\"; gzip, zstd and xz are known here");
	b = zboot_of(&gzip, "lzma no end in sight, 32 letters");
	assert_refused(&b, MIB, -ENOEXEC,
		       "an EFI zboot program packed by \"lzma no end in sight, 32 letters\"; gzip, "
		       "zstd and xz are known here");
	b.len = 63;
	assert_refused(&b, MIB, -ENOEXEC, "cut short: its EFI zboot data has no end (63 bytes)");
}

static void test_threat_33_zboot_lies(void **state)
{
	static const struct {
		uint32_t offset;
		uint32_t size;
	} lies[] = {
		{ 63, 100 },	     { 0, 100 },
		{ 512, 0 },	     { 512, 489 },
		{ 1000, 1 },	     { UINT32_MAX, 1 },
		{ 512, UINT32_MAX }, { UINT32_MAX, UINT32_MAX },
		{ 64, 1000 - 63 },
	};
	struct bytes b = { .len = 1000 };
	char words[256];

	(void)state;
	memcpy(b.data, "MZ\0\0zimg", 8);
	memcpy(b.data + 24, "gzip", 5);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		le32_store(b.data + 8, lies[i].offset);
		le32_store(b.data + 12, lies[i].size);
		snprintf(words, sizeof(words),
			 "the EFI zboot header says %u bytes at %u, the file has 1000 and its "
			 "header 64",
			 lies[i].size, lies[i].offset);
		assert_refused(&b, MIB, -ENOEXEC, words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_by_content),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_zstd),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_what_follows),
		cmocka_unit_test(test_threat_33_packed_cut_and_damaged),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_threat_33_packed_bomb),
		cmocka_unit_test(test_threat_33_packed_zstd_claims),
		cmocka_unit_test(test_xz),
		cmocka_unit_test(test_threat_33_packed_xz_claims),
		cmocka_unit_test(test_zboot),
		cmocka_unit_test(test_threat_33_zboot_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
