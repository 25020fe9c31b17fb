/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The split virtqueue, device side (virtio 1.3, section 2.7), and every judgement on what the driver
 * puts into one. Transports and devices add no checks of their own; they inherit these.
 *
 * Descriptors are copied once out of guest memory, then judged; what a chain hands out are host
 * segments of checked ranges. A queue that breaks a rule is `broken`: it hands out nothing more
 * until it is reset, and the device shows DEVICE_NEEDS_RESET.
 *
 * A queue belongs to its device's loop: one thread at a time, no lock.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "mm/memory.h"

enum {
	VQ_MAX_SIZE = 1024, /* the largest num_max any device may offer */
	VQ_MAX_SEGS = 256,  /* host segments in one chain; a longer chain breaks the queue */
};

/* What passed through a queue since it was made; resets do not clear it. For reports. */
struct vq_counters {
	uint64_t chains;    /* taken */
	uint64_t bytes_out; /* of their readable parts */
	uint64_t bytes_in;  /* written by the device, as it said */
};

struct virtqueue {
	struct guest_mem *mem;
	uint16_t num_max; /* what the device offers; a power of two, constant */

	/* Set by the driver through the transport while the queue is not ready. */
	uint32_t num; /* as the driver wrote it, not judged before vq_enable */
	gpa_t desc;
	gpa_t avail;
	gpa_t used;

	/* Owned by queue.c from here on. */
	bool ready;
	bool broken;
	bool event_idx;	      /* VIRTIO_F_EVENT_IDX was negotiated */
	bool indirect;	      /* VIRTIO_F_INDIRECT_DESC was negotiated */
	bool signalled_valid; /* false after 2^16 pushes without a call of vq_should_signal */
	bool can_unpop;	      /* @last_head is what vq_pop returned just now */
	bool paused;	      /* vq_pause */
	uint16_t avail_idx;   /* the driver's index as last read and judged */
	uint16_t next_avail;  /* the next entry of the available ring to take */
	uint16_t next_used;   /* the next entry of the used ring to fill */
	uint16_t signalled;   /* next_used at the last call of vq_should_signal */
	uint16_t in_flight;   /* chains taken and not yet returned */
	uint16_t last_head;
	uint64_t taken[VQ_MAX_SIZE / 64]; /* one bit for each head in flight */
	const char *why;		  /* why it broke, in words; NULL if it did not */
	struct vq_counters counters;
	uint64_t last_out; /* out_len of what vq_pop returned just now */
};

/* One descriptor chain: first what the driver wrote for us, then what we may fill. */
struct vq_chain {
	uint16_t head;
	uint16_t out_segs; /* iov[0 .. out_segs-1]: device reads */
	uint16_t in_segs;  /* iov[out_segs .. out_segs+in_segs-1]: device writes */
	uint64_t out_len;  /* bytes in each part */
	uint64_t in_len;
	struct iovec iov[VQ_MAX_SEGS];
};

/* Prepares @vq, not ready, with room for @num_max entries. */
void vq_init(struct virtqueue *vq, struct guest_mem *mem, uint16_t num_max);

/* Back to the state after vq_init; what is in flight is forgotten (the device has drained it). */
void vq_reset(struct virtqueue *vq);

/*
 * The driver says ready: judges size, addresses and alignment (2.7: desc 16, avail 2, used 4 bytes;
 * all three whole in RAM). 0, or -EINVAL with @vq->why set and the queue not ready.
 */
int vq_enable(struct virtqueue *vq, bool event_idx, bool indirect);

/*
 * For a ring that somebody else served before (vhost-user): directly after vq_enable, it goes on with
 * entry @base of the available ring, and behind what the used ring has. 0 or -EFAULT.
 */
int vq_resume(struct virtqueue *vq, uint16_t base);

/* While @paused no chain is taken; those in flight may still be returned. */
void vq_pause(struct virtqueue *vq, bool paused);

/*
 * Takes the next available chain into *@chain. 1 with a chain, 0 if there is none (or the queue is not
 * ready or broken), -EPROTO if the driver broke a rule (the queue is then broken and @vq->why says it).
 * Bounded: at most VQ_MAX_SIZE descriptors are looked at. Descriptors of length zero are allowed
 * (the standard does not forbid them); they count as looked at and yield no segment, so a chain may
 * have none at all. All of a chain is at most 2^32 bytes (2.7.5.1). A head that is in flight
 * already breaks the queue, so devices may use it as the number of a request: heads in flight are
 * distinct and below the queue's size.
 */
int vq_pop(struct virtqueue *vq, struct vq_chain *chain);

/*
 * Puts back the chain last returned by vq_pop, unread (nothing was written to it), so that
 * the next vq_pop returns it again. Only directly after vq_pop.
 */
void vq_unpop(struct virtqueue *vq);

/*
 * Returns chain @head with @written bytes filled in (clamped to 32 bits by the caller's type).
 * Chains may be returned in any order. A broken or reset queue ignores it, and so does any queue a
 * @head that is not in flight.
 */
void vq_push(struct virtqueue *vq, uint16_t head, uint32_t written);

/* A chain to be returned. */
struct vq_used {
	uint16_t head;
	uint32_t written;
};

/*
 * As vq_push for @count chains, which the driver sees all at once: the buffers of one packet (5.1.6.4).
 * One that is not in flight is left out.
 */
void vq_push_all(struct virtqueue *vq, const struct vq_used *used, unsigned count);

/* Whether the driver asked to be told of what was pushed since the last call (2.7.7, 2.7.8). */
bool vq_should_signal(struct virtqueue *vq);

/*
 * Doorbells off while the device drains, and on again. vq_enable_kick returns true if chains wait
 * (came in meanwhile, or were put back): a device that drains must drain once more.
 */
void vq_disable_kick(struct virtqueue *vq);
bool vq_enable_kick(struct virtqueue *vq);

/* Bytes from the readable part of @chain at @offset into @to: the number copied (may be short). */
size_t vq_chain_read(const struct vq_chain *chain, uint64_t offset, void *to, size_t len);

/* Bytes into the writable part of @chain at @offset: the number copied (may be short). */
size_t vq_chain_write(const struct vq_chain *chain, uint64_t offset, const void *from, size_t len);

#endif
