/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside hw/loop.c: the table of what its epoll set watches. No locks: it is of the loop's owner alone. */
#ifndef HW_LOOP_SOURCES_H
#define HW_LOOP_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/loop.h"

struct loop_source {
	int fd; /* -1: the slot is free */
	uint32_t generation;
	uint32_t events; /* 0: not in the epoll set */
	loop_fd_fn fd_fn;
	loop_fn counter_fn; /* in place of fd_fn: read the 8 byte counter, then call this */
	loop_fn edge_fn;    /* in place of both: just call this */
	void *opaque;
};

struct loop_sources {
	int epfd; /* of the caller, who closes it */
	struct loop_source *slots;
	size_t count;
	size_t first_free; /* no slot before it is free */
	uint32_t *by_fd;   /* 1 + the slot of each descriptor below @fds; 0: none */
	size_t fds;
};

/* Watches @fd for @events (0: not yet) with the functions of @fns. 0, -EBADF, -EEXIST, -ENOMEM or epoll's -errno. */
int loop_sources_add(struct loop_sources *sources, int fd, uint32_t events,
		     const struct loop_source *fns);

/* Other events for @fd; 0 keeps it silent. 0, -ENOENT or epoll's -errno. */
int loop_sources_mod(struct loop_sources *sources, int fd, uint32_t events);

/* Forgets @fd, and events of it that were fetched already. 0 or -ENOENT. */
int loop_sources_del(struct loop_sources *sources, int fd);

/*
 * A copy, in *@out, of the source that an event with @key was fetched for; false: it is gone, or silent. A copy,
 * since what is called for it may add sources, and the table then moves.
 */
bool loop_sources_look(const struct loop_sources *sources, uint64_t key, struct loop_source *out);

/* Frees the table. */
void loop_sources_free(struct loop_sources *sources);

#endif
