/* SPDX-License-Identifier: BSD-2-Clause */
/* Constructors of the device types. Each returns 0 and *@out (virtio_dev_destroy), or -errno. */
#ifndef VIRTIO_DEVICES_H
#define VIRTIO_DEVICES_H

#include <stdbool.h>
#include <stddef.h>

#include "virtio/device.h"
#include "virtio/disk.h"

struct virtio_blk_config {
	struct disk *disk;     /* owned by the device from now on, also on error */
	const char *serial;    /* at most 20 bytes, for GET_ID; NULL: the file's name */
	unsigned threads;      /* I/O threads, 1 to 16 */
	bool io_uring;         /* by io_uring instead of threads */
};

/* Block device (5.2). @index numbers it: blk0, blk1, ... */
int virtio_blk_create(const struct virtio_blk_config *config, unsigned index,
		      struct guest_mem *mem, struct loop *loop, struct virtio_dev **out);

/* Entropy source (5.4) fed by getrandom(2). */
int virtio_rng_create(struct guest_mem *mem, struct loop *loop, struct virtio_dev **out);

/* Where a console's output goes: @len bytes, always taken whole. Runs on the loop. */
typedef void (*console_out_fn)(void *opaque, const void *data, size_t len);

/* Console with one port (5.3, without MULTIPORT). @out_fn gets what the guest prints. */
int virtio_console_create(console_out_fn out_fn, void *opaque, struct guest_mem *mem,
			  struct loop *loop, struct virtio_dev **out);

/*
 * Input for the guest: takes at most @len bytes and returns how many fitted; the rest is offered
 * again by the caller when virtio_console_room's callback fires. Loop thread.
 */
size_t virtio_console_input(struct virtio_dev *dev, const void *data, size_t len);

/* @fn(@opaque) is called on the loop when room for input appears after a short take. */
void virtio_console_on_room(struct virtio_dev *dev, loop_fn fn, void *opaque);

/* Announces the terminal's size (config space, 5.3.4). */
void virtio_console_resize(struct virtio_dev *dev, uint16_t cols, uint16_t rows);

/* virtio_dev_fini, then frees @dev. NULL is allowed. */
void virtio_dev_destroy(struct virtio_dev *dev);

#endif
