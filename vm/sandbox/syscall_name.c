/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of system calls. syscall_list.h is made by the Makefile from <sys/syscall.h>: a line
 * NAME(openat) for each. A switch rather than a table: no addresses to fix up at each start.
 */
#include "vm/sandbox/syscall_name.h"

#include <sys/syscall.h>

#define NAME(call)       \
	case SYS_##call: \
		return #call;

const char *syscall_name(long number)
{
	switch (number) {
#include <syscall_list.h>
	default:
		return "unknown";
	}
}
