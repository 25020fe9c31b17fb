/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the guest to the back-end: each packet's headers are copied once and judged, and the judged copy
 * is what goes out before the rest, which is sent from guest memory.
 */
#include <errno.h>

#include "virtio/net_device.h"
#include "virtio/take.h"

/* Pieces of @chain's readable part from @offset on, into @iov: how many. */
static unsigned rest_of(const struct vq_chain *chain, size_t offset, struct iovec *iov)
{
	unsigned n = 0;

	for (unsigned i = 0; i < chain->out_segs; i++) {
		size_t len = chain->iov[i].iov_len;

		if (offset >= len) {
			offset -= len;
			continue;
		}
		iov[n++] =
			(struct iovec){ (uint8_t *)chain->iov[i].iov_base + offset, len - offset };
		offset = 0;
	}
	return n;
}

/* Sends the chain in hand. False if the back-end has no room: then it stays in hand. */
static bool send_one(struct net_pair *pair)
{
	struct net *net = pair->net;
	const struct vq_chain *chain = &pair->tx;
	struct iovec iov[VQ_MAX_SEGS + 2];
	uint8_t raw[NET_HDR_SIZE], head[NET_HEAD_MAX];
	struct net_hdr hdr;
	size_t head_len;
	uint64_t len;
	unsigned segs;
	int r;

	if (vq_chain_read(chain, 0, raw, sizeof(raw)) < sizeof(raw)) {
		virtio_dev_broken(net->dev, "a packet without a whole header");
		return true;
	}
	net_hdr_load(&hdr, raw);
	len = chain->out_len - sizeof(raw);
	head_len = vq_chain_read(chain, sizeof(raw), head, sizeof(head));
	/* Whatever is wrong with a packet, it is lost, as on a wire; so is one by a pair not in use. */
	if (!net->up || pair->index >= net->pairs ||
	    net_hdr_judge_tx(&hdr, net->features, head, head_len, len))
		return true;
	iov[1] = (struct iovec){ head, head_len };
	segs = 2 + rest_of(chain, sizeof(raw) + head_len, iov + 2);
	r = net->be->ops->send(net->be, pair->index, &hdr, iov, segs, (size_t)len);
	if (r == -EPIPE)
		net_link_lost(net);
	return r != -EAGAIN;
}

void net_tx_run(struct net_pair *pair)
{
	struct net *net = pair->net;
	struct virtio_dev *dev = net->dev;
	unsigned queue = net_tx_queue(pair), frames = 0;
	uint64_t bytes = 0;

	vq_disable_kick(&dev->queues[queue]);
	while (pair->tx_held || virtio_take(dev, queue, &pair->tx)) {
		pair->tx_held = !send_one(pair);
		if (pair->tx_held)
			break;
		bytes += pair->tx.out_len;
		vq_push(&dev->queues[queue], pair->tx.head, 0);
		if (++frames == NET_BATCH_FRAMES || bytes >= NET_BATCH_BYTES) {
			virtio_kick(dev, queue);
			break;
		}
	}
	pair->tx_left = net->up && !net->be->ops->flush(net->be, pair->index);
	net_watch(pair);
	virtio_signal(dev, queue);
}
