/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside virtio-vsock (virtio 1.3, section 5.10): what vsock.c (the device and what goes to the guest),
 * vsock_guest.c (what comes from it), vsock_conn.c (a connection and the host's socket), vsock_table.c
 * (where they are found) and vsock_client.c (clients of the host) share. All of it runs on the loop's
 * thread.
 *
 * A connection is a stream socket of the host and a pair of ports. Bytes for the guest are read from the
 * socket straight when the guest has room for them, so they wait in the host's kernel and nowhere else.
 * Bytes of the guest that the host does not take wait in a buffer of the connection's, as long as
 * the credit that it was given at most.
 */
#ifndef VIRTIO_VSOCK_H
#define VIRTIO_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/devices.h"
#include "virtio/take.h"

enum {
	VSOCK_RX, /* queues, as the guest calls them */
	VSOCK_TX,
	VSOCK_EVENT,
	VSOCK_QUEUES,
};

enum {
	VSOCK_HEADER = 44,	 /* bytes (5.10.6) */
	VSOCK_PIECE = 64 * 1024, /* of data in one packet, at most */
	VSOCK_BUCKETS = 1024,	 /* of the table of connections */
	VSOCK_REPLIES = 64,	 /* to packets of no connection, that wait for a buffer */
	VSOCK_ROOM = 64 * 1024,	 /* credit of a connection */
	VSOCK_ROOM_SMALL = 8192, /* of each beyond the first VSOCK_ROOMY */
	VSOCK_ROOMY = 256,
	VSOCK_LINE = 32, /* bytes of "CONNECT PORT\n" */
};

#define VSOCK_HOST_CID UINT64_C(2)

enum vsock_op {
	VSOCK_OP_REQUEST = 1,
	VSOCK_OP_RESPONSE = 2,
	VSOCK_OP_RST = 3,
	VSOCK_OP_SHUTDOWN = 4,
	VSOCK_OP_RW = 5,
	VSOCK_OP_CREDIT_UPDATE = 6,
	VSOCK_OP_CREDIT_REQUEST = 7,
};

enum { VSOCK_TYPE_STREAM = 1 };

/* Flags of a shutdown (5.10.6.6), and what a side has said in all. */
enum {
	VSOCK_NO_RECEIVE = 1,
	VSOCK_NO_SEND = 2,
	VSOCK_NOTHING = 3,
};

/* A packet's header, as numbers. */
struct vsock_packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len; /* of the data */
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc, fwd_cnt;
};

enum vsock_state {
	VSOCK_FREE,
	VSOCK_HELLO,	  /* a client of the host has not said yet where it wants to go */
	VSOCK_ASKING,	  /* the guest is asked for it */
	VSOCK_CONNECTING, /* the host's side is being connected */
	VSOCK_OPEN,
	VSOCK_DEAD, /* only a reset for the guest is left of it */
};

/* What is to be said to the guest of a connection; bits 1 << op. */
#define VSOCK_SAY(op) (1U << VSOCK_OP_##op)

struct vsock;

struct vsock_conn {
	struct vsock *vsock;
	struct vsock_conn *bucket_next;
	struct vsock_conn *ready_next, *ready_prev; /* while @ready */
	bool ready; /* in the list of those that have something for the guest */
	enum vsock_state state;
	uint32_t serial; /* of what has this slot now */
	int fd;		 /* -1: none (yet, or any more) */
	uint32_t events; /* that the loop waits for; 0: none */
	uint32_t host_port, guest_port;
	unsigned say;	     /* VSOCK_SAY bits */
	bool readable;	     /* the socket may have bytes */
	bool host_end;	     /* it has no more */
	bool host_deaf;	     /* it takes no more */
	bool cut;	     /* it was told that the guest sends no more */
	bool begged;	     /* for credit, since the last that was given */
	uint32_t guest_shut; /* VSOCK_NO_ bits that the guest has said */
	uint32_t told_shut;  /* that we have said, or are about to */
	uint64_t deadline;   /* ns of CLOCK_MONOTONIC, 0: none */

	/* Credit (5.10.6.3): bytes of the guest, and bytes for it; counters wrap. */
	uint32_t room;	   /* what we promise */
	uint32_t rx_cnt;   /* taken from the guest */
	uint32_t fwd_cnt;  /* of those, gone on to the host */
	uint32_t fwd_told; /* as the guest knows it */
	uint32_t tx_cnt;   /* sent to the guest */
	uint32_t peer_alloc, peer_fwd;

	uint8_t *buf; /* @room bytes while something waits there; else NULL */
	uint32_t buf_start, buf_len;
	char line[VSOCK_LINE];
	uint32_t line_len;
};

/* A reset for somebody who is not connected. */
struct vsock_reply {
	uint64_t cid; /* whom it comes from */
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct vsock {
	struct virtio_dev *dev;
	struct virtio_vsock_config config;
	struct loop_timer *timer; /* owned by the loop */
	bool timer_armed;
	bool listening;
	bool tx_waits; /* for room in @replies */

	struct vsock_conn *conns; /* config.conns of them */
	unsigned count;		  /* in use */
	unsigned free_hint;
	uint32_t serial;
	uint32_t next_port;
	struct vsock_conn *buckets[VSOCK_BUCKETS];
	struct vsock_conn *ready_first, *ready_last;

	struct vsock_reply replies[VSOCK_REPLIES];
	unsigned reply_first, reply_count;

	struct vq_chain chain;
	uint8_t piece[VSOCK_PIECE];
};

/* vsock.c: has the guest served as soon as it has buffers. */
void vsock_serve_guest(struct vsock *vs);

/* Answers @packet, which belongs to no connection, with a reset. There is room (reply_count). */
void vsock_reply_reset(struct vsock *vs, const struct vsock_packet *packet);

/* vsock_guest.c: chains of the guest. */
void vsock_serve_tx(struct vsock *vs);

/* vsock_table.c. */

/* The connection with these ports, in whatever state but VSOCK_HELLO; NULL: there is none. */
struct vsock_conn *vsock_find(struct vsock *vs, uint32_t host_port, uint32_t guest_port);

/* A slot in state @state that vsock_find does not find yet; NULL: there is none. */
struct vsock_conn *vsock_take_slot(struct vsock *vs, enum vsock_state state);

/* Found by its ports from now on, or no more. */
void vsock_enter_table(struct vsock_conn *conn);
void vsock_leave_table(struct vsock_conn *conn);

/* At the end of the list of those that have something for the guest, or out of it. */
void vsock_enter_ready(struct vsock_conn *conn);
void vsock_leave_ready(struct vsock_conn *conn);

/* vsock_conn.c. */

/* A connection with ports, or NULL: there are as many as there may be. */
struct vsock_conn *vsock_conn_new(struct vsock *vs, uint32_t host_port, uint32_t guest_port);

/* Makes @fd its socket. 0, or -errno: @fd is closed. */
int vsock_conn_adopt(struct vsock_conn *conn, int fd);

/* Ends it: without a word, or with a reset for the guest. */
void vsock_conn_free(struct vsock_conn *conn);
void vsock_conn_reset(struct vsock_conn *conn);
void vsock_free_all(struct vsock *vs);

/* What has changed may want other events of the socket, a packet for the guest, or be the end. */
void vsock_conn_settle(struct vsock_conn *conn);

/* Bytes that the guest has room for. */
uint32_t vsock_credit(const struct vsock_conn *conn);

/* Whether there is a packet for the guest. */
bool vsock_has_packet(const struct vsock_conn *conn);

/* Takes @len bytes of the guest, that fit its credit, on to the host. */
void vsock_conn_take(struct vsock_conn *conn, const uint8_t *data, uint32_t len);

/* At most @max bytes for the guest to @to: how many; 0 if there are none (now, or any more). */
uint32_t vsock_conn_read(struct vsock_conn *conn, uint8_t *to, uint32_t max);

/* The guest said yes to a client of the host. */
void vsock_conn_accepted(struct vsock_conn *conn);

/* A time after which the connection is reset, 0: none. */
void vsock_conn_deadline(struct vsock_conn *conn, unsigned seconds);

/* The timer of deadlines, and of a pause in listening: vsock_tick a second from now at the latest. */
void vsock_arm(struct vsock *vs);
void vsock_tick(void *opaque);

/* vsock_client.c. */

/* Clients of the host are waited for, or not. */
void vsock_listen(struct vsock *vs, bool on);

/* A client in state VSOCK_HELLO has sent something, or hung up: it may be gone afterwards. */
void vsock_client_speaks(struct vsock_conn *conn);

#endif
