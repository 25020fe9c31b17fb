/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of the host that want to reach a port of the guest: the socket at which they arrive, and the line by
 * which each says where it wants to go ("CONNECT 1234").
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/vsock.h"

enum {
	HELLO_S = 60,	      /* seconds that a client may take to say where it wants to go */
	ASK_S = 10,	      /* that the guest may take to answer */
	FIRST_PORT = 1 << 30, /* of clients, as the guest sees them */
	ACCEPT_BATCH = 16,
};

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

void vsock_client_speaks(struct vsock_conn *conn)
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
	vsock_enter_table(conn);
	conn->say = VSOCK_SAY(REQUEST);
	vsock_conn_deadline(conn, ASK_S);
	vsock_conn_settle(conn);
}

/* Sockets that come. */

static void pause_listening(struct vsock *vs)
{
	vsock_listen(vs, false);
	vsock_arm(vs);
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
		conn = vsock_take_slot(vs, VSOCK_HELLO);
		if (!conn || vsock_conn_adopt(conn, fd) < 0) {
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
