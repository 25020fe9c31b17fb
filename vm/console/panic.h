/* SPDX-License-Identifier: BSD-2-Clause */
/* Knows the lines by which a Linux kernel says on its console that it panicked. */
#ifndef VM_CONSOLE_PANIC_H
#define VM_CONSOLE_PANIC_H

#include <stdbool.h>
#include <stddef.h>

enum { VM_PANIC_WHY = 200 }; /* bytes of the reason that are kept, the final zero included */

/* Once seen, why the guest panicked. All zero is the beginning. */
struct panic_watch {
	bool seen;
	bool over; /* it has nothing more to say: it hangs, or rests before it resets */
	char why[VM_PANIC_WHY]; /* what follows "Kernel panic - not syncing: " */
};

/*
 * Looks at one whole @line of the console: the guest's words, so nothing more than a hint for the
 * person and the exit status. The first panic counts. A kernel that hangs after a panic ends with
 * "---[ end Kernel panic", one that rests before it resets with "Rebooting in N seconds..", and one that resets at
 * once with nothing.
 */
void panic_line(struct panic_watch *watch, const char *line);

#endif
