/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connections of virtio-vsock and the host's sockets behind them: a table by ports, what the loop
 * waits for of each, bytes from and to the host, and the ways in which one ends.
 *
 * Connections lie in slots that are made once. A socket that there is nothing to wait for is taken out of
 * the loop, so neither a guest that takes nothing nor a host that has hung up makes it spin.
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
	HELLO_S = 60, /* seconds that a client of the host may take to say where it wants to go */
	ASK_S = 10,   /* that the guest may take to answer */
	CLOSE_S = 8,  /* that it may take to see that a connection has ended */
	FIRST_PORT = 1 << 30, /* of clients of the host, as the guest sees them */
	ACCEPT_BATCH = 16,
};

static const uint64_t second = 1000000000; /* ns */

static void on_event(void *opaque, uint32_t events);

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * second + (uint64_t)now.tv_nsec;
}

/* The table. */

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

static void enter_table(struct vsock_conn *conn)
{
	struct vsock_conn **at = bucket_of(conn->vsock, conn->host_port, conn->guest_port);

	conn->bucket_next = *at;
	*at = conn;
}

static void leave_table(struct vsock_conn *conn)
{
	struct vsock_conn **at = bucket_of(conn->vsock, conn->host_port, conn->guest_port);

	while (*at && *at != conn)
		at = &(*at)->bucket_next;
	if (*at)
		*at = conn->bucket_next;
}

/* A slot in state @state that is in no table yet; NULL: there is none. */
static struct vsock_conn *take_slot(struct vsock *vs, enum vsock_state state)
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

struct vsock_conn *vsock_conn_new(struct vsock *vs, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn *conn = take_slot(vs, VSOCK_CONNECTING);

	if (!conn)
		return NULL;
	conn->host_port = host_port;
	conn->guest_port = guest_port;
	enter_table(conn);
	return conn;
}

static void leave_ready(struct vsock_conn *conn)
{
	struct vsock *vs = conn->vsock;

	if (!conn->ready)
		return;
	*(conn->ready_prev ? &conn->ready_prev->ready_next : &vs->ready_first) = conn->ready_next;
	*(conn->ready_next ? &conn->ready_next->ready_prev : &vs->ready_last) = conn->ready_prev;
	conn->ready_next = conn->ready_prev = NULL;
	conn->ready = false;
}

static void enter_ready(struct vsock_conn *conn)
{
	struct vsock *vs = conn->vsock;

	if (conn->ready)
		return;
	conn->ready = true;
	conn->ready_prev = vs->ready_last;
	*(vs->ready_last ? &vs->ready_last->ready_next : &vs->ready_first) = conn;
	vs->ready_last = conn;
}

/* Time. */

static void arm(struct vsock *vs)
{
	if (!vs->timer_armed)
		loop_timer_arm(vs->timer, second);
	vs->timer_armed = true;
}

void vsock_conn_deadline(struct vsock_conn *conn, unsigned seconds)
{
	conn->deadline = seconds ? now_ns() + seconds * second : 0;
	if (seconds)
		arm(conn->vsock);
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
		arm(vs);
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

/* Takes @fd over, also on error. */
static int adopt_socket(struct vsock_conn *conn, int fd)
{
	int r = loop_add(conn->vsock->dev->loop, fd, 0, on_event, conn);

	if (r < 0) {
		close(fd);
		return r;
	}
	conn->fd = fd;
	return 0;
}

void vsock_conn_free(struct vsock_conn *conn)
{
	struct vsock *vs = conn->vsock;

	drop_socket(conn);
	leave_ready(conn);
	if (conn->state != VSOCK_HELLO)
		leave_table(conn);
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
	enter_ready(conn);
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

void vsock_conn_settle(struct vsock_conn *conn)
{
	if (conn->state == VSOCK_HELLO) {
		wait_for(conn, EPOLLIN);
		return;
	}
	if (conn->state == VSOCK_OPEN) {
		uint32_t events = 0;

		if (conn->guest_shut & VSOCK_NO_SEND && !conn->buf_len && !conn->cut) {
			conn->cut = true;
			(void)shutdown(conn->fd, SHUT_WR);
		}
		if (conn->guest_shut == VSOCK_NOTHING && !conn->buf_len) {
			vsock_conn_reset(conn);
			return;
		}
		say_ends(conn);
		if (wants_input(conn) && !conn->readable && vsock_credit(conn) > 0)
			events |= EPOLLIN;
		if (conn->buf_len)
			events |= EPOLLOUT;
		if (conn->readable && wants_input(conn) && !vsock_credit(conn) && !conn->begged) {
			conn->begged = true;
			conn->say |= VSOCK_SAY(CREDIT_REQUEST);
		}
		wait_for(conn, events);
	}
	if (vsock_has_packet(conn))
		enter_ready(conn);
	else
		leave_ready(conn);
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

/* A client's line, byte by byte, since what follows is the guest's: 1 whole, 0 not yet, -1 never. */
static int read_line(struct vsock_conn *conn)
{
	while (conn->line_len < VSOCK_LINE) {
		ssize_t n = read(conn->fd, conn->line + conn->line_len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -1;
		if (conn->line[conn->line_len] == '\n') {
			conn->line[conn->line_len] = '\0';
			return 1;
		}
		conn->line_len++;
	}
	return -1;
}

/* "CONNECT 1234": the port, in decimal digits without anything else. */
static bool parse_line(const char *line, uint32_t *port)
{
	static const char word[] = "CONNECT ";
	uint64_t number = 0;

	if (strncmp(line, word, sizeof(word) - 1) != 0)
		return false;
	line += sizeof(word) - 1;
	if (!*line || strlen(line) > 10)
		return false;
	for (; *line; line++) {
		if (*line < '0' || *line > '9')
			return false;
		number = number * 10 + (uint64_t)(*line - '0');
	}
	*port = (uint32_t)number;
	return number < UINT32_MAX; /* which is any port */
}

/* A port of ours that is not connected to @guest_port. */
static uint32_t pick_port(struct vsock *vs, uint32_t guest_port)
{
	do {
		vs->next_port = vs->next_port < FIRST_PORT || vs->next_port >= UINT32_MAX - 1
					? FIRST_PORT
					: vs->next_port + 1;
	} while (vsock_find(vs, vs->next_port, guest_port));
	return vs->next_port;
}

static void hello(struct vsock_conn *conn)
{
	uint32_t port;
	int r = read_line(conn);

	if (r == 0)
		return;
	if (r < 0 || !parse_line(conn->line, &port)) {
		vsock_conn_free(conn);
		return;
	}
	conn->guest_port = port;
	conn->host_port = pick_port(conn->vsock, port);
	conn->state = VSOCK_ASKING;
	enter_table(conn);
	conn->say = VSOCK_SAY(REQUEST);
	vsock_conn_deadline(conn, ASK_S);
	wait_for(conn, 0);
	vsock_conn_settle(conn);
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
		hello(conn);
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

/* Sockets that come. */

static void pause_listening(struct vsock *vs)
{
	vsock_listen(vs, false);
	arm(vs);
}

static void on_client(void *opaque, uint32_t events)
{
	struct vsock *vs = opaque;

	(void)events;
	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		struct vsock_conn *conn;
		int fd;

		if (vs->count == vs->config.conns) {
			vsock_listen(vs, false); /* until one ends */
			return;
		}
		fd = accept4(vs->config.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				pause_listening(vs); /* no descriptors left: not at once again */
			break;
		}
		conn = take_slot(vs, VSOCK_HELLO);
		if (!conn || adopt_socket(conn, fd) < 0) {
			if (conn)
				vsock_conn_free(conn);
			break;
		}
		vsock_conn_deadline(conn, HELLO_S);
		vsock_conn_settle(conn);
	}
}

void vsock_listen(struct vsock *vs, bool on)
{
	if (on == vs->listening || vs->config.listen_fd < 0)
		return;
	if (on && loop_add(vs->dev->loop, vs->config.listen_fd, EPOLLIN, on_client, vs) < 0)
		return;
	if (!on)
		(void)loop_del(vs->dev->loop, vs->config.listen_fd);
	vs->listening = on;
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
	if (fd < 0 || adopt_socket(conn, fd) < 0) {
		vsock_conn_reset(conn);
	} else {
		conn->state = VSOCK_OPEN;
		conn->say = VSOCK_SAY(RESPONSE);
		vsock_conn_settle(conn);
	}
	vsock_serve_guest(vs);
}
