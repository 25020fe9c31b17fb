/* SPDX-License-Identifier: BSD-2-Clause */
/* gdb's breakpoints, in the guest's memory and of the processor. */
#include "vm/gdb/points.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"

/* Code that another processor may have fetched: on some architectures it must be told of the change. */
static int write_code(struct guest_mem *mem, gpa_t to, const void *from, size_t len)
{
	struct iovec iov[2];
	int r = mem_write(mem, to, from, len);
	int n = r < 0 ? 0 : mem_segments(mem, to, len, MEM_WRITE, iov, ARRAY_SIZE(iov));

	for (int i = 0; i < n; i++) {
		char *at = iov[i].iov_base;

		__builtin___clear_cache(at, at + iov[i].iov_len);
	}
	return r;
}

const struct gdb_trap *gdb_trap_at(const struct gdb_points *points, gpa_t at)
{
	for (unsigned i = 0; i < points->trap_count; i++) {
		if (points->traps[i].at.v == at.v)
			return &points->traps[i];
	}
	return NULL;
}

int gdb_trap_set(struct gdb_points *points, struct guest_mem *mem, uint64_t address,
		 const struct arch_place *place, unsigned kind, bool step)
{
	struct gdb_trap *trap = &points->traps[points->trap_count];
	uint8_t bytes[ARCH_TRAP_BYTES];

	if (arch_trap(kind, bytes) < 0)
		return -EINVAL;
	if (gdb_trap_at(points, place->at))
		return 0;
	if (points->trap_count == GDB_TRAPS_MAX)
		return -ENOSPC;
	if (place->left < kind)
		return -EFAULT;
	*trap = (struct gdb_trap){ address, place->at, (uint8_t)kind, step, { 0 } };
	if (mem_read(mem, trap->at, trap->before, kind) < 0 ||
	    write_code(mem, trap->at, bytes, kind) < 0)
		return -EFAULT;
	points->trap_count++;
	return 0;
}

static void take_away(struct gdb_points *points, struct guest_mem *mem, unsigned i)
{
	const struct gdb_trap *trap = &points->traps[i];
	uint8_t ours[ARCH_TRAP_BYTES];
	uint8_t now[ARCH_TRAP_BYTES];

	(void)arch_trap(trap->len, ours);
	if (!mem_read(mem, trap->at, now, trap->len) && memcmp(now, ours, trap->len) == 0)
		(void)write_code(mem, trap->at, trap->before, trap->len);
	points->traps[i] = points->traps[--points->trap_count];
}

int gdb_trap_clear(struct gdb_points *points, struct guest_mem *mem, uint64_t address)
{
	for (unsigned i = 0; i < points->trap_count; i++) {
		if (points->traps[i].address == address) {
			take_away(points, mem, i);
			return 0;
		}
	}
	return -ENOENT;
}

void gdb_trap_clear_all(struct gdb_points *points, struct guest_mem *mem, bool steps_only)
{
	for (unsigned i = points->trap_count; i-- > 0;) {
		if (points->traps[i].step || !steps_only)
			take_away(points, mem, i);
	}
}

/* The bytes of @trap within [@start, @start + @len): from the trap's byte *@skip on, at *@at there. */
static size_t overlap(const struct gdb_trap *trap, gpa_t start, size_t len, size_t *skip,
		      size_t *at)
{
	uint64_t first = u64_max(trap->at.v, start.v);
	uint64_t end = u64_min(trap->at.v + trap->len, start.v + len);

	if (first >= end)
		return 0;
	*skip = (size_t)(first - trap->at.v);
	*at = (size_t)(first - start.v);
	return (size_t)(end - first);
}

int gdb_trap_read(const struct gdb_points *points, const struct guest_mem *mem, gpa_t from,
		  void *to, size_t len)
{
	uint8_t *bytes = to;
	int r = mem_read(mem, from, to, len);

	for (unsigned i = 0; !r && i < points->trap_count; i++) {
		const struct gdb_trap *trap = &points->traps[i];
		size_t skip;
		size_t at;
		size_t count = overlap(trap, from, len, &skip, &at);

		if (count)
			memcpy(bytes + at, trap->before + skip, count);
	}
	return r;
}

int gdb_trap_write(struct gdb_points *points, struct guest_mem *mem, gpa_t to, const void *from,
		   size_t len)
{
	const uint8_t *bytes = from;
	int r = write_code(mem, to, from, len);

	for (unsigned i = 0; !r && i < points->trap_count; i++) {
		struct gdb_trap *trap = &points->traps[i];
		uint8_t ours[ARCH_TRAP_BYTES];
		size_t skip;
		size_t at;
		size_t count = overlap(trap, to, len, &skip, &at);

		if (!count)
			continue;
		memcpy(trap->before + skip, bytes + at, count);
		(void)arch_trap(trap->len, ours);
		r = write_code(mem, gpa_add(to, at), ours + skip, count);
	}
	return r;
}

static bool to_point(enum gdb_point_type type, uint64_t address, uint64_t len,
		     struct arch_point *point)
{
	static const enum arch_point_kind kinds[GDB_POINT_TYPES] = {
		[GDB_POINT_HARDWARE] = ARCH_POINT_EXEC,
		[GDB_POINT_WRITE] = ARCH_POINT_WRITE,
		[GDB_POINT_READ] = ARCH_POINT_READ,
		[GDB_POINT_ACCESS] = ARCH_POINT_ACCESS,
	};

	*point = (struct arch_point){ kinds[type], address, len };
	return type != GDB_POINT_SOFTWARE;
}

static int find(const struct gdb_points *points, enum gdb_point_type type, uint64_t address,
		uint64_t len)
{
	for (unsigned i = 0; i < points->point_count; i++) {
		const struct arch_point *point = &points->points[i];

		if (points->types[i] == type && point->address == address && point->len == len)
			return (int)i;
	}
	return -ENOENT;
}

/* Points of one kind, or of both where the processor does not tell them apart. */
static unsigned count_used(const struct gdb_points *points, bool execs, bool shared)
{
	unsigned used = 0;

	for (unsigned i = 0; i < points->point_count; i++)
		used += shared || (points->types[i] == GDB_POINT_HARDWARE) == execs;
	return used;
}

int gdb_point_set(struct gdb_points *points, const struct arch_debug_can *can,
		  enum gdb_point_type type, uint64_t address, uint64_t len)
{
	bool exec = type == GDB_POINT_HARDWARE;
	unsigned most = exec ? can->breaks : can->watches;
	struct arch_point point;

	if (!to_point(type, address, len, &point) || !most)
		return -ENOTSUP;

	int r = arch_point_check(&point);

	if (r < 0)
		return r;
	if (find(points, type, address, len) >= 0)
		return 0;
	if (count_used(points, exec, can->shared) >= most || points->point_count == ARCH_POINTS_MAX)
		return -ENOSPC;
	points->points[points->point_count] = point;
	points->types[points->point_count++] = type;
	return 0;
}

int gdb_point_clear(struct gdb_points *points, enum gdb_point_type type, uint64_t address,
		    uint64_t len)
{
	int i = find(points, type, address, len);

	if (i < 0)
		return i;
	points->point_count--;
	points->points[i] = points->points[points->point_count];
	points->types[i] = points->types[points->point_count];
	return 0;
}

enum gdb_point_type gdb_point_watched(const struct gdb_points *points, uint64_t address,
				      uint64_t *start)
{
	*start = address;
	for (unsigned i = 0; i < points->point_count; i++) {
		const struct arch_point *point = &points->points[i];

		if (points->types[i] == GDB_POINT_HARDWARE ||
		    address - point->address >= point->len)
			continue;
		*start = point->address;
		return points->types[i];
	}
	return GDB_POINT_WRITE;
}
