/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks whose writes are thrown away: an overlay takes them, and what it has not is read from a base
 * that nobody changes.
 */
#ifndef VIRTIO_DISK_COW_H
#define VIRTIO_DISK_COW_H

#include <stdint.h>

#include "virtio/disk.h"

enum {
	COW_CLUSTER_MIN = 4096,	     /* bytes of the disk for one bit of the map, at least */
	COW_CLUSTERS_MAX = 64 << 20, /* bits; larger disks have larger clusters */
};

/*
 * Which clusters the overlay has. It outlives the disk that it was made for, as the overlay's file
 * does, so that a machine that starts again finds what it wrote.
 */
struct cow_map;

/* Frees @map. NULL is allowed. No disk uses it. */
void cow_map_destroy(struct cow_map *map);

/* Bytes of one cluster: a power of two. */
uint64_t cow_map_cluster(const struct cow_map *map);

/*
 * A writable disk of @base's size and blocks. Reads come from @overlay where it was written, else
 * from @base, which is only read. Byte N of @overlay, at least as long, is byte N of the disk. Owns
 * both from now on, also on error. *@map is made if it is NULL, at most 8 MiB, touched as needed; else it
 * tells what @overlay has already. It stays the caller's.
 *
 * Flush does nothing: nothing of this disk outlives the process. A discarded range reads as zeroes.
 * 0; -EINVAL (sizes do not fit) or -ENOMEM, said with diag_error.
 */
int disk_open_cow(struct disk *base, struct disk *overlay, struct cow_map **map, struct disk **out);

#endif
