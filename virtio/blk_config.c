/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a virtio-blk device tells its driver of a disk (virtio 1.3, sections 5.2.3 to 5.2.5).
 *
 * Not offered: SIZE_MAX, since segments of any length are served; CONFIG_WCE, since a driver that
 * wants no write cache leaves FLUSH out.
 */
#include "virtio/blk_config.h"

#include <string.h>

#include "base/le.h"

enum {
	SEG_MAX = 126, /* data segments that we ask drivers to stay within */
};

/* Config space (5.2.4); what is not listed is zero. */
enum {
	CONFIG_CAPACITY = 0,		 /* le64, sectors */
	CONFIG_SEG_MAX = 12,		 /* le32 */
	CONFIG_BLK_SIZE = 20,		 /* le32 */
	CONFIG_PHYSICAL_EXP = 24,	 /* u8, log2 of logical blocks in a physical one */
	CONFIG_MIN_IO = 26,		 /* le16, logical blocks */
	CONFIG_NUM_QUEUES = 34,		 /* le16 */
	CONFIG_MAX_DISCARD_SECTORS = 36, /* le32 */
	CONFIG_MAX_DISCARD_SEG = 40,	 /* le32 */
	CONFIG_DISCARD_ALIGN = 44,	 /* le32, sectors */
	CONFIG_MAX_ZEROES_SECTORS = 48,	 /* le32 */
	CONFIG_MAX_ZEROES_SEG = 52,	 /* le32 */
	CONFIG_ZEROES_MAY_UNMAP = 56,	 /* u8 */
};

uint64_t blk_features(const struct disk *disk, unsigned queues)
{
	uint64_t features = BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY | BLK_F_FLUSH;

	if (queues > 1)
		features |= BLK_F_MQ;
	if (disk->readonly)
		return features | BLK_F_RO;
	if (disk->ops->discard)
		features |= BLK_F_DISCARD;
	if (disk->ops->write_zeroes)
		features |= BLK_F_WRITE_ZEROES;
	return features;
}

void blk_config_fill(uint8_t *config, const struct disk *disk, unsigned queues)
{
	uint32_t physical = disk->block_size / disk->unit; /* a power of two */
	uint64_t features = blk_features(disk, queues);

	le64_store(config + CONFIG_CAPACITY, disk->size / BLK_SECTOR);
	le32_store(config + CONFIG_SEG_MAX, SEG_MAX);
	le32_store(config + CONFIG_BLK_SIZE, disk->unit);
	config[CONFIG_PHYSICAL_EXP] = (uint8_t)__builtin_ctz(physical);
	le16_store(config + CONFIG_MIN_IO, (uint16_t)physical);
	le16_store(config + CONFIG_NUM_QUEUES, (uint16_t)queues);
	if (features & BLK_F_DISCARD) {
		le32_store(config + CONFIG_MAX_DISCARD_SECTORS, BLK_DISCARD_SECTORS);
		le32_store(config + CONFIG_MAX_DISCARD_SEG, BLK_DISCARD_RANGES);
		le32_store(config + CONFIG_DISCARD_ALIGN, disk->block_size / BLK_SECTOR);
	}
	if (features & BLK_F_WRITE_ZEROES) {
		le32_store(config + CONFIG_MAX_ZEROES_SECTORS, BLK_ZEROES_SECTORS);
		le32_store(config + CONFIG_MAX_ZEROES_SEG, BLK_ZEROES_RANGES);
		config[CONFIG_ZEROES_MAY_UNMAP] = 1;
	}
}

void blk_id_fill(char id[BLK_ID_SIZE], const struct disk *disk, const char *serial)
{
	const char *slash = strrchr(disk->name, '/');
	size_t len;

	if (!serial)
		serial = slash ? slash + 1 : disk->name;
	len = strnlen(serial, BLK_ID_SIZE);
	memset(id, 0, BLK_ID_SIZE);
	memcpy(id, serial, len);
}
