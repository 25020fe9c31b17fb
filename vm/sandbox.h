/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The locked door, first form: no new privileges, and one list of system calls for the whole
 * process. It is locked after every file is open and before the first byte of any of them is read.
 */
#ifndef VM_SANDBOX_H
#define VM_SANDBOX_H

#include <stdbool.h>

/*
 * Locks the door for this thread and every later one; there is no way back. A call that is not on
 * the list raises SIGSYS (cli/crash.c: a line that names it, status 70). Main thread, before other
 * threads. @io_uring: disks are served by it, so its three calls are on the list too. 0 or -errno,
 * said in words.
 */
int sandbox_lock(bool io_uring);

/*
 * Whether a build can be locked in: address and thread sanitizers trace threads and open files when
 * a process ends, which is what the sandbox is there to stop.
 */
bool sandbox_possible(void);

#endif
