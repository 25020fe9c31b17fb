/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/signed/reader: every byte once and in order, ends, errors, and callers who give up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/checked.h"
#include "vm/signed/reader.h"

enum { STEP = 256 * 1024 };

static uint8_t byte_at(size_t at)
{
	return (uint8_t)(at * 31 + at / 4099);
}

static int make_file(size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1);
	int fd = memfd_create("reader", MFD_CLOEXEC);

	assert_true(fd >= 0 && bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	free(bytes);
	return fd;
}

/* What a caller sees that wants @size bytes of a file of @real: how many, each looked at when it is there. */
static size_t read_through(size_t size, size_t real)
{
	uint8_t *data = malloc(size);
	int fd = make_file(real);
	struct reader reader;
	size_t have = 0;
	ssize_t n;

	assert_non_null(data);
	memset(data, 0xee, size);
	reader_begin(&reader, fd, data, size);
	while (have < size && (n = reader_wait(&reader, have)) > (ssize_t)have) {
		for (; have < (size_t)n; have++)
			assert_int_equal(data[have], byte_at(have));
	}
	reader_end(&reader);
	for (size_t i = have; i < size; i++)
		assert_int_equal(data[i], 0xee);
	close(fd);
	free(data);
	return have;
}

static void whole_files(void **state)
{
	static const size_t sizes[] = { 1, 4096, STEP - 1, STEP, STEP + 1, 2 * STEP + 5, 4 * STEP };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(read_through(sizes[i], sizes[i]), sizes[i]);
		/* A file that is longer by now: no byte more. */
		assert_int_equal(read_through(sizes[i], sizes[i] + STEP), sizes[i]);
	}
}

static void shorter_files(void **state)
{
	(void)state;
	assert_int_equal(read_through(100, 0), 0);
	assert_int_equal(read_through(STEP + 10, 0), 0);
	assert_int_equal(read_through(3 * STEP, STEP), STEP);
	assert_int_equal(read_through(3 * STEP, 2 * STEP + 7), 2 * STEP + 7);
}

static void errors(void **state)
{
	static uint8_t data[2 * STEP];
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct reader reader;

	(void)state;
	assert_true(fd >= 0);
	for (size_t size = 1; size <= sizeof(data); size += sizeof(data) - 1) {
		reader_begin(&reader, fd, data, size);
		assert_int_equal(reader_wait(&reader, 0), -EISDIR);
		reader_end(&reader);
	}
	close(fd);
}

static void given_up(void **state)
{
	static uint8_t data[64 * STEP];
	int fd = make_file(sizeof(data));
	struct reader reader;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		reader_begin(&reader, fd, data, sizeof(data));
		if (i % 2)
			assert_true(reader_wait(&reader, 0) > 0);
		reader_end(&reader);
	}
	close(fd);
}

/* No thread to be had: the caller's does it. */
static void without_a_thread(void **state)
{
	static uint8_t data[3 * STEP];
	int fd = make_file(sizeof(data) - 1);
	struct rlimit before, none;
	struct reader reader;
	size_t have = 0;
	ssize_t n;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* it needs memory of its own at any time */
#endif
	/* The stack of a thread is memory, too. */
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	none = before;
	none.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	reader_begin(&reader, fd, data, sizeof(data));
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	if (reader.has_thread) {
		reader_end(&reader);
		close(fd);
		skip(); /* an emulator's limits are its own */
	}
	while ((n = reader_wait(&reader, have)) > (ssize_t)have)
		have = (size_t)n;
	reader_end(&reader);
	assert_int_equal(have, sizeof(data) - 1);
	for (size_t i = 0; i < have; i++)
		assert_int_equal(data[i], byte_at(i));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: later there are stacks of threads that ended, to be used again. */
		cmocka_unit_test(without_a_thread), cmocka_unit_test(whole_files),
		cmocka_unit_test(shorter_files),    cmocka_unit_test(errors),
		cmocka_unit_test(given_up),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
