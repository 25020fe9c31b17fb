/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory as gdb sees it: by virtual address, page by page, breakpoints hidden. */
#include <errno.h>

#include "base/checked.h"
#include "vm/gdb/stub.h"

int gdb_memory_read(void *opaque, unsigned cpu, uint64_t address, void *to, size_t len)
{
	struct vm_gdb *gdb = opaque;
	size_t done = 0;

	while (done < len) {
		struct arch_place place;
		size_t part;

		if (arch_translate(&gdb->vm->vcpus[cpu], address + done, &place) < 0)
			break;
		part = (size_t)u64_min(place.left, len - done);
		if (gdb_trap_read(&gdb->points, gdb->vm->mem, place.at, (char *)to + done, part) <
		    0)
			break;
		done += part;
	}
	return done || !len ? (int)done : -EFAULT;
}

int gdb_memory_write(void *opaque, unsigned cpu, uint64_t address, const void *from, size_t len)
{
	struct vm_gdb *gdb = opaque;

	for (size_t done = 0, part; done < len; done += part) {
		struct arch_place place;

		if (arch_translate(&gdb->vm->vcpus[cpu], address + done, &place) < 0)
			return -EFAULT;
		part = (size_t)u64_min(place.left, len - done);
		if (gdb_trap_write(&gdb->points, gdb->vm->mem, place.at, (const char *)from + done,
				   part) < 0)
			return -EFAULT;
	}
	return 0;
}
