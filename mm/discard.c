/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory goes back to the host: whole pages of RAM lose their content and take no room any more.
 *
 * Private memory: the pages are dropped (MADV_DONTNEED). Memory in a shared file: they are cut out of
 * the file (MADV_REMOVE, which is fallocate's punched hole), so that they are gone for the process that
 * was handed the file too; its seals keep its length alone. Either way KVM is told by the kernel, and
 * whoever touches such a page next, guest or device, gets one of zeroes.
 */
#include <errno.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "mm/memory.h"

int mem_discard(const struct guest_mem *mem, const struct iovec *segment, uint64_t *given)
{
	const uint64_t page = mem_page(mem);
	const uint64_t start = (uint64_t)(uintptr_t)segment->iov_base;
	const uint64_t end = u64_align_down(start + segment->iov_len, page);
	uint64_t first;

	*given = 0;
	if (!u64_align_up(start, page, &first) || first >= end)
		return 0;
	if (madvise((void *)(uintptr_t)first, (size_t)(end - first),
		    mem_share_fd(mem) < 0 ? MADV_DONTNEED : MADV_REMOVE) < 0)
		return -errno;
	*given = end - first;
	return 0;
}
