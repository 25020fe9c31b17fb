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

unsigned disk_iov_slice(const struct iovec *from, unsigned n, uint64_t skip, uint64_t len,
			struct iovec *to)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n && len > 0; i++) {
		size_t cut = (size_t)u64_min(skip, from[i].iov_len);
		size_t part = (size_t)u64_min(len, from[i].iov_len - cut);

		skip -= cut;
		len -= part;
		if (part == 0)
			continue;
		to[count].iov_base = (uint8_t *)from[i].iov_base + cut;
		to[count].iov_len = part;
		count++;
	}
	return count;
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
