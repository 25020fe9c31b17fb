/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk on the bench over a real file, one request at a time, with its I/O done by threads
 * or by io_uring.
 */
#ifndef TESTS_LIB_BLK_RIG_H
#define TESTS_LIB_BLK_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/blk_words.h"
#include "tests/lib/dev_rig.h"
#include "tests/lib/image.h"

enum {
	SECTORS = 2048,
	/* Where things lie in the guest. */
	HEADER = RIG_DATA,
	RANGES = RIG_DATA + 0x400,
	STATUS = RIG_DATA + 0x800,
	DATA = RIG_DATA + 0x1000,
};

#define F_ALL (F_FLUSH | F_DISCARD | F_ZEROES)

struct blk_rig {
	struct dev_rig rig;
	int fd; /* a second descriptor of the image */
};

/* A device over a fresh image_file() of SECTORS sectors, not started. */
void blk_rig_open(struct blk_rig *b, unsigned threads, bool readonly, const char *serial);

/* One that can be written, with two threads and a good driver with all its features. */
void blk_rig_open_default(struct blk_rig *b);

/* Frees it. */
void blk_rig_close(struct blk_rig *b);

/* Lays a header at HEADER, and no status at STATUS. */
void blk_rig_header(struct blk_rig *b, uint32_t type, uint64_t sector);

/* One request in the usual layout with @len bytes of data at DATA: the status. */
uint8_t blk_rig_request(struct blk_rig *b, uint32_t type, uint64_t sector, uint32_t len,
			bool to_guest, uint32_t *used);

/* What the image holds, past the device. */
void blk_rig_file(struct blk_rig *b, uint64_t off, void *to, size_t len);

/* Whether the whole image holds what it began with. */
bool blk_rig_untouched(struct blk_rig *b);

/* Range @i of a request that takes ranges, at RANGES. */
void blk_rig_range(struct blk_rig *b, unsigned i, uint64_t sector, uint32_t sectors,
		   uint32_t flags);

/* From now on devices do their I/O by io_uring; false: the host has none, which is said of the group @name. */
bool blk_rig_use_io_uring(const char *name);

#endif
