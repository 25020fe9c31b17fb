/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies bytes out of the segments of a descriptor chain, and into them. */
#include <string.h>

#include "base/checked.h"
#include "mm/copy.h"
#include "virtio/queue.h"

/* Copies between @buf and @segs host segments, from @offset on; @write: into the guest. */
static size_t copy_segs(const struct iovec *iov, unsigned segs, uint64_t offset, void *buf,
			size_t len, bool write)
{
	uint8_t *p = buf;
	size_t done = 0;

	for (unsigned i = 0; i < segs && done < len; i++) {
		uint8_t *at = iov[i].iov_base;
		size_t n = iov[i].iov_len;

		if (offset >= n) {
			offset -= n;
			continue;
		}
		at += offset;
		n = size_min(n - (size_t)offset, len - done);
		offset = 0;
		if (write)
			memcpy(at, p + done, n);
		else
			copy_from_guest(p + done, at, n);
		done += n;
	}
	return done;
}

size_t vq_chain_read(const struct vq_chain *chain, uint64_t offset, void *to, size_t len)
{
	return copy_segs(chain->iov, chain->out_segs, offset, to, len, false);
}

/* Cast away const: copy_segs() only reads @from when it writes to the guest. */
size_t vq_chain_write(const struct vq_chain *chain, uint64_t offset, const void *from, size_t len)
{
	return copy_segs(chain->iov + chain->out_segs, chain->in_segs, offset,
			 (void *)(uintptr_t)from, len, true);
}
