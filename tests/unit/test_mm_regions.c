/* SPDX-License-Identifier: BSD-2-Clause */
/* mm: regions, what lies around them, and memory that others share or files hold. */
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
#include "tests/lib/mem_map.h"

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

#define IN_MAP(fn) cmocka_unit_test_setup_teardown(fn, mem_map_setup, mem_map_teardown)

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
		cmocka_unit_test(shared_with_another),
		cmocka_unit_test(shared_file_is_sealed),
		cmocka_unit_test(memory_from_the_start),
		cmocka_unit_test(reserved_huge_pages),
		cmocka_unit_test(file_as_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
