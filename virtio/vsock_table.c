/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of virtio-vsock's connections: slots that are made once, found by a pair of ports, and the list of
 * those that have something for the guest.
 */
#include "virtio/vsock.h"

static struct vsock_conn **bucket_of(struct vsock *vs, uint32_t host_port, uint32_t guest_port)
{
	/* Ports count up; a multiplication spreads them (Knuth's). */
	uint32_t mixed = (host_port ^ guest_port << 16 ^ guest_port >> 16) * UINT32_C(2654435761);

	return &vs->buckets[mixed >> 22];
}

struct vsock_conn *vsock_find(struct vsock *vs, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn *conn = *bucket_of(vs, host_port, guest_port);

	while (conn && (conn->host_port != host_port || conn->guest_port != guest_port))
		conn = conn->bucket_next;
	return conn;
}

void vsock_enter_table(struct vsock_conn *conn)
{
	struct vsock_conn **at = bucket_of(conn->vsock, conn->host_port, conn->guest_port);

	conn->bucket_next = *at;
	*at = conn;
}

void vsock_leave_table(struct vsock_conn *conn)
{
	struct vsock_conn **at = bucket_of(conn->vsock, conn->host_port, conn->guest_port);

	while (*at && *at != conn)
		at = &(*at)->bucket_next;
	if (*at)
		*at = conn->bucket_next;
}

struct vsock_conn *vsock_take_slot(struct vsock *vs, enum vsock_state state)
{
	struct vsock_conn *conn;

	if (vs->count == vs->config.conns)
		return NULL;
	while (vs->conns[vs->free_hint].state != VSOCK_FREE)
		vs->free_hint = (vs->free_hint + 1) % vs->config.conns;
	conn = &vs->conns[vs->free_hint];
	*conn = (struct vsock_conn){
		.vsock = vs,
		.state = state,
		.serial = ++vs->serial,
		.fd = -1,
		.room = vs->count < VSOCK_ROOMY ? VSOCK_ROOM : VSOCK_ROOM_SMALL,
	};
	vs->count++;
	return conn;
}

void vsock_leave_ready(struct vsock_conn *conn)
{
	struct vsock *vs = conn->vsock;

	if (!conn->ready)
		return;
	*(conn->ready_prev ? &conn->ready_prev->ready_next : &vs->ready_first) = conn->ready_next;
	*(conn->ready_next ? &conn->ready_next->ready_prev : &vs->ready_last) = conn->ready_prev;
	conn->ready_next = conn->ready_prev = NULL;
	conn->ready = false;
}

void vsock_enter_ready(struct vsock_conn *conn)
{
	struct vsock *vs = conn->vsock;

	if (conn->ready)
		return;
	conn->ready = true;
	conn->ready_prev = vs->ready_last;
	*(vs->ready_last ? &vs->ready_last->ready_next : &vs->ready_first) = conn;
	vs->ready_last = conn;
}
