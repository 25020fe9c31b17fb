/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's command line: what hvrun itself needs, then what the user wants. */
#ifndef VM_CMDLINE_H
#define VM_CMDLINE_H

#include <stddef.h>

#include "arch/arch.h"
#include "vm/config.h"

/*
 * Writes the line into @line of @size bytes, always ended by a zero: console, what the board asks for,
 * what to do on a panic (reset at once, so that a run never hangs in one; after a second with --core), the first disk as root if
 * there is no initrd, then --append, whose words win where the kernel takes the last one. @words are the
 * board's (arch_words). 0, or -ENOSPC if it does not fit.
 */
int vm_cmdline(const struct vm_config *config, const struct arch_words *words, char *line,
	       size_t size);

#endif
