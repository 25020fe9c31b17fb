/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The accessors of guest memory: judge the whole range, then touch it.
 *
 * The guest, and other vCPU threads, may change the bytes while they are copied. Copies are
 * therefore only a snapshot of some moment of each byte, small ones of each word (mm/copy.h);
 * whoever decides by a value copies it out once and judges the copy. Words that carry an order
 * (ring indices) go through the 16, 32 and 64 bit accessors, which are single atomic accesses.
 * ThreadSanitizer sees our own threads only: two of them that copy over the same guest bytes
 * without order would be reported, and rightly, for nothing in hvrun needs that.
 *
 * No state is kept between calls: the regions are few and the search is short, and a remembered
 * last hit would be a cache line for all vCPUs to fight over.
 */
#include "mm/memory.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/checked.h"
#include "base/io.h"
#include "mm/copy.h"

/* Which kinds of region an access may touch, one bit per kind. */
enum {
	MAY_WRITE = 1 << MEM_RAM,
	MAY_READ = 1 << MEM_RAM | 1 << MEM_READONLY | 1 << MEM_FILE,
	MAY_LOAD = 1 << MEM_RAM | 1 << MEM_READONLY,
};

static uint64_t region_end(const struct mem_region *region)
{
	return region->start.v + region->size;
}

/* Whether the regions of the kinds in @kinds hold the range without a gap. */
static bool inside(const struct guest_mem *mem, gpa_t start, uint64_t len, unsigned int kinds)
{
	uint64_t at = start.v, end;
	size_t count;
	const struct mem_region *region = mem_regions(mem, &count);
	bool entered = false;

	if (!u64_add(start.v, len, &end))
		return false;
	for (; count; count--, region++) {
		if (!((1U << region->kind) & kinds) || at < region->start.v ||
		    at > region_end(region))
			continue;
		entered = true;
		at = u64_min(end, region_end(region));
	}
	return entered && at == end;
}

/* The region that holds the byte at @at, which has been judged. */
static const struct mem_region *region_at(const struct guest_mem *mem, uint64_t at)
{
	size_t count;
	const struct mem_region *region = mem_regions(mem, &count);

	while (at - region->start.v >= region->size)
		region++;
	return region;
}

/* The host address of @at, and in *@run how many bytes the region has from there on. */
static uint8_t *host_at(const struct guest_mem *mem, uint64_t at, uint64_t *run)
{
	const struct mem_region *region = region_at(mem, at);

	*run = region_end(region) - at;
	return (uint8_t *)region->host + (at - region->start.v);
}

int mem_read(const struct guest_mem *mem, gpa_t from, void *to, size_t len)
{
	uint8_t *out = (uint8_t *)to;

	if (!inside(mem, from, len, MAY_READ))
		return -EFAULT;
	while (len) {
		uint64_t run;
		const uint8_t *host = host_at(mem, from.v, &run);
		size_t n = (size_t)u64_min(run, len);

		copy_from_guest(out, host, n);
		out += n;
		from = gpa_add(from, n);
		len -= n;
	}
	return 0;
}

static int write_kinds(struct guest_mem *mem, gpa_t to, const void *from, size_t len,
		       unsigned int kinds)
{
	const uint8_t *in = (const uint8_t *)from;

	if (!inside(mem, to, len, kinds))
		return -EFAULT;
	while (len) {
		uint64_t run;
		uint8_t *host = host_at(mem, to.v, &run);
		size_t n = (size_t)u64_min(run, len);

		if (host != in) /* a file that was read to its place already */
			memmove(host, in, n);
		in += n;
		to = gpa_add(to, n);
		len -= n;
	}
	return 0;
}

int mem_write(struct guest_mem *mem, gpa_t to, const void *from, size_t len)
{
	return write_kinds(mem, to, from, len, MAY_WRITE);
}

int mem_load(struct guest_mem *mem, gpa_t to, const void *from, size_t len)
{
	return write_kinds(mem, to, from, len, MAY_LOAD);
}

int mem_fill(struct guest_mem *mem, gpa_t to, uint8_t byte, size_t len)
{
	if (!inside(mem, to, len, MAY_WRITE))
		return -EFAULT;
	while (len) {
		uint64_t run;
		uint8_t *host = host_at(mem, to.v, &run);
		size_t n = (size_t)u64_min(run, len);

		memset(host, byte, n);
		to = gpa_add(to, n);
		len -= n;
	}
	return 0;
}

int mem_read_file(struct guest_mem *mem, gpa_t to, int fd, off_t off, size_t len)
{
	uint64_t at = (uint64_t)off;

	if (!inside(mem, to, len, MAY_WRITE))
		return -EFAULT;
	if (off < 0)
		return -EINVAL;
	while (len) {
		uint64_t run;
		uint8_t *host = host_at(mem, to.v, &run);
		size_t n = (size_t)u64_min(run, len);
		ssize_t got = pread_full(fd, host, n, at);

		if (got < 0)
			return (int)got;
		if ((size_t)got < n)
			return -ENODATA;
		at += n;
		to = gpa_add(to, n);
		len -= n;
	}
	return 0;
}

int mem_segments(const struct guest_mem *mem, gpa_t start, uint64_t len, enum mem_access access,
		 struct iovec *iov, size_t max)
{
	size_t used = 0;

	if (!inside(mem, start, len, access == MEM_WRITE ? MAY_WRITE : MAY_READ))
		return -EFAULT;
	while (len) {
		uint64_t run;
		uint8_t *host = host_at(mem, start.v, &run);
		uint64_t n = u64_min(run, len);

		if (used == max)
			return -E2BIG;
		iov[used++] = (struct iovec){ .iov_base = host, .iov_len = (size_t)n };
		start = gpa_add(start, n);
		len -= n;
	}
	return (int)used;
}

/*
 * Where the word of @size bytes at @at lies, for one access. Regions begin and end at multiples of
 * 4096, so an aligned word never crosses from one into another.
 */
static int word_at(const struct guest_mem *mem, gpa_t at, unsigned int size, unsigned int kinds,
		   void **host)
{
	uint64_t run;

	if (at.v % size != 0)
		return -EINVAL;
	if (!inside(mem, at, size, kinds))
		return -EFAULT;
	*host = host_at(mem, at.v, &run);
	return 0;
}

int mem_load16(const struct guest_mem *mem, gpa_t from, uint16_t *value)
{
	void *host;
	int err = word_at(mem, from, sizeof(*value), MAY_READ, &host);

	if (!err)
		*value = le16toh(__atomic_load_n((const uint16_t *)host, __ATOMIC_ACQUIRE));
	return err;
}

int mem_load32(const struct guest_mem *mem, gpa_t from, uint32_t *value)
{
	void *host;
	int err = word_at(mem, from, sizeof(*value), MAY_READ, &host);

	if (!err)
		*value = le32toh(__atomic_load_n((const uint32_t *)host, __ATOMIC_ACQUIRE));
	return err;
}

int mem_load64(const struct guest_mem *mem, gpa_t from, uint64_t *value)
{
	void *host;
	int err = word_at(mem, from, sizeof(*value), MAY_READ, &host);

	if (!err)
		*value = le64toh(__atomic_load_n((const uint64_t *)host, __ATOMIC_ACQUIRE));
	return err;
}

int mem_store16(struct guest_mem *mem, gpa_t to, uint16_t value)
{
	void *host;
	int err = word_at(mem, to, sizeof(value), MAY_WRITE, &host);

	if (!err)
		__atomic_store_n((uint16_t *)host, htole16(value), __ATOMIC_RELEASE);
	return err;
}

int mem_store32(struct guest_mem *mem, gpa_t to, uint32_t value)
{
	void *host;
	int err = word_at(mem, to, sizeof(value), MAY_WRITE, &host);

	if (!err)
		__atomic_store_n((uint32_t *)host, htole32(value), __ATOMIC_RELEASE);
	return err;
}

int mem_store64(struct guest_mem *mem, gpa_t to, uint64_t value)
{
	void *host;
	int err = word_at(mem, to, sizeof(value), MAY_WRITE, &host);

	if (!err)
		__atomic_store_n((uint64_t *)host, htole64(value), __ATOMIC_RELEASE);
	return err;
}
