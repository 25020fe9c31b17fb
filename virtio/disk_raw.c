/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw disk images: a regular file or a block device whose byte N is byte N of the disk.
 *
 * Reads go through preadv2 and writes through pwritev2, first without waiting if asked, so that
 * what the page cache can serve costs no change of thread. Holes are made with fallocate, for block
 * devices too (Linux maps it to the device's own commands), so the sandbox needs no ioctl.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/lock.h"
#include "virtio/disk.h"

enum {
	SECTOR = 512,
	DIRECT_ALIGN = 512,	    /* what O_DIRECT may ask of addresses and offsets at most */
	BOUNCE_SIZE = 64 * 1024,    /* one step of a direct transfer from unaligned memory */
	ZERO_BLOCK = 4096,	    /* zeroes written at a time by one segment */
	ZERO_SEGS = 64,		    /* segments of them in one write */
	BLOCK_SIZE_MAX = 64 * 1024, /* of struct disk */
};

struct raw_disk {
	struct disk disk;
	atomic_bool no_nowait_read; /* the file system cannot, it said */
	atomic_bool no_nowait_write;
	atomic_int flush_error; /* errno of the first flush that failed; it fails for ever */
	bool direct;
	bool in_memory; /* the file lies in the page cache and nowhere else: nothing ever waits */
	struct lock bounce_lock RANKED(disk);
	uint8_t *bounce PT_GUARDED_BY(&bounce_lock); /* BOUNCE_SIZE bytes if direct, else NULL */
};

static struct raw_disk *raw_of(struct disk *disk)
{
	return (struct raw_disk *)disk;
}

static ssize_t transfer_some(int fd, bool write, const struct iovec *iov, unsigned n, uint64_t off,
			     int rwf)
{
	ssize_t got;

	do {
		got = write ? pwritev2(fd, iov, (int)n, (off_t)off, rwf)
			    : preadv2(fd, iov, (int)n, (off_t)off, rwf);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* All of the segments, however many steps the kernel takes. */
static int transfer(int fd, bool write, struct iovec *iov, unsigned n, uint64_t off, int rwf)
{
	for (n = disk_iov_skip(&iov, n, 0); n > 0;) {
		ssize_t got = transfer_some(fd, write, iov, n, off, rwf);

		if (got < 0)
			return (int)got;
		if (got == 0)
			return write ? -EIO : -ENODATA;
		off += (uint64_t)got;
		n = disk_iov_skip(&iov, n, (size_t)got);
	}
	return 0;
}

/*
 * One try without waiting. A part done counts as nothing: the blocking way does it all again, which
 * is simpler than going on in the middle and just as right, since nothing was promised yet.
 */
static int transfer_nowait(int fd, bool write, const struct iovec *iov, unsigned n, uint64_t off,
			   int rwf, atomic_bool *cannot)
{
	ssize_t got;

	if (atomic_load_explicit(cannot, memory_order_relaxed))
		return -EAGAIN;
	got = transfer_some(fd, write, iov, n, off, rwf | RWF_NOWAIT);
	if (got == -EOPNOTSUPP)
		atomic_store_explicit(cannot, true, memory_order_relaxed);
	if (got >= 0 && (uint64_t)got == disk_iov_len(iov, n))
		return 0;
	return -EAGAIN;
}

static bool direct_aligned(const struct iovec *iov, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (((uintptr_t)iov[i].iov_base | iov[i].iov_len) % DIRECT_ALIGN != 0)
			return false;
	return true;
}

/* Copies @len bytes between @flat and the front of the segments. */
static void copy_segments(const struct iovec *iov, uint8_t *flat, size_t len, bool to_flat)
{
	for (; len > 0; iov++) {
		size_t step = size_min(len, iov->iov_len);

		if (to_flat && step > 0)
			memcpy(flat, iov->iov_base, step);
		else if (step > 0)
			memcpy(iov->iov_base, flat, step);
		flat += step;
		len -= step;
	}
}

/* A direct transfer from or to memory that O_DIRECT would refuse. One at a time: they are rare. */
static int transfer_bounced(struct raw_disk *raw, bool write, struct iovec *iov, unsigned n,
			    uint64_t off, int rwf)
{
	uint64_t left = disk_iov_len(iov, n);
	int err = 0;

	lock_take(&raw->bounce_lock);
	while (left > 0 && err == 0) {
		size_t step = (size_t)u64_min(left, BOUNCE_SIZE);
		struct iovec one = { .iov_base = raw->bounce, .iov_len = step };

		if (write)
			copy_segments(iov, raw->bounce, step, true);
		err = transfer(raw->disk.fd, write, &one, 1, off, rwf);
		if (err == 0 && !write)
			copy_segments(iov, raw->bounce, step, false);
		n = disk_iov_skip(&iov, n, step);
		off += step;
		left -= step;
	}
	lock_drop(&raw->bounce_lock);
	return err;
}

static int raw_transfer(struct raw_disk *raw, bool write, struct iovec *iov, unsigned n,
			uint64_t off, unsigned flags)
{
	int rwf = (flags & DISK_DURABLE) ? RWF_DSYNC : 0;

	if (flags & DISK_NOWAIT) {
		/* A direct transfer waits for the medium by nature, and a durable one too. */
		if (raw->direct)
			return -EAGAIN;
		if (raw->in_memory)
			return transfer(raw->disk.fd, write, iov, n, off, rwf);
		if (rwf)
			return -EAGAIN;
		return transfer_nowait(raw->disk.fd, write, iov, n, off, rwf,
				       write ? &raw->no_nowait_write : &raw->no_nowait_read);
	}
	if (raw->direct && !direct_aligned(iov, n))
		return transfer_bounced(raw, write, iov, n, off, rwf);
	return transfer(raw->disk.fd, write, iov, n, off, rwf);
}

static int raw_read(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, unsigned flags)
{
	return raw_transfer(raw_of(disk), false, iov, n, off, flags & ~(unsigned)DISK_DURABLE);
}

static int raw_write(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, unsigned flags)
{
	return raw_transfer(raw_of(disk), true, iov, n, off, flags);
}

/*
 * fdatasync carries all that is needed to read the data back, a new size too. After a
 * failure the kernel forgets the error and may have dropped the data: a later success would be a
 * lie, so the failure stays.
 */
static int raw_flush(struct disk *disk)
{
	struct raw_disk *raw = raw_of(disk);
	int err = atomic_load(&raw->flush_error);

	if (err)
		return -err;
	while (fdatasync(disk->fd) < 0) {
		if (errno == EINTR)
			continue;
		err = errno;
		atomic_store(&raw->flush_error, err);
		return -err;
	}
	return 0;
}

static int raw_fallocate(struct disk *disk, int mode, uint64_t off, uint64_t len)
{
	while (fallocate(disk->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) < 0) {
		if (errno == ENOSYS)
			return -EOPNOTSUPP;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/*
 * Of the range its whole units: a block device takes no others, and what is left of them stays as it is. So does all
 * of it where the host cannot give it back, as a loop device on tmpfs, which zeroes and does not punch: the bytes of a
 * discarded range may be any (5.2.6.2).
 */
static int raw_discard(struct disk *disk, uint64_t off, uint64_t len)
{
	const uint64_t unit = disk->unit;
	const uint64_t first = (off + unit - 1) / unit * unit, end = (off + len) / unit * unit;
	int err;

	if (first >= end)
		return 0;
	err = raw_fallocate(disk, FALLOC_FL_PUNCH_HOLE, first, end - first);
	return err == -EOPNOTSUPP ? 0 : err;
}

/* Where the host can neither punch nor zero. */
static int write_zero_bytes(struct disk *disk, uint64_t off, uint64_t len)
{
	static const _Alignas(ZERO_BLOCK) uint8_t zeroes[ZERO_BLOCK];

	while (len > 0) {
		struct iovec iov[ZERO_SEGS];
		uint64_t sum = 0;
		unsigned n = 0;
		int err;

		for (; n < ZERO_SEGS && sum < len; n++) {
			iov[n].iov_base = (void *)(uintptr_t)zeroes;
			iov[n].iov_len = (size_t)u64_min(len - sum, ZERO_BLOCK);
			sum += iov[n].iov_len;
		}
		err = transfer(disk->fd, true, iov, n, off, 0);
		if (err < 0)
			return err;
		off += sum;
		len -= sum;
	}
	return 0;
}

static int raw_write_zeroes(struct disk *disk, uint64_t off, uint64_t len, bool unmap)
{
	int err;

	if (len == 0)
		return 0;
	err = raw_fallocate(disk, unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE, off, len);
	/* EINVAL: a block device of larger units than the range's. */
	if (err == -EOPNOTSUPP || (err == -EINVAL && disk->unit > SECTOR))
		err = write_zero_bytes(disk, off, len);
	return err;
}

/*
 * A file grows by a hole and a last sector of zeroes: no thread of a machine may ftruncate, which can cut a
 * file too. What others made longer meanwhile is left as it is.
 */
static int raw_resize(struct disk *disk, uint64_t size)
{
	uint64_t now = 0;
	struct stat st;
	int err;

	if (fstat(disk->fd, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode))
		now = (uint64_t)st.st_size;
	else if (ioctl(disk->fd, BLKGETSIZE64, &now) < 0)
		return -errno;
	if (now < size && S_ISBLK(st.st_mode))
		return -ENOSPC;
	if (now < size && disk->readonly)
		return -EROFS;
	if (size > INT64_MAX)
		return -EFBIG;
	err = now < size ? write_zero_bytes(disk, size - SECTOR, SECTOR) : 0;
	if (err == 0)
		disk->size = size;
	return err;
}

static void raw_close(struct disk *disk)
{
	struct flock range = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	struct raw_disk *raw = raw_of(disk);

	/* By name: an io_uring that is going away holds the file, and so the lock, a little longer. */
	(void)fcntl(disk->fd, F_OFD_SETLK, &range);
	(void)close(disk->fd);
	lock_destroy(&raw->bounce_lock);
	free(raw->bounce);
	free(raw);
}

static const struct disk_ops raw_ops = {
	.read = raw_read,
	.write = raw_write,
	.flush = raw_flush,
	.discard = raw_discard,
	.write_zeroes = raw_write_zeroes,
	.resize = raw_resize,
	.close = raw_close,
};

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	default:
		return "something else";
	}
}

/* Says that a step of opening failed with -@err and returns @err. */
static int failed(const struct raw_disk *raw, const char *step, int err)
{
	diag_error("disk %s: %s failed: %s", raw->disk.name, step, strerror(-err));
	return err;
}

static int find_size(struct raw_disk *raw)
{
	struct disk *disk = &raw->disk;
	unsigned physical = 0;
	struct stat st;
	int unit = 0;

	if (fstat(disk->fd, &st) < 0)
		return failed(raw, "asking for its size", -errno);
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(disk->fd, BLKGETSIZE64, &disk->size) < 0)
			return failed(raw, "asking for its size", -errno);
		if (ioctl(disk->fd, BLKPBSZGET, &physical) == 0)
			disk->block_size = physical;
		if (ioctl(disk->fd, BLKSSZGET, &unit) == 0 && unit > 0)
			disk->unit = (uint32_t)unit;
	} else if (S_ISREG(st.st_mode)) {
		disk->size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
		disk->block_size = st.st_blksize > 0 ? (uint32_t)st.st_blksize : SECTOR;
	} else {
		diag_error("disk %s: it is %s; a disk is a file or a block device", disk->name,
			   kind_of(st.st_mode));
		return -EINVAL;
	}
	if (disk->size == 0 || disk->size % SECTOR != 0) {
		if (disk->size == 0)
			diag_error("disk %s: it is empty; a disk has at least 512 bytes",
				   disk->name);
		else
			diag_error("disk %s: size %" PRIu64 " is not a multiple of 512", disk->name,
				   disk->size);
		return -EINVAL;
	}
	if (!u64_is_pow2(disk->block_size) || disk->block_size < SECTOR ||
	    disk->block_size > BLOCK_SIZE_MAX)
		disk->block_size = 4096;
	if (!u64_is_pow2(disk->unit) || disk->unit < SECTOR || disk->unit > disk->block_size ||
	    disk->size % disk->unit)
		disk->unit = SECTOR;
	return 0;
}

static int lock_image(struct raw_disk *raw)
{
	struct flock range = {
		.l_type = raw->disk.readonly ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (fcntl(raw->disk.fd, F_OFD_SETLK, &range) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return failed(raw, "locking it", -errno);
	if (raw->disk.readonly)
		diag_error("disk %s: another process has it locked for writing", raw->disk.name);
	else
		diag_error(
			"disk %s: it is in use (locked by another process, or a --disk before it); "
			"only one may write",
			raw->disk.name);
	return -EBUSY;
}

static int make_direct(struct raw_disk *raw)
{
	int flags = fcntl(raw->disk.fd, F_GETFL);

	if (flags < 0 || fcntl(raw->disk.fd, F_SETFL, flags | O_DIRECT) < 0) {
		diag_error("disk %s: its file system has no direct I/O; leave out 'direct'",
			   raw->disk.name);
		return -EINVAL;
	}
	raw->bounce = aligned_alloc(ZERO_BLOCK, BOUNCE_SIZE);
	if (!raw->bounce)
		return failed(raw, "getting memory", -ENOMEM);
	/*
	 * Guests write single sectors, and to do that on a medium that takes only larger blocks
	 * means to read, change and write back what another request may be writing.
	 */
	if (pread(raw->disk.fd, raw->bounce, SECTOR, 0) < 0 && errno == EINVAL) {
		diag_error(
			"disk %s: direct I/O is not possible here in units of 512 bytes; leave out "
			"'direct'",
			raw->disk.name);
		return -EINVAL;
	}
	raw->direct = true;
	return 0;
}

/* Such file systems have no RWF_NOWAIT (before Linux 6.6), and no need of it. */
static bool lies_in_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

int disk_open_raw(int fd, const char *name, bool readonly, bool direct, struct disk **out)
{
	struct raw_disk *raw = calloc(1, sizeof(*raw));
	int err;

	if (!raw) {
		diag_error("disk %s: no memory", name);
		(void)close(fd);
		return -ENOMEM;
	}
	raw->disk.ops = &raw_ops;
	raw->disk.name = name;
	raw->disk.readonly = readonly;
	raw->disk.fd = fd;
	raw->disk.cached_writes = !direct;
	raw->in_memory = lies_in_memory(fd);
	lock_init(&raw->bounce_lock, LOCK_RANK_DISK, "bounce buffer");
	err = find_size(raw);
	if (err == 0)
		err = lock_image(raw);
	if (err == 0 && direct)
		err = make_direct(raw);
	if (err < 0) {
		raw_close(&raw->disk);
		return err;
	}
	*out = &raw->disk;
	return 0;
}
