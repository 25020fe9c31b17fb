/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs in a guest and asks a block device for what no shell command does.
 *
 *   blk reads DEVICE COUNT SIZE     direct reads one after another; prints how long they took
 *   blk zero DEVICE OFFSET LENGTH   write zeroes (BLKZEROOUT)
 *   blk discard DEVICE OFFSET LENGTH
 *
 * Prints one line; status 0, or 1 with the cause.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int fail(const char *what, const char *device)
{
	fprintf(stderr, "blk: %s %s: %s\n", what, device, strerror(errno));
	return 1;
}

static int reads(const char *device, int64_t count, int64_t size)
{
	int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int64_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	int64_t t;
	void *buf;

	if (end < size || posix_memalign(&buf, 4096, (size_t)size))
		return fail("open", device);
	t = now_ns();
	for (int64_t i = 0; i < count; i++) {
		if (pread(fd, buf, (size_t)size, i * size % (end - end % size)) != size)
			return fail("read", device);
	}
	t = now_ns() - t;
	printf("blk: %lld reads of %lld bytes in %lld us\n", (long long)count, (long long)size,
	       (long long)(t / 1000));
	return 0;
}

static int range(const char *what, unsigned long request, const char *device, int64_t offset,
		 int64_t length)
{
	uint64_t bounds[2] = { (uint64_t)offset, (uint64_t)length };
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, request, bounds))
		return fail(what, device);
	printf("blk: %s %s: done\n", what, device);
	return 0;
}

int main(int argc, char **argv)
{
	int64_t a = argc == 5 ? atoll(argv[3]) : -1, b = argc == 5 ? atoll(argv[4]) : 0;

	if (a >= 0 && b > 0 && !strcmp(argv[1], "reads"))
		return reads(argv[2], a, b);
	if (a >= 0 && b > 0 && !strcmp(argv[1], "zero"))
		return range("zero", BLKZEROOUT, argv[2], a, b);
	if (a >= 0 && b > 0 && !strcmp(argv[1], "discard"))
		return range("discard", BLKDISCARD, argv[2], a, b);
	fprintf(stderr, "usage: blk reads|zero|discard DEVICE N N\n");
	return 64;
}
