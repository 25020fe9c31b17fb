/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request of a virtio-blk driver (virtio 1.3, section 5.2.6): from a descriptor chain to
 * something that any thread can carry out on a disk. All judgement on what the driver asked is
 * here.
 */
#ifndef VIRTIO_BLK_REQUEST_H
#define VIRTIO_BLK_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "virtio/disk.h"
#include "virtio/io_pool.h"
#include "virtio/queue.h"

enum {
	BLK_SECTOR = 512,     /* bytes; the unit of the protocol, whatever the medium */
	BLK_HEADER_SIZE = 16, /* le32 type, le32 reserved, le64 sector */
	BLK_ID_SIZE = 20,     /* what GET_ID answers */
	BLK_RANGE_SIZE =
		16, /* le64 sector, le32 sectors, le32 flags: of discard and write zeroes */
	BLK_DISCARD_RANGES = 16,	       /* in one discard */
	BLK_ZEROES_RANGES = 1,		       /* in one write zeroes */
	BLK_DISCARD_SECTORS = 4 * 1024 * 1024, /* in one range of a discard */
	BLK_ZEROES_SECTORS = 128 * 1024,       /* of a write zeroes, which may have to be written */
};

/* Request types (5.2.6). */
enum {
	BLK_T_IN = 0,
	BLK_T_OUT = 1,
	BLK_T_FLUSH = 4,
	BLK_T_GET_ID = 8,
	BLK_T_DISCARD = 11,
	BLK_T_WRITE_ZEROES = 13,
};

/* Status bytes (5.2.6). */
enum {
	BLK_S_OK = 0,
	BLK_S_IOERR = 1,
	BLK_S_UNSUPP = 2,
};

/* What the requests of one device are judged by. */
struct blk_rules {
	struct disk *disk;
	bool discard;	      /* negotiated */
	bool write_zeroes;    /* negotiated */
	bool write_through;   /* the driver has no flush: what is answered is durable */
	char id[BLK_ID_SIZE]; /* for GET_ID, filled up with NUL */
	atomic_bool *stop;    /* what is being done is not wanted any more: a reset waits for it */
};

/* Bytes of the disk. */
struct blk_range {
	uint64_t offset;
	uint64_t len;
	bool unmap;
};

struct blk_request {
	struct io_job job; /* first: the pool hands this back */
	const struct blk_rules *rules;
	uint8_t *status_byte; /* in the guest; written last */
	uint32_t type;
	uint16_t head;
	uint16_t queue;	   /* whose head it is; set by the device */
	uint8_t status;	   /* BLK_S_*; of a request that needs no disk, from the start */
	int error;	   /* of the disk, 0 or -errno, for the user */
	uint64_t offset;   /* bytes, of read and write */
	uint64_t len;	   /* bytes of data */
	uint32_t used_ok;  /* the used length if it succeeds, */
	uint32_t used_bad; /* or fails: no more than what was surely written from the start on */
	unsigned segs;	   /* of iov, or of range */
	union {
		struct iovec iov[VQ_MAX_SEGS]; /* read, write */
		struct blk_range range[BLK_DISCARD_RANGES];
	};
};

enum blk_verdict {
	BLK_RUN,      /* to be carried out on the disk */
	BLK_ANSWERED, /* status is known already */
	BLK_BROKEN,   /* there is no place for a status: the driver breaks the protocol */
};

/* Judges @chain and fills @req; touches no more of @req than it needs. Loop thread. */
enum blk_verdict blk_request_parse(const struct blk_rules *rules, const struct vq_chain *chain,
				   struct blk_request *req);

/*
 * Reads, writes, or flushes what needs no flush, without waiting: true if that finished the request (well or badly), false if it
 * is to go to blk_request_run on a thread that may block.
 */
bool blk_request_try(struct blk_request *req);

/* Carries the request out on the disk and sets status and error. May block. Any thread. */
void blk_request_run(struct blk_request *req);

#endif
