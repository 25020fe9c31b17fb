/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Constructors of the device types. Each returns 0 and *@out, to be freed with virtio_dev_destroy,
 * or -errno, said by nobody yet unless noted. They run on the loop's thread, or before it runs.
 */
#ifndef VIRTIO_DEVICES_H
#define VIRTIO_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/thread_guard.h"
#include "virtio/device.h"
#include "virtio/disk.h"

struct virtio_blk_config {
	struct disk *disk;  /* owned by the device from now on, also on error */
	const char *serial; /* at most 20 bytes, for GET_ID; NULL: the end of the disk's name */
	unsigned threads;   /* I/O threads, 1 to 16; 0: the loop itself does all I/O */
	/*
	 * Reads and writes by io_uring, all else by the threads, which must be there; for raw disks
	 * (else -EOPNOTSUPP). -ENOSYS or -EPERM where the host has none.
	 */
	bool io_uring;
	const struct thread_guard *guard; /* for the threads; NULL: none */
};

/*
 * Block device (5.2). @index numbers it: blk0, blk1, ... The threads are up when this returns and
 * no other is ever started. Failures have been said with diag_error.
 */
int virtio_blk_create(const struct virtio_blk_config *config, unsigned index, struct guest_mem *mem,
		      struct loop *loop, struct virtio_dev **out);

/* Entropy source (5.4) fed by getrandom(2). */
int virtio_rng_create(struct guest_mem *mem, struct loop *loop, struct virtio_dev **out);

/*
 * Where a console's output goes: 1 to 4096 bytes of our own memory, always taken whole. Loop
 * thread.
 */
typedef void (*console_out_fn)(void *opaque, const void *data, size_t len);

/* Console with one port (5.3, without MULTIPORT). @out_fn gets what the guest prints. */
int virtio_console_create(console_out_fn out_fn, void *opaque, struct guest_mem *mem,
			  struct loop *loop, struct virtio_dev **out);

/*
 * Input for the guest: takes at most @len bytes and returns how many fitted. After a short take the
 * rest is to be offered again when the callback of virtio_console_on_room comes, and not before.
 * What was taken is kept until the guest takes it, over a reset too. Loop thread.
 */
size_t virtio_console_input(struct virtio_dev *dev, const void *data, size_t len);

/*
 * @fn(@opaque) is called on the loop, once, when room for input appears after a short take. It may
 * call virtio_console_input. NULL: nobody.
 */
void virtio_console_on_room(struct virtio_dev *dev, loop_fn fn, void *opaque);

/*
 * Prints what the driver has handed over, a batch at most, without waiting for its doorbell: the last
 * words of a machine that has ended. Loop thread.
 */
void virtio_console_flush(struct virtio_dev *dev);

/* Announces the terminal's size (config space, 5.3.4). Loop thread. */
void virtio_console_resize(struct virtio_dev *dev, uint16_t cols, uint16_t rows);

/* virtio_dev_fini, then frees @dev. NULL is allowed. No thread runs the loop or a vCPU any more. */
void virtio_dev_destroy(struct virtio_dev *dev);

#endif
