/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus: two sorted tables of windows, searched by halving, read by all vCPUs without a lock.
 */
#include "hw/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum {
	MAX_WINDOWS = 64,    /* per space: more than any board of ours has */
	PIO_PORTS = 0x10000, /* the port number is 16 bits wide */
	MAX_ACCESS = 8,
};

struct window {
	uint64_t base;
	uint64_t size;
	const char *name;
	const struct bus_ops *ops;
	void *opaque;
};

struct space {
	size_t count;
	struct window windows[MAX_WINDOWS]; /* ascending, without overlap */
};

struct bus {
	struct space spaces[BUS_SPACES];
};

int bus_create(struct bus **out)
{
	struct bus *bus = (struct bus *)calloc(1, sizeof(*bus));

	if (!bus)
		return -ENOMEM;
	*out = bus;
	return 0;
}

void bus_destroy(struct bus *bus)
{
	free(bus);
}

/* The number of windows that begin at or below @addr. */
static size_t windows_up_to(const struct space *space, uint64_t addr)
{
	size_t low = 0, high = space->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (space->windows[mid].base <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int bus_add(struct bus *bus, enum bus_space space, uint64_t base, uint64_t size, const char *name,
	    const struct bus_ops *ops, void *opaque)
{
	struct space *s;
	struct window *at;
	uint64_t end;
	size_t place;

	if (space >= BUS_SPACES || size == 0 || !u64_add(base, size, &end) || !ops->read ||
	    !ops->write || (space == BUS_PIO && end > PIO_PORTS))
		return -EINVAL;
	s = &bus->spaces[space];
	place = windows_up_to(s, base);
	at = &s->windows[place];
	if (place > 0 && base - at[-1].base < at[-1].size)
		return -EEXIST;
	if (place < s->count && end > at->base)
		return -EEXIST;
	if (s->count == MAX_WINDOWS)
		return -ENOSPC;
	memmove(at + 1, at, (s->count - place) * sizeof(*at));
	*at = (struct window){ base, size, name, ops, opaque };
	s->count++;
	return 0;
}

/* The window that holds the whole access, or NULL. */
static const struct window *find(const struct bus *bus, enum bus_space space, uint64_t addr,
				 size_t len)
{
	const struct window *window;
	size_t place;

	if (space >= BUS_SPACES || len == 0 || len > MAX_ACCESS)
		return NULL;
	if (space == BUS_PIO && len != 1 && len != 2 && len != 4)
		return NULL;
	place = windows_up_to(&bus->spaces[space], addr);
	if (place == 0)
		return NULL;
	window = &bus->spaces[space].windows[place - 1];
	return range_fits(addr - window->base, len, window->size) ? window : NULL;
}

bool bus_read(const struct bus *bus, enum bus_space space, uint64_t addr, void *data, size_t len)
{
	const struct window *window = find(bus, space, addr, len);

	if (!window) {
		memset(data, 0xff, len);
		return false;
	}
	window->ops->read(window->opaque, addr - window->base, data, len);
	return true;
}

bool bus_write(const struct bus *bus, enum bus_space space, uint64_t addr, const void *data,
	       size_t len)
{
	const struct window *window = find(bus, space, addr, len);

	if (!window)
		return false;
	window->ops->write(window->opaque, addr - window->base, data, len);
	return true;
}
