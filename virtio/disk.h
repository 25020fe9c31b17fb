/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the blocks of a virtio-blk device come from: a table of functions, so that a raw file, a
 * verified one or an overlay look the same to the device. Offsets and lengths are bytes, multiples of
 * 512, already checked against size by the device. All I/O functions may be called from several
 * threads at once and may block.
 */
#ifndef VIRTIO_DISK_H
#define VIRTIO_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct disk;

struct disk_ops {
	/* All of the segments or an error: 0 or -errno. -EAGAIN if @nowait and it would block. */
	int (*read)(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, bool nowait);
	int (*write)(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off);
	int (*flush)(struct disk *disk); /* everything written before is durable on return */
	int (*discard)(struct disk *disk, uint64_t off, uint64_t len);
	int (*write_zeroes)(struct disk *disk, uint64_t off, uint64_t len, bool unmap);
	void (*close)(struct disk *disk);
};

struct disk {
	const struct disk_ops *ops;
	const char *name;     /* for messages; outlives the disk */
	uint64_t size;        /* bytes, a multiple of 512 */
	uint32_t block_size;  /* physical block of the medium, bytes, power of two >= 512 */
	bool readonly;
	int fd;
};

/*
 * A raw image on an open descriptor (regular file or block device), which the disk owns from now on, also on
 * error. Checks type and size, and takes an OFD lock over the whole file (shared if @readonly,
 * else exclusive) so that no second machine corrupts it. 0; -EINVAL (size, type), -EBUSY (locked)
 * or -errno, said with diag_error.
 */
int disk_open_raw(int fd, const char *name, bool readonly, bool direct, struct disk **out);

/* Flushes nothing; closes and frees. NULL is allowed. */
void disk_close(struct disk *disk);

#endif
