/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of this architecture's system calls, for reports. */
#ifndef VM_SANDBOX_SYSCALL_NAME_H
#define VM_SANDBOX_SYSCALL_NAME_H

/* "openat" and the like; "unknown" for a number that the C library's headers did not have. Signal-safe. */
const char *syscall_name(long number);

#endif
