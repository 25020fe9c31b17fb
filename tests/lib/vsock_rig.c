/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-vsock on the bench: its guest, the host's programs and the connector. */
#include "tests/lib/vsock_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "virtio/devices.h"

static int on_connect(void *opaque, uint32_t port, uint64_t cookie)
{
	struct vsock_rig *v = opaque;

	v->asked++;
	v->port = port;
	v->cookie = cookie;
	return v->refuse;
}

void vsock_rig_post(struct vsock_rig *v, unsigned count)
{
	while (count--) {
		unsigned slot = v->posted++ % v->rig.ring_size;

		rig_offer(&v->rig, VSOCK_RX, (uint16_t)slot,
			  &(struct dr_buf){ RX_AT + slot * RX_SIZE, RX_SIZE, true }, 1);
	}
	rig_settle(&v->rig);
}

void vsock_rig_start(struct vsock_rig *v)
{
	rig_start(&v->rig, 0, 3);
	v->posted = 0;
	vsock_rig_post(v, v->rig.ring_size);
}

void vsock_rig_open(struct vsock_rig *v, unsigned conns, unsigned ring_size)
{
	struct virtio_vsock_config config = {
		.cid = VSOCK_CID, .conns = conns, .connect = on_connect, .opaque = v
	};

	*v = (struct vsock_rig){ .buf_alloc = 100000, .cid = VSOCK_CID };
	signal(SIGPIPE, SIG_IGN);
	v->listen_fd = vsock_rig_listen(&v->address, &v->address_len);
	config.listen_fd = v->listen_fd;
	rig_init(&v->rig);
	v->rig.ring_size = ring_size;
	assert_int_equal(virtio_vsock_create(&config, v->rig.mem, v->rig.loop, &v->rig.dev), 0);
	vsock_rig_start(v);
}

void vsock_rig_close(struct vsock_rig *v)
{
	rig_fini(&v->rig);
	close(v->listen_fd);
}

void vsock_rig_put(struct vsock_rig *v, const struct vsock_packet *p)
{
	vsock_packet_store(rig_at(&v->rig, TX_AT), p);
}

struct vsock_packet vsock_rig_packet(const struct vsock_rig *v, unsigned op, uint32_t host_port)
{
	return (struct vsock_packet){
		.src_cid = v->cid,
		.dst_cid = 2,
		.src_port = GUEST_PORT,
		.dst_port = host_port,
		.type = 1,
		.op = (uint16_t)op,
		.buf_alloc = v->buf_alloc,
		.fwd_cnt = v->fwd_cnt,
	};
}

void vsock_rig_send(struct vsock_rig *v, struct vsock_packet p, const void *data, uint32_t len)
{
	const struct dr_buf bufs[] = {
		{ TX_AT, 20, false },
		{ TX_AT + 20, VSOCK_HEADER - 20 + len, false },
	};

	p.len = len;
	vsock_rig_put(v, &p);
	if (len)
		memcpy(rig_at(&v->rig, TX_AT + VSOCK_HEADER), data, len);
	if (v->rig.ring_size == 1)
		rig_offer(&v->rig, VSOCK_TX, 0,
			  &(struct dr_buf){ TX_AT, VSOCK_HEADER + len, false }, 1);
	else
		rig_offer(&v->rig, VSOCK_TX, 0, bufs, 2);
	rig_settle(&v->rig);
	while (dr_take_used(&v->rig.ring[VSOCK_TX], NULL, NULL))
		;
}

void vsock_rig_say(struct vsock_rig *v, unsigned op, uint32_t host_port, uint32_t flags)
{
	struct vsock_packet p = vsock_rig_packet(v, op, host_port);

	p.flags = flags;
	vsock_rig_send(v, p, NULL, 0);
}

bool vsock_rig_next(struct vsock_rig *v, struct vsock_packet *p, void *data)
{
	uint32_t id, len;
	const uint8_t *h;

	rig_settle(&v->rig);
	if (!dr_take_used(&v->rig.ring[VSOCK_RX], &id, &len))
		return false;
	h = rig_at(&v->rig, RX_AT + id * RX_SIZE);
	*p = vsock_packet_load(h);
	assert_int_equal(len, VSOCK_HEADER + p->len);
	if (data)
		memcpy(data, h + VSOCK_HEADER, p->len);
	rig_offer(&v->rig, VSOCK_RX, (uint16_t)id,
		  &(struct dr_buf){ RX_AT + (uint64_t)id * RX_SIZE, RX_SIZE, true }, 1);
	return true;
}

struct vsock_packet vsock_rig_expect(struct vsock_rig *v, unsigned op)
{
	struct vsock_packet p = { 0 };

	assert_true(vsock_rig_next(v, &p, NULL));
	assert_int_equal(p.op, op);
	return p;
}

void vsock_rig_quiet(struct vsock_rig *v)
{
	struct vsock_packet p;

	assert_false(vsock_rig_next(v, &p, NULL));
}

unsigned vsock_rig_conns(struct vsock_rig *v)
{
	unsigned n;

	virtio_vsock_look(v->rig.dev, &n);
	return n;
}

int vsock_rig_client(struct vsock_rig *v)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&v->address, v->address_len), 0);
	return fd;
}

void vsock_rig_tell(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

int vsock_rig_from_host(struct vsock_rig *v, uint32_t *port)
{
	char line[64] = "", want[64];
	int fd = vsock_rig_client(v);
	struct vsock_packet p;

	vsock_rig_tell(fd, "CONNECT 1234\n");
	p = vsock_rig_expect(v, REQUEST);
	assert_int_equal(p.src_cid, 2);
	assert_int_equal(p.dst_cid, VSOCK_CID);
	assert_int_equal(p.dst_port, GUEST_PORT);
	assert_int_equal(p.type, 1);
	assert_int_equal(p.len, 0);
	assert_int_equal(p.buf_alloc, ROOM);
	*port = p.src_port;
	assert_int_equal(read(fd, line, sizeof(line)), -1);
	vsock_rig_say(v, RESPONSE, *port, 0);
	(void)snprintf(want, sizeof(want), "OK %u\n", *port);
	assert_int_equal(read(fd, line, sizeof(line) - 1), strlen(want));
	assert_string_equal(line, want);
	return fd;
}

int vsock_rig_from_guest(struct vsock_rig *v)
{
	int ends[2];
	unsigned before = v->asked;

	vsock_rig_say(v, REQUEST, HOST_PORT, 0);
	assert_int_equal(v->asked, before + 1);
	assert_int_equal(v->port, HOST_PORT);
	vsock_rig_quiet(v);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	virtio_vsock_connected(v->rig.dev, v->cookie, ends[0]);
	vsock_rig_expect(v, RESPONSE);
	return ends[1];
}
