/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: the regions of the guest physical address space and the only way to touch them.
 *
 * Regions are added while the machine is built and stay until mem_destroy(), which runs after every
 * thread that could touch them has been joined; so the list is read without a lock by all threads,
 * and a host segment handed out by mem_segments() stays mapped for the machine's life.
 *
 * Every accessor judges the whole range first: it must lie in RAM (or, for reads, in read-only
 * memory), may cross from one region into the next adjacent one, and may not wrap. A range of
 * length zero is inside if its start is inside or at the end of a region. Nothing is touched when the
 * range is refused. Refusals are -EFAULT and silent: the caller knows whose fault it is.
 */
#ifndef MM_MEMORY_H
#define MM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "mm/gpa.h"

enum mem_kind {
	MEM_RAM,      /* guest and devices read and write */
	MEM_READONLY, /* guest and devices read; a guest's store leaves the guest as an MMIO exit */
	MEM_HOLE,     /* nothing may ever lie here (device windows); every access fails */
	/*
	 * A device's registers that the guest reads without leaving; its stores leave it as MMIO exits.
	 * No memory for anybody else: every access through this header fails, as in a hole. The
	 * transport fills it in through mem_registers.
	 */
	MEM_REGISTERS,
	/*
	 * A file of the host, which nobody writes through here: read as MEM_READONLY is, by the guest and
	 * devices, but mem_load refuses it. Made by mem_add_file.
	 */
	MEM_FILE,
};

/* What an accessor wants to do with a range. */
enum mem_access {
	MEM_READ,
	MEM_WRITE,
};

/* One region; read it, never write it. @host is NULL for a hole, else page aligned and congruent to
 * @start modulo 2 MiB, so that KVM can map huge pages. */
struct mem_region {
	gpa_t start;
	uint64_t size; /* bytes, a multiple of the page size, never 0 */
	enum mem_kind kind;
	void *host;
	uint64_t offset; /* of RAM in the file of mem_share, congruent to @start as @host is */
};

enum { MEM_MAX_REGIONS = 16 };

struct guest_mem;

/* An empty guest address space in *@out, owned by the caller (mem_destroy). 0 or -ENOMEM. */
int mem_create(struct guest_mem **out);

/* Unmaps every region and frees @mem. NULL is allowed. No thread may use @mem any more. */
void mem_destroy(struct guest_mem *mem);

/*
 * A file for @size bytes of guest RAM that another process can be handed, and all that lies around them
 * so that the host can map huge pages: a memfd, sealed, so that nobody can cut or grow it, nor lift the
 * seal. With @huge it is made of reserved huge pages of 2 MiB (mem_reserve_huge). A descriptor, the
 * caller's, or the negative errno of memfd_create. Takes no memory yet.
 */
int mem_share_create(uint64_t size, bool huge);

/*
 * Makes the RAM that is added from now on shareable: it lies in @fd of mem_share_create, which stays the
 * caller's and outlives @mem. For machines whose devices are served by another process (vhost-user),
 * before the first mem_add. 0, -EBUSY (regions exist), or -errno.
 *
 * What it costs: pages of a memfd are huge only where the host allows it for shared memory
 * (mem_share_huge), and the host does not judge at mapping time whether it could ever give them.
 */
int mem_share(struct guest_mem *mem, int fd);

/* The file of all RAM, or -1 without mem_share. @mem's read-only regions are not in it. */
int mem_share_fd(const struct guest_mem *mem);

/* Whether the host gives huge pages to shared memory that asks for them. Opens a file of /sys. */
bool mem_share_huge(void);

/*
 * RAM that is added from now on is made of huge pages that the host has reserved (2 MiB, hugetlbfs): what it
 * has too few of, or what is no multiple of 2 MiB, mem_add refuses with -ENOMEM or -EINVAL. Before the first
 * mem_add; the file of mem_share must be made so too.
 */
void mem_reserve_huge(struct guest_mem *mem);

/*
 * RAM that is added from now on takes all its memory from the host at once: mem_add takes the time for it, and
 * gives -ENOMEM if that is not there.
 */
void mem_prefault(struct guest_mem *mem);

/*
 * Adds @size bytes of private anonymous memory (huge pages advised) at @start, zero filled; a hole
 * has none. @start and @size are multiples of 4096, and of the host's page size unless it is a
 * hole. A child process does not inherit the memory. 0, -EINVAL (alignment, zero size, @start +
 * @size reaches 2^64), -EEXIST (overlaps a region), -ENOSPC (MEM_MAX_REGIONS), -ENOMEM (the host
 * refuses the mapping).
 * After mem_share RAM is shared memory instead; -ENOMEM too where its file has no room left.
 */
int mem_add(struct guest_mem *mem, gpa_t start, uint64_t size, enum mem_kind kind);

/*
 * Adds a MEM_FILE region of @size bytes at @start: first the @file_size bytes of @fd, shared with its page
 * cache and read-only, then zeroes. @fd may be closed afterwards. Errors as mem_add's, and -EINVAL if the
 * file is longer than the region or empty; -errno of mmap. A file that is cut later takes its pages with
 * it: who reads them gets SIGBUS, or EFAULT in a system call.
 */
int mem_add_file(struct guest_mem *mem, gpa_t start, uint64_t size, int fd, uint64_t file_size);

/*
 * Adds @size bytes of RAM that are another program's: @fd from @offset on, shared, for a back-end that serves
 * a guest of somebody else. @fd may be closed afterwards. 0; -EACCES (no memfd that is sealed against shrinking: its
 * owner could take the memory away, and us with it by SIGBUS), -EINVAL (alignment), -ENODATA (the file ends
 * before), or as mem_add.
 */
int mem_add_foreign(struct guest_mem *mem, gpa_t start, uint64_t size, int fd, uint64_t offset);

/* Takes all regions away again, all at once. Nobody uses @mem, nor holds a segment of it. */
void mem_clear(struct guest_mem *mem);

/*
 * The host memory at @at in a MEM_REGISTERS region, for the transport whose registers they are, or NULL
 * if none is there. It lasts as long as @mem.
 */
void *mem_registers(const struct guest_mem *mem, gpa_t at);

/* The regions in ascending order of address; *@count of them. Valid until the next mem_add. */
const struct mem_region *mem_regions(const struct guest_mem *mem, size_t *count);

/* Bytes of RAM in all. */
uint64_t mem_ram_size(const struct guest_mem *mem);

/* Bytes of a page of RAM on the host: the least that can be given back. A power of two. */
uint64_t mem_page(const struct guest_mem *mem);

/*
 * Gives the whole pages (mem_page) within @segment back to the host: they read as zeroes from now on and
 * take memory again when they are touched. @segment is a host segment of RAM, of mem_segments with
 * MEM_WRITE or of a chain's writable part; *@given is how many bytes that were. 0 or the negative errno
 * of madvise (then *@given is 0). Any thread that may call madvise.
 */
int mem_discard(const struct guest_mem *mem, const struct iovec *segment, uint64_t *given);

/* Copies @len bytes out of the guest. 0 or -EFAULT. Any thread. */
int mem_read(const struct guest_mem *mem, gpa_t from, void *to, size_t len);

/*
 * Copies @len bytes into the guest's RAM. @from may itself be a host segment of the guest's RAM,
 * overlapping the target within one region; what lies in its place already is not touched. 0 or
 * -EFAULT. Any thread.
 */
int mem_write(struct guest_mem *mem, gpa_t to, const void *from, size_t len);

/* Sets @len bytes of RAM to @byte. 0 or -EFAULT. */
int mem_fill(struct guest_mem *mem, gpa_t to, uint8_t byte, size_t len);

/*
 * Like mem_write, but read-only regions accept it too. For the builder of the machine only, before
 * the first vCPU runs (tables, firmware).
 */
int mem_load(struct guest_mem *mem, gpa_t to, const void *from, size_t len);

/*
 * Reads exactly @len bytes of @fd from offset @off straight into RAM. 0, -EFAULT (range), -ENODATA
 * (the file ends before), -EINVAL (@off is negative), or the negative errno of pread. After an
 * error of the file part of the range may be written.
 */
int mem_read_file(struct guest_mem *mem, gpa_t to, int fd, off_t off, size_t len);

/*
 * The range as host segments for readv, writev and the like: fills at most @max entries of @iov and
 * returns how many, 0 for an empty range, -EFAULT if any byte lies outside what @access may touch,
 * -E2BIG if @max is too small. The guest may change the bytes at any time: use them only as data,
 * never to decide.
 */
int mem_segments(const struct guest_mem *mem, gpa_t start, uint64_t len, enum mem_access access,
		 struct iovec *iov, size_t max);

/*
 * Naturally aligned little-endian words, read or written by one untorn access. Loads acquire and
 * stores release, so a ring index orders the entries behind it. 0, -EFAULT (outside), -EINVAL
 * (misaligned).
 */
int mem_load16(const struct guest_mem *mem, gpa_t from, uint16_t *value);
int mem_load32(const struct guest_mem *mem, gpa_t from, uint32_t *value);
int mem_load64(const struct guest_mem *mem, gpa_t from, uint64_t *value);
int mem_store16(struct guest_mem *mem, gpa_t to, uint16_t value);
int mem_store32(struct guest_mem *mem, gpa_t to, uint32_t value);
int mem_store64(struct guest_mem *mem, gpa_t to, uint64_t value);

#endif
