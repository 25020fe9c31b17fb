/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entropy device (virtio 1.3, section 5.4): fills what the driver offers from getrandom(2).
 *
 * Bounded three ways: no memory of ours grows with a request, one chain gets at most CHAIN_BYTES (a
 * short answer is the device's right), and other sources of the loop get a turn after BATCH_BYTES.
 * Where the host itself has no entropy yet, the loop does not wait for it: a timer does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/checked.h"
#include "base/diag.h"
#include "virtio/devices.h"
#include "virtio/rate.h"
#include "virtio/take.h"

enum {
	QUEUE_SIZE = 64,
	CHAIN_BYTES = 64 * 1024,
	BATCH_BYTES = 256 * 1024,
	BATCH_CHAINS = 64,
	RETRY_NS = 50 * 1000 * 1000,
	LIMITED_MIN = 32,	      /* bytes in one chain however low the limit */
	LIMITED_NS = 5 * 1000 * 1000, /* at least so long until the next try */
};

struct rng {
	struct virtio_dev *dev;
	struct loop_timer *retry; /* owned by the loop */
	bool said;		  /* that the host gives no entropy */
	struct rate rate;	  /* bytes */
	size_t chain_bytes;	  /* in one chain */
	struct vq_chain chain;
};

/* Random bytes at @to: @len, or fewer if the host has no more; never waits. */
static size_t fill(struct rng *rng, void *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = getrandom((uint8_t *)to + done, len - done, GRND_NONBLOCK);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (!rng->said)
				diag_warn(
					"the host has no random numbers yet (%s); the guest waits",
					strerror(errno));
			rng->said = true;
			break;
		}
		done += (size_t)got;
	}
	return done;
}

/* Fills the chain just taken: the bytes. */
static size_t fill_chain(struct rng *rng)
{
	const struct iovec *in = rng->chain.iov + rng->chain.out_segs;
	size_t done = 0;

	for (unsigned i = 0; i < rng->chain.in_segs && done < rng->chain_bytes; i++) {
		size_t want = size_min(in[i].iov_len, rng->chain_bytes - done);
		size_t got = fill(rng, in[i].iov_base, want);

		done += got;
		if (got < want)
			break;
	}
	return done;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Whether the limit lets something pass now; else the timer comes when it does. */
static bool may_pass(struct rng *rng)
{
	uint64_t wait = rng->rate.per_second ? rate_wait(&rng->rate, now_ns()) : 0;

	if (wait)
		loop_timer_arm(rng->retry, u64_max(wait, LIMITED_NS));
	return !wait;
}

static void rng_kick(struct virtio_dev *dev, unsigned index)
{
	struct rng *rng = dev->priv;
	unsigned chains = 0;
	size_t bytes = 0;

	while (may_pass(rng) && virtio_take(dev, index, &rng->chain)) {
		size_t got = fill_chain(rng);

		if (got == 0 && rng->chain.in_len > 0) {
			vq_unpop(&dev->queues[index]);
			loop_timer_arm(rng->retry, RETRY_NS);
			break;
		}
		vq_push(&dev->queues[index], rng->chain.head, (uint32_t)got);
		bytes += got;
		if (rng->rate.per_second)
			rate_charge(&rng->rate, now_ns(), got);
		if (++chains == BATCH_CHAINS || bytes >= BATCH_BYTES) {
			virtio_kick(dev, index);
			break;
		}
	}
	virtio_signal(dev, index);
}

static void on_retry(void *opaque)
{
	virtio_kick(((struct rng *)opaque)->dev, 0);
}

static void rng_destroy(struct virtio_dev *dev)
{
	struct rng *rng = dev->priv;

	loop_timer_arm(rng->retry, 0);
	free(rng);
}

static const struct virtio_type rng_type = {
	.name = "rng",
	.id = 4,
	.queue_kick = rng_kick,
	.destroy = rng_destroy,
};

int virtio_rng_create(struct guest_mem *mem, struct loop *loop, struct virtio_dev **out)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	struct rng *rng = calloc(1, sizeof(*rng));
	int err = -ENOMEM;

	if (dev && rng)
		err = loop_timer_add(loop, on_retry, rng, &rng->retry);
	if (err == 0)
		err = virtio_dev_init(dev, &rng_type, "rng", mem, loop, 1, QUEUE_SIZE, 0, 0);
	if (err < 0) {
		/* A timer that was made is the loop's, and is not armed. */
		free(rng);
		free(dev);
		return err;
	}
	rng->dev = dev;
	rng->chain_bytes = CHAIN_BYTES;
	dev->priv = rng;
	*out = dev;
	return 0;
}

void virtio_rng_limit(struct virtio_dev *dev, uint64_t per_second)
{
	struct rng *rng = dev->priv;

	rng->rate.per_second = per_second;
	/* A tenth of a second's worth at most: who asks for little next does not wait for long. */
	rng->chain_bytes = size_max(LIMITED_MIN, (size_t)u64_min(per_second / 10, CHAIN_BYTES));
}
