/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of the guest (virtio 1.3, sections 5.10.6.1 to 5.10.6.6): each header is copied once and judged;
 * what it says of its connection's credit, data and end is done.
 *
 * A packet that is none (cut, or longer than its buffers) breaks the device. One that only makes no sense
 * (a wrong address, bytes without credit, an operation out of turn) ends its connection, or is answered
 * with a reset if it has none.
 */
#include "base/checked.h"
#include "base/le.h"
#include "virtio/vsock.h"

enum {
	BATCH_CHAINS = 64,
	BATCH_BYTES = 512 * 1024,
	CONNECT_S = 10, /* seconds that the host's side may take */
};

static void parse(const uint8_t *header, struct vsock_packet *packet)
{
	*packet = (struct vsock_packet){
		.src_cid = le64_load(header),
		.dst_cid = le64_load(header + 8),
		.src_port = le32_load(header + 16),
		.dst_port = le32_load(header + 20),
		.len = le32_load(header + 24),
		.type = le16_load(header + 28),
		.op = le16_load(header + 30),
		.flags = le32_load(header + 32),
		.buf_alloc = le32_load(header + 36),
		.fwd_cnt = le32_load(header + 40),
	};
}

/* The guest wants to be connected to a port of the host. */
static void on_request(struct vsock *vs, const struct vsock_packet *packet)
{
	struct vsock_conn *conn = vsock_conn_new(vs, packet->dst_port, packet->src_port);
	uint64_t cookie;

	if (!conn) {
		vsock_reply_reset(vs, packet);
		return;
	}
	conn->peer_alloc = packet->buf_alloc;
	conn->peer_fwd = packet->fwd_cnt;
	vsock_conn_deadline(conn, CONNECT_S);
	cookie = (uint64_t)conn->serial << 32 | (uint64_t)(conn - vs->conns);
	if (!vs->config.connect ||
	    vs->config.connect(vs->config.opaque, packet->dst_port, cookie) < 0)
		vsock_conn_reset(conn);
}

/* Data: what it may be is what we gave it credit for. */
static void on_data(struct vsock_conn *conn, const struct vsock_packet *packet)
{
	struct vsock *vs = conn->vsock;
	uint32_t waits = conn->rx_cnt - conn->fwd_cnt;

	if (packet->len > conn->room - waits || conn->guest_shut & VSOCK_NO_SEND) {
		vsock_conn_reset(conn);
		return;
	}
	/* The credit is at most VSOCK_PIECE. */
	(void)vq_chain_read(&vs->chain, VSOCK_HEADER, vs->piece, packet->len);
	vsock_conn_take(conn, vs->piece, packet->len);
}

/* An open connection. */
static void on_open(struct vsock_conn *conn, const struct vsock_packet *packet)
{
	switch (packet->op) {
	case VSOCK_OP_RW:
		on_data(conn, packet);
		break;
	case VSOCK_OP_SHUTDOWN:
		conn->guest_shut |= packet->flags & VSOCK_NOTHING;
		break;
	case VSOCK_OP_CREDIT_UPDATE:
		break;
	case VSOCK_OP_CREDIT_REQUEST:
		conn->say |= VSOCK_SAY(CREDIT_UPDATE);
		break;
	default: /* a request or response for what is connected, or nothing that there is */
		vsock_conn_reset(conn);
		break;
	}
}

static void on_packet(struct vsock *vs, const struct vsock_packet *packet)
{
	struct vsock_conn *conn;

	if (packet->src_cid != vs->config.cid)
		return; /* nobody to answer */
	conn = packet->dst_cid == VSOCK_HOST_CID && packet->type == VSOCK_TYPE_STREAM
		       ? vsock_find(vs, packet->dst_port, packet->src_port)
		       : NULL;
	if (packet->op == VSOCK_OP_RST) {
		if (conn)
			vsock_conn_free(conn);
		return;
	}
	if (!conn && packet->op == VSOCK_OP_REQUEST && packet->dst_cid == VSOCK_HOST_CID &&
	    packet->type == VSOCK_TYPE_STREAM) {
		on_request(vs, packet);
		return;
	}
	if (!conn) {
		vsock_reply_reset(vs, packet);
		return;
	}
	if (packet->fwd_cnt != conn->peer_fwd || packet->buf_alloc != conn->peer_alloc)
		conn->begged = false;
	conn->peer_alloc = packet->buf_alloc;
	conn->peer_fwd = packet->fwd_cnt;
	if (conn->state == VSOCK_OPEN)
		on_open(conn, packet);
	else if (conn->state == VSOCK_ASKING && packet->op == VSOCK_OP_RESPONSE)
		vsock_conn_accepted(conn);
	else if (conn->state == VSOCK_CONNECTING && packet->op == VSOCK_OP_SHUTDOWN)
		vsock_conn_reset(conn); /* it has changed its mind */
	else if (conn->state != VSOCK_DEAD)
		vsock_conn_reset(conn);
	vsock_conn_settle(conn);
}

/* The chain just taken. False: it is no packet. */
static bool serve_chain(struct vsock *vs, size_t *bytes)
{
	uint8_t header[VSOCK_HEADER];
	struct vsock_packet packet;

	if (vq_chain_read(&vs->chain, 0, header, sizeof(header)) < sizeof(header)) {
		virtio_dev_broken(vs->dev, "a packet shorter than its header");
		return false;
	}
	parse(header, &packet);
	if (packet.len > vs->chain.out_len - VSOCK_HEADER) {
		virtio_dev_broken(vs->dev, "a packet longer than its buffers");
		return false;
	}
	*bytes += packet.len;
	on_packet(vs, &packet);
	return true;
}

void vsock_serve_tx(struct vsock *vs)
{
	struct virtio_dev *dev = vs->dev;
	unsigned chains = 0;
	size_t bytes = 0;

	vs->tx_waits = false;
	for (;;) {
		/* Each packet may need an answer that has to wait for a buffer of the guest. */
		if (vs->reply_count == VSOCK_REPLIES) {
			vs->tx_waits = true;
			break;
		}
		if (!virtio_take(dev, VSOCK_TX, &vs->chain))
			break;
		(void)serve_chain(vs, &bytes);
		vq_push(&dev->queues[VSOCK_TX], vs->chain.head, 0);
		if (++chains == BATCH_CHAINS || bytes >= BATCH_BYTES) {
			virtio_kick(dev, VSOCK_TX);
			break;
		}
	}
	virtio_signal(dev, VSOCK_TX);
	vsock_serve_guest(vs);
}
