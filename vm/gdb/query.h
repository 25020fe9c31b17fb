/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two files of gdb's commands (server.c, query.c) share. */
#ifndef VM_GDB_QUERY_H
#define VM_GDB_QUERY_H

#include "vm/gdb/server.h"

/* A row of a table of packets; the first whose prefix fits is run with what stands behind it. */
struct gdb_command {
	const char *prefix; /* NULL: the table's end */
	void (*run)(struct gdb_server *s, struct gdb_text *text);
	bool silent; /* no answer now: the stop will be it, or there is none */
};

/* Those that begin with q or Q. */
extern const struct gdb_command gdb_queries[];

/* "OK", or "E" and an errno; -ENOTSUP is an empty answer, by which gdb knows that there is no such thing. */
void gdb_answer(struct gdb_server *s, int r);

/* "-1" and "0": any; else n. *@cpu is GDB_MAX_CPUS for any. False: there is no such thread. */
bool gdb_thread_id(const struct gdb_server *s, struct gdb_text *text, unsigned *cpu);

/* Two numbers, a comma between them. */
bool gdb_range(struct gdb_text *text, uint64_t *address, uint64_t *len);

#endif
