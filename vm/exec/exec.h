/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of `hvrun exec`: what the guest's init says by the port hvrun.status, and the wait until what
 * the command has written is out. Loop thread.
 */
#ifndef VM_EXEC_EXEC_H
#define VM_EXEC_EXEC_H

#include <stdbool.h>
#include <stddef.h>

struct loop_timer;
struct vm;

enum { EXEC_LINE = 600 }; /* bytes of a line of init; longer ones are cut */

struct exec_watch {
	char line[EXEC_LINE];
	size_t len;
	bool ended; /* the status below came */
	unsigned status;
	bool failed;		  /* init could not run the command: why is said in words */
	struct loop_timer *again; /* exec_end_when_drained, owned by the loop */
};

/* The port's out function; @opaque is the machine. Takes everything. */
size_t exec_status_out(void *opaque, const void *data, size_t len);

/* Ends the machine if the command has ended and nothing it wrote is still on its way. Matches loop_fn. */
void exec_end_when_drained(void *opaque);

/*
 * One line of init: "started NAME", "exit N" or "error TEXT"; what is none of them is ignored. True if it
 * ends the run; then @watch has how.
 */
bool exec_take_line(struct exec_watch *watch, const char *line);

#endif
