/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a network device's packets go: a tap of the host, a program on a stream socket. The table of
 * functions that a kind of back-end provides; the device (virtio/net.c) calls them on its loop's
 * thread and nowhere else. None of them waits.
 *
 * A packet is a header and a frame in pieces. Entry 0 of every @iov is the back-end's own to use; the
 * frame is entries 1 to @segs - 1. When a frame is sent, entry 1 is memory of ours with the frame's
 * headers, judged together with the header and free to be written; the others are guest memory.
 */
#ifndef VIRTIO_NET_BACKEND_H
#define VIRTIO_NET_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "virtio/net_header.h"

enum { NET_MAX_PAIRS = 8 };

struct net_backend;

struct net_backend_ops {
	/* The descriptor of pair @pair, for the loop. */
	int (*fd)(struct net_backend *be, unsigned pair);

	/*
	 * Sends a frame of @len bytes: 0 when it is on its way or lost as frames may be; -EAGAIN when
	 * there is no room, and then the descriptor becomes writable when there is; -EPIPE at the end.
	 * It may be kept back until flush.
	 */
	int (*send)(struct net_backend *be, unsigned pair, const struct net_hdr *hdr,
		    struct iovec *iov, unsigned segs, size_t len);

	/* Sends what was kept back; false if some is left until the descriptor is writable. */
	bool (*flush)(struct net_backend *be, unsigned pair);

	/*
	 * Takes the next frame: its length, which is more than the room in @iov if it was cut; -EAGAIN
	 * if there is none (the descriptor becomes readable), -EPIPE at the end.
	 */
	ssize_t (*receive)(struct net_backend *be, unsigned pair, struct net_hdr *hdr,
			   struct iovec *iov, unsigned segs);

	/*
	 * What the driver wants from now on: @features are its effective ones (of which those in
	 * NET_F_GUEST_CSUM and NET_GUEST_GSO count), @pairs queue pairs in use. 0 or -errno.
	 */
	int (*set_up)(struct net_backend *be, uint64_t features, unsigned pairs);

	/*
	 * The end was seen otherwise (a descriptor hung up). Says why to the user; so do send and
	 * receive before -EPIPE. Only the first call says something.
	 */
	void (*ended)(struct net_backend *be);

	/* Closes and frees @be. */
	void (*destroy)(struct net_backend *be);
};

struct net_backend {
	const struct net_backend_ops *ops;
	unsigned pairs;	   /* how many it can have, 1 to NET_MAX_PAIRS */
	uint64_t features; /* CSUM, TSO and the like that it can do, as bits of the device */
};

/*
 * An open tap, @fds[0] to @fds[@pairs - 1] its queues, non-blocking, with a header of NET_HDR_SIZE
 * bytes before each frame; @uso: the host's kernel knows segmentation of UDP. Owns the descriptors
 * from now on, also on error. @name for messages, copied. 0 or -ENOMEM.
 */
int net_tap_create(const int *fds, unsigned pairs, bool uso, const char *name,
		   struct net_backend **out);

/*
 * A program behind a stream socket, each frame preceded by its length in four bytes, big-endian: passt
 * and its like. @fd is non-blocking and owned from now on, also on error. @name is the program's, for
 * messages, copied. 0 or -ENOMEM.
 */
int net_stream_create(int fd, const char *name, struct net_backend **out);

static inline void net_backend_destroy(struct net_backend *be)
{
	if (be)
		be->ops->destroy(be);
}

#endif
