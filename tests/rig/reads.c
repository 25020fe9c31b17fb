/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs in a guest: COUNT direct reads of SIZE bytes from a block device, one after another at
 * addresses that step through it, and how long they took. Prints `reads: COUNT x SIZE in N us`.
 *
 *   reads DEVICE COUNT SIZE
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	long count = argc == 4 ? atol(argv[2]) : 0, size = argc == 4 ? atol(argv[3]) : 0;
	off_t end;
	int64_t t;
	void *buf;
	int fd;

	if (count <= 0 || size <= 0 || size % 512) {
		fprintf(stderr, "usage: reads DEVICE COUNT SIZE\n");
		return 64;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (end < size || posix_memalign(&buf, 4096, (size_t)size)) {
		fprintf(stderr, "reads: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	t = now_ns();
	for (long i = 0; i < count; i++) {
		off_t at = (off_t)i * size % (end - end % size);

		if (pread(fd, buf, (size_t)size, at) != size) {
			fprintf(stderr, "reads: at %lld: %s\n", (long long)at, strerror(errno));
			return 1;
		}
	}
	t = now_ns() - t;
	printf("reads: %ld x %ld in %lld us\n", count, size, (long long)(t / 1000));
	return 0;
}
