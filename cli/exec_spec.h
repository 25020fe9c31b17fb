/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest's init is to do for hvrun exec, as the words of /exec.spec (guests/init/spec.c reads them). */
#ifndef CLI_EXEC_SPEC_H
#define CLI_EXEC_SPEC_H

#include <stdbool.h>
#include <stddef.h>

enum { EXEC_SPEC_MAX = 1 << 20 }; /* bytes; what init takes */

/* Words, each ended by a zero byte, in memory that grows. All zero: none yet. */
struct exec_spec {
	char *text;
	size_t len;
	bool failed; /* out of memory, or more than EXEC_SPEC_MAX bytes */
};

/*
 * Adds the word of kind @kind: a argument, e variable, c directory, h host name, u user, g group, G further
 * group, m module's path, t tag of the share whose path follows (s to read, S to write), r root's tag,
 * b root's disk, o root is thrown away.
 */
void exec_spec_add(struct exec_spec *spec, char kind, const char *value);
void exec_spec_add_number(struct exec_spec *spec, char kind, unsigned long value);
void exec_spec_free(struct exec_spec *spec);

#endif
