/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks of format qcow2, served by QEMU's storage daemon. */
#ifndef VM_DAEMON_QCOW2_H
#define VM_DAEMON_QCOW2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

/*
 * Whether an image whose first @len bytes are @header may be served: NULL, or what is wrong in words. It
 * may want no file but the one that the user named (@backing: there is one).
 */
const char *qcow2_judge(const uint8_t *header, size_t len, bool backing);

/* Starts the daemon for disk @index, before the door is locked. 0, or an exit status, said. */
int vm_start_qcow2(struct vm *vm, unsigned index);

/* Judges the header of disk @index, behind the door. 0 or -errno, said. */
int vm_judge_qcow2(struct vm *vm, unsigned index);

#endif
