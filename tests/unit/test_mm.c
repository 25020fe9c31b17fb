/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm: regions and every accessor at every edge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "mm/memory.h"

enum {
	PAGE = 4096,
	HUGE = 2 * 1024 * 1024,
};

/*
 * The map of most tests, in pages from 0x10000:
 *	0..3	RAM "low"
 *	4..5	RAM "next", adjacent
 *	6	read-only, adjacent
 *	7	hole, adjacent
 *	8	nothing
 *	9	RAM "far"
 */
static const uint64_t low = 0x10000, next = 0x14000, rom = 0x16000, hole = 0x17000, none = 0x18000,
		      far = 0x19000, far_end = 0x1a000;

static int setup(void **state)
{
	struct guest_mem *mem;

	assert_int_equal(mem_create(&mem), 0);
	/* Not in order of address. */
	assert_int_equal(mem_add(mem, gpa(far), PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(next), 2 * PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(low), 4 * PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(hole), PAGE, MEM_HOLE), 0);
	assert_int_equal(mem_add(mem, gpa(rom), PAGE, MEM_READONLY), 0);
	*state = mem;
	return 0;
}

static int teardown(void **state)
{
	mem_destroy((struct guest_mem *)*state);
	return 0;
}

/* Bytes that differ from their neighbours and from other seeds. */
static void pattern(uint8_t *buf, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(seed + i * 7 + i / 251);
}

/* --- regions --- */

static void regions_are_sorted(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	const uint64_t starts[] = { low, next, rom, hole, far };
	const enum mem_kind kinds[] = { MEM_RAM, MEM_RAM, MEM_READONLY, MEM_HOLE, MEM_RAM };
	size_t count;
	const struct mem_region *r = mem_regions(mem, &count);

	assert_int_equal(count, ARRAY_SIZE(starts));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(r[i].start.v, starts[i]);
		assert_int_equal(r[i].kind, kinds[i]);
		assert_int_equal(r[i].host == NULL, r[i].kind == MEM_HOLE);
	}
	assert_int_equal(mem_ram_size(mem), 7 * PAGE);
}

static void add_refuses(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	size_t before, after;

	(void)mem_regions(mem, &before);
	assert_int_equal(mem_add(mem, gpa(0x100000), 0, MEM_RAM), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(0x100001), PAGE, MEM_RAM), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(0x100800), PAGE, MEM_RAM), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(0x100000), PAGE + 1, MEM_RAM), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(0x100000), 1, MEM_HOLE), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(0x100000), PAGE, (enum mem_kind)4), -EINVAL);
	/* Ends at, and beyond, 2^64. */
	assert_int_equal(mem_add(mem, gpa(0 - (uint64_t)PAGE), PAGE, MEM_RAM), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(0 - (uint64_t)PAGE), 2 * PAGE, MEM_RAM), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(PAGE), 0 - (uint64_t)PAGE, MEM_HOLE), -EINVAL);
	/* More than any host has. */
	assert_int_equal(mem_add(mem, gpa(1ULL << 40), 1ULL << 60, MEM_RAM), -ENOMEM);
	assert_int_equal(mem_add(mem, gpa(1ULL << 40), (1ULL << 63) + PAGE, MEM_RAM), -ENOMEM);
	(void)mem_regions(mem, &after);
	assert_int_equal(before, after);
}

static void add_refuses_overlap(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;

	/* The same, over the front, over the back, inside, around; holes count too. */
	assert_int_equal(mem_add(mem, gpa(far), PAGE, MEM_RAM), -EEXIST);
	assert_int_equal(mem_add(mem, gpa(none), 2 * PAGE, MEM_RAM), -EEXIST);
	assert_int_equal(mem_add(mem, gpa(low + 3 * PAGE), PAGE, MEM_RAM), -EEXIST);
	assert_int_equal(mem_add(mem, gpa(low + PAGE), PAGE, MEM_RAM), -EEXIST);
	assert_int_equal(mem_add(mem, gpa(0), 1 << 20, MEM_RAM), -EEXIST);
	assert_int_equal(mem_add(mem, gpa(hole), PAGE, MEM_RAM), -EEXIST);
	assert_int_equal(mem_add(mem, gpa(hole), 2 * PAGE, MEM_HOLE), -EEXIST);
	/* Exactly between two, exactly before and behind all. */
	assert_int_equal(mem_add(mem, gpa(none), PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(low - PAGE), PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(far_end), PAGE, MEM_RAM), 0);
}

/* Registers are memory for the guest and its transport, and for nobody else (threat 13). */
static void test_threat_13_registers_are_no_memory(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	uint8_t bytes[16] = { 0 }, *regs;
	struct iovec iov[4];
	uint32_t word;

	assert_null(mem_registers(mem, gpa(none)));
	assert_int_equal(mem_add(mem, gpa(none), PAGE, MEM_REGISTERS), 0);
	regs = (uint8_t *)mem_registers(mem, gpa(none));
	assert_non_null(regs);
	memset(regs, 0x5a, PAGE);
	assert_ptr_equal(mem_registers(mem, gpa(none + PAGE - 1)), regs + PAGE - 1);
	assert_null(mem_registers(mem, gpa(none - 1)));
	assert_null(mem_registers(mem, gpa(none + PAGE)));
	assert_null(mem_registers(mem, gpa(low)));

	/* Inside, into it, and out of it into the RAM behind. */
	for (uint64_t at = none; at <= far - 8; at += PAGE - 8) {
		assert_int_equal(mem_read(mem, gpa(at), bytes, sizeof(bytes)), -EFAULT);
		assert_int_equal(mem_write(mem, gpa(at), bytes, sizeof(bytes)), -EFAULT);
		assert_int_equal(mem_load(mem, gpa(at), bytes, sizeof(bytes)), -EFAULT);
		assert_int_equal(mem_fill(mem, gpa(at), 0, sizeof(bytes)), -EFAULT);
		assert_int_equal(mem_segments(mem, gpa(at), 16, MEM_READ, iov, 4), -EFAULT);
		assert_int_equal(mem_segments(mem, gpa(at), 16, MEM_WRITE, iov, 4), -EFAULT);
		assert_int_equal(mem_load32(mem, gpa(at), &word), -EFAULT);
		assert_int_equal(mem_store32(mem, gpa(at), 0), -EFAULT);
	}
	for (unsigned int i = 0; i < PAGE; i++)
		assert_int_equal(regs[i], 0x5a);
	assert_int_equal(mem_ram_size(mem), 7 * PAGE);
}

static void add_refuses_too_many(void **state)
{
	struct guest_mem *mem;

	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	for (uint64_t i = 0; i < MEM_MAX_REGIONS; i++)
		assert_int_equal(mem_add(mem, gpa(i * PAGE), PAGE, MEM_HOLE), 0);
	assert_int_equal(mem_add(mem, gpa(1 << 20), PAGE, MEM_HOLE), -ENOSPC);
	assert_int_equal(mem_add(mem, gpa(0), PAGE, MEM_HOLE), -EEXIST);
	mem_destroy(mem);
	mem_destroy(NULL);
}

static void host_is_congruent(void **state)
{
	const uint64_t starts[] = { 0,		 PAGE,
				    HUGE - PAGE, 3ULL * HUGE + 5 * PAGE,
				    1ULL << 32,	 (1ULL << 32) + HUGE / 2,
				    0xc0000000 };
	const uint64_t sizes[] = { PAGE, HUGE, HUGE + PAGE, 16 * HUGE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
			struct guest_mem *mem;
			const struct mem_region *r;
			size_t count;

			assert_int_equal(mem_create(&mem), 0);
			assert_int_equal(mem_add(mem, gpa(starts[i]), sizes[j], MEM_RAM), 0);
			r = mem_regions(mem, &count);
			assert_int_equal((uintptr_t)r->host % HUGE, starts[i] % HUGE);
			/* Both ends are there, and zero. */
			assert_int_equal(((uint8_t *)r->host)[0], 0);
			assert_int_equal(((uint8_t *)r->host)[sizes[j] - 1], 0);
			((uint8_t *)r->host)[sizes[j] - 1] = 1;
			mem_destroy(mem);
		}
}

/* Wherever the kernel put the reservation, one of these starts needs no shift at all. */
static void guards_at_every_shift(void **state)
{
	(void)state;
	for (uint64_t start = 0; start < HUGE; start += PAGE) {
		struct guest_mem *mem;
		const struct mem_region *r;
		unsigned char resident;
		uint8_t *host;
		size_t count;

		assert_int_equal(mem_create(&mem), 0);
		assert_int_equal(mem_add(mem, gpa(start), PAGE, MEM_RAM), 0);
		r = mem_regions(mem, &count);
		host = (uint8_t *)r->host;
		assert_int_equal((uintptr_t)host % HUGE, start);
		assert_int_equal(mincore(host - PAGE, PAGE, &resident), 0);
		assert_int_equal(mincore(host + PAGE, PAGE, &resident), 0);
		mem_destroy(mem);
	}
}

/* A store next to a region must fault. Tried in a child, which also must not inherit the memory. */
static bool child_dies_at(volatile uint8_t *at)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL); /* not cmocka's, nor a sanitizer's */
		*at = 1;
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void guards_and_no_inheritance(void **state)
{
	struct guest_mem *mem = (struct guest_mem *)*state;
	size_t count;
	const struct mem_region *r = mem_regions(mem, &count);
	uint8_t *host = (uint8_t *)r[0].host;
	unsigned char resident;

	assert_true(child_dies_at(host - 1));
	assert_true(child_dies_at(host + r[0].size));
	assert_true(child_dies_at(host));
	/* The guard pages are mapped (without access), so nothing else can come to lie there. */
	assert_int_equal(mincore(host - PAGE, PAGE, &resident), 0);
	assert_int_equal(mincore(host + r[0].size, PAGE, &resident), 0);
}

static void destroy_unmaps(void **state)
{
	struct guest_mem *mem;
	const struct mem_region *r;
	unsigned char resident[3];
	uint8_t *host;
	size_t count;

	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add(mem, gpa(PAGE), PAGE, MEM_RAM), 0);
	r = mem_regions(mem, &count);
	host = (uint8_t *)r->host;
	mem_destroy(mem);
	assert_int_equal(mincore(host - PAGE, 3 * PAGE, resident), -1);
	assert_int_equal(errno, ENOMEM);
}

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

	pattern(in, sizeof(in), 1);
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

	pattern(in, sizeof(in), 3);
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
	pattern(in, sizeof(in), 9);
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

/* What another process sees that maps the file of mem_share_fd. */
static void shared_with_another(void **state)
{
	const uint64_t starts[] = { 0x10000, 3ULL * HUGE + 5 * PAGE, (1ULL << 32) + HUGE / 2 };
	const struct mem_region *r;
	struct guest_mem *mem;
	uint32_t word = 0;
	size_t count;
	int fd = mem_share_create(9 * PAGE, false);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_share_fd(mem), -1);
	assert_int_equal(mem_share(mem, fd), 0);
	assert_int_equal(mem_share(mem, fd), -EBUSY);
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		assert_int_equal(mem_add(mem, gpa(starts[i]), 3 * PAGE, MEM_RAM), 0);
	assert_int_equal(mem_add(mem, gpa(0), PAGE, MEM_READONLY), 0);
	assert_int_equal(mem_share_fd(mem), fd);
	r = mem_regions(mem, &count);
	assert_int_equal(count, 4);
	for (size_t i = 1; i < count; i++) {
		uint8_t *view = (uint8_t *)mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
						fd, (off_t)r[i].offset);

		assert_ptr_not_equal(view, MAP_FAILED);
		assert_int_equal(r[i].offset % HUGE, r[i].start.v % HUGE);
		assert_int_equal((uintptr_t)r[i].host % HUGE, r[i].start.v % HUGE);
		assert_int_equal(mem_store32(mem, gpa(r[i].start.v + PAGE), 0x1234), 0);
		assert_int_equal(le32_load(view + PAGE), 0x1234);
		le32_store(view + 2 * PAGE, 0x5678);
		assert_int_equal(mem_load32(mem, gpa(r[i].start.v + 2 * PAGE), &word), 0);
		assert_int_equal(word, 0x5678);
		assert_int_equal(munmap(view, 3 * PAGE), 0);
	}
	mem_destroy(mem);
	assert_int_equal(close(fd), 0);
}

/* Who has the file can neither cut it off under us nor fill the host through it. */
static void shared_file_is_sealed(void **state)
{
	int fd = mem_share_create(4 * PAGE, false);
	struct guest_mem *mem;
	struct stat st;
	off_t size;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	size = st.st_size;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, size + PAGE), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_share(mem, fd), 0);
	assert_int_equal(mem_add(mem, gpa(0), 4 * PAGE, MEM_RAM), 0);
	/* More than it was made for: there is some room between regions, and then none. */
	assert_int_equal(mem_add(mem, gpa(1ULL << 32), (uint64_t)size, MEM_RAM), -ENOMEM);
	assert_int_equal(mem_add(mem, gpa(1ULL << 32), PAGE, MEM_READONLY), 0);
	mem_destroy(mem);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, size);

	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add(mem, gpa(0), PAGE, MEM_RAM), 0);
	assert_int_equal(mem_share(mem, fd), -EBUSY);
	mem_destroy(mem);
	assert_int_equal(close(fd), 0);
	assert_int_equal(mem_share_create(UINT64_MAX - PAGE, false), -ENOMEM);
}

/* Memory that is there at once, private and shared. */
static void memory_from_the_start(void **state)
{
	(void)state;
	for (unsigned shared = 0; shared < 2; shared++) {
		int fd = shared ? mem_share_create(HUGE, false) : -1;
		unsigned char there[HUGE / PAGE];
		struct guest_mem *mem;
		size_t count;

		assert_int_equal(mem_create(&mem), 0);
		if (shared)
			assert_int_equal(mem_share(mem, fd), 0);
		mem_prefault(mem);
		assert_int_equal(mem_add(mem, gpa(0), HUGE, MEM_RAM), 0);
		assert_int_equal(mincore(mem_regions(mem, &count)->host, HUGE, there), 0);
		for (size_t i = 0; i < HUGE / PAGE; i++)
			assert_true(there[i] & 1);
		mem_destroy(mem);
		if (shared)
			close(fd);
	}
}

/* Reserved huge pages: whole ones only, and none where the host has none. */
static void reserved_huge_pages(void **state)
{
	struct guest_mem *mem;
	int r;

	(void)state;
	assert_int_equal(mem_create(&mem), 0);
	mem_reserve_huge(mem);
	assert_int_equal(mem_page(mem), HUGE);
	assert_int_equal(mem_add(mem, gpa(0), PAGE, MEM_RAM), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(PAGE), HUGE, MEM_RAM), -EINVAL);
	assert_int_equal(mem_add(mem, gpa(HUGE), PAGE, MEM_READONLY), 0);
	/* 512 GiB of them, which nobody has lying about. */
	assert_int_equal(mem_add(mem, gpa(1ULL << 40), 1ULL << 39, MEM_RAM), -ENOMEM);
	r = mem_add(mem, gpa(1ULL << 30), HUGE, MEM_RAM);
	assert_true(r == 0 || r == -ENOMEM);
	if (r == 0)
		assert_int_equal(mem_fill(mem, gpa(1ULL << 30), 7, HUGE), 0);
	mem_destroy(mem);
}

/* A file as memory: read by everybody, written by nobody, with zeroes behind its end. */
static void file_as_memory(void **state)
{
	const gpa_t at = gpa(1ULL << 33);
	char name[] = "/tmp/test_mm.XXXXXX";
	int fd = mkstemp(name);
	struct guest_mem *mem;
	char text[16] = "";
	struct iovec iov;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(write(fd, "a file's bytes", 14), 14);
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add_file(mem, at, HUGE, fd, 0), -EINVAL);
	assert_int_equal(mem_add_file(mem, at, HUGE, fd, HUGE + 1), -EINVAL);
	assert_int_equal(mem_add_file(mem, at, HUGE, -1, 14), -EBADF);
	assert_int_equal(mem_add_file(mem, at, HUGE, fd, 14), 0);
	assert_int_equal(mem_add_file(mem, at, HUGE, fd, 14), -EEXIST);
	assert_int_equal(mem_read(mem, at, text, 14), 0);
	assert_string_equal(text, "a file's bytes");
	assert_int_equal(mem_read(mem, gpa_add(at, HUGE - 4), text, 4), 0);
	assert_int_equal(text[0], 0);
	assert_int_equal(mem_write(mem, at, "x", 1), -EFAULT);
	assert_int_equal(mem_load(mem, at, "x", 1), -EFAULT);
	assert_int_equal(mem_segments(mem, at, 4, MEM_WRITE, &iov, 1), -EFAULT);
	assert_int_equal(mem_segments(mem, at, 4, MEM_READ, &iov, 1), 1);
	/* What others write to the file is seen: it is one page cache. */
	assert_int_equal(pwrite(fd, "A", 1, 0), 1);
	assert_int_equal(mem_read(mem, at, text, 1), 0);
	assert_int_equal(text[0], 'A');
	assert_int_equal(mem_ram_size(mem), 0);
	mem_destroy(mem);
	close(fd);
}

#define IN_MAP(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MAP(regions_are_sorted),
		IN_MAP(add_refuses),
		IN_MAP(add_refuses_overlap),
		IN_MAP(test_threat_13_registers_are_no_memory),
		cmocka_unit_test(add_refuses_too_many),
		cmocka_unit_test(host_is_congruent),
		cmocka_unit_test(guards_at_every_shift),
		IN_MAP(guards_and_no_inheritance),
		cmocka_unit_test(destroy_unmaps),
		IN_MAP(ranges_are_judged),
		cmocka_unit_test(empty_memory_has_nothing),
		IN_MAP(write_then_read_across_regions),
		IN_MAP(refused_write_touches_nothing),
		IN_MAP(refused_read_touches_nothing),
		IN_MAP(load_fills_read_only),
		IN_MAP(fill_stops_where_it_should),
		IN_MAP(read_file),
		cmocka_unit_test(shared_with_another),
		cmocka_unit_test(file_as_memory),
		cmocka_unit_test(memory_from_the_start),
		cmocka_unit_test(reserved_huge_pages),
		cmocka_unit_test(shared_file_is_sealed),
		IN_MAP(segments_cover_the_range),
		IN_MAP(segments_need_room),
		IN_MAP(words_are_little_endian),
		IN_MAP(words_at_edges),
		IN_MAP(test_threat_16_accessor_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
