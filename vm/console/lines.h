/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's console cut into lines: each is handed on once, and the last ones are kept for the
 * report of a bad end. The guest's bytes: time and memory are bounded whatever they are.
 */
#ifndef VM_CONSOLE_LINES_H
#define VM_CONSOLE_LINES_H

#include <stddef.h>

enum {
	VM_LINE_MAX = 512, /* bytes of a line that are looked at, the final zero included */
	VM_LINES_KEPT = 20,
};

/* All zero is the beginning. */
struct lines {
	char line[VM_LINE_MAX]; /* the one under way */
	size_t len;
	char kept[VM_LINES_KEPT][VM_LINE_MAX]; /* a ring of zero-ended lines */
	size_t count;			       /* of all lines so far that were not empty */
};

/* A whole line, zero-ended, without its end. */
typedef void (*line_fn)(void *opaque, const char *line);

/*
 * Takes @len bytes of console output and calls @fn for each line that ended (by \n or \r) and has a
 * byte in it. Zeros are left out, and so is what is longer than VM_LINE_MAX - 1.
 */
void lines_add(struct lines *lines, const void *data, size_t len, line_fn fn, void *opaque);

/* Ends the line under way, if there is one: nothing more will come. */
void lines_end(struct lines *lines, line_fn fn, void *opaque);

/* Calls @fn for the last lines, oldest first. */
void lines_each(const struct lines *lines, line_fn fn, void *opaque);

#endif
