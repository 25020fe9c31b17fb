/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cores of a machine: its registers are taken while the vCPUs rest, its memory is written by a thread
 * of its own beside the loop, to a descriptor that was opened before the door or came through a socket.
 */
#ifndef VM_CORE_CORE_H
#define VM_CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

/* How a core went: 0 or -errno, and the bytes of memory that were not zero. Loop's thread. */
typedef void (*vm_core_fn)(void *opaque, int result, uint64_t written);

/*
 * Starts the thread that writes cores, if the command line asks for something that may want one
 * (--core, --control): none can be started once the loop runs. After vm_gdb_start, before the vCPUs.
 * 0 or -errno, said.
 */
int vm_core_prepare(struct vm *vm);

/*
 * Pauses the machine and has a core written to the regular file @fd, which stays the caller's and must
 * stay open until @done has been called; the machine runs on then. 0, -EBUSY (one is under way),
 * -ENOTSUP (none was prepared); @done is called only after 0. The loop's thread, from a callback of
 * its own, as for vm_pause.
 */
int vm_core_start(struct vm *vm, int fd, vm_core_fn done, void *opaque);

/*
 * The loop has ended and no vCPU runs: if the guest panicked or crashed and --core names a file, has a
 * core written there; others take what they want of the machine meanwhile, but change nothing.
 */
void vm_core_at_end(struct vm *vm);

/* Waits for a core under way, says how it went, and ends the thread. Before memory is freed. */
void vm_core_finish(struct vm *vm);

/*
 * Writes a core to the file that --core names, and waits for it: for the debugger, whose guest is
 * stopped. How it went as a sentence in @words. The loop's thread.
 */
void vm_core_save_named(struct vm *vm, char *words, size_t size);

#endif
