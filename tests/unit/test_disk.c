/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw disks: what is refused and in which words, the lock, and transfers on a kernel that answers
 * short, interrupts, fails and lacks features (system calls replaced).
 */
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
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/capture.h"
#include "tests/lib/image.h"
#include "virtio/disk.h"

enum { SIZE = 1 << 20 };

/* How the kernel behaves: the calls below stand in place of the C library's. */
static struct {
	size_t longest; /* transfer; 0: no limit */
	unsigned eintr; /* every call but each eintr-th is interrupted; 0: none */
	bool no_nowait; /* EOPNOTSUPP for RWF_NOWAIT */
	bool no_holes;	/* EOPNOTSUPP for fallocate */
	int sync_errno; /* of the next fdatasync */
	unsigned calls; /* transfers */
	unsigned syncs; /* fdatasync */
	int flags;	/* of the last transfer */
} host;

static int host_judges(const struct iovec *iov, int n, int flags, struct iovec *cut, int *cut_n)
{
	size_t left = host.longest ? host.longest : SIZE_MAX;

	host.calls++;
	host.flags = flags;
	if (host.eintr && host.calls % host.eintr)
		return EINTR;
	if (host.no_nowait && (flags & RWF_NOWAIT))
		return EOPNOTSUPP;
	for (*cut_n = 0; *cut_n < n && left > 0; (*cut_n)++) {
		cut[*cut_n] = iov[*cut_n];
		cut[*cut_n].iov_len = size_min(left, iov[*cut_n].iov_len);
		left -= cut[*cut_n].iov_len;
	}
	return 0;
}

static ssize_t host_transfer(long call, int fd, const struct iovec *iov, int n, off_t off,
			     int flags)
{
	struct iovec cut[256];
	int cut_n, err = host_judges(iov, n, flags, cut, &cut_n);

	if (err) {
		errno = err;
		return -1;
	}
	return syscall(call, fd, cut, cut_n, off, 0, flags);
}

ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	return host_transfer(SYS_preadv2, fd, iov, n, off, flags);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	return host_transfer(SYS_pwritev2, fd, iov, n, off, flags);
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	if (host.no_holes) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, off, len);
}

int fdatasync(int fd)
{
	host.syncs++;
	if (host.sync_errno) {
		errno = host.sync_errno;
		host.sync_errno = 0;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static int reset_host(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	return 0;
}

static struct disk *open_image(int *second, bool direct)
{
	int fd = image_file(SIZE);
	struct disk *disk;

	*second = dup(fd);
	assert_int_equal(disk_open_raw(fd, "d.img", false, direct, &disk), 0);
	return disk;
}

/* What a descriptor of a kind is refused with. */
struct refusal {
	int fd;
	bool readonly;
	bool direct;
	int expect;
};

static void refused(void *arg)
{
	struct refusal *r = arg;
	struct disk *disk = NULL;
	int err = disk_open_raw(r->fd, "root.img", r->readonly, r->direct, &disk);

	if (err != r->expect || disk || fcntl(r->fd, F_GETFD) >= 0)
		_exit(1);
}

static void check_refusal(int fd, bool readonly, int expect, const char *text)
{
	struct refusal r = { .fd = fd, .readonly = readonly, .expect = expect };
	struct captured *out = malloc(sizeof(*out));

	assert_true(fd >= 0);
	capture_child(out, refused, &r);
	assert_string_equal(out->text, text);
	assert_int_equal(out->status, 0);
	(void)close(fd);
	free(out);
}

static void refusals(void **state)
{
	int pipes[2];

	(void)state;
	check_refusal(image_file(1000), false, -EINVAL,
		      "hvrun: disk root.img: size 1000 is not a multiple of 512\n");
	check_refusal(image_file(513), true, -EINVAL,
		      "hvrun: disk root.img: size 513 is not a multiple of 512\n");
	check_refusal(image_file(0), false, -EINVAL,
		      "hvrun: disk root.img: it is empty; a disk has at least 512 bytes\n");
	check_refusal(
		open("/tmp", O_RDONLY | O_DIRECTORY), true, -EINVAL,
		"hvrun: disk root.img: it is a directory; a disk is a file or a block device\n");
	check_refusal(open("/dev/null", O_RDWR), false, -EINVAL,
		      "hvrun: disk root.img: it is a character device; a disk is a file or a block "
		      "device\n");
	assert_int_equal(pipe(pipes), 0);
	check_refusal(pipes[0], false, -EINVAL,
		      "hvrun: disk root.img: it is a pipe; a disk is a file or a block device\n");
	(void)close(pipes[1]);
}

static void locked(void **state)
{
	struct disk *writer, *reader, *reader2;
	int fd = image_file(SIZE), spare = dup(fd);

	(void)state;
	assert_int_equal(disk_open_raw(fd, "a", false, false, &writer), 0);
	check_refusal(image_again(spare, O_RDWR), false, -EBUSY,
		      "hvrun: disk root.img: it is in use (locked by another process, or a "
		      "--disk before it); only one may write\n");
	check_refusal(image_again(spare, O_RDONLY), true, -EBUSY,
		      "hvrun: disk root.img: another process has it locked for writing\n");
	fd = image_again(spare, O_RDONLY);
	(void)close(spare);
	spare = image_again(fd, O_RDWR);
	disk_close(writer);
	assert_int_equal(disk_open_raw(fd, "b", true, false, &reader), 0);
	assert_int_equal(disk_open_raw(image_again(spare, O_RDONLY), "c", true, false, &reader2),
			 0);
	check_refusal(image_again(spare, O_RDWR), false, -EBUSY,
		      "hvrun: disk root.img: it is in use (locked by another process, or a "
		      "--disk before it); only one may write\n");
	disk_close(reader);
	disk_close(reader2);
	assert_int_equal(disk_open_raw(spare, "d", false, false, &writer), 0);
	disk_close(writer);
	disk_close(NULL);
}

static void what_is_told(void **state)
{
	struct disk *disk;
	int second;

	(void)state;
	disk = open_image(&second, false);
	assert_int_equal(disk->size, SIZE);
	assert_string_equal(disk->name, "d.img");
	assert_true(u64_is_pow2(disk->block_size) && disk->block_size >= 512);
	assert_int_equal(disk->unit, 512);
	assert_false(disk->readonly);
	disk_close(disk);
	(void)close(second);
}

static void steps_through_segments(void **state)
{
	struct iovec iov[] = { { (void *)0x1000, 0 },
			       { (void *)0x2000, 10 },
			       { (void *)0x3000, 0 },
			       { (void *)0x4000, 5 },
			       { (void *)0x5000, 0 } };
	struct iovec *v = iov;
	unsigned n;

	(void)state;
	assert_int_equal(disk_iov_len(iov, 5), 15);
	n = disk_iov_skip(&v, 5, 0);
	assert_int_equal(n, 4);
	n = disk_iov_skip(&v, n, 9);
	assert_int_equal(n, 4);
	assert_ptr_equal(v->iov_base, (void *)0x2009);
	assert_int_equal(v->iov_len, 1);
	n = disk_iov_skip(&v, n, 1);
	assert_int_equal(n, 2);
	assert_ptr_equal(v->iov_base, (void *)0x4000);
	n = disk_iov_skip(&v, n, 5);
	assert_int_equal(n, 0);
	n = disk_iov_skip(&v, 0, 5);
	assert_int_equal(n, 0);
}

/* Reads or writes 6 KiB at 512 in seven uneven pieces of @memory. */
static int transfer(struct disk *disk, bool write, uint8_t *memory, unsigned flags)
{
	static const size_t len[] = { 0, 1, 511, 2048, 3000, 0, 584 };
	struct iovec iov[7];

	for (unsigned i = 0; i < 7; memory += len[i++])
		iov[i] = (struct iovec){ memory, len[i] };
	return write ? disk->ops->write(disk, iov, 7, 512, flags)
		     : disk->ops->read(disk, iov, 7, 512, flags);
}

static void check_transfers(struct disk *disk, int second)
{
	static uint8_t memory[8192 + 1], back[8192];

	for (unsigned shift = 0; shift < 2; shift++) {
		uint8_t *m = memory + shift;

		memset(memory, 0, sizeof(memory));
		assert_int_equal(transfer(disk, false, m, 0), 0);
		assert_int_equal(pread(second, back, 6144, 512), 6144);
		assert_memory_equal(m, back, 6144);
		for (size_t i = 0; i < 6144; i++)
			m[i] = (uint8_t)(m[i] ^ 0x55);
		assert_int_equal(transfer(disk, true, m, 0), 0);
		assert_int_equal(pread(second, back, 8192, 0), 8192);
		assert_memory_equal(m, back + 512, 6144);
		assert_int_equal(back[511], image_byte(511));
		assert_int_equal(back[512 + 6144], image_byte(512 + 6144));
	}
}

static void short_and_interrupted_transfers(void **state)
{
	static const size_t longest[] = { 0, 1, 7, 512, 600, 4096 };
	struct disk *disk;
	int second;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(longest); i++) {
		(void)reset_host(NULL);
		disk = open_image(&second, false);
		host.longest = longest[i];
		host.eintr = i % 2 ? 3 : 0;
		check_transfers(disk, second);
		disk_close(disk);
		(void)close(second);
	}
}

static void end_of_the_file(void **state)
{
	static uint8_t memory[8192];
	struct disk *disk;
	int second;

	(void)state;
	disk = open_image(&second, false);
	assert_int_equal(ftruncate(second, 700), 0);
	assert_int_equal(transfer(disk, false, memory, 0), -ENODATA);
	assert_int_equal(transfer(disk, false, memory, DISK_NOWAIT), -EAGAIN);
	disk_close(disk);
	(void)close(second);
}

/* Without waiting: all of it or nothing, and a file system that cannot is asked once. */
static void without_waiting(void **state)
{
	static uint8_t memory[8192];
	struct disk *disk;
	unsigned calls;
	int second;

	(void)state;
	disk = open_image(&second, false);
	assert_int_equal(transfer(disk, false, memory, DISK_NOWAIT), 0); /* just written: cached */
	assert_true(host.flags & RWF_NOWAIT);
	for (size_t i = 0; i < 6144; i++)
		assert_int_equal(memory[i], image_byte(512 + i));
	host.longest = 6143;
	assert_int_equal(transfer(disk, false, memory, DISK_NOWAIT), -EAGAIN);
	host.longest = 0;
	assert_int_equal(transfer(disk, false, memory, DISK_NOWAIT), 0);
	host.no_nowait = true;
	assert_int_equal(transfer(disk, false, memory, DISK_NOWAIT), -EAGAIN);
	assert_int_equal(transfer(disk, true, memory, DISK_NOWAIT), -EAGAIN);
	calls = host.calls;
	assert_int_equal(transfer(disk, false, memory, DISK_NOWAIT), -EAGAIN);
	assert_int_equal(transfer(disk, true, memory, DISK_NOWAIT), -EAGAIN);
	assert_int_equal(transfer(disk, true, memory, DISK_NOWAIT | DISK_DURABLE), -EAGAIN);
	assert_int_equal(host.calls, calls);
	assert_int_equal(transfer(disk, false, memory, 0), 0);
	disk_close(disk);
	(void)close(second);
}

static void durable_writes(void **state)
{
	static uint8_t memory[8192];
	struct disk *disk;
	int second;

	(void)state;
	disk = open_image(&second, false);
	assert_int_equal(transfer(disk, true, memory, DISK_DURABLE), 0);
	assert_true(host.flags & RWF_DSYNC);
	assert_int_equal(transfer(disk, true, memory, 0), 0);
	assert_false(host.flags & RWF_DSYNC);
	assert_int_equal(transfer(disk, false, memory, DISK_DURABLE), 0);
	assert_false(host.flags & RWF_DSYNC);
	disk_close(disk);
	(void)close(second);
}

/* What one flush lost no later one finds again. */
static void failed_flush_stays(void **state)
{
	struct disk *disk;
	int second;

	(void)state;
	disk = open_image(&second, false);
	assert_int_equal(disk->ops->flush(disk), 0);
	assert_int_equal(host.syncs, 1);
	host.sync_errno = EINTR;
	assert_int_equal(disk->ops->flush(disk), 0);
	assert_int_equal(host.syncs, 3);
	host.sync_errno = EIO;
	assert_int_equal(disk->ops->flush(disk), -EIO);
	assert_int_equal(disk->ops->flush(disk), -EIO);
	assert_int_equal(host.syncs, 4);
	disk_close(disk);
	(void)close(second);
}

static void zeroes(void **state)
{
	uint8_t *back = malloc(SIZE);

	(void)state;
	for (unsigned way = 0; way < 4; way++) {
		size_t off = 3 * 512, len = way % 2 ? 512 : 777 * 512;
		struct disk *disk;
		int second;

		(void)reset_host(NULL);
		disk = open_image(&second, false);
		host.no_holes = way >= 2;
		host.longest = 100000;
		assert_int_equal(disk->ops->write_zeroes(disk, off, len, way % 2), 0);
		assert_int_equal(disk->ops->write_zeroes(disk, 0, 0, way % 2), 0);
		assert_int_equal(disk->ops->discard(disk, SIZE - 512, 512), 0);
		assert_int_equal(disk->ops->discard(disk, 0, 0), 0);
		assert_int_equal(lseek(second, 0, SEEK_END), SIZE);
		assert_int_equal(pread(second, back, SIZE, 0), SIZE);
		/* What was discarded is gone, or as it was where the host has no holes. */
		for (size_t i = 0; i < SIZE; i++) {
			bool gone = i < SIZE - 512 ? i >= off && i < off + len : !host.no_holes;

			if (back[i] != (gone ? 0 : image_byte(i)))
				fail_msg("way %u byte %zu", way, i);
		}
		disk_close(disk);
		(void)close(second);
	}
	free(back);
}

/* O_DIRECT takes aligned memory as it is, and the rest through a buffer of ours. */
static void direct(void **state)
{
	uint8_t *memory = aligned_alloc(4096, 512 * 1024);
	struct disk *disk = NULL;
	struct iovec iov;
	int fd = image_file(SIZE), second = image_again(fd, O_RDWR);

	(void)state;
	assert_non_null(memory);
	if (disk_open_raw(fd, "d.img", false, true, &disk) < 0) {
		free(memory);
		(void)close(second);
		skip(); /* no direct I/O under /tmp */
	}
	assert_true(fcntl(disk->fd, F_GETFL) & O_DIRECT);
	assert_int_equal(transfer(disk, false, memory, DISK_NOWAIT), -EAGAIN);
	check_transfers(disk, second);
	iov = (struct iovec){ memory, 4096 };
	assert_int_equal(disk->ops->read(disk, &iov, 1, 8192, 0), 0);
	assert_int_equal(memory[4095], image_byte(8192 + 4095));
	iov = (struct iovec){ memory + 3, 300 * 1024 };
	assert_int_equal(disk->ops->read(disk, &iov, 1, 16384, 0), 0);
	for (size_t i = 0; i < 300 * 1024; i++)
		assert_int_equal(memory[3 + i], image_byte(16384 + i));
	iov = (struct iovec){ memory + 4, 300 * 1024 };
	assert_int_equal(disk->ops->write(disk, &iov, 1, 16384, DISK_DURABLE), 0);
	iov = (struct iovec){ memory, 4096 };
	assert_int_equal(disk->ops->read(disk, &iov, 1, 16384, 0), 0);
	assert_int_equal(memory[0], image_byte(16385));
	assert_int_equal(disk->ops->write_zeroes(disk, 512, 512, false), 0);
	host.no_holes = true;
	assert_int_equal(disk->ops->write_zeroes(disk, 1024, 8192, false), 0);
	assert_int_equal(disk->ops->flush(disk), 0);
	disk_close(disk);
	(void)close(second);
	free(memory);
}

static void no_direct_here(void **state)
{
	/* A file of memory refuses O_DIRECT on older kernels; on newer ones it takes it. */
	int fd = memfd_create("disk", MFD_CLOEXEC);
	struct disk *disk = NULL;

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	if (disk_open_raw(fd, "m", false, true, &disk) == 0)
		disk_close(disk);
	else
		assert_null(disk);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refusals, reset_host),
		cmocka_unit_test_setup(locked, reset_host),
		cmocka_unit_test_setup(what_is_told, reset_host),
		cmocka_unit_test_setup(steps_through_segments, reset_host),
		cmocka_unit_test_setup(short_and_interrupted_transfers, reset_host),
		cmocka_unit_test_setup(end_of_the_file, reset_host),
		cmocka_unit_test_setup(without_waiting, reset_host),
		cmocka_unit_test_setup(durable_writes, reset_host),
		cmocka_unit_test_setup(failed_flush_stays, reset_host),
		cmocka_unit_test_setup(zeroes, reset_host),
		cmocka_unit_test_setup(direct, reset_host),
		cmocka_unit_test_setup(no_direct_here, reset_host),
	};

	return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
