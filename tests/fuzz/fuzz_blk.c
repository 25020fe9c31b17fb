/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk with a driver made of the input and one to four queues: the disk never sees a range that it
 * does not have, no request stays behind, no kick takes for ever. All I/O is on the loop, so runs repeat exactly.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "tests/fuzz/dev_fuzz.h"
#include "virtio/devices.h"

enum { DISK_SIZE = 0x10000 };

struct fuzz_disk {
	struct disk disk;
	uint8_t data[DISK_SIZE];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(uint64_t off, uint64_t len)
{
	fuzz_expect(off % 512 == 0 && len % 512 == 0 && range_fits(off, len, DISK_SIZE));
}

static int fuzz_read(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, unsigned flags)
{
	struct fuzz_disk *d = (struct fuzz_disk *)disk;

	(void)flags;
	judge(off, disk_iov_len(iov, n));
	for (; n > 0; n--, off += iov++->iov_len)
		memcpy(iov->iov_base, d->data + off, iov->iov_len);
	return 0;
}

static int fuzz_write(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off,
		      unsigned flags)
{
	struct fuzz_disk *d = (struct fuzz_disk *)disk;

	(void)flags;
	judge(off, disk_iov_len(iov, n));
	fuzz_expect(!disk->readonly);
	for (; n > 0; n--, off += iov++->iov_len)
		memcpy(d->data + off, iov->iov_base, iov->iov_len);
	return off % 1024 ? 0 : -EIO;
}

static int fuzz_flush(struct disk *disk)
{
	fuzz_expect(!disk->readonly);
	return 0;
}

static int fuzz_discard(struct disk *disk, uint64_t off, uint64_t len)
{
	judge(off, len);
	fuzz_expect(!disk->readonly);
	return 0;
}

static int fuzz_write_zeroes(struct disk *disk, uint64_t off, uint64_t len, bool unmap)
{
	judge(off, len);
	fuzz_expect(!disk->readonly);
	memset(((struct fuzz_disk *)disk)->data + off, 0, len);
	return unmap ? -EOPNOTSUPP : 0;
}

static void fuzz_disk_close(struct disk *disk)
{
	free(disk);
}

static const struct disk_ops fuzz_ops = {
	.read = fuzz_read,
	.write = fuzz_write,
	.flush = fuzz_flush,
	.discard = fuzz_discard,
	.write_zeroes = fuzz_write_zeroes,
	.close = fuzz_disk_close,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_disk *d = calloc(1, sizeof(*d));
	struct virtio_blk_config config = { .disk = &d->disk, .queues = size % 4 + 1 };
	struct fuzz_bench b;

	d->disk = (struct disk){ .ops = &fuzz_ops,
				 .name = "fuzz",
				 .size = DISK_SIZE,
				 .block_size = 512,
				 .unit = 512,
				 .readonly = size % 8 == 7,
				 .fd = -1 };
	fuzz_open(&b);
	fuzz_expect(virtio_blk_create(&config, 0, b.mem, b.loop, &b.dev) == 0);
	fuzz_run(&b, data, size, NULL);
	for (unsigned i = 0; i < b.dev->queue_count; i++)
		fuzz_expect(b.dev->queues[i].in_flight == 0 || b.dev->queues[i].broken ||
			    (virtio_status(b.dev) & VIRTIO_S_NEEDS_RESET));
	virtio_dev_destroy(b.dev);
	fuzz_close(&b);
	return 0;
}
