/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the writes of disks go that say cow: files without a name. */
#ifndef VM_OVERLAY_H
#define VM_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A file without a name of @size bytes, all of them a hole, open for reading and writing: in the folder that
 * TMPDIR names, else in /var/tmp or /tmp, or, if @in_memory or where none of these takes files, in
 * memory. A descriptor, or -errno with nothing said. Before the door is locked.
 */
int overlay_open(bool in_memory, uint64_t size);

#endif
