/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes and descriptors to and from a vhost-user peer, for both ends of the protocol. */
#ifndef VIRTIO_VHOST_USER_FDS_H
#define VIRTIO_VHOST_USER_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { VHOST_USER_FDS_MAX = 8 }; /* with one message; as many as there are regions of memory */

/* What came with the bytes of a message; the holder's to close. */
struct vhost_user_fds {
	int fd[VHOST_USER_FDS_MAX];
	unsigned count;
	bool cut; /* there were more; those are closed */
};

/*
 * Up to @len bytes of the stream socket @fd into @data, and what comes with them behind what @got holds. Never
 * waits. How many; -EAGAIN: none now; -ECONNRESET: it was closed; -errno.
 */
ssize_t vhost_user_recv(int fd, void *data, size_t len, struct vhost_user_fds *got);

/*
 * Sends up to @len bytes on the stream socket @fd, and with the first of them the @count descriptors @fds, at most
 * VHOST_USER_FDS_MAX, which stay the caller's. Never waits, and raises no SIGPIPE. How many bytes; -EAGAIN: there is no
 * room now; -errno.
 */
ssize_t vhost_user_send(int fd, const void *data, size_t len, const int *fds, unsigned count);

/* The first descriptor, the caller's from now on; -1: there is none. */
int vhost_user_fds_take(struct vhost_user_fds *got);

/* Closes all, and forgets that some were cut. */
void vhost_user_fds_close(struct vhost_user_fds *got);

#endif
