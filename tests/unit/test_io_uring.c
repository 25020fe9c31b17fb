/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring: transfers come back once with their result, no more than there is room for, and nothing
 * but reads and writes of one file can be had from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio/io_uring.h"

enum { ENTRIES = 8, BLOCK = 4096 };

struct bench {
	int file;
	struct io_ring *ring;
	uint8_t memory[ENTRIES][BLOCK];
	struct iovec iov[ENTRIES];
};

static void open_bench(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->file = memfd_create("file", MFD_CLOEXEC);
	assert_true(b->file >= 0);
	for (unsigned i = 0; i < ENTRIES; i++) {
		memset(b->memory[i], (int)i + 1, BLOCK);
		assert_int_equal(pwrite(b->file, b->memory[i], BLOCK, i * BLOCK), BLOCK);
		memset(b->memory[i], 0, BLOCK);
		b->iov[i] = (struct iovec){ b->memory[i], BLOCK };
	}
	assert_int_equal(io_ring_create(b->file, ENTRIES, &b->ring), 0);
}

static void close_bench(struct bench *b)
{
	io_ring_destroy(b->ring);
	(void)close(b->file);
}

static bool queue(struct bench *b, bool write, unsigned i, uint64_t off)
{
	return io_ring_queue(b->ring, write, &b->iov[i], 1, off, write && i % 2, &b->iov[i]);
}

static unsigned index_of(const struct bench *b, const void *cookie)
{
	return (unsigned)((const struct iovec *)cookie - b->iov);
}

/* What ends next. */
static void *reap_next(struct bench *b, int64_t *result)
{
	struct pollfd event = { .fd = io_ring_eventfd(b->ring), .events = POLLIN };
	void *cookie;

	while (!(cookie = io_ring_reap(b->ring, result)))
		assert_int_equal(poll(&event, 1, 60000), 1);
	return cookie;
}

static void all_come_back(void **state)
{
	struct bench *b = malloc(sizeof(*b));
	void *refused;

	(void)state;
	open_bench(b);
	for (unsigned round = 0; round < 100; round++) {
		bool seen[ENTRIES] = { false };

		for (unsigned i = 0; i < ENTRIES; i++)
			assert_true(queue(b, false, i, (i + round) % ENTRIES * BLOCK));
		assert_false(queue(b, false, 0, 0));
		assert_false(io_ring_submit(b->ring, &refused));
		for (unsigned n = 0; n < ENTRIES; n++) {
			int64_t result = 0;
			unsigned i;

			i = index_of(b, reap_next(b, &result));
			assert_true(i < ENTRIES && !seen[i]);
			seen[i] = true;
			assert_int_equal(result, BLOCK);
			assert_int_equal(b->memory[i][BLOCK - 1], (i + round) % ENTRIES + 1);
		}
		assert_int_equal(io_ring_in_flight(b->ring), 0);
		assert_null(io_ring_reap(b->ring, &(int64_t){ 0 }));
	}
	close_bench(b);
	free(b);
}

static void writes_and_errors(void **state)
{
	struct bench *b = malloc(sizeof(*b));
	struct pollfd event;
	int64_t result;
	uint8_t byte;
	void *refused;

	(void)state;
	open_bench(b);
	event = (struct pollfd){ .fd = io_ring_eventfd(b->ring), .events = POLLIN };
	assert_int_equal(poll(&event, 1, 0), 0);
	memset(b->memory[1], 0x77, BLOCK);
	assert_true(queue(b, true, 1, 3 * BLOCK));
	assert_false(io_ring_submit(b->ring, &refused));
	assert_int_equal(poll(&event, 1, 60000), 1);
	assert_ptr_equal(reap_next(b, &result), &b->iov[1]);
	assert_int_equal(result, BLOCK);
	assert_int_equal(pread(b->file, &byte, 1, 3 * BLOCK + 5), 1);
	assert_int_equal(byte, 0x77);

	/* Past the end of the file, and into memory that is not there. */
	assert_true(queue(b, false, 2, ENTRIES * BLOCK - 10));
	b->iov[3].iov_base = NULL;
	assert_true(queue(b, false, 3, 0));
	assert_false(io_ring_submit(b->ring, &refused));
	for (unsigned n = 0; n < 2; n++) {
		void *cookie;

		cookie = reap_next(b, &result);
		assert_int_equal(result, cookie == &b->iov[2] ? 10 : -EFAULT);
	}
	close_bench(b);
	free(b);
}

/* The ring's own descriptor, by its name. */
static int find_ring(void)
{
	for (int fd = 3; fd < 64; fd++) {
		char path[64], name[64] = "";

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof(name) - 1) > 0 && strstr(name, "[io_uring]"))
			return fd;
	}
	fail_msg("no ring among our descriptors");
	return -1;
}

/*
 * A kernel that takes nothing: every transfer comes back as refused, and the ring works again
 * after.
 */
static void refused_transfers_come_back(void **state)
{
	struct bench *b = malloc(sizeof(*b));
	bool seen[ENTRIES] = { false };
	void *refused = NULL;
	int64_t result;
	int fd, spare;

	(void)state;
	open_bench(b);
	fd = find_ring();
	spare = dup(fd);
	assert_int_equal(dup2(b->file, fd), fd);
	for (unsigned i = 0; i < 5; i++)
		assert_true(queue(b, false, i, 0));
	for (unsigned i = 0; i < 5; i++) {
		assert_true(io_ring_submit(b->ring, &refused));
		assert_true(index_of(b, refused) < 5 && !seen[index_of(b, refused)]);
		seen[index_of(b, refused)] = true;
	}
	assert_false(io_ring_submit(b->ring, &refused));
	assert_int_equal(io_ring_in_flight(b->ring), 0);
	assert_int_equal(dup2(spare, fd), fd);
	(void)close(spare);
	assert_true(queue(b, false, 7, 2 * BLOCK));
	assert_false(io_ring_submit(b->ring, &refused));
	assert_ptr_equal(reap_next(b, &result), &b->iov[7]);
	assert_int_equal(b->memory[7][0], 3);
	close_bench(b);
	free(b);
}

/* Who holds the descriptor can neither add files nor lift the restriction. */
static void restricted_for_good(void **state)
{
	static const struct io_uring_restriction more = { .opcode = IORING_RESTRICTION_SQE_OP,
							  .sqe_op = IORING_OP_OPENAT };
	static const unsigned what[] = { IORING_REGISTER_FILES, IORING_UNREGISTER_FILES,
					 IORING_REGISTER_BUFFERS, IORING_REGISTER_PERSONALITY,
					 IORING_REGISTER_RESTRICTIONS };
	struct bench *b = malloc(sizeof(*b));

	(void)state;
	open_bench(b);
	for (unsigned i = 0; i < ARRAY_SIZE(what); i++)
		assert_int_equal(syscall(SYS_io_uring_register, find_ring(), what[i], &more, 1),
				 -1);
	close_bench(b);
	free(b);
}

/* Submissions written past the interface, as by an attacker: other operations, other files. */
static void other_operations_are_refused(void **state)
{
	static const uint8_t ops[] = { IORING_OP_OPENAT,   IORING_OP_READ,  IORING_OP_WRITE,
				       IORING_OP_FSYNC,	   IORING_OP_CLOSE, IORING_OP_CONNECT,
				       IORING_OP_UNLINKAT, IORING_OP_READV };
	struct bench *b = malloc(sizeof(*b));
	struct io_uring_sqe *sqes;
	void *refused;
	int64_t result;

	(void)state;
	open_bench(b);
	sqes = mmap(NULL, ENTRIES * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, find_ring(),
		    IORING_OFF_SQES);
	assert_true(sqes != MAP_FAILED);
	for (unsigned i = 0; i < sizeof(ops); i++) {
		bool good = ops[i] == IORING_OP_READV;

		assert_true(queue(b, false, i, 0));
		sqes[i].opcode = ops[i];
		assert_false(io_ring_submit(b->ring, &refused));
		assert_ptr_equal(reap_next(b, &result), &b->iov[i]);
		assert_int_equal(result, good ? BLOCK : -EACCES);
	}
	assert_true(queue(b, false, 0, 0));
	sqes[0].flags = 0; /* a descriptor of the process in place of the registered file */
	sqes[0].fd = b->file;
	assert_false(io_ring_submit(b->ring, &refused));
	assert_ptr_equal(reap_next(b, &result), &b->iov[0]);
	assert_int_equal(result, -EACCES);
	(void)munmap(sqes, ENTRIES * sizeof(*sqes));
	close_bench(b);
	free(b);
}

static void no_ring_on_a_closed_file(void **state)
{
	struct io_ring *ring = NULL;

	(void)state;
	assert_int_equal(io_ring_create(1000000, ENTRIES, &ring), -EBADF);
	assert_null(ring);
	io_ring_destroy(NULL);
}

static int need_ring(void **state)
{
	struct io_ring *ring = NULL;

	(void)state;
	if (io_ring_create(0, 1, &ring) < 0)
		return -1;
	io_ring_destroy(ring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_come_back),
		cmocka_unit_test(writes_and_errors),
		cmocka_unit_test(refused_transfers_come_back),
		cmocka_unit_test(restricted_for_good),
		cmocka_unit_test(other_operations_are_refused),
		cmocka_unit_test(no_ring_on_a_closed_file),
	};

	if (need_ring(NULL) < 0) {
		(void)puts("skip io_uring: the host has none");
		return 0;
	}
	return cmocka_run_group_tests_name("io_uring", tests, NULL, NULL);
}
