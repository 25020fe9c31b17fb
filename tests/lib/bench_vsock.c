/* SPDX-License-Identifier: BSD-2-Clause */
/* On the bench: sockets, with a listening socket of the host and a connector that is the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/bench.h"
#include "tests/lib/vsock_packet.h"
#include "virtio/devices.h"

enum {
	RX,
	TX,
	QUEUES = 3,
	CID = 77,
	GUEST_PORT = 1234,
	HOST_PORT = 99,
	TX_AT = RIG_DATA,
	DATA_AT = RIG_DATA + 0x1000,
	RX_AT = RIG_DATA + 0x10000,
	RX_SIZE = 0x1000,
	BUFFERS = 4, /* that the guest has offered, in a ring with room for so many */
};

struct vsock_bench {
	struct dev_rig rig;
	struct sockaddr_un address;
	socklen_t address_len;
	int listen_fd;
	int peer; /* the host's program, or -1 */
	uint64_t cookie;
	uint32_t fwd_cnt;	/* bytes that the guest has taken in this connection */
	uint32_t src_port, len; /* of the last packet that came */
	uint32_t id;		/* and its buffer */
};

static int on_connect(void *opaque, uint32_t port, uint64_t cookie)
{
	struct vsock_bench *v = opaque;

	assert_int_equal(port, HOST_PORT);
	v->cookie = cookie;
	return 0;
}

static void vsock_open(struct bench *b)
{
	struct vsock_bench *v = calloc(1, sizeof(*v));
	struct virtio_vsock_config config = {
		.cid = CID, .conns = 8, .connect = on_connect, .opaque = v
	};

	assert_non_null(v);
	v->peer = -1;
	v->listen_fd = vsock_rig_listen(&v->address, &v->address_len);
	config.listen_fd = v->listen_fd;
	rig_init(&v->rig);
	assert_int_equal(virtio_vsock_create(&config, v->rig.mem, v->rig.loop, &v->rig.dev), 0);
	b->rig = &v->rig;
	b->priv = v;
}

static void hang_up(struct vsock_bench *v)
{
	if (v->peer >= 0)
		(void)close(v->peer);
	v->peer = -1;
}

static void vsock_close(struct bench *b)
{
	struct vsock_bench *v = b->priv;

	hang_up(v);
	rig_fini(&v->rig);
	(void)close(v->listen_fd);
	free(v);
}

static unsigned vsock_queues(uint64_t features)
{
	(void)features;
	return QUEUES;
}

static void post(struct bench *b, uint32_t id)
{
	bench_offer(b, RX, (uint16_t)id, &(struct dr_buf){ RX_AT + id * RX_SIZE, RX_SIZE, true },
		    1);
}

/* The guest says @op of the connection of GUEST_PORT and @host_port. */
static void says(struct bench *b, unsigned op, uint32_t host_port, const char *data, uint32_t flags)
{
	const uint32_t len = (uint32_t)strlen(data);
	const struct dr_buf bufs[] = { { TX_AT, VSOCK_HEADER, false }, { DATA_AT, len, false } };
	struct vsock_bench *v = b->priv;
	const struct vsock_packet p = {
		.src_cid = CID,
		.dst_cid = 2,
		.src_port = GUEST_PORT,
		.dst_port = host_port,
		.len = len,
		.type = 1,
		.op = (uint16_t)op,
		.flags = flags,
		.buf_alloc = 65536,
		.fwd_cnt = v->fwd_cnt,
	};

	vsock_packet_store(rig_at(b->rig, TX_AT), &p);
	memcpy(rig_at(b->rig, DATA_AT), data, len);
	assert_int_equal(bench_do(b, TX, bufs, len ? 2 : 1), 0);
}

/* The next packet for the guest is @op with @data. */
static void hears(struct bench *b, unsigned op, const char *data)
{
	struct vsock_bench *v = b->priv;
	struct vsock_packet p;
	const uint8_t *h;
	uint32_t len;

	bench_await(b, RX, &v->id, &len);
	h = rig_at(b->rig, RX_AT + v->id * RX_SIZE);
	p = vsock_packet_load(h);
	assert_int_equal(len, VSOCK_HEADER + strlen(data));
	assert_int_equal(p.dst_cid, CID);
	assert_int_equal(p.dst_port, GUEST_PORT);
	assert_int_equal(p.len, strlen(data));
	assert_int_equal(p.op, op);
	assert_memory_equal(h + VSOCK_HEADER, data, strlen(data));
	v->src_port = p.src_port;
	v->fwd_cnt += (uint32_t)strlen(data);
	post(b, v->id);
}

static void host_reads(struct vsock_bench *v, const char *text)
{
	char got[64] = "";

	assert_int_equal(read(v->peer, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
}

static void host_writes(struct vsock_bench *v, const char *text)
{
	assert_int_equal(write(v->peer, text, strlen(text)), strlen(text));
}

/* Bytes both ways, a question for credit, and the guest ends it. */
static void talk(struct bench *b, uint32_t host_port)
{
	struct vsock_bench *v = b->priv;

	says(b, RW, host_port, "hello host", 0);
	host_reads(v, "hello host");
	host_writes(v, "hello guest");
	hears(b, RW, "hello guest");
	says(b, CREDIT_REQUEST, host_port, "", 0);
	hears(b, CREDIT_UPDATE, "");
	says(b, SHUTDOWN, host_port, "", 3);
	hears(b, RST, "");
	hang_up(v);
}

static void from_guest(struct bench *b)
{
	struct vsock_bench *v = b->priv;
	int ends[2];

	v->fwd_cnt = 0;
	v->cookie = UINT64_MAX;
	says(b, REQUEST, HOST_PORT, "", 0);
	assert_true(v->cookie != UINT64_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	v->peer = ends[1];
	virtio_vsock_connected(b->rig->dev, v->cookie, ends[0]);
	hears(b, RESPONSE, "");
	talk(b, HOST_PORT);
}

static void from_host(struct bench *b)
{
	struct vsock_bench *v = b->priv;
	char line[64];
	uint32_t port;

	v->fwd_cnt = 0;
	v->peer = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(v->peer >= 0);
	assert_int_equal(connect(v->peer, (struct sockaddr *)&v->address, v->address_len), 0);
	host_writes(v, "CONNECT 1234\n");
	hears(b, REQUEST, "");
	port = v->src_port;
	says(b, RESPONSE, port, "", 0);
	(void)snprintf(line, sizeof(line), "OK %u\n", port);
	host_reads(v, line);
	talk(b, port);
}

/* A client whose guest was reset in the middle has gone since, but what it had asked for is heard first. */
static void turn_away(struct bench *b)
{
	uint32_t id;

	rig_settle(b->rig);
	while (dr_take_used(&b->rig->ring[RX], &id, NULL)) {
		struct vsock_packet p = vsock_packet_load(rig_at(b->rig, RX_AT + id * RX_SIZE));

		assert_int_equal(p.op, REQUEST);
		post(b, id);
		says(b, RST, p.src_port, "", 0);
		rig_settle(b->rig);
	}
}

static void vsock_drive(struct bench *b)
{
	const uint32_t buffers = b->rig->ring_size < BUFFERS ? b->rig->ring_size : BUFFERS;

	for (uint32_t i = 0; b->fresh && i < buffers; i++)
		post(b, i);
	hang_up(b->priv);
	if (b->fresh)
		turn_away(b);
	from_guest(b);
	from_host(b);
}

const struct bench_kind bench_vsock = {
	.name = "vsock",
	.open = vsock_open,
	.close = vsock_close,
	.queues = vsock_queues,
	.drive = vsock_drive,
};
