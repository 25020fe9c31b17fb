/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets between guest and host: the guest connects to port 700 of the host and talks, is refused at port
 * 701, then serves an echo at port 1234 for as many connections as conns= says (all at once, if they come
 * so). The test outside plays the host's programs.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum {
	REQUEST = 1,
	RESPONSE,
	RST,
	SHUTDOWN,
	RW,
	CREDIT_UPDATE,
	CREDIT_REQUEST,
	STREAM = 1,
	BUFS = 16,
	DATA = 4096,
	ROOM = 16384, /* credit that we give */
	MAX_CONNS = 64,
	ECHO_PORT = 1234,
	OUR_PORT = 5000,
};

struct header {
	u64 src_cid, dst_cid;
	u32 src_port, dst_port, len;
	u16 type, op;
	u32 flags, buf_alloc, fwd_cnt;
} __attribute__((packed));

struct packet {
	struct header h;
	u8 data[DATA];
} __attribute__((packed));

struct conn {
	bool used;
	u32 host_port, our_port;
	u32 sent, got; /* bytes */
	u32 peer_alloc, peer_fwd;
};

static struct vdevice dev;
static struct vqueue rx, tx, events;
static struct packet in[BUFS], out;
static struct conn conns[MAX_CONNS];
static u32 cid;

static void post(u32 i)
{
	struct vbuf buf = { (uptr)&in[i], sizeof(in[i]), true };

	virtio_put(&rx, i, &buf, 1, false);
	virtio_kick(&dev, &rx);
}

static void send(struct conn *c, u32 op, u32 flags, u32 len)
{
	struct vbuf bufs[2] = { { (uptr)&out.h, sizeof(out.h), false },
				{ (uptr)out.data, len, false } };
	struct vused_elem elem;

	out.h = (struct header){
		.src_cid = cid,
		.dst_cid = 2,
		.src_port = c->our_port,
		.dst_port = c->host_port,
		.len = len,
		.type = STREAM,
		.op = (u16)op,
		.flags = flags,
		.buf_alloc = ROOM,
		.fwd_cnt = c->got,
	};
	virtio_put(&tx, 0, bufs, len ? 2 : 1, false);
	virtio_kick(&dev, &tx);
	if (!virtio_take(&tx, &elem))
		fail(2, "a packet was not taken; status %x", virtio_status(&dev));
	c->sent += op == RW ? len : 0;
}

/* The next packet; its buffer is number *@slot, to be posted again. */
static struct packet *receive(u32 *slot)
{
	struct vused_elem elem;
	struct packet *p;

	if (!virtio_take(&rx, &elem))
		fail(3, "no packet came; status %x", virtio_status(&dev));
	CHECK(elem.id < BUFS, 4);
	p = &in[elem.id];
	CHECK(elem.len == sizeof(p->h) + p->h.len, 5);
	CHECK(p->h.src_cid == 2 && p->h.dst_cid == cid && p->h.type == STREAM, 6);
	*slot = elem.id;
	return p;
}

static void expect(struct conn *c, u32 op)
{
	u32 slot;
	struct packet *p = receive(&slot);

	if (p->h.op != op || p->h.src_port != c->host_port || p->h.dst_port != c->our_port)
		fail(7, "packet %u of port %u, not %u of %u", (u32)p->h.op, p->h.src_port, op,
		     c->host_port);
	c->got += p->h.len;
	post(slot);
}

static void connect_out(void)
{
	struct conn c = { true, 701, OUR_PORT, 0, 0, 0, 0 };

	send(&c, REQUEST, 0, 0);
	expect(&c, RST);
	print("vsock: refused\n");
	c.host_port = 700;
	send(&c, REQUEST, 0, 0);
	expect(&c, RESPONSE);
	memcpy(out.data, "hello from the guest\n", 21);
	send(&c, RW, 0, 21);
	expect(&c, RW);
	CHECK(c.got == 20, 8);
	send(&c, SHUTDOWN, 3, 0);
	expect(&c, RST);
	print("vsock: connected\n");
}

static struct conn *find(u32 host_port)
{
	for (u32 i = 0; i < MAX_CONNS; i++)
		if (conns[i].used && conns[i].host_port == host_port)
			return &conns[i];
	return 0;
}

static struct conn *find_free(void)
{
	for (u32 i = 0; i < MAX_CONNS; i++)
		if (!conns[i].used)
			return &conns[i];
	fail(9, "more connections than were announced");
}

/* Sends back what came, which the host's credit has room for since each waits for its echo. */
static void echo(struct conn *c, const struct packet *p)
{
	c->got += p->h.len;
	CHECK(c->sent + p->h.len - c->peer_fwd <= c->peer_alloc, 10);
	memcpy(out.data, p->data, p->h.len);
	send(c, RW, 0, p->h.len);
}

/* One packet of the echo; true if a connection is over. */
static bool serve(void)
{
	u32 slot;
	struct packet *p = receive(&slot);
	struct conn *c = find(p->h.src_port);
	bool over = false;

	if (p->h.op == REQUEST) {
		CHECK(!c && p->h.dst_port == ECHO_PORT, 11);
		c = find_free();
		*c = (struct conn){ true, p->h.src_port,  ECHO_PORT,   0,
				    0,	  p->h.buf_alloc, p->h.fwd_cnt };
		send(c, RESPONSE, 0, 0);
		post(slot);
		return false;
	}
	/* The device gives us some seconds to answer its SHUTDOWN; where the host stood still, both answers cross. */
	if (!c && p->h.op == RST) {
		post(slot);
		return false;
	}
	if (!c)
		fail(12, "packet %u of port %u, which is not connected", (u32)p->h.op,
		     p->h.src_port);
	c->peer_alloc = p->h.buf_alloc;
	c->peer_fwd = p->h.fwd_cnt;
	if (p->h.op == RW)
		echo(c, p);
	else if (p->h.op == SHUTDOWN && p->h.flags == 2)
		send(c, SHUTDOWN, 3, 0); /* the host has said all, and so have we */
	else if (p->h.op == SHUTDOWN)
		send(c, RST, 0, 0);
	else if (p->h.op == CREDIT_REQUEST)
		send(c, CREDIT_UPDATE, 0, 0);
	else
		CHECK(p->h.op == RST || p->h.op == CREDIT_UPDATE, 13);
	if (p->h.op == RST || (p->h.op == SHUTDOWN && p->h.flags == 3)) {
		c->used = false;
		over = true;
	}
	post(slot);
	return over;
}

u32 guest_main(void)
{
	u32 left = (u32)cmdline_number("conns", 1);
	u64 give_up;

	if (!virtio_find(&dev, VIRTIO_VSOCK, 0))
		fail(1, "no virtio-vsock");
	for (u32 turn = 0; turn < 2; turn++) { /* the second time: again after a reset */
		CHECK(virtio_begin(&dev, turn ? VF_EVENT_IDX : 0), 14);
		CHECK(virtio_queue(&dev, &rx, 0, BUFS), 15);
		CHECK(virtio_queue(&dev, &tx, 1, turn ? 64 : 2), 15);
		CHECK(virtio_queue(&dev, &events, 2, 4), 15);
		virtio_go(&dev);
		cid = mmio_read32(dev.base + VM_CONFIG);
		for (u32 i = 0; i < BUFS; i++)
			post(i);
		connect_out();
	}
	print("vsock: %u, ready\n", cid);
	while (left)
		if (serve())
			left--;
	/* A packet that is none breaks the device and nothing else. */
	virtio_put(&tx, 0, &(struct vbuf){ (uptr)&out, 43, false }, 1, false);
	virtio_kick(&dev, &tx);
	give_up = plat_cycles() + PATIENCE;
	while (!(virtio_status(&dev) & VS_NEEDS_RESET)) {
		CHECK(plat_cycles() < give_up, 16);
		plat_relax();
	}
	print("vsock: all is well\n");
	return 0;
}
