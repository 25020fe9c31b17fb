/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of the debugger's stub, shared by the files of vm/gdb/ and nobody else. */
#ifndef VM_GDB_STUB_H
#define VM_GDB_STUB_H

#include "vm/gdb/gdb.h"
#include "vm/gdb/points.h"
#include "vm/gdb/server.h"
#include "vm/machine.h"

enum { GDB_UNSENT_MAX = 128 << 10 }; /* bytes that gdb does not read before it is dropped */

/*
 * One vCPU as gdb has it. Of the loop's thread while the vCPU is at rest, else of the vCPU's; the gate
 * hands it over.
 */
struct gdb_cpu {
	struct arch_debug debug; /* how it runs */
	enum gdb_action action;
	bool stopped; /* it had an exit for us, that is in @stop */
	bool judged;  /* and is not the guest's own affair */
	struct arch_stop stop;
};

/* All but cpus are of the loop's thread. */
struct vm_gdb {
	struct vm *vm;
	int listen_fd;
	int fd;		/* of the one gdb that is there; -1: none */
	int stop_fd;	/* an eventfd: a vCPU waits with a stop */
	bool closing;	/* nothing more for this gdb once it has what is unsent */
	bool slow;	/* gdb has not read all that it was sent */
	bool paused;	/* we hold a vm_pause */
	bool unwatched; /* the host only seems to have watchpoints */
	struct arch_debug_can can;
	struct gdb_target target;
	struct gdb_server server;
	struct gdb_points points;
	struct gdb_cpu cpus[GDB_MAX_CPUS];
	char *xml;
	struct loop_timer *slow_timer; /* armed while @slow */
	size_t unsent;
	char out[GDB_UNSENT_MAX];
};

/* vm/gdb/run.c: fills @gdb->target. */
void gdb_run_init(struct vm_gdb *gdb);
/* A vCPU waits with a stop; matches loop_fn. */
void gdb_run_on_stop(void *opaque);
/* All at rest, if they are not already; before a gdb that has just come. */
void gdb_run_pause(struct vm_gdb *gdb);
/* No breakpoints, and the guest runs. */
void gdb_run_release(struct vm_gdb *gdb);

/* vm/gdb/memory.c: by virtual address, as struct gdb_target has them; @opaque is a struct vm_gdb. */
int gdb_memory_read(void *opaque, unsigned cpu, uint64_t address, void *to, size_t len);
int gdb_memory_write(void *opaque, unsigned cpu, uint64_t address, const void *from, size_t len);

/* vm/gdb/monitor.c: as struct gdb_target has it. */
void gdb_monitor(void *opaque, const char *words);

#endif
