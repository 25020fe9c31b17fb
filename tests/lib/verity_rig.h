/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk that is read through a dm-verity tree, with its data and its tree in memory, for the
 * test to change.
 */
#ifndef TESTS_LIB_VERITY_RIG_H
#define TESTS_LIB_VERITY_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "tests/lib/dev_rig.h"
#include "tests/lib/verity_make.h"

/* A disk, its tree and what lies behind them. */
struct verity_rig {
	struct verity_shape shape;
	struct verity_made made;
	struct stub_disk *data;
	struct stub_disk *tree;
	uint8_t *plain; /* what a guest should read */
	size_t size;
	struct disk *disk; /* NULL: not open */
};

/* Most tests begin with this one, which is made once. */
extern const struct verity_shape verity_usual;

/* Data of @shape and its tree; no disk yet. */
void verity_rig_make(struct verity_rig *b, const struct verity_shape *shape);

/* Opens the disk as its owner would, with this root and, unless NULL, superblock: 0 or -errno. */
int verity_rig_open_with(struct verity_rig *b, const uint8_t *root, size_t root_len,
			 const uint8_t *superblock);

/* With the root that is right. */
int verity_rig_open(struct verity_rig *b);

/* The disk owns both files, also when it did not open. */
void verity_rig_drop(struct verity_rig *b);

/* Reads by one segment: 0 or -errno. */
int verity_rig_read(struct verity_rig *b, void *to, size_t len, uint64_t off, unsigned flags);

/* Reads [off, off + len) in three segments and compares. */
void verity_rig_reads_well(struct verity_rig *b, uint64_t off, size_t len);

#endif
