/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --sandbox log: a thread that the kernel asks about each call that is not on every list. It says which
 * would have ended hvrun, and lets all of them go on. To find what a list lacks; no protection at all.
 */
#ifndef VM_SANDBOX_LOG_H
#define VM_SANDBOX_LOG_H

#include "vm/sandbox/table.h"

struct sandbox_log;

/*
 * Starts the thread, then hands the calls of the calling thread, and of those it will start, to it.
 * @process: who the process as a whole is. The log lives as long as the process. 0 or -errno.
 */
int sandbox_log_start(const struct sandbox_who *process, struct sandbox_log **out);

/* From now on thread @who->tid has the list of @who too. Any thread. -ENOSPC for too many. */
int sandbox_log_enter(struct sandbox_log *log, const struct sandbox_who *who);

#endif
