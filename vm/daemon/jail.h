/* SPDX-License-Identifier: BSD-2-Clause */
/* How the process of a daemon shuts itself in before it becomes the daemon. In that child only. */
#ifndef VM_DAEMON_JAIL_H
#define VM_DAEMON_JAIL_H

#include <stdbool.h>
#include <sys/types.h>

#include "vm/daemon/daemon.h"

/* What a child that could not become a daemon tells its parent. */
struct daemon_failure {
	int err; /* errno */
	char step[60];
};

/*
 * In a user namespace just made: it knows one user and one group, ours, @uid and @gid, by the same numbers or as its
 * root. 0, or -errno.
 */
int daemon_map_identity(unsigned uid, unsigned gid, bool same);

/*
 * Gives up what @jail says. 0, or -errno with *@step in words. Makes system calls only (the parent has
 * one thread, but who knows).
 */
int daemon_enter_jail(const struct daemon_jail *jail, const char **step);

/*
 * Whether that jail has a user namespace in which files of others are nobody's, so that the process is
 * served by its keeper (vm/daemon/atime.h).
 */
bool daemon_jail_is_ours(const struct daemon_jail *jail);

/* The process gets SIGTERM when @parent ends; ESRCH if it has ended already. 0, or -1 with errno. */
int daemon_die_with(pid_t parent);

#endif
