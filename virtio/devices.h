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
#include "virtio/net_backend.h"
#include "virtio/vhost_user_kind.h"

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
	unsigned queues;		  /* 1 to VIRTIO_MAX_QUEUES; 0 is 1 */
	/* Limits, 0: none: bytes of reads and writes, and requests of all kinds. */
	uint64_t bytes_per_second;
	uint64_t requests_per_second;
};

/*
 * Block device (5.2). @index numbers it: blk0, blk1, ... The threads are up when this returns and
 * no other is ever started. Failures have been said with diag_error.
 */
int virtio_blk_create(const struct virtio_blk_config *config, unsigned index, struct guest_mem *mem,
		      struct loop *loop, struct virtio_dev **out);

/*
 * The disk of a block device made by virtio_blk_create has @size bytes from now on; the driver is told.
 * 0; -EOPNOTSUPP (another device, or a kind of disk that cannot), -EINVAL (not a multiple of 512), -ERANGE
 * (it has more now), or what disk_ops.resize returns; nothing is said. Loop thread.
 */
int virtio_blk_resize(struct virtio_dev *dev, uint64_t size);

/* Its bytes now; 0 for another device. Loop thread. */
uint64_t virtio_blk_size(const struct virtio_dev *dev);

/* Entropy source (5.4) fed by getrandom(2). */
int virtio_rng_create(struct guest_mem *mem, struct loop *loop, struct virtio_dev **out);

/* At most @per_second bytes a second, from 1 on; before a driver is there. Without it there is no limit. */
void virtio_rng_limit(struct virtio_dev *dev, uint64_t per_second);

/*
 * Persistent memory (5.19): @size bytes at @start, a MEM_FILE region that is never dirty. @index numbers it:
 * pmem0, pmem1, ...
 */
int virtio_pmem_create(uint64_t start, uint64_t size, unsigned index, struct guest_mem *mem,
		       struct loop *loop, struct virtio_dev **out);

/* Statistics of a guest's memory, by their tags (5.5.6.4, and what Linux has added): the names are in vm/. */
enum { VIRTIO_BALLOON_STATS = 16 };

/* What is known of a balloon. Bytes. */
struct virtio_balloon_info {
	uint64_t target;   /* what the guest is asked to hand over */
	uint64_t actual;   /* what its driver says it has handed over; never more than RAM */
	uint64_t inflated; /* pages given back to the host because of that, in all */
	uint64_t reported; /* free pages given back, in all */
	bool driver;	   /* a driver is there */
	uint32_t stats_known;
	uint64_t stats[VIRTIO_BALLOON_STATS]; /* those whose bit in stats_known is set */
	uint64_t stats_age_ns;
};

/* Memory balloon (5.5) with statistics, deflation when the guest is short, and free page reporting. */
int virtio_balloon_create(struct guest_mem *mem, struct loop *loop, struct virtio_dev **out);

/* The guest is to hand over @bytes, whole pages of 4096, in all. 0, or -ERANGE: more than RAM. Loop thread. */
int virtio_balloon_set(struct virtio_dev *dev, uint64_t bytes);

/* What is known now; also asks the driver for new statistics, for the next look. Loop thread. */
void virtio_balloon_look(struct virtio_dev *dev, struct virtio_balloon_info *info);

enum { VIRTIO_VSOCK_CONNS = 3584 }; /* connections of a machine, at most */

struct virtio_vsock_config {
	uint64_t cid; /* of the guest, 3 to 2^32 - 2 */
	/*
	 * A unix stream socket, not blocking, on which clients are waited for while a driver is there; -1:
	 * none. The caller's; outlives the device.
	 */
	int listen_fd;
	unsigned conns; /* at most at once, 1 to VIRTIO_VSOCK_CONNS */
	/*
	 * The guest wants to be connected to @port: asks for a socket, which comes, or does not, by
	 * virtio_vsock_connected with @cookie. A negative number refuses at once. NULL: all are refused.
	 */
	int (*connect)(void *opaque, uint32_t port, uint64_t cookie);
	void *opaque;
};

/*
 * Socket device (5.10), stream sockets only: connections of the guest to ports of the host, and of clients
 * of the host, who say "CONNECT PORT\n" and hear "OK PORT\n", to ports of the guest. Whoever writes to
 * a socket that was closed must not be ended by SIGPIPE.
 */
int virtio_vsock_create(const struct virtio_vsock_config *config, struct guest_mem *mem,
			struct loop *loop, struct virtio_dev **out);

/*
 * What came of config.connect: @fd, a connected stream socket, not blocking, the device's from now on; or
 * below 0: nobody is there. A cookie of a connection that has ended since is no mistake. Loop thread.
 */
void virtio_vsock_connected(struct virtio_dev *dev, uint64_t cookie, int fd);

/* How many connections there are. Loop thread. */
void virtio_vsock_look(struct virtio_dev *dev, unsigned *conns);

struct virtio_net_config {
	struct net_backend *backend; /* the caller's; outlives the device */
	uint8_t mac[6];
	uint16_t mtu; /* 68 to 65535, told to the driver */
};

/* Network device (5.1). @index numbers it: net0, net1, ... */
int virtio_net_create(const struct virtio_net_config *config, unsigned index, struct guest_mem *mem,
		      struct loop *loop, struct virtio_dev **out);

enum {
	VIRTIO_CONSOLE_PORTS = 8,     /* at most, the console itself included */
	VIRTIO_CONSOLE_NAME_MAX = 31, /* bytes of a port's name */
};

/* The host's end of a console port. Constant after create; the functions run on the loop. */
struct virtio_console_port {
	const char *name; /* /dev/virtio-ports/NAME in Linux; NULL: the console itself (port 0) */
	/*
	 * Output of the guest, 1 to 4096 bytes of our own memory: returns how many were taken. After a
	 * short take virtio_console_output_ready brings the rest.
	 */
	size_t (*out)(void *opaque, const void *data, size_t len);
	/* Room for input after a short take of virtio_console_input, once. NULL: nobody waits. */
	loop_fn room;
	/* The guest's end was opened or closed (never for a console). NULL allowed. */
	void (*opened)(void *opaque, bool open);
	void *opaque;
};

/*
 * Console device (5.3). @ports[0] is the guest's console, all zero if there is none; @count is 1 to
 * VIRTIO_CONSOLE_PORTS. With more than one the device has MULTIPORT, and the others are not open on
 * our side before virtio_console_connect.
 */
int virtio_console_create(const struct virtio_console_port *ports, unsigned count,
			  struct guest_mem *mem, struct loop *loop, struct virtio_dev **out);

/*
 * Input for the guest by port @number: takes at most @len bytes and returns how many fitted. After a short
 * take the rest is to be offered again when the port's room function was called, and not before. What
 * was taken is kept until the guest takes it, over a reset too. Loop thread.
 */
size_t virtio_console_input(struct virtio_dev *dev, unsigned number, const void *data, size_t len);

/*
 * Has the port's room function called in a turn of the loop to come, as after a short take: for who has more
 * input, and lets others have their turn first. Loop thread.
 */
void virtio_console_ask_room(struct virtio_dev *dev, unsigned number);

/* The host takes output of port @number again after a short take of out. Loop thread. */
void virtio_console_output_ready(struct virtio_dev *dev, unsigned number);

/*
 * Serves the output of port @number as far as it goes now, 16 MiB at most: a guest that runs meanwhile may
 * have no end of it. True if nothing that the driver has offered is left; false: to be called again. Loop thread.
 */
bool virtio_console_drain(struct virtio_dev *dev, unsigned number);

/*
 * Our end of port @number is there now, or is gone: a program that reads gets what was put in before, then
 * the end. Loop thread.
 */
void virtio_console_connect(struct virtio_dev *dev, unsigned number, bool open);

/*
 * Prints what the driver has handed over, a batch at most, without waiting for its doorbell: the last
 * words of a machine that has ended. Loop thread.
 */
void virtio_console_flush(struct virtio_dev *dev);

/* Announces the terminal's size (config space, 5.3.4). Loop thread. */
void virtio_console_resize(struct virtio_dev *dev, uint16_t cols, uint16_t rows);

struct vhost_user_config {
	enum vhost_user_kind kind;
	int fd; /* connected stream socket, owned by the device from now on, also on error */
	const char *peer;   /* how messages call the back-end; outlives the device */
	const char *tag;    /* of FS: 1 to 36 bytes */
	unsigned queues;    /* of BLK: at most so many, 1 to VIRTIO_MAX_QUEUES */
	const uint8_t *mac; /* of NET: 6 bytes */
	loop_fn gone;	    /* called once when the back-end is gone (loop thread), NULL: nobody */
	void *opaque;	    /* for @gone */
};

/*
 * A device whose rings are served by another process (vhost-user front end): file system (5.11), block
 * (5.2) or network device (5.1, one pair of queues, no control queue). @index numbers its kind: fs0,
 * fs1, ... Memory must be shared (mem_share). Waits for the back-end's first answers. Failures
 * have been said with diag_error: -EPROTO what a back-end may not do, -ENOTSUP what it lacks, or
 * another -errno.
 */
int virtio_vhost_user_create(const struct vhost_user_config *config, unsigned index,
			     struct guest_mem *mem, struct loop *loop, struct virtio_dev **out);

/* virtio_dev_fini, then frees @dev. NULL is allowed. No thread runs the loop or a vCPU any more. */
void virtio_dev_destroy(struct virtio_dev *dev);

#endif
