/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-vsock on the bench, with a guest that speaks by rings, programs of the host that speak
 * by sockets, and a connector: all played by the test.
 */
#ifndef TESTS_LIB_VSOCK_RIG_H
#define TESTS_LIB_VSOCK_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "tests/lib/dev_rig.h"
#include "tests/lib/vsock_packet.h"

enum {
	VSOCK_RX,
	VSOCK_TX,
	VSOCK_EVENT,
	VSOCK_CID = 77,
	GUEST_PORT = 1234,
	HOST_PORT = 99,
	TX_AT = RIG_DATA,	     /* packets of the guest */
	RX_AT = RIG_DATA + 0x100000, /* its buffers, RX_SIZE each */
	RX_SIZE = 0x2000,
	ROOM = 64 * 1024,
};

struct vsock_rig {
	struct dev_rig rig;
	struct sockaddr_un address;
	socklen_t address_len;
	int listen_fd;
	/* What the device asked the connector. */
	unsigned asked;
	uint32_t port;
	uint64_t cookie;
	int refuse; /* -errno: at once */
	/* The guest's. */
	uint32_t buf_alloc, fwd_cnt;
	unsigned posted; /* buffers, round and round */
	uint64_t cid;	 /* that it says it has */
};

/* The guest offers @count more buffers. */
void vsock_rig_post(struct vsock_rig *v, unsigned count);

/* From reset to a driver that has filled its receive ring. */
void vsock_rig_start(struct vsock_rig *v);

/* A device for @conns connections, and a guest with rings of @ring_size entries, started. */
void vsock_rig_open(struct vsock_rig *v, unsigned conns, unsigned ring_size);

/* Frees all but what the test has connected. */
void vsock_rig_close(struct vsock_rig *v);

/* Lays the header @p where the guest sends from. */
void vsock_rig_put(struct vsock_rig *v, const struct vsock_packet *p);

/* A header of the guest to @host_port, with the credit that it has. */
struct vsock_packet vsock_rig_packet(const struct vsock_rig *v, unsigned op, uint32_t host_port);

/* Sends @p with @len bytes of @data; a header and data that are cut anywhere mean the same. */
void vsock_rig_send(struct vsock_rig *v, struct vsock_packet p, const void *data, uint32_t len);

/* Sends a packet without data. */
void vsock_rig_say(struct vsock_rig *v, unsigned op, uint32_t host_port, uint32_t flags);

/* The next packet for the guest, whose data is copied to @data; false: none. Posts its buffer again. */
bool vsock_rig_next(struct vsock_rig *v, struct vsock_packet *p, void *data);

/* The next packet, which has to be an @op. */
struct vsock_packet vsock_rig_expect(struct vsock_rig *v, unsigned op);

/* Nothing is there for the guest. */
void vsock_rig_quiet(struct vsock_rig *v);

/* Connections in use. */
unsigned vsock_rig_conns(struct vsock_rig *v);

/* A program of the host that connects. */
int vsock_rig_client(struct vsock_rig *v);

/* A program of the host writes @text, which has to fit. */
void vsock_rig_tell(int fd, const char *text);

/* Connected from the host; *@port is the host's. */
int vsock_rig_from_host(struct vsock_rig *v, uint32_t *port);

/* Connected from the guest to HOST_PORT: the host's end. */
int vsock_rig_from_guest(struct vsock_rig *v);

#endif
