/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the blocks of a virtio-blk device come from: a table of functions, so that a raw file, a
 * verified one or an overlay look the same to the device.
 *
 * Offsets and lengths are bytes, multiples of 512, and lie inside the disk's size: the device has
 * checked that. All I/O functions may be called from several threads at once and may block unless
 * told otherwise. They return 0 when everything was done, else -errno and how much was done is
 * unknown. They print nothing: the device tells the user, at a bounded rate.
 */
#ifndef VIRTIO_DISK_H
#define VIRTIO_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct disk;

/* How to read or write. */
enum disk_flags {
	DISK_NOWAIT = 1,  /* -EAGAIN rather than block; the segments are then as they were */
	DISK_DURABLE = 2, /* a write is on stable storage when it returns */
};

struct disk_ops {
	/*
	 * Transfers the @n segments at @iov, 1 to VQ_MAX_SEGS, some perhaps empty, at offset @off.
	 * @iov is the callee's to change while it works. -ENODATA: the medium ends too early;
	 * -EBADMSG, -EUCLEAN: a block, or a hash, is not what the verity tree says.
	 */
	int (*read)(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, unsigned flags);
	int (*write)(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off,
		     unsigned flags);
	/*
	 * Everything whose write returned before this was called is on stable storage on return. NULL:
	 * there is nothing to do.
	 */
	int (*flush)(struct disk *disk);
	/* The range is not needed any more; it reads as anything. NULL or -EOPNOTSUPP: cannot. */
	int (*discard)(struct disk *disk, uint64_t off, uint64_t len);
	/* The range reads as zeroes; if @unmap, its space may be given back. NULL: cannot. */
	int (*write_zeroes)(struct disk *disk, uint64_t off, uint64_t len, bool unmap);
	/*
	 * The disk has @size bytes from now on, a multiple of 512 and not less than before; sets disk->size.
	 * Loop thread; I/O may be under way. NULL or -EOPNOTSUPP: cannot; -ENOSPC: the device is smaller;
	 * -EROFS: the file would have to grow, and is only read.
	 */
	int (*resize)(struct disk *disk, uint64_t size);
	/* Frees everything. No I/O is under way. */
	void (*close)(struct disk *disk);
};

struct disk {
	const struct disk_ops *ops;
	const char *name;    /* for messages; outlives the disk */
	uint64_t size;	     /* bytes, a multiple of 512, never 0; of the loop */
	uint32_t block_size; /* physical block of the medium, bytes, power of two, 512 to 65536 */
	uint32_t unit; /* a driver is asked for multiples of it: 512, or what a block device has */
	bool readonly; /* no write, discard or write_zeroes is ever called */
	bool cached_writes; /* a write ends in the page cache: seldom later than after some microseconds */
	int fd;		    /* of a raw image: byte N of it is byte N of the disk; else -1 */
};

/*
 * A raw image on an open descriptor (regular file or block device), which the disk owns from now
 * on, also on error. Checks type and size, and takes an OFD lock over the whole file (shared if
 * @readonly, else exclusive) so that no second machine corrupts it. With @direct the host's page
 * cache is bypassed (O_DIRECT). 0; -EINVAL (size, type, direct impossible), -EBUSY (locked),
 * -ENOMEM or another -errno, said with diag_error.
 */
int disk_open_raw(int fd, const char *name, bool readonly, bool direct, struct disk **out);

/* A disk that is verified by a dm-verity tree (virtio/verity.h). */
struct disk_verity {
	struct disk *data;
	struct disk *hashes;	   /* the file of the tree */
	const uint8_t *root;	   /* what is trusted */
	size_t root_len;	   /* bytes */
	const uint8_t *superblock; /* VERITY_SUPERBLOCK bytes that were verified; NULL: from hashes */
};

/*
 * A read-only disk whose blocks come from config->data after each was found right. Owns both disks
 * from now on, also on error. Uses at most 2.3 MiB, taken here and touched as needed; four reads work at
 * once, more wait. 0; -EINVAL (a superblock that is damaged or unknown, files too short), -EKEYREJECTED (another root hash),
 * -ENOMEM or another -errno, said with diag_error.
 */
int disk_open_verity(const struct disk_verity *config, struct disk **out);

/* Flushes nothing; closes and frees. NULL is allowed. */
void disk_close(struct disk *disk);

/* Bytes in @n segments. */
uint64_t disk_iov_len(const struct iovec *iov, unsigned n);

/*
 * The segments at @from, @n of them, without their first @skip bytes and up to @len bytes, into @to (room
 * for @n): how many. Empty ones are left out.
 */
unsigned disk_iov_slice(const struct iovec *from, unsigned n, uint64_t skip, uint64_t len,
			struct iovec *to);

/*
 * Moves *@iov, @n segments, forward by @bytes, at most their sum, and past empty segments: the
 * number that is left, 0 when nothing is left to transfer. Changes the segments.
 */
unsigned disk_iov_skip(struct iovec **iov, unsigned n, size_t bytes);

#endif
