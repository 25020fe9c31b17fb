/* SPDX-License-Identifier: BSD-2-Clause */
/* What a virtio-blk device tells its driver of a disk: features, config space, identity. */
#ifndef VIRTIO_BLK_CONFIG_H
#define VIRTIO_BLK_CONFIG_H

#include <stdint.h>

#include "virtio/blk_request.h"
#include "virtio/disk.h"

/* Features (5.2.3). */
#define BLK_F_SEG_MAX	   (UINT64_C(1) << 2)
#define BLK_F_RO	   (UINT64_C(1) << 5)
#define BLK_F_BLK_SIZE	   (UINT64_C(1) << 6)
#define BLK_F_FLUSH	   (UINT64_C(1) << 9)
#define BLK_F_TOPOLOGY	   (UINT64_C(1) << 10)
#define BLK_F_MQ	   (UINT64_C(1) << 12)
#define BLK_F_DISCARD	   (UINT64_C(1) << 13)
#define BLK_F_WRITE_ZEROES (UINT64_C(1) << 14)

enum {
	BLK_CONFIG_SIZE = 60, /* bytes of config space (5.2.4), up to write_zeroes_may_unmap */
};

/* The features to offer for @disk with @queues, without those that every virtio device has. */
uint64_t blk_features(const struct disk *disk, unsigned queues);

/* Config space for @disk with @queues: BLK_CONFIG_SIZE bytes at @config, which were zero. */
void blk_config_fill(uint8_t *config, const struct disk *disk, unsigned queues);

/* What GET_ID answers: @serial, or if NULL the last part of the disk's name, cut at 20 bytes. */
void blk_id_fill(char id[BLK_ID_SIZE], const struct disk *disk, const char *serial);

#endif
