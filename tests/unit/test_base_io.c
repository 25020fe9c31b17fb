/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/io: short reads, interrupted calls, ends of files, limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"

static int memory_file(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

struct feeder {
	int fd;
	pthread_t reader;
};

/* Writes six bytes one by one and disturbs the reader by a signal before each. */
static void *feed(void *arg)
{
	struct feeder *f = arg;

	for (const char *p = "abcdef"; *p; p++) {
		(void)usleep(2000);
		(void)pthread_kill(f->reader, SIGUSR1);
		(void)usleep(2000);
		(void)write_full(f->fd, p, 1);
	}
	(void)close(f->fd);
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void reads_on_through_interrupts(void **state)
{
	struct sigaction act = { .sa_handler = on_signal }; /* no SA_RESTART */
	struct feeder f = { .reader = pthread_self() };
	char buf[9] = "........";
	pthread_t thread;
	int fds[2];

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &act, NULL), 0);
	assert_int_equal(pipe(fds), 0);
	f.fd = fds[1];
	assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
	assert_int_equal(read_full(fds[0], buf, 4), 4);
	assert_memory_equal(buf, "abcd....", 8);
	assert_int_equal(read_full(fds[0], buf, 8), 2); /* short only at the end */
	assert_memory_equal(buf, "efcd....", 8);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(fds[0]);
}

static void positions(void **state)
{
	int fd = memory_file("0123456789", 10);
	char buf[4];

	(void)state;
	assert_int_equal(pread_full(fd, buf, 4, 3), 4);
	assert_memory_equal(buf, "3456", 4);
	assert_int_equal(pread_full(fd, buf, 4, 8), 2);
	assert_int_equal(pread_full(fd, buf, 4, 10), 0);
	assert_int_equal(pread_full(fd, buf, 4, INT64_MAX), -EINVAL);
	assert_int_equal(pwrite_full(fd, "AB", 2, 9), 0);
	assert_int_equal(read_full(fd, buf, 4), 4); /* the position has not moved */
	assert_memory_equal(buf, "0123", 4);
	assert_int_equal(pread_full(fd, buf, 4, 8), 3);
	assert_memory_equal(buf, "8AB", 3);
	assert_int_equal(pwrite_full(fd, "A", 1, UINT64_MAX), -EINVAL);
	(void)close(fd);
}

static void errors_are_told(void **state)
{
	char buf[4];
	int fd;

	(void)state;
	assert_int_equal(read_full(-1, buf, 4), -EBADF);
	assert_int_equal(pread_full(-1, buf, 4, 0), -EBADF);
	assert_int_equal(write_full(-1, buf, 4), -EBADF);
	assert_int_equal(pwrite_full(-1, buf, 4, 0), -EBADF);
	assert_int_equal(read_full(-1, buf, (size_t)SSIZE_MAX + 1), -EINVAL);
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, buf, 4), -ENOSPC);
	(void)close(fd);
	fd = open("/", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read_full(fd, buf, 4), -EISDIR);
	(void)close(fd);
}

/* A file of len bytes is read whole with limit max, or refused with expected. */
static void check_whole(size_t len, size_t max, int expected)
{
	uint8_t *data = malloc(len + 1), *got = NULL;
	size_t got_len = 99;
	int fd;

	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	fd = memory_file(data, len);
	assert_int_equal(read_file_whole(fd, max, &got, &got_len), expected);
	if (expected == 0) {
		assert_non_null(got);
		assert_int_equal(got_len, len);
		if (len)
			assert_memory_equal(got, data, len);
	} else {
		assert_null(got);
		assert_int_equal(got_len, 99);
	}
	free(got);
	free(data);
	(void)close(fd);
}

static void whole_files(void **state)
{
	(void)state;
	check_whole(0, 0, 0);
	check_whole(0, 100, 0);
	check_whole(100, 100, 0);
	check_whole(100, 101, 0);
	check_whole(101, 100, -EFBIG);
	check_whole(1, 0, -EFBIG);
	check_whole(300000, 300000, 0);
	check_whole(300001, 300000, -EFBIG);
}

static void *feed_much(void *arg)
{
	static uint8_t block[200000];

	(void)write_full(*(int *)arg, block, sizeof(block));
	(void)close(*(int *)arg);
	return NULL;
}

static void whole_pipes_and_false_sizes(void **state)
{
	uint8_t *got = NULL;
	pthread_t thread;
	size_t len = 0;
	int fds[2], fd;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&thread, NULL, feed_much, &fds[1]), 0);
	assert_int_equal(read_file_whole(fds[0], 1 << 20, &got, &len), 0);
	assert_int_equal(len, 200000);
	free(got);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(fds[0]);

	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC); /* says that it has no bytes */
	assert_true(fd >= 0);
	assert_int_equal(read_file_whole(fd, 1 << 20, &got, &len), 0);
	assert_true(len > 100);
	assert_memory_equal(got, "Name:", 5);
	free(got);
	(void)close(fd);

	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC); /* has no end */
	assert_true(fd >= 0);
	assert_int_equal(read_file_whole(fd, 1 << 20, &got, &len), -EFBIG);
	assert_int_equal(read_file_whole(fd, SIZE_MAX, &got, &len), -EINVAL);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_on_through_interrupts),
		cmocka_unit_test(positions),
		cmocka_unit_test(errors_are_told),
		cmocka_unit_test(whole_files),
		cmocka_unit_test(whole_pipes_and_false_sizes),
	};

	return cmocka_run_group_tests_name("base_io", tests, NULL, NULL);
}
