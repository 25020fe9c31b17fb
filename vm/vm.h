/* SPDX-License-Identifier: BSD-2-Clause */
/* One machine's life, from the opened files to the exit status. */
#ifndef VM_VM_H
#define VM_VM_H

#include "vm/config.h"

/*
 * Boots the machine described by @config and runs it to its end: the boot stair of
 * docs/architecture.md. Says what went wrong, or how the run ended, on standard error. Returns the
 * exit status for the process (enum vm_status, the guest's own, or 128 + signal). Every thread is
 * joined and every descriptor closed on return. Called once, on the main thread; afterwards the
 * process is still inside the sandbox.
 */
int vm_run(const struct vm_config *config);

#endif
