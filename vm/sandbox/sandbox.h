/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The locked door. After every file is open and before the first byte of any of them is read, the process
 * gives up what it does not need (sandbox_lock); then each thread, as it begins its work, what the
 * others need and it does not (sandbox_enter). Which calls remain: vm/sandbox/table.c.
 */
#ifndef VM_SANDBOX_SANDBOX_H
#define VM_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/thread_guard.h"
#include "vm/config.h"
#include "vm/sandbox/table.h"

/* The lock of one machine's process. Zeroed: none. Constant once locked. */
struct sandbox {
	struct thread_guard guard; /* for threads below vm/ */
	bool locked;
	struct sandbox_log *log; /* --sandbox log, else NULL */
	unsigned features;	 /* SANDBOX_IO_URING and the like: bits */
	pid_t pid;
	int vm_fd; /* the machine's, once there is one */
};

/* The features of the sandbox that @config needs. */
unsigned sandbox_features(const struct vm_config *config);

/*
 * Locks the door for this thread and every later one; there is no way back. A call that is not on
 * the list raises SIGSYS (cli/crash.c: a line that names it, status 70). Main thread, before other
 * threads. With --sandbox off, and in a build that cannot be locked in, does nothing. 0 or an exit
 * status, said in words.
 */
int sandbox_lock(struct sandbox *sandbox, const struct vm_config *config);

/*
 * For a child process that reads what is open already and ends: of the door only what hvrun was started with
 * (environment, descriptors), no_new_privs and the lists of calls, none of which takes a path. 0 or an exit
 * status, said.
 */
int sandbox_lock_child(const struct vm_config *config);

/*
 * From here on the calling thread has the list of class @which only. @vcpu_fd: a vCPU thread's own
 * descriptor, else -1. Does nothing where the door is open. 0 or -errno, said: then the thread must not
 * go on.
 */
int sandbox_enter(const struct sandbox *sandbox, enum sandbox_class which, int vcpu_fd);

/* The class that the calling thread entered, as a word: "build" before it entered one. Signal-safe. */
const char *sandbox_thread_class(void);

/*
 * Whether a build can be locked in: address and thread sanitizers trace threads and open files when
 * a process ends, which is what the sandbox is there to stop.
 */
bool sandbox_possible(void);

#endif
