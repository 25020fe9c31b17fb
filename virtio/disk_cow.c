/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks whose writes are thrown away: a base that is only read, an overlay as large, and a bit for each
 * cluster that says which of the two has it.
 *
 * A bit is set when the whole cluster lies in the overlay, and is never taken back. A write that covers
 * only a part of a cluster copies the rest from the base first. Two writes to different sectors of one
 * such cluster must not copy over each other's data, so whoever changes clusters that the overlay has
 * not claims them, and waits for claims that overlap. All else needs no lock.
 */
#include "virtio/disk_cow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/lock.h"
#include "virtio/queue.h"

enum { COPY_BYTES = 16 * 1024 /* copied from the base in one step, on the stack */ };

struct cow_map {
	uint64_t size;	/* of the disk, bytes */
	unsigned shift; /* log2 of the cluster */
	size_t bytes;	/* of words */
	_Atomic uint64_t *words;
};

/* A write under way to clusters of which some are not in the overlay. On the stack of who writes. */
struct claim {
	struct claim *next;
	uint64_t first, end; /* clusters */
};

struct cow_disk {
	struct disk disk;
	struct disk *base;
	struct disk *overlay;
	struct cow_map *map; /* the caller's */
	struct lock lock RANKED(disk);
	struct cond dropped; /* a claim was */
	struct claim *claims GUARDED_BY(&lock);
};

/* What a write does to the overlay, once its clusters are claimed and their edges copied. */
struct change {
	int (*apply)(const struct cow_disk *cow, const struct change *change);
	struct iovec *iov; /* of a write */
	unsigned n;
	uint64_t off, len;
	unsigned flags;
};

static struct cow_disk *cow_of(struct disk *disk)
{
	return (struct cow_disk *)disk;
}

/* The map. */

void cow_map_destroy(struct cow_map *map)
{
	if (!map)
		return;
	(void)munmap(map->words, map->bytes);
	free(map);
}

uint64_t cow_map_cluster(const struct cow_map *map)
{
	return UINT64_C(1) << map->shift;
}

static struct cow_map *map_create(uint64_t size)
{
	struct cow_map *map = calloc(1, sizeof(*map));
	uint64_t clusters;
	void *words;

	if (!map)
		return NULL;
	map->size = size;
	for (map->shift = 12; ((size - 1) >> map->shift) + 1 > COW_CLUSTERS_MAX; map->shift++)
		;
	clusters = ((size - 1) >> map->shift) + 1;
	map->bytes = (size_t)((clusters + 63) / 64 * sizeof(uint64_t));
	words = mmap(NULL, map->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED) {
		free(map);
		return NULL;
	}
	map->words = words;
	return map;
}

/* Whoever sees a bit sees what was written before it was set. */
static bool has(const struct cow_map *map, uint64_t cluster)
{
	return atomic_load_explicit(&map->words[cluster / 64], memory_order_acquire) >>
		       (cluster % 64) &
	       1;
}

static void set(struct cow_map *map, uint64_t first, uint64_t end)
{
	for (uint64_t c = first; c < end; c++)
		(void)atomic_fetch_or_explicit(&map->words[c / 64], UINT64_C(1) << (c % 64),
					       memory_order_release);
}

/* The end of the clusters from @first on, before @end, that are all as @first is. */
static uint64_t run_end(const struct cow_map *map, uint64_t first, uint64_t end)
{
	bool state = has(map, first);
	uint64_t c = first + 1;

	while (c < end && has(map, c) == state)
		c++;
	return c;
}

static uint64_t first_cluster(const struct cow_map *map, uint64_t off)
{
	return off >> map->shift;
}

/* Behind the last cluster of a range that is not empty. */
static uint64_t end_cluster(const struct cow_map *map, uint64_t off, uint64_t len)
{
	return ((off + len - 1) >> map->shift) + 1;
}

/* Reads. */

static struct disk *side_of(const struct cow_disk *cow, uint64_t cluster)
{
	return has(cow->map, cluster) ? cow->overlay : cow->base;
}

/* A range of which each side has a part. The segments are left as they are. */
static int read_mixed(const struct cow_disk *cow, const struct iovec *iov, unsigned n, uint64_t off,
		      uint64_t len, unsigned flags)
{
	const struct cow_map *map = cow->map;
	uint64_t end = end_cluster(map, off, len);
	uint64_t at = off;
	int err = 0;

	while (at < off + len && err == 0) {
		struct iovec part[VQ_MAX_SEGS];
		uint64_t first = first_cluster(map, at);
		uint64_t stop = u64_min(run_end(map, first, end) << map->shift, off + len);
		struct disk *side = side_of(cow, first);
		unsigned parts = disk_iov_slice(iov, n, at - off, stop - at, part);

		err = side->ops->read(side, part, parts, at, flags);
		at = stop;
	}
	return err;
}

static int cow_read(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, unsigned flags)
{
	struct cow_disk *cow = cow_of(disk);
	uint64_t len = disk_iov_len(iov, n);
	uint64_t first, end;
	struct disk *side;

	if (len == 0)
		return 0;
	first = first_cluster(cow->map, off);
	end = end_cluster(cow->map, off, len);
	if (run_end(cow->map, first, end) != end)
		return read_mixed(cow, iov, n, off, len, flags);
	side = side_of(cow, first);
	return side->ops->read(side, iov, n, off, flags);
}

/* Writes. */

static bool overlaps(const struct claim *list, const struct claim *claim)
{
	for (; list; list = list->next) {
		if (list->first < claim->end && claim->first < list->end)
			return true;
	}
	return false;
}

/* False if somebody else has a part of it and @flags say not to wait. */
static bool take_claim(struct cow_disk *cow, struct claim *claim, unsigned flags)
{
	bool taken;

	lock_take(&cow->lock);
	while (overlaps(cow->claims, claim) && !(flags & DISK_NOWAIT))
		lock_wait(&cow->lock, &cow->dropped);
	taken = !overlaps(cow->claims, claim);
	if (taken) {
		claim->next = cow->claims;
		cow->claims = claim;
	}
	lock_drop(&cow->lock);
	return taken;
}

static void drop_claim(struct cow_disk *cow, const struct claim *claim)
{
	struct claim **at = &cow->claims;

	lock_take(&cow->lock);
	while (*at != claim)
		at = &(*at)->next;
	*at = claim->next;
	cond_broadcast(&cow->dropped);
	lock_drop(&cow->lock);
}

/* [@from, @to) from the base into the overlay. */
static int copy_up(const struct cow_disk *cow, uint64_t from, uint64_t to, unsigned flags)
{
	_Alignas(4096) uint8_t bytes[COPY_BYTES];
	int err = 0;

	while (from < to && err == 0) {
		size_t len = (size_t)u64_min(to - from, sizeof(bytes));
		struct iovec in = { bytes, len }, out = in;

		err = cow->base->ops->read(cow->base, &in, 1, from, flags);
		if (err == 0)
			err = cow->overlay->ops->write(cow->overlay, &out, 1, from, flags);
		from += len;
	}
	return err;
}

/* What the clusters at both ends of [@off, @end) have beside it, where the overlay has it not. */
static int copy_edges(const struct cow_disk *cow, uint64_t off, uint64_t end, unsigned flags)
{
	const struct cow_map *map = cow->map;
	uint64_t cluster = cow_map_cluster(map);
	uint64_t head = u64_align_down(off, cluster);
	uint64_t last = u64_align_down(end - 1, cluster);
	uint64_t tail = u64_min(last + cluster, map->size);
	int err = 0;

	if (head < off && !has(map, head >> map->shift))
		err = copy_up(cow, head, off, flags);
	if (err == 0 && end < tail && !has(map, last >> map->shift))
		err = copy_up(cow, end, tail, flags);
	return err;
}

/* If it fails, the clusters stay the base's, whatever the overlay holds there now. */
static int change_range(struct cow_disk *cow, const struct change *change)
{
	struct cow_map *map = cow->map;
	struct claim claim;
	int err;

	if (change->len == 0)
		return 0;
	claim.first = first_cluster(map, change->off);
	claim.end = end_cluster(map, change->off, change->len);
	if (has(map, claim.first) && run_end(map, claim.first, claim.end) == claim.end)
		return change->apply(cow, change);
	if (!take_claim(cow, &claim, change->flags))
		return -EAGAIN;
	err = copy_edges(cow, change->off, change->off + change->len, change->flags);
	if (err == 0)
		err = change->apply(cow, change);
	if (err == 0)
		set(map, claim.first, claim.end);
	drop_claim(cow, &claim);
	return err;
}

static int apply_write(const struct cow_disk *cow, const struct change *change)
{
	return cow->overlay->ops->write(cow->overlay, change->iov, change->n, change->off,
					change->flags);
}

/* Stable storage would be of no use: the overlay's file has no name. */
static int cow_write(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off, unsigned flags)
{
	const struct change change = {
		.apply = apply_write,
		.iov = iov,
		.n = n,
		.off = off,
		.len = disk_iov_len(iov, n),
		.flags = flags & ~(unsigned)DISK_DURABLE,
	};

	return change_range(cow_of(disk), &change);
}

static int apply_discard(const struct cow_disk *cow, const struct change *change)
{
	return cow->overlay->ops->discard(cow->overlay, change->off, change->len);
}

static int cow_discard(struct disk *disk, uint64_t off, uint64_t len)
{
	const struct change change = { .apply = apply_discard, .off = off, .len = len };

	return change_range(cow_of(disk), &change);
}

/* A hole will do, whatever the guest wanted: room is not promised by a file that is thrown away. */
static int apply_zeroes(const struct cow_disk *cow, const struct change *change)
{
	return cow->overlay->ops->write_zeroes(cow->overlay, change->off, change->len, true);
}

static int cow_write_zeroes(struct disk *disk, uint64_t off, uint64_t len, bool unmap)
{
	const struct change change = { .apply = apply_zeroes, .off = off, .len = len };

	(void)unmap;
	return change_range(cow_of(disk), &change);
}

static void cow_close(struct disk *disk)
{
	struct cow_disk *cow = cow_of(disk);

	disk_close(cow->base);
	disk_close(cow->overlay);
	cond_destroy(&cow->dropped);
	lock_destroy(&cow->lock);
	free(cow);
}

static const struct disk_ops cow_ops = {
	.read = cow_read,
	.write = cow_write,
	.discard = cow_discard,
	.write_zeroes = cow_write_zeroes,
	.close = cow_close,
};

static int judge(const struct disk *base, const struct disk *overlay, const struct cow_map *map)
{
	if (overlay->size < base->size) {
		diag_error("disk %s: its overlay has %" PRIu64 " bytes, and the disk %" PRIu64,
			   base->name, overlay->size, base->size);
		return -EINVAL;
	}
	if (map && map->size != base->size) {
		diag_error("disk %s: it had %" PRIu64 " bytes when its overlay was begun, and has "
			   "%" PRIu64 " now",
			   base->name, map->size, base->size);
		return -EINVAL;
	}
	return 0;
}

static int set_up(struct cow_disk *cow, struct cow_map **map)
{
	int err = judge(cow->base, cow->overlay, *map);

	if (err < 0)
		return err;
	if (!*map)
		*map = map_create(cow->base->size);
	if (!*map) {
		diag_error("disk %s: no memory", cow->base->name);
		return -ENOMEM;
	}
	cow->map = *map;
	cow->disk.ops = &cow_ops;
	cow->disk.name = cow->base->name;
	cow->disk.size = cow->base->size;
	cow->disk.block_size = cow->base->block_size;
	cow->disk.unit = cow->base->unit;
	cow->disk.fd = -1;
	return 0;
}

int disk_open_cow(struct disk *base, struct disk *overlay, struct cow_map **map, struct disk **out)
{
	struct cow_disk *cow = calloc(1, sizeof(*cow));
	int err;

	if (!cow) {
		diag_error("disk %s: no memory", base->name);
		disk_close(base);
		disk_close(overlay);
		return -ENOMEM;
	}
	cow->base = base;
	cow->overlay = overlay;
	lock_init(&cow->lock, LOCK_RANK_DISK, "claims of an overlay");
	cond_init(&cow->dropped);
	err = set_up(cow, map);
	if (err < 0) {
		cow_close(&cow->disk);
		return err;
	}
	*out = &cow->disk;
	return 0;
}
