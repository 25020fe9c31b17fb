/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sources of an event loop: a table of slots, found by descriptor, that agrees with an epoll set.
 *
 * epoll keeps, instead of a pointer, the slot of a source and the slot's generation: an event that was fetched
 * for a source that is gone finds another generation and is dropped.
 */
#include "hw/loop_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

static uint64_t source_key(size_t slot, const struct loop_source *source)
{
	return (uint64_t)source->generation << 32 | slot;
}

static struct loop_source *find_fd(struct loop_sources *sources, int fd)
{
	if (fd < 0 || (size_t)fd >= sources->fds || !sources->by_fd[fd])
		return NULL;
	return &sources->slots[sources->by_fd[fd] - 1];
}

/* Room to find descriptor @fd by its number. */
static bool know_fd(struct loop_sources *sources, int fd)
{
	size_t fds = sources->fds ? sources->fds : 64;
	uint32_t *more;

	if ((size_t)fd < sources->fds)
		return true;
	while (fds <= (size_t)fd)
		fds *= 2;
	more = (uint32_t *)reallocarray(sources->by_fd, fds, sizeof(*more));
	if (!more)
		return false;
	for (size_t i = sources->fds; i < fds; i++)
		more[i] = 0;
	sources->by_fd = more;
	sources->fds = fds;
	return true;
}

static void take_slot(struct loop_sources *sources, struct loop_source *source, int fd)
{
	source->fd = fd;
	sources->by_fd[fd] = (uint32_t)(source - sources->slots) + 1;
}

static void leave_slot(struct loop_sources *sources, struct loop_source *source)
{
	sources->by_fd[source->fd] = 0;
	source->fd = -1;
	if ((size_t)(source - sources->slots) < sources->first_free)
		sources->first_free = (size_t)(source - sources->slots);
}

/* A free slot, growing the table where there is none; NULL without memory. */
static struct loop_source *free_slot(struct loop_sources *sources)
{
	struct loop_source *source, *more;
	size_t slots = sources->count ? sources->count * 2 : 8;

	for (; sources->first_free < sources->count; sources->first_free++)
		if (sources->slots[sources->first_free].fd < 0)
			return &sources->slots[sources->first_free];
	more = (struct loop_source *)reallocarray(sources->slots, slots, sizeof(*more));
	if (!more)
		return NULL;
	for (size_t i = sources->count; i < slots; i++)
		more[i] = (struct loop_source){ .fd = -1 };
	source = &more[sources->count];
	sources->slots = more;
	sources->count = slots;
	return source;
}

/*
 * Makes the epoll set say @events. A silent source leaves the set, since epoll reports errors and
 * hang-ups even of a source that asks for nothing, again and again.
 */
static int set_events(struct loop_sources *sources, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int op = EPOLL_CTL_MOD;

	event.data.u64 = source_key((size_t)(source - sources->slots), source);
	if (source->events == events)
		return 0;
	if (source->events == 0)
		op = EPOLL_CTL_ADD;
	else if (events == 0)
		op = EPOLL_CTL_DEL;
	if (epoll_ctl(sources->epfd, op, source->fd, &event) < 0)
		return -errno;
	source->events = events;
	return 0;
}

int loop_sources_add(struct loop_sources *sources, int fd, uint32_t events,
		     const struct loop_source *fns)
{
	struct loop_source *source;
	int err;

	if (fd < 0)
		return -EBADF;
	if (find_fd(sources, fd))
		return -EEXIST;
	source = know_fd(sources, fd) ? free_slot(sources) : NULL;
	if (!source)
		return -ENOMEM;
	take_slot(sources, source, fd);
	source->events = 0;
	source->fd_fn = fns->fd_fn;
	source->counter_fn = fns->counter_fn;
	source->edge_fn = fns->edge_fn;
	source->opaque = fns->opaque;
	err = set_events(sources, source, events);
	if (err)
		leave_slot(sources, source);
	return err;
}

int loop_sources_mod(struct loop_sources *sources, int fd, uint32_t events)
{
	struct loop_source *source = find_fd(sources, fd);

	return source ? set_events(sources, source, events) : -ENOENT;
}

int loop_sources_del(struct loop_sources *sources, int fd)
{
	struct loop_source *source = find_fd(sources, fd);

	if (!source)
		return -ENOENT;
	/* A descriptor that was closed first has left the set already. */
	(void)set_events(sources, source, 0);
	leave_slot(sources, source);
	source->generation++;
	return 0;
}

bool loop_sources_look(const struct loop_sources *sources, uint64_t key, struct loop_source *out)
{
	size_t slot = (size_t)(key & UINT32_MAX);

	if (slot >= sources->count)
		return false;
	*out = sources->slots[slot];
	return out->fd >= 0 && out->generation == key >> 32 && out->events != 0;
}

void loop_sources_free(struct loop_sources *sources)
{
	free(sources->slots);
	free(sources->by_fd);
}
