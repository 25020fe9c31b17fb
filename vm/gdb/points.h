/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdb's breakpoints: those written into the guest's memory, which gdb never sees there, and those of
 * the processor. While the guest is stopped.
 */
#ifndef VM_GDB_POINTS_H
#define VM_GDB_POINTS_H

#include "arch/debug.h"
#include "mm/memory.h"
#include "vm/gdb/server.h"

enum { GDB_TRAPS_MAX = 256 };

/* A breakpoint instruction in the guest's memory. */
struct gdb_trap {
	uint64_t address; /* as gdb named it */
	gpa_t at;	  /* where it lies: the same through every mapping */
	uint8_t len;
	bool step;			 /* made for one step, not by gdb */
	uint8_t before[ARCH_TRAP_BYTES]; /* what gdb sees there */
};

/* All zero is none. */
struct gdb_points {
	struct gdb_trap traps[GDB_TRAPS_MAX];
	unsigned trap_count;
	struct arch_point points[ARCH_POINTS_MAX];
	enum gdb_point_type types[ARCH_POINTS_MAX];
	unsigned point_count;
};

/*
 * Writes a breakpoint instruction of gdb's @kind at @place, where @address leads. The same twice is
 * one. -EINVAL (kind), -EFAULT (not whole in RAM), -ENOSPC.
 */
int gdb_trap_set(struct gdb_points *points, struct guest_mem *mem, uint64_t address,
		 const struct arch_place *place, unsigned kind, bool step);

/* Takes it away; where the guest has written over it meanwhile, its bytes stay. -ENOENT. */
int gdb_trap_clear(struct gdb_points *points, struct guest_mem *mem, uint64_t address);

/* Takes away all, or those made for steps only. */
void gdb_trap_clear_all(struct gdb_points *points, struct guest_mem *mem, bool steps_only);

/* The one at @at, or NULL. */
const struct gdb_trap *gdb_trap_at(const struct gdb_points *points, gpa_t at);

/* Reads guest memory as if there were no breakpoints in it. 0 or -EFAULT. */
int gdb_trap_read(const struct gdb_points *points, const struct guest_mem *mem, gpa_t from,
		  void *to, size_t len);

/* Writes under the breakpoints, which stay. 0 or -EFAULT. */
int gdb_trap_write(struct gdb_points *points, struct guest_mem *mem, gpa_t to, const void *from,
		   size_t len);

/* A point of the processor. -ENOTSUP (none of this type), -EINVAL, -ENOSPC. */
int gdb_point_set(struct gdb_points *points, const struct arch_debug_can *can,
		  enum gdb_point_type type, uint64_t address, uint64_t len);
int gdb_point_clear(struct gdb_points *points, enum gdb_point_type type, uint64_t address,
		    uint64_t len);

/* The type of the watchpoint that @address belongs to, and in *@start where it begins. */
enum gdb_point_type gdb_point_watched(const struct gdb_points *points, uint64_t address,
				      uint64_t *start);

#endif
