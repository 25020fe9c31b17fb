/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the back-end to the guest: buffers are taken ahead of packets, so that a frame is read straight
 * to its place, over several of them if the driver merges (virtio 1.3, 5.1.6.3, 5.1.6.4).
 *
 * When there is not room for the longest frame there can be, the next one is read into memory of ours
 * and waits there until it fits: few buffers, or small ones, lose no frame that they could hold.
 */
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "virtio/net_device.h"
#include "virtio/take.h"

void net_rx_reset(struct net_rx *rx)
{
	rx->first = rx->count = 0;
	rx->seg_first = rx->seg_end = 0;
	rx->room = 0;
	rx->held_len = 0;
	rx->dry = false;
}

static bool merges(const struct net *net)
{
	return net->features & NET_F_MRG_RXBUF;
}

/* The most that one packet may need, its header included. */
static size_t longest(const struct net *net)
{
	if (net->offloads & NET_GUEST_GSO)
		return NET_HDR_SIZE + NET_FRAME_MAX;
	return NET_HDR_SIZE + NET_ETH_SIZE + 4 + size_max(net->mtu, 1500);
}

/* Moves what is left to the front, so that there is room behind it. */
static void compact(struct net_rx *rx)
{
	memmove(rx->buffers, rx->buffers + rx->first, rx->count * sizeof(rx->buffers[0]));
	memmove(rx->segs, rx->segs + rx->seg_first,
		(rx->seg_end - rx->seg_first) * sizeof(rx->segs[0]));
	rx->first = 0;
	rx->seg_end -= rx->seg_first;
	rx->seg_first = 0;
}

/* Takes buffers until there are enough, or no more. False if the driver broke a rule. */
static bool take_buffers(struct net_pair *pair)
{
	struct net *net = pair->net;
	struct net_rx *rx = &pair->rx;
	const struct vq_chain *chain = &net->chain;
	size_t want = merges(net) ? longest(net) : 1;

	while (rx->room < want && rx->count < NET_RX_BUFFERS) {
		if (rx->first + rx->count == NET_RX_BUFFERS ||
		    rx->seg_end + VQ_MAX_SEGS > NET_RX_SEGS)
			compact(rx);
		if (rx->seg_end + VQ_MAX_SEGS > NET_RX_SEGS ||
		    !virtio_take(net->dev, net_rx_queue(pair), &net->chain))
			break;
		if (chain->in_len < NET_HDR_SIZE) {
			virtio_dev_broken(net->dev, "a receive buffer without room for a header");
			return false;
		}
		rx->buffers[rx->first + rx->count++] = (struct net_buffer){
			.head = chain->head,
			.segs = chain->in_segs,
			.len = chain->in_len,
		};
		memcpy(rx->segs + rx->seg_end, chain->iov + chain->out_segs,
		       chain->in_segs * sizeof(rx->segs[0]));
		rx->seg_end += chain->in_segs;
		rx->room += chain->in_len;
	}
	return true;
}

/* Whether the guest could still offer more than it has. */
static bool may_get_more(const struct net_pair *pair)
{
	const struct virtqueue *vq = &pair->net->dev->queues[net_rx_queue(pair)];

	return merges(pair->net) && pair->rx.count < NET_RX_BUFFERS && vq->in_flight < vq->num &&
	       pair->rx.seg_end - pair->rx.seg_first + VQ_MAX_SEGS <= NET_RX_SEGS;
}

/* The place of a frame behind its header: pieces into @iov, how many. */
static unsigned frame_place(const struct net_rx *rx, struct iovec *iov)
{
	size_t skip = NET_HDR_SIZE;
	unsigned n = 0;

	for (unsigned i = rx->seg_first; i < rx->seg_end; i++) {
		size_t len = rx->segs[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		iov[n++] = (struct iovec){ (uint8_t *)rx->segs[i].iov_base + skip, len - skip };
		skip = 0;
	}
	return n;
}

/* Copies @len bytes between @buf and the start of @segs pieces; less if they are shorter. */
static void copy_pieces(const struct iovec *iov, unsigned segs, void *buf, size_t len, bool in)
{
	uint8_t *p = buf;

	for (unsigned i = 0; i < segs && len > 0; i++) {
		size_t n = size_min(len, iov[i].iov_len);

		if (in)
			memcpy(iov[i].iov_base, p, n);
		else
			memcpy(p, iov[i].iov_base, n);
		p += n;
		len -= n;
	}
}

/* Returns the buffers of the frame of @len bytes that lies in them already, @hdr before it. */
static void hand_over(struct net_pair *pair, struct net_hdr *hdr, size_t len)
{
	struct net_rx *rx = &pair->rx;
	struct vq_used used[NET_RX_BUFFERS];
	size_t left = NET_HDR_SIZE + len;
	uint8_t raw[NET_HDR_SIZE];
	unsigned first_seg = rx->seg_first, n = 0;

	while (left > 0) {
		const struct net_buffer *buffer = &rx->buffers[rx->first];
		uint32_t written = (uint32_t)u64_min(left, buffer->len);

		used[n++] = (struct vq_used){ buffer->head, written };
		left -= written;
		rx->room -= buffer->len;
		rx->seg_first += buffer->segs;
		rx->first++;
		rx->count--;
	}
	hdr->num_buffers = (uint16_t)n;
	net_hdr_store(raw, hdr);
	copy_pieces(rx->segs + first_seg, rx->seg_first - first_seg, raw, sizeof(raw), true);
	vq_push_all(&pair->net->dev->queues[net_rx_queue(pair)], used, n);
	if (rx->count == 0)
		rx->first = rx->seg_first = rx->seg_end = 0;
}

/* How long a packet may be to fit into what there is, its header included. */
static uint64_t room_for_one(const struct net_pair *pair)
{
	const struct net_rx *rx = &pair->rx;

	if (rx->count == 0)
		return 0;
	return merges(pair->net) ? rx->room : rx->buffers[rx->first].len;
}

static bool wanted(const struct net *net, struct net_hdr *hdr, const uint8_t *to)
{
	return net_hdr_fits_rx(hdr, net->offloads | (net->features & NET_F_GUEST_CSUM)) &&
	       net_filter_passes(&net->filter, to);
}

enum result {
	RX_DONE,  /* with one frame, given or lost */
	RX_WAIT,  /* for the guest's buffers */
	RX_EMPTY, /* the back-end has none */
};

/* The frame that is held: given, lost if it can never fit, or waiting on. */
static enum result give_held(struct net_pair *pair, size_t *bytes)
{
	struct net_rx *rx = &pair->rx;
	struct iovec iov[NET_RX_SEGS];
	unsigned segs;

	if (room_for_one(pair) < NET_HDR_SIZE + rx->held_len) {
		if (rx->count == 0 || may_get_more(pair))
			return RX_WAIT;
		rx->held_len = 0;
		return RX_DONE;
	}
	segs = frame_place(rx, iov);
	copy_pieces(iov, segs, rx->held, rx->held_len, true);
	hand_over(pair, &rx->held_hdr, rx->held_len);
	*bytes = rx->held_len;
	rx->held_len = 0;
	return RX_DONE;
}

static enum result lost(struct net *net, ssize_t r)
{
	if (r == -EPIPE)
		net_link_lost(net);
	return RX_EMPTY;
}

/* Reads the next frame into memory of ours. */
static enum result hold_next(struct net_pair *pair)
{
	struct net *net = pair->net;
	struct net_rx *rx = &pair->rx;
	struct iovec iov[2] = { [1] = { rx->held, NET_FRAME_MAX } };
	ssize_t len = net->be->ops->receive(net->be, pair->index, &rx->held_hdr, iov, 2);

	if (len < 0)
		return lost(net, len);
	if (len >= NET_ETH_SIZE && len <= NET_FRAME_MAX && wanted(net, &rx->held_hdr, rx->held))
		rx->held_len = (size_t)len;
	return RX_DONE;
}

/* Reads the next frame straight to its place. */
static enum result read_next(struct net_pair *pair, size_t *bytes)
{
	struct net *net = pair->net;
	struct iovec iov[NET_RX_SEGS + 1];
	unsigned segs = 1 + frame_place(&pair->rx, iov + 1);
	uint8_t to[NET_MAC_SIZE] = { 0 };
	struct net_hdr hdr;
	ssize_t len = net->be->ops->receive(net->be, pair->index, &hdr, iov, segs);

	if (len < 0)
		return lost(net, len);
	copy_pieces(iov + 1, segs - 1, to, sizeof(to), false);
	if (len >= NET_ETH_SIZE && (uint64_t)len + NET_HDR_SIZE <= room_for_one(pair) &&
	    wanted(net, &hdr, to)) {
		hand_over(pair, &hdr, (size_t)len);
		*bytes = (size_t)len;
	}
	return RX_DONE;
}

static enum result next_frame(struct net_pair *pair, size_t *bytes)
{
	struct net_rx *rx = &pair->rx;

	*bytes = 0;
	if (!take_buffers(pair))
		return RX_WAIT;
	if (rx->held_len > 0)
		return give_held(pair, bytes);
	if (rx->count == 0)
		return RX_WAIT;
	if (room_for_one(pair) >= longest(pair->net))
		return read_next(pair, bytes);
	return hold_next(pair);
}

void net_rx_run(struct net_pair *pair)
{
	struct net *net = pair->net;
	struct virtio_dev *dev = net->dev;
	unsigned queue = net_rx_queue(pair), frames = 0;
	enum result result = RX_DONE;
	uint64_t total = 0;
	size_t bytes;

	if (pair->index >= net->pairs || !net->up)
		return;
	/* No buffer can ever come by a queue that is not there: what the back-end has is not waited for. */
	if (!dev->queues[queue].ready) {
		pair->rx.dry = true;
		net_watch(pair);
		return;
	}
	vq_disable_kick(&dev->queues[queue]);
	while (result == RX_DONE && net->live) {
		result = next_frame(pair, &bytes);
		total += bytes;
		/* What the back-end has read already makes no descriptor readable: come back. */
		if (++frames == NET_BATCH_FRAMES || total >= NET_BATCH_BYTES) {
			virtio_kick(dev, queue);
			break;
		}
	}
	pair->rx.dry = result == RX_WAIT;
	net_watch(pair);
	virtio_signal(dev, queue);
}
