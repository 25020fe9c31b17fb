/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes of one open file through io_uring.
 *
 * The kernel shares two rings with us. We write submissions and move their tail, it moves their
 * head; it writes completions and moves their tail, we move their head. Each side's index is stored
 * with release and loaded by the other with acquire. Without a polling thread the kernel looks at
 * submissions only during io_uring_enter, so those that it did not take may be taken back.
 */
#include "virtio/io_uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"

/* Threads that the kernel may start for transfers that it cannot do without one. */
enum { WORKERS = 4 };

struct io_ring {
	int fd;
	int eventfd;
	unsigned entries;
	unsigned in_flight; /* submitted, not reaped */
	unsigned queued;    /* not submitted */
	uint8_t flags;	    /* IOSQE_* of each transfer */

	void *rings; /* both, in one mapping */
	size_t rings_size;
	struct io_uring_sqe *sqes;
	size_t sqes_size;

	uint32_t *sq_tail;
	uint32_t *cq_head;
	uint32_t *cq_tail;
	uint32_t sq_mask;
	uint32_t cq_mask;
	struct io_uring_cqe *cqes;
};

static int ring_register(const struct io_ring *ring, unsigned what, const void *arg, unsigned count)
{
	return syscall(SYS_io_uring_register, ring->fd, what, arg, count) < 0 ? -errno : 0;
}

static int ring_enter(const struct io_ring *ring, unsigned submit, unsigned wait)
{
	long n = syscall(SYS_io_uring_enter, ring->fd, submit, wait,
			 wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);

	return n < 0 ? -errno : (int)n;
}

/* The one file, the eventfd, then the lock on everything else, then on. */
static int restrict_and_enable(struct io_ring *ring, int file)
{
	const struct io_uring_restriction only[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_ASYNC },
	};
	unsigned workers[2] = { WORKERS, WORKERS };
	int err;

	/* Older than Linux 5.15, a kernel bounds them by itself, higher. */
	(void)ring_register(ring, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2);
	err = ring_register(ring, IORING_REGISTER_FILES, &file, 1);
	if (err == 0)
		err = ring_register(ring, IORING_REGISTER_EVENTFD, &ring->eventfd, 1);
	if (err == 0)
		err = ring_register(ring, IORING_REGISTER_RESTRICTIONS, only, ARRAY_SIZE(only));
	if (err == 0)
		err = ring_register(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	return err;
}

static void *map(const struct io_ring *ring, size_t size, uint64_t what)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			(off_t)what);

	return at == MAP_FAILED ? NULL : at;
}

static int map_rings(struct io_ring *ring, const struct io_uring_params *p)
{
	uint8_t *base;
	uint32_t *array;

	ring->rings_size = size_max(p->sq_off.array + p->sq_entries * sizeof(uint32_t),
				    p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe));
	ring->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
	ring->rings = map(ring, ring->rings_size, IORING_OFF_SQ_RING);
	ring->sqes = map(ring, ring->sqes_size, IORING_OFF_SQES);
	if (!ring->rings || !ring->sqes)
		return -ENOMEM;
	base = ring->rings;
	ring->sq_tail = (uint32_t *)(void *)(base + p->sq_off.tail);
	ring->sq_mask = *(uint32_t *)(void *)(base + p->sq_off.ring_mask);
	ring->cq_head = (uint32_t *)(void *)(base + p->cq_off.head);
	ring->cq_tail = (uint32_t *)(void *)(base + p->cq_off.tail);
	ring->cq_mask = *(uint32_t *)(void *)(base + p->cq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(void *)(base + p->cq_off.cqes);
	/* Entry i of the ring is always submission i. */
	array = (uint32_t *)(void *)(base + p->sq_off.array);
	for (uint32_t i = 0; i < p->sq_entries; i++)
		array[i] = i;
	return 0;
}

/*
 * Whether @file's file system can be asked not to wait. io_uring takes one that can be polled for such, and that is a
 * mistake for FUSE: submitting a read then waits for the answer.
 */
static bool can_decline(int file)
{
	uint8_t byte;
	const struct iovec iov = { &byte, 1 };

	return preadv2(file, &iov, 1, 0, RWF_NOWAIT) >= 0 || errno != EOPNOTSUPP;
}

static int ring_open(struct io_ring *ring, int file)
{
	struct io_uring_params p = { .flags = IORING_SETUP_R_DISABLED };
	int err;

	ring->fd = (int)syscall(SYS_io_uring_setup, ring->entries, &p);
	if (ring->fd < 0)
		return -errno;
	if (!(p.features & IORING_FEAT_SINGLE_MMAP) || !(p.features & IORING_FEAT_NODROP))
		return -EINVAL;
	ring->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->eventfd < 0)
		return -errno;
	err = map_rings(ring, &p);
	return err ? err : restrict_and_enable(ring, file);
}

int io_ring_create(int fd, unsigned entries, struct io_ring **out)
{
	struct io_ring *ring = calloc(1, sizeof(*ring));
	int err;

	if (!ring)
		return -ENOMEM;
	ring->fd = -1;
	ring->eventfd = -1;
	ring->entries = entries;
	ring->flags = IOSQE_FIXED_FILE | (can_decline(fd) ? 0 : IOSQE_ASYNC);
	err = ring_open(ring, fd);
	if (err < 0) {
		io_ring_destroy(ring);
		return err;
	}
	*out = ring;
	return 0;
}

void io_ring_destroy(struct io_ring *ring)
{
	if (!ring)
		return;
	if (ring->sqes)
		(void)munmap(ring->sqes, ring->sqes_size);
	if (ring->rings)
		(void)munmap(ring->rings, ring->rings_size);
	if (ring->eventfd >= 0)
		(void)close(ring->eventfd);
	if (ring->fd >= 0)
		(void)close(ring->fd);
	free(ring);
}

int io_ring_eventfd(const struct io_ring *ring)
{
	return ring->eventfd;
}

unsigned io_ring_in_flight(const struct io_ring *ring)
{
	return ring->in_flight;
}

bool io_ring_queue(struct io_ring *ring, bool write, const struct iovec *iov, unsigned n,
		   uint64_t off, bool durable, void *cookie)
{
	uint32_t tail = *ring->sq_tail;

	if (ring->in_flight + ring->queued >= ring->entries)
		return false;
	ring->sqes[tail & ring->sq_mask] = (struct io_uring_sqe){
		.opcode = write ? IORING_OP_WRITEV : IORING_OP_READV,
		.flags = ring->flags,
		.fd = 0, /* of the registered files */
		.off = off,
		.addr = (uintptr_t)iov,
		.len = n,
		.rw_flags = write && durable ? RWF_DSYNC : 0,
		.user_data = (uintptr_t)cookie,
	};
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	ring->queued++;
	return true;
}

bool io_ring_submit(struct io_ring *ring, void **refused)
{
	while (ring->queued > 0) {
		int n = ring_enter(ring, ring->queued, 0);

		if (n == -EINTR)
			continue;
		if (n > 0) {
			ring->queued -= (unsigned)n;
			ring->in_flight += (unsigned)n;
			continue;
		}
		/* The last one queued comes back; the kernel has not looked at it. */
		ring->queued--;
		__atomic_store_n(ring->sq_tail, *ring->sq_tail - 1, __ATOMIC_RELEASE);
		*refused = (void *)(uintptr_t)ring->sqes[*ring->sq_tail & ring->sq_mask].user_data;
		return true;
	}
	return false;
}

void *io_ring_reap(struct io_ring *ring, int64_t *result)
{
	uint32_t head = *ring->cq_head;
	const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
	void *cookie;

	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		return NULL;
	cookie = (void *)(uintptr_t)cqe->user_data;
	*result = cqe->res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	ring->in_flight--;
	return cookie;
}
