/* SPDX-License-Identifier: BSD-2-Clause */
/* mm: every accessor at every edge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/mem_map.h"

/* --- ranges --- */

struct range_case {
	uint64_t start;
	uint64_t len;
	bool read;
	bool write;
};

/* What is inside, for every accessor alike; the table is the specification. */
static void ranges_are_judged(void **state)
{
	static const struct range_case cases[] = {
		/* whole regions, last bytes, one too many */
		{ 0x10000, 4 * PAGE, true, true },
		{ 0x13fff, 1, true, true },
		{ 0x1ffff, 1, false, false },
		{ 0x0ffff, 1, false, false },
		{ 0x0ffff, 2, false, false },
		{ 0x19000, PAGE, true, true },
		{ 0x19000, PAGE + 1, false, false },
		{ 0x19fff, 1, true, true },
		{ 0x19fff, 2, false, false },
		{ 0x1a000, 1, false, false },
		/* from one region into the next */
		{ 0x13fff, 2, true, true },
		{ 0x10000, 6 * PAGE, true, true },
		/* into the read-only one */
		{ 0x15fff, 2, true, false },
		{ 0x16000, 1, true, false },
		{ 0x10000, 7 * PAGE, true, false },
		/* into the hole, inside it, out of it */
		{ 0x16fff, 2, false, false },
		{ 0x10000, 7 * PAGE + 1, false, false },
		{ 0x17000, 1, false, false },
		{ 0x17fff, 2, false, false },
		/* across what is not there */
		{ 0x18000, 1, false, false },
		{ 0x18fff, 2, false, false },
		{ 0x10000, 10 * PAGE, false, false },
		/* nothing at all: at a start, inside, at an end, outside */
		{ 0x10000, 0, true, true },
		{ 0x12345, 0, true, true },
		{ 0x16000, 0, true, true },
		{ 0x16800, 0, true, false },
		{ 0x17000, 0, true, false },
		{ 0x17800, 0, false, false },
		{ 0x18000, 0, false, false },
		{ 0x1a000, 0, true, true },
		{ 0x1a001, 0, false, false },
		{ UINT64_MAX, 0, false, false },
		/* around 2^64 */
		{ 0x10000, UINT64_MAX, false, false },
		{ 0x10000, UINT64_MAX - 0xffff, false, false },
		{ 0x10000, UINT64_MAX - 0x10000, false, false },
		{ UINT64_MAX, 1, false, false },
		{ UINT64_MAX, 2, false, false },
		{ UINT64_MAX - 0xfff, 0x12000, false, false },
	};
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t *buf = (uint8_t *)calloc(1, 16 * PAGE);
	struct iovec iov[MEM_MAX_REGIONS];

	assert_non_null(buf);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct range_case *c = &cases[i];
		const int read = c->read ? 0 : -EFAULT, write = c->write ? 0 : -EFAULT;
		int n;

		/* Refusals touch nothing, so a short buffer is enough for them. */
		assert_int_equal(mem_read(mem, gpa(c->start), buf, c->len), read);
		assert_int_equal(mem_write(mem, gpa(c->start), buf, c->len), write);
		assert_int_equal(mem_load(mem, gpa(c->start), buf, c->len), read);
		assert_int_equal(mem_fill(mem, gpa(c->start), 0, c->len), write);
		if (!c->write)
			assert_int_equal(mem_read_file(mem, gpa(c->start), -1, 0, c->len), -EFAULT);
		n = mem_segments(mem, gpa(c->start), c->len, MEM_READ, iov, ARRAY_SIZE(iov));
		assert_int_equal(n < 0 ? n : 0, read);
		n = mem_segments(mem, gpa(c->start), c->len, MEM_WRITE, iov, ARRAY_SIZE(iov));
		assert_int_equal(n < 0 ? n : 0, write);
	}
	free(buf);
}

static void empty_memory_has_nothing(void **state)
{
	struct guest_mem *mem;
	uint8_t byte = 0;

	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_read(mem, gpa(0), &byte, 1), -EFAULT);
	assert_int_equal(mem_read(mem, gpa(0), &byte, 0), -EFAULT);
	assert_int_equal(mem_ram_size(mem), 0);
	mem_destroy(mem);
}

/* --- bulk accessors --- */

static void write_then_read_across_regions(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t in[3 * PAGE], out[3 * PAGE];
	const gpa_t at = gpa(next - PAGE - 5);

	mem_pattern(in, sizeof(in), 1);
	assert_int_equal(mem_write(mem, at, in, sizeof(in)), 0);
	assert_int_equal(mem_read(mem, at, out, sizeof(out)), 0);
	assert_memory_equal(in, out, sizeof(in));
	/* The byte before and the byte behind are untouched. */
	assert_int_equal(mem_read(mem, gpa(at.v - 1), out, 1), 0);
	assert_int_equal(out[0], 0);
	assert_int_equal(mem_read(mem, gpa_add(at, sizeof(in)), out, 1), 0);
	assert_int_equal(out[0], 0);
}

static void refused_write_touches_nothing(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t in[2 * PAGE], out[PAGE];

	memset(in, 0xee, sizeof(in));
	/* The first bytes of the range would be RAM. */
	assert_int_equal(mem_write(mem, gpa(rom - PAGE), in, PAGE + 1), -EFAULT);
	assert_int_equal(mem_fill(mem, gpa(rom - PAGE), 0xee, PAGE + 1), -EFAULT);
	assert_int_equal(mem_read(mem, gpa(rom - PAGE), out, PAGE), 0);
	for (size_t i = 0; i < PAGE; i++)
		assert_int_equal(out[i], 0);
}

static void refused_read_touches_nothing(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t out[16];

	memset(out, 0x5a, sizeof(out));
	assert_int_equal(mem_read(mem, gpa(hole - 8), out, 16), -EFAULT);
	for (size_t i = 0; i < sizeof(out); i++)
		assert_int_equal(out[i], 0x5a);
}

static void load_fills_read_only(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t in[64], out[64];

	mem_pattern(in, sizeof(in), 3);
	assert_int_equal(mem_load(mem, gpa(rom - 32), in, sizeof(in)), 0);
	assert_int_equal(mem_read(mem, gpa(rom - 32), out, sizeof(out)), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(mem_load(mem, gpa(hole - 1), in, 2), -EFAULT);
}

static void fill_stops_where_it_should(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t out[PAGE + 2];

	assert_int_equal(mem_fill(mem, gpa(next - PAGE / 2), 0xab, PAGE), 0);
	assert_int_equal(mem_read(mem, gpa(next - PAGE / 2 - 1), out, sizeof(out)), 0);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[PAGE + 1], 0);
	for (size_t i = 1; i <= PAGE; i++)
		assert_int_equal(out[i], 0xab);
}

static void read_file(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	char path[] = "/tmp/hvrun-test-mm-XXXXXX";
	int fd = mkstemp(path), pipefd[2];
	uint8_t in[2 * PAGE], out[2 * PAGE];
	const gpa_t at = gpa(next - 100);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	mem_pattern(in, sizeof(in), 9);
	assert_int_equal(write(fd, in, sizeof(in)), sizeof(in));
	assert_int_equal(mem_read_file(mem, at, fd, 10, sizeof(in) - 10), 0);
	assert_int_equal(mem_read(mem, at, out, sizeof(in) - 10), 0);
	assert_memory_equal(in + 10, out, sizeof(in) - 10);
	/* One byte too many, at and behind the end, nothing, a negative place, no file, a pipe. */
	assert_int_equal(mem_read_file(mem, at, fd, 10, sizeof(in) - 9), -ENODATA);
	assert_int_equal(mem_read_file(mem, at, fd, sizeof(in), 1), -ENODATA);
	assert_int_equal(mem_read_file(mem, at, fd, 1 << 20, 1), -ENODATA);
	assert_int_equal(mem_read_file(mem, at, fd, sizeof(in), 0), 0);
	assert_int_equal(mem_read_file(mem, at, fd, -1, 1), -EINVAL);
	assert_int_equal(mem_read_file(mem, at, -1, 0, 1), -EBADF);
	assert_int_equal(mem_read_file(mem, gpa(rom), fd, 0, 1), -EFAULT);
	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(mem_read_file(mem, at, pipefd[0], 0, 1), -ESPIPE);
	(void)close(pipefd[0]);
	(void)close(pipefd[1]);
	(void)close(fd);
}

/* --- segments --- */

static void segments_cover_the_range(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	size_t count;
	const struct mem_region *r = mem_regions(mem, &count);
	struct iovec iov[4];

	assert_int_equal(mem_segments(mem, gpa(next - 16), PAGE, MEM_WRITE, iov, 4), 2);
	assert_ptr_equal(iov[0].iov_base, (uint8_t *)r[0].host + 4 * PAGE - 16);
	assert_int_equal(iov[0].iov_len, 16);
	assert_ptr_equal(iov[1].iov_base, r[1].host);
	assert_int_equal(iov[1].iov_len, PAGE - 16);

	assert_int_equal(mem_segments(mem, gpa(low), 7 * PAGE, MEM_READ, iov, 4), 3);
	assert_ptr_equal(iov[2].iov_base, r[2].host);
	assert_int_equal(iov[2].iov_len, PAGE);
	assert_int_equal(mem_segments(mem, gpa(low), 7 * PAGE, MEM_WRITE, iov, 4), -EFAULT);
}

static void segments_need_room(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	struct iovec iov[2] = { { NULL, 1234 }, { NULL, 5678 } };

	assert_int_equal(mem_segments(mem, gpa(next - 1), 2, MEM_READ, iov, 2), 2);
	iov[1].iov_len = 5678;
	assert_int_equal(mem_segments(mem, gpa(next - 1), 2, MEM_READ, iov, 1), -E2BIG);
	assert_int_equal(iov[1].iov_len, 5678);
	assert_int_equal(mem_segments(mem, gpa(low), 1, MEM_READ, iov, 0), -E2BIG);
	assert_int_equal(mem_segments(mem, gpa(low), 0, MEM_READ, NULL, 0), 0);
	assert_int_equal(mem_segments(mem, gpa(none), 1, MEM_READ, iov, 0), -EFAULT);
}

/* --- words --- */

static void words_are_little_endian(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t bytes[8];
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	assert_int_equal(mem_store64(mem, gpa(low + 8), 0x1122334455667788), 0);
	assert_int_equal(mem_read(mem, gpa(low + 8), bytes, 8), 0);
	assert_int_equal(le64_load(bytes), 0x1122334455667788);
	assert_int_equal(mem_load64(mem, gpa(low + 8), &v64), 0);
	assert_true(v64 == 0x1122334455667788);
	assert_int_equal(mem_load32(mem, gpa(low + 12), &v32), 0);
	assert_int_equal(v32, 0x11223344);
	assert_int_equal(mem_load16(mem, gpa(low + 10), &v16), 0);
	assert_int_equal(v16, 0x5566);
	assert_int_equal(mem_store32(mem, gpa(low + 8), 0xa1a2a3a4), 0);
	assert_int_equal(mem_store16(mem, gpa(low + 14), 0xb1b2), 0);
	assert_int_equal(mem_load64(mem, gpa(low + 8), &v64), 0);
	assert_true(v64 == 0xb1b23344a1a2a3a4);
}

static void words_at_edges(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint16_t v16 = 77;
	uint32_t v32 = 77;
	uint64_t v64 = 77;

	for (uint64_t off = 1; off < 8; off++) {
		const int e16 = off % 2 ? -EINVAL : 0, e32 = off % 4 ? -EINVAL : 0;

		assert_int_equal(mem_store16(mem, gpa(low + off), 0), e16);
		assert_int_equal(mem_load16(mem, gpa(low + off), &v16), e16);
		assert_int_equal(mem_store32(mem, gpa(low + off), 0), e32);
		assert_int_equal(mem_load32(mem, gpa(low + off), &v32), e32);
		assert_int_equal(mem_store64(mem, gpa(low + off), 0), -EINVAL);
		assert_int_equal(mem_load64(mem, gpa(low + off), &v64), -EINVAL);
	}
	assert_true(v64 == 77);
	/* The last word of a region, the first behind it, the last there is. */
	assert_int_equal(mem_load64(mem, gpa(far_end - 8), &v64), 0);
	assert_int_equal(mem_store64(mem, gpa(far_end - 8), 1), 0);
	v16 = 77;
	v32 = 77;
	v64 = 77;
	assert_int_equal(mem_load16(mem, gpa(far_end), &v16), -EFAULT);
	assert_int_equal(mem_load32(mem, gpa(far_end), &v32), -EFAULT);
	assert_int_equal(mem_load64(mem, gpa(far_end), &v64), -EFAULT);
	assert_int_equal(mem_load16(mem, gpa(UINT64_MAX - 1), &v16), -EFAULT);
	assert_int_equal(mem_load64(mem, gpa(UINT64_MAX - 7), &v64), -EFAULT);
	assert_int_equal(v16, 77);
	assert_int_equal(v32, 77);
	assert_int_equal(v64, 77);
	/* Read-only memory and holes. */
	assert_int_equal(mem_load16(mem, gpa(rom), &v16), 0);
	assert_int_equal(mem_store16(mem, gpa(rom), 1), -EFAULT);
	assert_int_equal(mem_store32(mem, gpa(rom), 1), -EFAULT);
	assert_int_equal(mem_store64(mem, gpa(rom), 1), -EFAULT);
	assert_int_equal(mem_load32(mem, gpa(hole), &v32), -EFAULT);
	assert_int_equal(mem_store32(mem, gpa(hole), 1), -EFAULT);
}

/* Threat 16: an accessor trusts no length; one that would wrap a pointer is refused. */
static void test_threat_16_accessor_lengths(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t byte = 0;

	for (unsigned int shift = 12; shift < 64; shift++) {
		const uint64_t len = 1ULL << shift;
		const bool fits = len <= 6 * PAGE;
		struct iovec iov[4];

		if (fits)
			continue;
		for (uint64_t off = 0; off < 3; off++) {
			const uint64_t at = low + off;

			assert_int_equal(mem_read(mem, gpa(at), &byte, len - off), -EFAULT);
			assert_int_equal(mem_write(mem, gpa(at), &byte, len - off), -EFAULT);
			assert_int_equal(mem_fill(mem, gpa(at), 0, len - off), -EFAULT);
			assert_int_equal(mem_segments(mem, gpa(at), len - off, MEM_READ, iov, 4),
					 -EFAULT);
			assert_int_equal(mem_segments(mem, gpa(at), 0 - len, MEM_READ, iov, 4),
					 -EFAULT);
		}
	}
}

#define IN_MAP(fn) cmocka_unit_test_setup_teardown(fn, mem_map_setup, mem_map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MAP(ranges_are_judged),
		cmocka_unit_test(empty_memory_has_nothing),
		IN_MAP(write_then_read_across_regions),
		IN_MAP(refused_write_touches_nothing),
		IN_MAP(refused_read_touches_nothing),
		IN_MAP(load_fills_read_only),
		IN_MAP(fill_stops_where_it_should),
		IN_MAP(read_file),
		IN_MAP(segments_cover_the_range),
		IN_MAP(segments_need_room),
		IN_MAP(words_are_little_endian),
		IN_MAP(words_at_edges),
		IN_MAP(test_threat_16_accessor_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
