/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's address space: its regions, and the host memory behind them.
 *
 * Host memory is private and anonymous. Choices that matter:
 * - Host and guest addresses are congruent modulo 2 MiB, whatever the region's start, because KVM
 *   maps a huge page only where both sides can hold one.
 * - MADV_HUGEPAGE is advice: a kernel without transparent huge pages says EINVAL, and the guest
 *   runs with small pages.
 * - No MAP_NORESERVE: memory that the host plainly cannot give is refused here, with a status that
 *   a script can act on, and not by the OOM killer an hour later.
 * - MADV_DONTFORK: a helper process started while a guest runs neither inherits the guest's secrets
 *   nor turns each guest store into a copy of a page. MADV_DONTDUMP: the same for a core of ours.
 * - A page without access stays on both sides of each region, so a run past the end is a fault and
 *   not a store into something else.
 * - Read-only regions stay writable for us (mem_load fills them), and so do registers; what holds
 *   the guest back is the kernel's memory slot, and what holds devices back is the judgement in
 *   mm/access.c.
 * - Only a machine with a vhost-user device has its RAM in a memfd: shared memory has huge pages on
 *   few hosts, and a process that is handed the file reads and writes all of the guest. Offsets in
 *   the file are congruent too, or the host could map no huge page of it.
 */
#include "mm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"

static const uint64_t huge_page = 0x200000; /* 2 MiB */

enum { HUGE_PAGE_BITS = 21, ADVICE_POPULATE_WRITE = 23 /* MADV_POPULATE_WRITE, Linux 5.14 */ };

static const uint64_t small_page = 4096;

struct guest_mem {
	int share_fd;	     /* file of all RAM, the caller's; -1: RAM is private */
	uint64_t share_size; /* its bytes */
	uint64_t share_used;
	bool huge;     /* RAM is of reserved huge pages */
	bool prefault; /* and is there at once */
	size_t count;
	struct mem_region regions[MEM_MAX_REGIONS]; /* ascending, without overlap */
};

static uint64_t host_page(void)
{
	long size = sysconf(_SC_PAGESIZE);

	return size > 0 ? (uint64_t)size : small_page;
}

int mem_create(struct guest_mem **out)
{
	struct guest_mem *mem = (struct guest_mem *)calloc(1, sizeof(*mem));

	if (!mem)
		return -ENOMEM;
	mem->share_fd = -1;
	*out = mem;
	return 0;
}

/* Gives back a region's memory and the guard pages around it. */
static void unmap_region(const struct mem_region *region)
{
	size_t guard = (size_t)host_page();

	if (region->host)
		(void)munmap((uint8_t *)region->host - guard, (size_t)region->size + 2 * guard);
}

void mem_clear(struct guest_mem *mem)
{
	for (size_t i = 0; i < mem->count; i++)
		unmap_region(&mem->regions[i]);
	mem->count = 0;
}

void mem_destroy(struct guest_mem *mem)
{
	if (!mem)
		return;
	mem_clear(mem);
	free(mem);
}

/* The first address not below @low that is congruent to @start modulo 2 MiB. */
static uint64_t congruent_above(uint64_t low, uint64_t start)
{
	return low + ((start - low) & (huge_page - 1));
}

/*
 * Reserves more than is needed, keeps the congruent part with a guard page on each side, and gives
 * the rest back.
 */
static int map_region(struct mem_region *region, int fd, bool huge)
{
	const int kind = huge ? MAP_HUGETLB | HUGE_PAGE_BITS << MAP_HUGE_SHIFT : 0;
	const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | kind : MAP_SHARED;
	const uint64_t guard = host_page();
	uint64_t span, low, host, end;
	void *base;

	if (!u64_add(region->size, huge_page + 2 * guard, &span) || span > SIZE_MAX / 2)
		return -ENOMEM;
	base = mmap(NULL, (size_t)span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	low = (uint64_t)(uintptr_t)base;
	host = congruent_above(low + guard, region->start.v);
	end = host + region->size + guard;
	if (mmap((void *)(uintptr_t)host, (size_t)region->size, PROT_READ | PROT_WRITE,
		 flags | MAP_FIXED, fd, fd < 0 ? 0 : (off_t)region->offset) == MAP_FAILED) {
		(void)munmap(base, (size_t)span);
		return -ENOMEM;
	}
	if (host - guard > low)
		(void)munmap(base, (size_t)(host - guard - low));
	if (low + span > end)
		(void)munmap((void *)(uintptr_t)end, (size_t)(low + span - end));
	region->host = (void *)(uintptr_t)host;
	(void)madvise(region->host, (size_t)region->size, MADV_HUGEPAGE);
	(void)madvise(region->host, (size_t)region->size, MADV_DONTFORK);
	(void)madvise(region->host, (size_t)region->size, MADV_DONTDUMP);
	return 0;
}

/* A place for RAM in the shared file, behind the last. */
static int take_share(struct guest_mem *mem, struct mem_region *region)
{
	region->offset = congruent_above(mem->share_used, region->start.v);
	if (!range_fits(region->offset, region->size, mem->share_size))
		return -ENOMEM;
	mem->share_used = region->offset + region->size;
	return 0;
}

/* Has the host give all pages of @region now. */
static int populate(const struct guest_mem *mem, const struct mem_region *region)
{
	if (madvise(region->host, (size_t)region->size, ADVICE_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* An older kernel: by a store to each page, which holds zeroes and keeps them. */
	for (uint64_t at = 0; at < region->size; at += mem_page(mem))
		*((volatile uint8_t *)region->host + at) = 0;
	return 0;
}

/* The host memory of RAM. */
static int add_ram(struct guest_mem *mem, struct mem_region *region)
{
	int err = 0;

	if (mem->huge && (region->start.v | region->size) % huge_page != 0)
		return -EINVAL;
	if (mem->share_fd >= 0)
		err = take_share(mem, region);
	if (!err)
		err = map_region(region, mem->share_fd, mem->huge);
	if (err || !mem->prefault)
		return err;
	err = populate(mem, region);
	if (err)
		unmap_region(region);
	return err;
}

/* The host memory of a region that is no hole. */
static int add_host(struct guest_mem *mem, struct mem_region *region)
{
	return region->kind == MEM_RAM ? add_ram(mem, region) : map_region(region, -1, false);
}

/* Whether a region may have this place, and before which region it then goes. */
static int judge_place(const struct guest_mem *mem, const struct mem_region *region, size_t *place)
{
	const uint64_t page = region->kind == MEM_HOLE ? small_page : host_page();
	uint64_t end;
	size_t i;

	if (region->size == 0 || region->start.v % page != 0 || region->size % page != 0 ||
	    !u64_add(region->start.v, region->size, &end))
		return -EINVAL;
	for (i = 0; i < mem->count; i++) {
		const struct mem_region *other = &mem->regions[i];

		if (end <= other->start.v)
			break;
		if (region->start.v < other->start.v + other->size)
			return -EEXIST;
	}
	if (mem->count == MEM_MAX_REGIONS)
		return -ENOSPC;
	*place = i;
	return 0;
}

static void insert(struct guest_mem *mem, const struct mem_region *region, size_t place)
{
	memmove(&mem->regions[place + 1], &mem->regions[place],
		(mem->count - place) * sizeof(mem->regions[0]));
	mem->regions[place] = *region;
	mem->count++;
}

int mem_add(struct guest_mem *mem, gpa_t start, uint64_t size, enum mem_kind kind)
{
	struct mem_region region = { .start = start, .size = size, .kind = kind };
	size_t place;
	int err;

	if (kind != MEM_RAM && kind != MEM_READONLY && kind != MEM_HOLE && kind != MEM_REGISTERS)
		return -EINVAL;
	err = judge_place(mem, &region, &place);
	if (err)
		return err;
	if (kind != MEM_HOLE) {
		err = add_host(mem, &region);
		if (err)
			return err;
	}
	insert(mem, &region, place);
	return 0;
}

int mem_add_file(struct guest_mem *mem, gpa_t start, uint64_t size, int fd, uint64_t file_size)
{
	struct mem_region region = { .start = start, .size = size, .kind = MEM_FILE };
	size_t place;
	int err;

	if (!file_size || file_size > size)
		return -EINVAL;
	err = judge_place(mem, &region, &place);
	if (!err)
		err = map_region(&region, -1, false);
	if (err)
		return err;
	if (mmap(region.host, (size_t)file_size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
	    MAP_FAILED) {
		err = -errno;
		unmap_region(&region);
		return err;
	}
	(void)madvise(region.host, (size_t)size, MADV_DONTFORK);
	(void)madvise(region.host, (size_t)size, MADV_DONTDUMP);
	insert(mem, &region, place);
	return 0;
}

int mem_add_foreign(struct guest_mem *mem, gpa_t start, uint64_t size, int fd, uint64_t offset)
{
	struct mem_region region = {
		.start = start, .size = size, .kind = MEM_RAM, .offset = offset
	};
	const int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	size_t place;
	int err;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EACCES;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (offset % host_page() != 0)
		return -EINVAL;
	if (!range_fits(offset, size, (uint64_t)st.st_size))
		return -ENODATA;
	err = judge_place(mem, &region, &place);
	if (!err)
		err = map_region(&region, fd, false);
	if (!err)
		insert(mem, &region, place);
	return err;
}

void *mem_registers(const struct guest_mem *mem, gpa_t at)
{
	for (size_t i = 0; i < mem->count; i++) {
		const struct mem_region *region = &mem->regions[i];

		if (region->kind == MEM_REGISTERS && at.v - region->start.v < region->size)
			return (uint8_t *)region->host + (at.v - region->start.v);
	}
	return NULL;
}

void mem_reserve_huge(struct guest_mem *mem)
{
	mem->huge = true;
}

void mem_prefault(struct guest_mem *mem)
{
	mem->prefault = true;
}

int mem_share_create(uint64_t size, bool huge)
{
	const unsigned kind = huge ? MFD_HUGETLB | (unsigned)HUGE_PAGE_BITS << MAP_HUGE_SHIFT : 0;
	uint64_t span;
	int fd, err;

	/* Each region may lie up to 2 MiB behind the last. */
	if (!u64_add(size, (uint64_t)MEM_MAX_REGIONS * huge_page, &span) || span > INT64_MAX)
		return -ENOMEM;
	fd = memfd_create("hvrun-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING | kind);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)span) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	err = -errno;
	(void)close(fd);
	return err;
}

int mem_share(struct guest_mem *mem, int fd)
{
	struct stat st;

	if (mem->count || mem->share_fd >= 0)
		return -EBUSY;
	if (fstat(fd, &st) < 0)
		return -errno;
	mem->share_fd = fd;
	mem->share_size = (uint64_t)st.st_size;
	return 0;
}

int mem_share_fd(const struct guest_mem *mem)
{
	return mem->share_fd;
}

uint64_t mem_page(const struct guest_mem *mem)
{
	return mem->huge ? huge_page : host_page();
}

bool mem_share_huge(void)
{
	char text[128];
	int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* The choice in force stands in brackets. */
	return !strstr(text, "[never]") && !strstr(text, "[deny]");
}

const struct mem_region *mem_regions(const struct guest_mem *mem, size_t *count)
{
	*count = mem->count;
	return mem->regions;
}

uint64_t mem_ram_size(const struct guest_mem *mem)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < mem->count; i++)
		if (mem->regions[i].kind == MEM_RAM)
			sum += mem->regions[i].size;
	return sum;
}
