/* SPDX-License-Identifier: BSD-2-Clause */
/* What every kind of disk shares: closing, and steps through segments. */
#include "virtio/disk.h"

#include "base/checked.h"

void disk_close(struct disk *disk)
{
	if (disk)
		disk->ops->close(disk);
}

uint64_t disk_iov_len(const struct iovec *iov, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

unsigned disk_iov_skip(struct iovec **iov, unsigned n, size_t bytes)
{
	struct iovec *v = *iov;

	while (n > 0 && (bytes > 0 || v->iov_len == 0)) {
		size_t step = size_min(bytes, v->iov_len);

		v->iov_base = (uint8_t *)v->iov_base + step;
		v->iov_len -= step;
		bytes -= step;
		if (v->iov_len == 0) {
			v++;
			n--;
		}
	}
	*iov = v;
	return n;
}
