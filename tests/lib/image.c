/* SPDX-License-Identifier: BSD-2-Clause */
/* Files full of bytes that tell where they are from. */
#include "tests/lib/image.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

uint8_t image_byte(uint64_t at)
{
	return (uint8_t)(at * 7 + at / 512 * 31 + 3);
}

int image_file(size_t size)
{
	char path[] = "/tmp/hvrun-test-image-XXXXXX";
	uint8_t *bytes = malloc(size + 1);
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	(void)unlink(path);
	for (size_t i = 0; i < size; i++)
		bytes[i] = image_byte(i);
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	free(bytes);
	return fd;
}

int image_again(int fd, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}
