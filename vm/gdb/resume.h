/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet vCont of the GDB remote protocol: what each thread is to do. */
#ifndef VM_GDB_RESUME_H
#define VM_GDB_RESUME_H

#include "vm/gdb/server.h"

/*
 * Reads the actions behind "vCont;" for @cpus vCPUs: for each the leftmost that names it. A signal to
 * deliver is read over: guests have none. False if it is not understood or nobody would move.
 */
bool gdb_resume_parse(struct gdb_text *text, unsigned cpus, enum gdb_action *actions);

#endif
