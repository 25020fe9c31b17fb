/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection of virtio-vsock and the host's socket behind it: what the loop waits for, bytes from and to
 * the host, credit, and the ways in which it ends.
 *
 * A socket that there is nothing to wait for is taken out of the loop, so neither a guest that takes nothing
 * nor a host that has hung up makes it spin.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio/vsock.h"

enum {
	CLOSE_S = 8, /* seconds that the guest may take to see that a connection has ended */
};

static const uint64_t second = 1000000000; /* ns */

static void on_event(void *opaque, uint32_t events);

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * second + (uint64_t)now.tv_nsec;
}

/* Time. */

void vsock_arm(struct vsock *vs)
{
	if (!vs->timer_armed)
		loop_timer_arm(vs->timer, second);
	vs->timer_armed = true;
}

void vsock_conn_deadline(struct vsock_conn *conn, unsigned seconds)
{
	conn->deadline = seconds ? now_ns() + seconds * second : 0;
	if (seconds)
		vsock_arm(conn->vsock);
}

void vsock_tick(void *opaque)
{
	struct vsock *vs = opaque;
	uint64_t now = now_ns();
	bool more = false;

	vs->timer_armed = false;
	for (unsigned i = 0; i < vs->config.conns; i++) {
		struct vsock_conn *conn = &vs->conns[i];

		if (conn->state == VSOCK_FREE || !conn->deadline)
			continue;
		if (conn->deadline > now)
			more = true;
		else if (conn->state == VSOCK_HELLO)
			vsock_conn_free(conn);
		else
			vsock_conn_reset(conn);
	}
	if (more)
		vsock_arm(vs);
	if (virtio_status(vs->dev) & VIRTIO_S_DRIVER_OK && vs->count < vs->config.conns)
		vsock_listen(vs, true);
	vsock_serve_guest(vs);
}

/* The socket. */

static void wait_for(struct vsock_conn *conn, uint32_t events)
{
	struct loop *loop = conn->vsock->dev->loop;

	if (conn->fd < 0 || conn->events == events)
		return;
	conn->events = events;
	(void)loop_mod(loop, conn->fd, events);
}

static void drop_socket(struct vsock_conn *conn)
{
	if (conn->fd >= 0) {
		(void)loop_del(conn->vsock->dev->loop, conn->fd);
		close(conn->fd);
	}
	conn->fd = -1;
	conn->events = 0;
	conn->readable = false;
	free(conn->buf);
	conn->buf = NULL;
	conn->buf_len = 0;
}

int vsock_conn_adopt(struct vsock_conn *conn, int fd)
{
	int r = loop_add(conn->vsock->dev->loop, fd, 0, on_event, conn);

	if (r < 0) {
		close(fd);
		return r;
	}
	conn->fd = fd;
	return 0;
}

struct vsock_conn *vsock_conn_new(struct vsock *vs, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn *conn = vsock_take_slot(vs, VSOCK_CONNECTING);

	if (!conn)
		return NULL;
	conn->host_port = host_port;
	conn->guest_port = guest_port;
	vsock_enter_table(conn);
	return conn;
}

void vsock_conn_free(struct vsock_conn *conn)
{
	struct vsock *vs = conn->vsock;

	drop_socket(conn);
	vsock_leave_ready(conn);
	if (conn->state != VSOCK_HELLO)
		vsock_leave_table(conn);
	conn->state = VSOCK_FREE;
	vs->count--;
	vs->free_hint = (unsigned)(conn - vs->conns);
	if (!vs->listening && virtio_status(vs->dev) & VIRTIO_S_DRIVER_OK)
		vsock_listen(vs, true);
}

void vsock_conn_reset(struct vsock_conn *conn)
{
	drop_socket(conn);
	conn->state = VSOCK_DEAD;
	conn->deadline = 0;
	conn->say = VSOCK_SAY(RST);
	vsock_enter_ready(conn);
}

void vsock_free_all(struct vsock *vs)
{
	for (unsigned i = 0; vs->count && i < vs->config.conns; i++) {
		if (vs->conns[i].state != VSOCK_FREE)
			vsock_conn_free(&vs->conns[i]);
	}
}

/* Credit. */

uint32_t vsock_credit(const struct vsock_conn *conn)
{
	/* What the guest says may be anything: more taken than was sent is a number that wraps. */
	uint32_t under_way = conn->tx_cnt - conn->peer_fwd;

	return under_way < conn->peer_alloc ? conn->peer_alloc - under_way : 0;
}

static bool wants_input(const struct vsock_conn *conn)
{
	return conn->state == VSOCK_OPEN && !conn->host_end &&
	       !(conn->guest_shut & VSOCK_NO_RECEIVE);
}

bool vsock_has_packet(const struct vsock_conn *conn)
{
	return conn->say || (conn->readable && wants_input(conn) && vsock_credit(conn) > 0);
}

/* What we have to tell of the host's ends, once each; one that has hung up has both with its last byte. */
static void say_ends(struct vsock_conn *conn)
{
	bool deaf = conn->host_deaf && !(conn->readable && wants_input(conn));
	uint32_t shut = conn->host_end ? (uint32_t)VSOCK_NO_SEND : 0;

	if (deaf || (conn->host_end && conn->guest_shut & VSOCK_NO_SEND))
		shut |= VSOCK_NO_RECEIVE;
	if (!(shut & ~conn->told_shut))
		return;
	conn->told_shut |= shut;
	conn->say |= VSOCK_SAY(SHUTDOWN);
	if (conn->told_shut == VSOCK_NOTHING)
		vsock_conn_deadline(conn, CLOSE_S);
}

/* What an open connection waits for, once what is due has been said; or its end. */
static uint32_t settle_open(struct vsock_conn *conn)
{
	uint32_t events = conn->buf_len ? EPOLLOUT : 0U;

	if (conn->guest_shut & VSOCK_NO_SEND && !conn->buf_len && !conn->cut) {
		conn->cut = true;
		(void)shutdown(conn->fd, SHUT_WR);
	}
	if (conn->guest_shut == VSOCK_NOTHING && !conn->buf_len) {
		vsock_conn_reset(conn);
		return 0;
	}
	say_ends(conn);
	if (!wants_input(conn))
		return events;
	if (!conn->readable)
		return vsock_credit(conn) > 0 ? events | EPOLLIN : events;
	if (!vsock_credit(conn) && !conn->begged) {
		conn->begged = true;
		conn->say |= VSOCK_SAY(CREDIT_REQUEST);
	}
	return events;
}

void vsock_conn_settle(struct vsock_conn *conn)
{
	if (conn->state == VSOCK_HELLO)
		wait_for(conn, EPOLLIN);
	else
		wait_for(conn, conn->state == VSOCK_OPEN ? settle_open(conn) : 0);
	if (vsock_has_packet(conn))
		vsock_enter_ready(conn);
	else
		vsock_leave_ready(conn);
}

/* Bytes to the host. */

/* The host reads no more: what waits for it is as good as taken. */
static void host_gone_deaf(struct vsock_conn *conn)
{
	conn->host_deaf = true;
	conn->fwd_cnt += conn->buf_len;
	conn->buf_len = 0;
	free(conn->buf);
	conn->buf = NULL;
}

/* How many of @len bytes the host takes now. */
static uint32_t write_some(struct vsock_conn *conn, const uint8_t *data, uint32_t len)
{
	ssize_t n;

	if (conn->host_deaf)
		return len;
	do
		n = write(conn->fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return (uint32_t)n;
	if (errno == EAGAIN)
		return 0;
	host_gone_deaf(conn);
	return len;
}

/* Tells of the room that there is again when it is worth a packet. */
static void note_taken(struct vsock_conn *conn, uint32_t len)
{
	conn->fwd_cnt += len;
	if (conn->fwd_cnt - conn->fwd_told >= conn->room / 2)
		conn->say |= VSOCK_SAY(CREDIT_UPDATE);
}

/* Appends to the ring, in which there is room: what waits there is never more than the credit. */
static void keep(struct vsock_conn *conn, const uint8_t *data, uint32_t len)
{
	if (!len)
		return;
	if (!conn->buf)
		conn->buf = malloc(conn->room);
	if (!conn->buf) {
		vsock_conn_reset(conn);
		return;
	}
	for (uint32_t done = 0; done < len;) {
		uint32_t at = (conn->buf_start + conn->buf_len) % conn->room;
		uint32_t n = u32_min(len - done, conn->room - at);

		memcpy(conn->buf + at, data + done, n);
		conn->buf_len += n;
		done += n;
	}
}

void vsock_conn_take(struct vsock_conn *conn, const uint8_t *data, uint32_t len)
{
	uint32_t n = 0;

	conn->rx_cnt += len;
	if (!conn->buf_len) {
		n = write_some(conn, data, len);
		note_taken(conn, n);
	}
	keep(conn, data + n, len - n);
}

/* The host takes bytes again. */
static void drain(struct vsock_conn *conn)
{
	while (conn->buf_len) {
		uint32_t run = u32_min(conn->buf_len, conn->room - conn->buf_start);
		uint32_t n = write_some(conn, conn->buf + conn->buf_start, run);

		if (conn->host_deaf || !n)
			return;
		conn->buf_start = (conn->buf_start + n) % conn->room;
		conn->buf_len -= n;
		note_taken(conn, n);
	}
	free(conn->buf);
	conn->buf = NULL;
	conn->buf_start = 0;
}

/* Bytes from the host. */

uint32_t vsock_conn_read(struct vsock_conn *conn, uint8_t *to, uint32_t max)
{
	ssize_t n;

	do
		n = read(conn->fd, to, u32_min(max, vsock_credit(conn)));
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		conn->tx_cnt += (uint32_t)n;
		return (uint32_t)n;
	}
	conn->readable = false;
	if (n == 0 || errno != EAGAIN)
		conn->host_end = true;
	return 0;
}

void vsock_conn_accepted(struct vsock_conn *conn)
{
	char line[VSOCK_LINE];
	int len = snprintf(line, sizeof(line), "OK %u\n", conn->host_port);

	conn->state = VSOCK_OPEN;
	vsock_conn_deadline(conn, 0);
	/* The socket is empty but for this. */
	if (write(conn->fd, line, (size_t)len) != len)
		host_gone_deaf(conn);
	vsock_conn_settle(conn);
}

static void on_event(void *opaque, uint32_t events)
{
	struct vsock_conn *conn = opaque;
	struct vsock *vs = conn->vsock;

	if (conn->state == VSOCK_HELLO) {
		vsock_client_speaks(conn);
	} else if (conn->state == VSOCK_OPEN) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			drain(conn);
		if (events & EPOLLHUP)
			host_gone_deaf(conn);
		if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			conn->readable = true;
		vsock_conn_settle(conn);
	}
	vsock_serve_guest(vs);
}

void virtio_vsock_connected(struct virtio_dev *dev, uint64_t cookie, int fd)
{
	struct vsock *vs = dev->priv;
	uint64_t index = cookie & UINT32_MAX;
	struct vsock_conn *conn = index < vs->config.conns ? &vs->conns[index] : NULL;

	if (!conn || conn->state != VSOCK_CONNECTING || conn->serial != cookie >> 32) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fd < 0 || vsock_conn_adopt(conn, fd) < 0) {
		vsock_conn_reset(conn);
	} else {
		conn->state = VSOCK_OPEN;
		vsock_conn_deadline(conn, 0);
		conn->say = VSOCK_SAY(RESPONSE);
		vsock_conn_settle(conn);
	}
	vsock_serve_guest(vs);
}
