/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board's bus: which device answers at which port (PIO) or guest physical address (MMIO).
 *
 * Windows are added while the machine is built and never removed, so vCPU threads look them up
 * without a lock. A device's handlers run on the vCPU thread that made the access and may run on
 * several at once; each device says in its own header how it guards itself.
 */
#ifndef HW_BUS_H
#define HW_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bus_space {
	BUS_PIO,
	BUS_MMIO,
	BUS_SPACES,
};

/*
 * What a window does. @offset is relative to the window's start and @offset + @len lies inside it;
 * @len is 1 to 8 (1, 2 or 4 for PIO). @data is little-endian, as the guest's bytes lie.
 * read fills all @len bytes.
 */
struct bus_ops {
	void (*read)(void *opaque, uint64_t offset, void *data, size_t len);
	void (*write)(void *opaque, uint64_t offset, const void *data, size_t len);
};

struct bus;

/* An empty bus in *@out, owned by the caller (bus_destroy). 0 or -ENOMEM. */
int bus_create(struct bus **out);

/* Frees the bus, not the devices behind it. NULL is allowed. */
void bus_destroy(struct bus *bus);

/*
 * Adds a window of @size bytes at @base. @name is a constant for messages. 0, -EEXIST (overlaps
 * another window), -EINVAL (size 0, wraps), -ENOSPC.
 */
int bus_add(struct bus *bus, enum bus_space space, uint64_t base, uint64_t size, const char *name,
	    const struct bus_ops *ops, void *opaque);

/*
 * One access of the guest. An access that no window holds whole reads as all ones and writes
 * nothing; the return value then is false. @len 1 to 8; other lengths count as unmapped.
 */
bool bus_read(const struct bus *bus, enum bus_space space, uint64_t addr, void *data, size_t len);
bool bus_write(const struct bus *bus, enum bus_space space, uint64_t addr, const void *data,
	       size_t len);

#endif
