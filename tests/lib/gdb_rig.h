/* SPDX-License-Identifier: BSD-2-Clause */
/* A target with memory behind the server of gdb's protocol (vm/gdb/server.h), and a debugger that is the test. */
#ifndef TESTS_LIB_GDB_RIG_H
#define TESTS_LIB_GDB_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "vm/gdb/points.h"
#include "vm/gdb/server.h"

enum {
	RAM = 0x10000,
	CPUS = 2,
};

/* A target with memory, where a register's value is its number plus 0x100 for each vCPU. */
struct gdb_rig {
	struct guest_mem *mem;
	struct gdb_points points;
	struct gdb_server server;
	char *xml;
	char wire[4 * GDB_FRAME_MAX];
	size_t len;
	enum gdb_action actions[GDB_MAX_CPUS];
	unsigned resumed, interrupted, detached, killed;
	unsigned set_cpu, set_reg;
	uint64_t set_value;
	char words[256];
};

/* One for each test. The target's processor has breakpoints and watchpoints of its own, as gdb_rig_can says. */
extern struct gdb_rig gdb_rig;
extern struct arch_debug_can gdb_rig_can;
extern struct gdb_target gdb_rig_target;

/* A cmocka test's: a fresh target, whose debugger needs no acknowledgements. */
int gdb_rig_setup(void **state);
int gdb_rig_teardown(void **state);

/* Bytes come from gdb; what it is answered is in gdb_rig.wire. */
void gdb_rig_input(const char *bytes, size_t len);

/* The same for a packet with @body. */
void gdb_rig_say(const char *body);

/* The answer to @body is one packet with @answer_body. */
void gdb_rig_answer(const char *body, const char *answer_body);

#endif
