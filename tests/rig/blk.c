/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs in a guest and asks a block device for what no shell command does.
 *
 *   blk reads DEVICE COUNT SIZE     direct reads one after another; prints how long they took
 *   blk load DEVICE read|write next|random SIZE DEPTH COUNT
 *				    COUNT direct transfers, DEPTH at a time, one after another or anywhere
 *   blk zero DEVICE OFFSET LENGTH   write zeroes (BLKZEROOUT)
 *   blk discard DEVICE OFFSET LENGTH
 *
 * Prints one line; status 0, or 1 with the cause.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
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

/* What one load does, by the kernel's own asynchronous I/O: no library takes part. */
struct load {
	const char *device;
	bool write, random;
	int64_t size;  /* bytes of each transfer */
	int64_t depth; /* transfers in flight */
	int64_t count; /* of all of them */
};

static int start_one(aio_context_t context, const struct load *load, int fd, int64_t end,
		     uint8_t *buf, struct iocb *iocb, int64_t n, uint32_t *dice)
{
	int64_t places = end / load->size, place = n % places;

	*dice = *dice * 1664525 + 1013904223;
	if (load->random)
		place = *dice % places;
	memset(iocb, 0, sizeof(*iocb));
	iocb->aio_lio_opcode = load->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	iocb->aio_fildes = (uint32_t)fd;
	iocb->aio_buf = (uintptr_t)buf;
	iocb->aio_nbytes = (uint64_t)load->size;
	iocb->aio_offset = place * load->size;
	iocb->aio_data = (uintptr_t)iocb;
	return syscall(SYS_io_submit, context, 1L, &iocb) == 1 ? 0 : -1;
}

static int run_load(const struct load *load, int fd, int64_t end, uint8_t *bufs)
{
	struct iocb *iocbs = calloc((size_t)load->depth, sizeof(*iocbs));
	struct io_event events[64];
	aio_context_t context = 0;
	uint32_t dice = 1;
	int64_t started = 0, done = 0;

	if (!iocbs || syscall(SYS_io_setup, (unsigned)load->depth, &context) < 0)
		return -1;
	for (; started < load->depth && started < load->count; started++)
		if (start_one(context, load, fd, end, bufs + started * load->size, &iocbs[started],
			      started, &dice) < 0)
			return -1;
	while (done < load->count) {
		long got = syscall(SYS_io_getevents, context, 1L, 64L, events, NULL);

		if (got <= 0)
			return -1;
		for (long i = 0; i < got; i++, done++) {
			struct iocb *iocb = (struct iocb *)(uintptr_t)events[i].data;

			if (events[i].res != load->size)
				return -1;
			if (started < load->count &&
			    start_one(context, load, fd, end, bufs + (iocb - iocbs) * load->size,
				      iocb, started++, &dice) < 0)
				return -1;
		}
	}
	return 0;
}

static int loaded(const struct load *load)
{
	int fd = open(load->device, O_RDWR | O_DIRECT | O_CLOEXEC);
	int64_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	int64_t t;
	void *bufs;

	if (end < load->size || posix_memalign(&bufs, 4096, (size_t)(load->size * load->depth)))
		return fail("open", load->device);
	memset(bufs, 0x5a, (size_t)(load->size * load->depth));
	t = now_ns();
	if (run_load(load, fd, end, bufs) < 0)
		return fail("load", load->device);
	t = now_ns() - t;
	printf("blk: %lld %s of %lld bytes in %lld us\n", (long long)load->count,
	       load->write ? "writes" : "reads", (long long)load->size, (long long)(t / 1000));
	return 0;
}

int main(int argc, char **argv)
{
	int64_t a = argc == 5 ? atoll(argv[3]) : -1, b = argc == 5 ? atoll(argv[4]) : 0;

	if (argc == 8 && !strcmp(argv[1], "load")) {
		const struct load load = {
			.device = argv[2],
			.write = !strcmp(argv[3], "write"),
			.random = !strcmp(argv[4], "random"),
			.size = atoll(argv[5]),
			.depth = atoll(argv[6]),
			.count = atoll(argv[7]),
		};

		if (load.size > 0 && load.depth > 0 && load.depth <= 64 && load.count > 0)
			return loaded(&load);
	}
	if (a >= 0 && b > 0 && !strcmp(argv[1], "reads"))
		return reads(argv[2], a, b);
	if (a >= 0 && b > 0 && !strcmp(argv[1], "zero"))
		return range("zero", BLKZEROOUT, argv[2], a, b);
	if (a >= 0 && b > 0 && !strcmp(argv[1], "discard"))
		return range("discard", BLKDISCARD, argv[2], a, b);
	fprintf(stderr, "usage: blk reads|zero|discard DEVICE N N, or blk load DEVICE ...\n");
	return 64;
}
