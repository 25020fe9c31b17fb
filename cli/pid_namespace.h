/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --pid-namespace: the machine runs in a child that is process 1 of a PID namespace of its own, with a /proc that
 * shows nobody else. We stay outside, hand on signals and stops, and end as it ended.
 */
#ifndef CLI_PID_NAMESPACE_H
#define CLI_PID_NAMESPACE_H

#include <stdbool.h>

#include "vm/config.h"

/*
 * Called once, before other threads and before what belongs to the process that runs the machine (the terminal's mode,
 * descriptors of KVM, children). Returns whether this process is the one that is to run @config's machine: true at
 * once where no namespace is asked for, and in the child. False: *@status is the exit status to end with, the child's
 * or, with the reason said, VM_STATUS_SYSTEM; or, where a signal ended the child, the same one ends us in here.
 */
bool pid_namespace_enter(struct vm_config *config, int *status);

#endif
