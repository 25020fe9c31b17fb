/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes of one open file through io_uring, by three system calls and no library.
 *
 * A process behind a sandbox must not get more out of it than that: before it is switched on, the
 * ring is restricted for good to vectored reads and writes of the one file that it was made for.
 *
 * One thread at a time. Cookies are the caller's and never NULL.
 */
#ifndef VIRTIO_IO_URING_H
#define VIRTIO_IO_URING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct io_ring;

/*
 * A ring for @entries (a power of two) requests at once on @fd, which stays the caller's. 0;
 * -ENOSYS or -EPERM where the host has no io_uring or forbids it, -EINVAL where it is older than
 * Linux 5.10 and cannot restrict a ring, or another -errno.
 */
int io_ring_create(int fd, unsigned entries, struct io_ring **out);

/* Nothing is in flight. NULL is allowed. */
void io_ring_destroy(struct io_ring *ring);

/* The eventfd that becomes readable when there is something to reap; owned by the ring. */
int io_ring_eventfd(const struct io_ring *ring);

/*
 * Queues one transfer; @iov stays untouched by the caller until its cookie comes back. @durable: a
 * write that is on stable storage when it ends. False if @entries are in flight or queued already.
 */
bool io_ring_queue(struct io_ring *ring, bool write, const struct iovec *iov, unsigned n,
		   uint64_t off, bool durable, void *cookie);

/*
 * Gives the kernel what is queued, in one system call. What it does not take comes back: *@cookie
 * of one such transfer and true, to be called again; false when there is none.
 */
bool io_ring_submit(struct io_ring *ring, void **refused);

/* A transfer that ended: its cookie, and in *@result the bytes or -errno. NULL for none. */
void *io_ring_reap(struct io_ring *ring, int64_t *result);

/* Transfers submitted and not reaped. */
unsigned io_ring_in_flight(const struct io_ring *ring);

#endif
