/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of system calls that an architecture may lack: -1 there. */
#ifndef VM_SANDBOX_SYSCALLS_H
#define VM_SANDBOX_SYSCALLS_H

#include <sys/syscall.h>

#ifndef SYS_epoll_wait
#define SYS_epoll_wait (-1)
#endif
#ifndef SYS_poll
#define SYS_poll (-1)
#endif
#ifndef SYS_riscv_flush_icache
#define SYS_riscv_flush_icache (-1)
#endif

#endif
