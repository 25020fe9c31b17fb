/* SPDX-License-Identifier: BSD-2-Clause */
/* Watches the guest's console for the line by which a Linux kernel says that it panicked. */
#ifndef VM_PANIC_H
#define VM_PANIC_H

#include <stdbool.h>
#include <stddef.h>

enum { VM_PANIC_LINE = 200 }; /* bytes of a line that are looked at */

/* The line under way and, once seen, why the guest panicked. All zero is the beginning. */
struct panic_watch {
	char line[VM_PANIC_LINE];
	size_t len;
	bool seen;
	char why[VM_PANIC_LINE]; /* what follows "Kernel panic - not syncing: " */
};

/*
 * Looks at @len bytes of console output: the guest's words, so nothing more than a hint for the
 * person and the exit status. Bounded work, no memory beyond @watch.
 */
void panic_watch(struct panic_watch *watch, const void *data, size_t len);

#endif
