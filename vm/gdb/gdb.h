/* SPDX-License-Identifier: BSD-2-Clause */
/* The debugger's stub of a machine (--gdb): gdb comes by a socket, on the loop's thread. */
#ifndef VM_GDB_GDB_H
#define VM_GDB_GDB_H

#include <stdbool.h>

struct vm;
struct vcpu;

/*
 * Makes the listening socket that vm->config names, before the door is locked; nothing comes through it
 * yet. 0, or an exit status with the reason said.
 */
int vm_gdb_open(struct vm *vm);

/*
 * The machine is built, its vCPUs have not started: looks at what KVM offers, and unless told not to
 * wait holds the guest back before its first instruction. 0 or -errno, said.
 */
int vm_gdb_start(struct vm *vm);

/* The loop has ended: gdb is told how. */
void vm_gdb_end(struct vm *vm);

/* Hangs up and forgets breakpoints and all else of this machine; vCPUs are joined. */
void vm_gdb_unbuild(struct vm *vm);

/* After it: the socket too. */
void vm_gdb_destroy(struct vm *vm);

/*
 * struct vcpu_env's debug_exit: whether the exit is a debugger's stop; @vcpu then waits. The vCPU's
 * thread.
 */
bool vm_gdb_exit(void *opaque, struct vcpu *vcpu);

#endif
