/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket device (virtio 1.3, section 5.10): queues, config space, and packets for the guest: resets for
 * strangers first, then of each connection in turn what there is to say, one packet each.
 */
#include "virtio/vsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"

enum {
	QUEUE_SIZE = 256,
	CONFIG_SIZE = 8, /* le64 guest_cid */
	BATCH_CHAINS = 64,
	BATCH_BYTES = 512 * 1024,
};

#define VSOCK_F_STREAM (UINT64_C(1) << 0)

static void put_header(const struct vq_chain *chain, const struct vsock_packet *packet)
{
	uint8_t header[VSOCK_HEADER];

	le64_store(header, packet->src_cid);
	le64_store(header + 8, packet->dst_cid);
	le32_store(header + 16, packet->src_port);
	le32_store(header + 20, packet->dst_port);
	le32_store(header + 24, packet->len);
	le16_store(header + 28, packet->type);
	le16_store(header + 30, packet->op);
	le32_store(header + 32, packet->flags);
	le32_store(header + 36, packet->buf_alloc);
	le32_store(header + 40, packet->fwd_cnt);
	(void)vq_chain_write(chain, 0, header, sizeof(header));
}

void vsock_reply_reset(struct vsock *vs, const struct vsock_packet *packet)
{
	unsigned at = (vs->reply_first + vs->reply_count) % VSOCK_REPLIES;

	vs->replies[at] = (struct vsock_reply){ packet->dst_cid, packet->dst_port, packet->src_port,
						packet->type };
	vs->reply_count++;
}

/* The oldest reply into the chain just taken. */
static uint32_t fill_reply(struct vsock *vs)
{
	const struct vsock_reply *reply = &vs->replies[vs->reply_first];
	const struct vsock_packet packet = {
		.src_cid = reply->cid,
		.dst_cid = vs->config.cid,
		.src_port = reply->host_port,
		.dst_port = reply->guest_port,
		.type = reply->type,
		.op = VSOCK_OP_RST,
	};

	put_header(&vs->chain, &packet);
	vs->reply_first = (vs->reply_first + 1) % VSOCK_REPLIES;
	vs->reply_count--;
	return VSOCK_HEADER;
}

/* The next thing to say of @conn that is no data; false: nothing. Data goes before the news of its end. */
static bool next_word(struct vsock_conn *conn, struct vsock_packet *packet)
{
	static const uint16_t order[] = {
		VSOCK_OP_RST,	   VSOCK_OP_REQUEST,	   VSOCK_OP_RESPONSE,
		VSOCK_OP_SHUTDOWN, VSOCK_OP_CREDIT_UPDATE, VSOCK_OP_CREDIT_REQUEST,
	};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!(conn->say & 1U << order[i]))
			continue;
		conn->say &= ~(1U << order[i]);
		packet->op = order[i];
		packet->flags = order[i] == VSOCK_OP_SHUTDOWN ? conn->told_shut : 0;
		return true;
	}
	return false;
}

/* One packet of @conn into the chain just taken: its bytes, or 0 if it had none after all. */
static uint32_t fill_packet(struct vsock_conn *conn)
{
	struct vsock *vs = conn->vsock;
	struct vsock_packet packet = {
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = vs->config.cid,
		.src_port = conn->host_port,
		.dst_port = conn->guest_port,
		.type = VSOCK_TYPE_STREAM,
	};

	if (!next_word(conn, &packet)) {
		uint64_t room = vs->chain.in_len - VSOCK_HEADER;

		packet.op = VSOCK_OP_RW;
		packet.len = room ? vsock_conn_read(conn, vs->piece,
						    (uint32_t)u64_min(room, VSOCK_PIECE))
				  : 0;
		if (!packet.len)
			return 0;
		(void)vq_chain_write(&vs->chain, VSOCK_HEADER, vs->piece, packet.len);
	}
	/* Every packet tells of our credit; a credit update that was due is told by it. */
	packet.buf_alloc = conn->room;
	packet.fwd_cnt = conn->fwd_cnt;
	conn->fwd_told = conn->fwd_cnt;
	conn->say &= ~VSOCK_SAY(CREDIT_UPDATE);
	put_header(&vs->chain, &packet);
	return VSOCK_HEADER + packet.len;
}

/* A packet of the connection whose turn it is. 0: that one had nothing to say. */
static uint32_t fill_ready(struct vsock *vs)
{
	struct vsock_conn *conn = vs->ready_first;
	uint32_t n = fill_packet(conn);

	if (conn->state == VSOCK_DEAD && !conn->say) {
		vsock_conn_free(conn);
		return n;
	}
	vsock_conn_settle(conn);
	if (conn->ready) {
		/* To the end of the line. */
		vsock_leave_ready(conn);
		vsock_enter_ready(conn);
	}
	return n;
}

void vsock_serve_guest(struct vsock *vs)
{
	struct virtio_dev *dev = vs->dev;
	struct virtqueue *vq = &dev->queues[VSOCK_RX];
	unsigned chains = 0;
	size_t bytes = 0;

	vq_disable_kick(vq);
	while ((vs->reply_count || vs->ready_first) && virtio_take(dev, VSOCK_RX, &vs->chain)) {
		uint32_t n;

		if (vs->chain.in_len <= VSOCK_HEADER) {
			virtio_dev_broken(dev, "a buffer without room for a packet's data");
			break;
		}
		n = vs->reply_count ? fill_reply(vs) : fill_ready(vs);
		if (n)
			vq_push(vq, vs->chain.head, n);
		else
			vq_unpop(vq);
		bytes += n;
		if (++chains == BATCH_CHAINS || bytes >= BATCH_BYTES) {
			virtio_kick(dev, VSOCK_RX);
			break;
		}
	}
	if (chains)
		virtio_signal(dev, VSOCK_RX);
	if (vs->tx_waits && vs->reply_count < VSOCK_REPLIES)
		virtio_kick(dev, VSOCK_TX);
}

static void vsock_kick(struct virtio_dev *dev, unsigned index)
{
	struct vsock *vs = dev->priv;

	if (index == VSOCK_RX)
		vsock_serve_guest(vs);
	else if (index == VSOCK_TX)
		vsock_serve_tx(vs);
	/* Events are for a guest that was moved elsewhere; there are none. */
}

static void vsock_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	const struct vsock *vs = dev->priv;
	uint8_t config[CONFIG_SIZE];

	le64_store(config, vs->config.cid);
	memcpy(data, config + offset, len);
}

static void vsock_ready(struct virtio_dev *dev)
{
	vsock_listen(dev->priv, true);
}

static void vsock_reset(struct virtio_dev *dev)
{
	struct vsock *vs = dev->priv;

	vsock_free_all(vs);
	vsock_listen(vs, false);
	vs->reply_count = 0;
	vs->tx_waits = false;
}

static void vsock_destroy(struct virtio_dev *dev)
{
	struct vsock *vs = dev->priv;

	loop_timer_arm(vs->timer, 0);
	free(vs->conns);
	free(vs);
}

static const struct virtio_type vsock_type = {
	.name = "vsock",
	.id = 19,
	.config_read = vsock_config_read,
	.ready = vsock_ready,
	.queue_kick = vsock_kick,
	.reset = vsock_reset,
	.destroy = vsock_destroy,
};

void virtio_vsock_look(struct virtio_dev *dev, unsigned *conns)
{
	*conns = ((const struct vsock *)dev->priv)->count;
}

int virtio_vsock_create(const struct virtio_vsock_config *config, struct guest_mem *mem,
			struct loop *loop, struct virtio_dev **out)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	struct vsock *vs = calloc(1, sizeof(*vs));
	struct vsock_conn *conns = calloc(config->conns, sizeof(*conns));
	int err = -ENOMEM;

	if (dev && vs && conns)
		err = loop_timer_add(loop, vsock_tick, vs, &vs->timer);
	if (err == 0)
		err = virtio_dev_init(dev, &vsock_type, "vsock", mem, loop, VSOCK_QUEUES,
				      QUEUE_SIZE, VSOCK_F_STREAM, CONFIG_SIZE);
	if (err < 0) {
		/* A timer that was made is the loop's, and is not armed. */
		free(conns);
		free(vs);
		free(dev);
		return err;
	}
	vs->dev = dev;
	vs->config = *config;
	vs->conns = conns;
	dev->priv = vs;
	*out = dev;
	return 0;
}
