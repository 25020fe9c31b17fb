/* SPDX-License-Identifier: BSD-2-Clause */
/* On the bench: a network card with two pairs of queues, a tap's code and a socket pair behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/bench.h"
#include "tests/lib/net_rig.h"

enum {
	PAIRS = 2,
	PLAIN = 600,	/* bytes of a frame that is nothing special */
	PAYLOAD = 3000, /* of one that is to be segmented, in pieces of SEGMENT */
	SEGMENT = 1000,
	BUFFER = 0x4000, /* that the guest offers */
	SMALL = 400,	 /* when frames may lie in several */
	STALE = 4,	 /* frames at most from before a reset */
	CLASS_RX = 0,
	CLASS_MAC = 1,
	CLASS_MQ = 4,
	CLASS_OFFLOADS = 5,
	RX_PROMISC = 0,
	RX_ALLUNI = 2,
};

struct net_bench {
	struct net_rig net;
	uint64_t features; /* effective */
	uint8_t frame[NET_FRAME_MAX], got[NET_FRAME_MAX];
};

static void net_open(struct bench *b)
{
	struct net_bench *n = calloc(1, sizeof(*n));

	assert_non_null(n);
	net_rig_open(&n->net, PAIRS);
	b->rig = &n->net.rig;
	b->priv = n;
}

static void net_close(struct bench *b)
{
	struct net_bench *n = b->priv;

	net_rig_close(&n->net);
	free(n);
}

static unsigned net_queues(uint64_t features)
{
	return features & NET_F_MQ ? PAIRS * 2 + 1 : 3;
}

static void plain(struct net_bench *n)
{
	for (unsigned i = 0; i < PLAIN; i++)
		n->frame[i] = (uint8_t)(i * 31 + 5);
	memcpy(n->frame, net_rig_mac, sizeof(net_rig_mac));
}

/* n->frame goes out by pair @pair as it is, or, if it may not, is lost. */
static void sends(struct bench *b, unsigned pair, struct net_hdr hdr, size_t len, bool may)
{
	const struct dr_buf bufs[] = { { NET_RIG_HDR_AT, NET_HDR_SIZE, false },
				       { NET_RIG_FRAME_AT, (uint32_t)len, false } };
	struct net_bench *n = b->priv;
	struct net_hdr out;

	net_hdr_store(rig_at(b->rig, NET_RIG_HDR_AT), &hdr);
	memcpy(rig_at(b->rig, NET_RIG_FRAME_AT), n->frame, len);
	assert_int_equal(bench_do(b, pair * 2 + 1, bufs, 2), 0);
	assert_int_equal(net_rig_sent(&n->net, pair, &out, n->got, sizeof(n->got)),
			 may ? (ssize_t)len : -1);
	if (!may)
		return;
	assert_memory_equal(n->got, n->frame, len);
	assert_int_equal(out.gso_type, hdr.gso_type);
	assert_int_equal(out.gso_size, hdr.gso_size);
	assert_int_equal(out.csum_start, hdr.csum_start);
}

/* The next frame in a buffer of the guest: its length. */
static uint32_t arrives(struct bench *b, unsigned pair, struct net_hdr *hdr)
{
	struct net_bench *n = b->priv;
	uint32_t id, len;

	bench_await(b, pair * 2, &id, &len);
	assert_int_equal(id, 0);
	assert_true(len >= NET_HDR_SIZE && len <= BUFFER);
	net_hdr_load(hdr, rig_at(b->rig, NET_RIG_RX_AT));
	memcpy(n->got, rig_at(b->rig, NET_RIG_RX_AT + NET_HDR_SIZE), len - NET_HDR_SIZE);
	return len - NET_HDR_SIZE;
}

/* n->frame comes in by pair @pair. Before it may come what a reset left in the tap. */
static void receives(struct bench *b, unsigned pair, struct net_hdr hdr, size_t len)
{
	const struct dr_buf buf = { NET_RIG_RX_AT, BUFFER, true };
	struct net_bench *n = b->priv;
	struct net_hdr in;
	unsigned stale = 0;

	rig_settle(b->rig);
	assert_true(net_rig_put(&n->net, pair, &hdr, n->frame, len));
	bench_offer(b, pair * 2, 0, &buf, 1);
	while (arrives(b, pair, &in) != len) {
		assert_true(stale++ < STALE);
		bench_offer(b, pair * 2, 0, &buf, 1);
	}
	assert_memory_equal(n->got, n->frame, len);
	assert_int_equal(in.gso_type, hdr.gso_type);
	assert_int_equal(in.gso_size, hdr.gso_size);
	if (b->rig->features & NET_F_MRG_RXBUF)
		assert_int_equal(in.num_buffers, 1);
}

/* The plain frame in two buffers, neither of which would hold it. */
static void merges(struct bench *b)
{
	struct net_bench *n = b->priv;
	uint32_t id, len, sum = 0;

	rig_settle(b->rig);
	assert_true(net_rig_put(&n->net, 0, &(struct net_hdr){ 0 }, n->frame, PLAIN));
	for (unsigned i = 0; i < 2; i++)
		bench_offer(b, 0, (uint16_t)i,
			    &(struct dr_buf){ NET_RIG_RX_AT + i * SMALL, SMALL, true }, 1);
	for (unsigned i = 0; i < 2; i++) {
		bench_await(b, 0, &id, &len);
		assert_int_equal(id, i);
		sum += len;
	}
	assert_int_equal(sum, NET_HDR_SIZE + PLAIN);
	assert_memory_equal(rig_at(b->rig, NET_RIG_RX_AT + NET_HDR_SIZE), n->frame, PLAIN);
	assert_int_equal(le16_load(rig_at(b->rig, NET_RIG_RX_AT + 10)), 2);
}

/* A command by the control queue, which is accepted if @may. */
static void command(struct bench *b, uint8_t class, uint8_t what, const void *data, uint32_t len,
		    bool may)
{
	const struct dr_buf bufs[] = { { NET_RIG_HDR_AT, 2, false },
				       { NET_RIG_FRAME_AT, len, false },
				       { NET_RIG_HDR_AT + 16, 1, true } };
	uint8_t *raw = rig_at(b->rig, NET_RIG_HDR_AT);

	raw[0] = class;
	raw[1] = what;
	raw[16] = 0xee;
	memcpy(rig_at(b->rig, NET_RIG_FRAME_AT), data, len);
	assert_int_equal(bench_do(b, net_queues(b->rig->features) - 1, bufs, 3), 1);
	assert_int_equal(raw[16], !may);
}

static void commands(struct bench *b)
{
	static const uint8_t on = 1, off = 0, one[2] = { 1 }, two[2] = { PAIRS };
	struct net_bench *n = b->priv;
	const uint64_t features = n->features;
	uint8_t offloads[8];

	command(b, CLASS_RX, RX_PROMISC, &on, 1, features & NET_F_CTRL_RX);
	command(b, CLASS_RX, RX_ALLUNI, &off, 1, features & NET_F_CTRL_RX_EXTRA);
	command(b, CLASS_MAC, 1, net_rig_mac, sizeof(net_rig_mac), features & NET_F_CTRL_MAC_ADDR);
	le64_store(offloads, features & (NET_F_GUEST_CSUM | NET_GUEST_GSO));
	command(b, CLASS_OFFLOADS, 0, offloads, 8, features & NET_F_GUEST_OFFLOADS);
	command(b, CLASS_MQ, 0, two, 2, features & NET_F_MQ);
	if (!(features & NET_F_MQ))
		return;
	plain(n);
	sends(b, 1, (struct net_hdr){ 0 }, PLAIN, true);
	receives(b, 1, (struct net_hdr){ 0 }, PLAIN);
	command(b, CLASS_MQ, 0, one, 2, true);
}

static void net_drive(struct bench *b)
{
	struct net_bench *n = b->priv;
	struct net_hdr hdr;
	size_t len;

	n->features = net_features_effective(b->rig->features);
	for (unsigned i = 0; b->fresh && i < PAIRS; i++)
		while (net_rig_sent(&n->net, i, &hdr, n->got, sizeof(n->got)) >= 0)
			;
	plain(n);
	sends(b, 0, (struct net_hdr){ 0 }, PLAIN, true);
	receives(b, 0, (struct net_hdr){ 0 }, PLAIN);
	if ((n->features & NET_F_MRG_RXBUF) && b->rig->ring_size > 1)
		merges(b);
	for (int v6 = 0; v6 < 2; v6++) {
		len = frame_tcp(n->frame, v6, PAYLOAD);
		memcpy(n->frame, net_rig_mac, sizeof(net_rig_mac));
		sends(b, 0, frame_tcp_hdr(v6, SEGMENT), len,
		      n->features & (v6 ? NET_F_HOST_TSO6 : NET_F_HOST_TSO4));
		sends(b, 0, frame_tcp_hdr(v6, 0), len, n->features & NET_F_CSUM);
		if (n->features & (v6 ? NET_F_GUEST_TSO6 : NET_F_GUEST_TSO4))
			receives(b, 0, frame_tcp_hdr(v6, SEGMENT), len);
	}
	len = frame_udp(n->frame, PAYLOAD);
	memcpy(n->frame, net_rig_mac, sizeof(net_rig_mac));
	sends(b, 0, frame_udp_hdr(SEGMENT), len, n->features & NET_F_HOST_USO);
	if (n->features & NET_F_CTRL_VQ)
		commands(b);
}

const struct bench_kind bench_net = {
	.name = "net",
	.open = net_open,
	.close = net_close,
	.queues = net_queues,
	.drive = net_drive,
	.needs = {
		{ NET_HOST_GSO, NET_F_CSUM },
		{ NET_F_HOST_ECN, NET_F_HOST_TSO4 | NET_F_HOST_TSO6 },
		{ NET_GUEST_GSO, NET_F_GUEST_CSUM },
		{ NET_F_GUEST_ECN, NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 },
		{ NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA | NET_F_MQ | NET_F_CTRL_MAC_ADDR |
			  NET_F_GUEST_OFFLOADS,
		  NET_F_CTRL_VQ },
	},
};
