/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk with an overlay against a flat copy: any order of reads, writes, zeroes and discards, of steps that fail,
 * and of new disks on what the overlay holds.
 *
 * Input: a byte of size, then steps of 4 bytes: what, from which sector, how many, with what.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "virtio/disk_cow.h"

enum { SECTOR = 512, SECTORS_MAX = 96, STEPS_MAX = 256 };

struct side {
	struct disk disk;
	uint8_t data[SECTORS_MAX * SECTOR];
	unsigned fail; /* the call that fails, counted down; 0: none */
	bool waits;    /* nothing is done without waiting */
};

struct setup {
	struct side base, overlay;
	struct cow_map *map;
	struct disk *disk;
	uint8_t flat[SECTORS_MAX * SECTOR];
	uint8_t bytes[SECTORS_MAX * SECTOR];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct side *side_of(struct disk *disk)
{
	return (struct side *)disk;
}

static int call(struct disk *disk, uint64_t off, uint64_t len, unsigned flags)
{
	require(off % SECTOR == 0 && len % SECTOR == 0 && range_fits(off, len, disk->size));
	if ((flags & DISK_NOWAIT) && side_of(disk)->waits)
		return -EAGAIN;
	return side_of(disk)->fail && --side_of(disk)->fail == 0 ? -EIO : 0;
}

static int side_read(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, unsigned flags)
{
	int err = call(disk, off, disk_iov_len(iov, n), flags);

	for (; n > 0 && err == 0; n--, off += iov++->iov_len)
		memcpy(iov->iov_base, side_of(disk)->data + off, iov->iov_len);
	return err;
}

static int side_write(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off,
		      unsigned flags)
{
	int err = call(disk, off, disk_iov_len(iov, n), flags);

	require(!disk->readonly && !(flags & DISK_DURABLE));
	for (; n > 0 && err == 0; n--, off += iov++->iov_len)
		memcpy(side_of(disk)->data + off, iov->iov_base, iov->iov_len);
	return err;
}

static int side_discard(struct disk *disk, uint64_t off, uint64_t len)
{
	int err = call(disk, off, len, 0);

	require(!disk->readonly);
	if (err == 0)
		memset(side_of(disk)->data + off, 0, len);
	return err;
}

static int side_zeroes(struct disk *disk, uint64_t off, uint64_t len, bool unmap)
{
	require(unmap);
	return side_discard(disk, off, len);
}

/* They belong to the setup. */
static void side_close(struct disk *disk)
{
	side_of(disk)->fail = 0;
}

static const struct disk_ops side_ops = {
	.read = side_read,
	.write = side_write,
	.discard = side_discard,
	.write_zeroes = side_zeroes,
	.close = side_close,
};

static void open_again(struct setup *s)
{
	disk_close(s->disk);
	require(disk_open_cow(&s->base.disk, &s->overlay.disk, &s->map, &s->disk) == 0);
}

static void make(struct setup *s, uint64_t sectors)
{
	s->base.disk = s->overlay.disk = (struct disk){ .ops = &side_ops,
							.name = "fuzz",
							.size = sectors * SECTOR,
							.block_size = SECTOR,
							.unit = SECTOR,
							.fd = -1 };
	s->base.disk.readonly = true;
	for (size_t i = 0; i < sizeof(s->flat); i++) {
		s->flat[i] = s->base.data[i] = (uint8_t)(i / SECTOR + 1);
		s->overlay.data[i] = 0xdd; /* must never be seen */
	}
	open_again(s);
}

/* Two segments; a failed transfer is carried out once more, as the guest's driver might. */
static void transfer(struct setup *s, bool write, uint64_t off, uint64_t len, unsigned flags)
{
	size_t cut = (size_t)(len / 3);
	struct iovec iov[2] = { { s->bytes, cut }, { s->bytes + cut, (size_t)len - cut } };
	struct iovec same[2] = { iov[0], iov[1] };
	int err = (write ? s->disk->ops->write : s->disk->ops->read)(s->disk, iov, 2, off, flags);

	require(err == 0 || err == -EIO || (err == -EAGAIN && (flags & DISK_NOWAIT)));
	if (err == -EAGAIN)
		require(memcmp(iov, same, sizeof(iov)) == 0);
	if (err == 0)
		return;
	s->base.fail = s->overlay.fail = 0;
	err = (write ? s->disk->ops->write : s->disk->ops->read)(s->disk, same, 2, off, 0);
	require(err == 0);
}

static void step(struct setup *s, const uint8_t *in, uint64_t sectors)
{
	uint64_t first = in[1] % sectors;
	uint64_t off = first * SECTOR;
	uint64_t len = u64_min(in[2] % 24, sectors - first) * SECTOR;
	int err = 0;

	s->base.waits = in[0] & 0x10;
	s->overlay.waits = in[0] & 0x20;
	switch (in[0] & 7) {
	case 0:
		memset(s->bytes, in[3], len);
		transfer(s, true, off, len, in[0] & 0x40 ? DISK_NOWAIT : DISK_DURABLE);
		memset(s->flat + off, in[3], len);
		break;
	case 1:
		transfer(s, false, off, len, in[0] & 0x40 ? DISK_NOWAIT : 0);
		require(memcmp(s->bytes, s->flat + off, len) == 0);
		break;
	case 2:
	case 3:
		err = in[0] & 1 ? s->disk->ops->discard(s->disk, off, len)
				: s->disk->ops->write_zeroes(s->disk, off, len, in[0] & 0x80);
		if (err == -EIO) {
			s->base.fail = s->overlay.fail = 0;
			err = s->disk->ops->discard(s->disk, off, len);
		}
		require(err == 0);
		memset(s->flat + off, 0, len);
		break;
	case 4:
		open_again(s);
		break;
	case 5:
		s->base.fail = in[3];
		break;
	case 6:
		s->overlay.fail = in[3];
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct setup *s = calloc(1, sizeof(*s));
	uint64_t sectors = size > 0 ? data[0] % SECTORS_MAX + 1 : 1;

	require(s);
	make(s, sectors);
	for (size_t at = 1, steps = 0; at + 4 <= size && steps < STEPS_MAX; at += 4, steps++)
		step(s, data + at, sectors);
	s->base.fail = s->overlay.fail = 0;
	transfer(s, false, 0, sectors * SECTOR, 0);
	require(memcmp(s->bytes, s->flat, sectors * SECTOR) == 0);
	disk_close(s->disk);
	cow_map_destroy(s->map);
	free(s);
	return 0;
}
