/* SPDX-License-Identifier: BSD-2-Clause */
/* A named console port's bytes between the loop's descriptors and the console device. */
#include "vm/console/port.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"

enum {
	NOT_WATCHED = -1,
	READS_MAX = 16, /* of a file in one turn of the loop: a guest may take as fast as we read */
};

void vm_port_init(struct vm_port *port)
{
	port->listen_fd = -1;
	port->file_fd = -1;
	port->in_fd = -1;
	port->out_fd = -1;
	port->in_mask = NOT_WATCHED;
	port->out_mask = NOT_WATCHED;
}

static void on_event(void *opaque, uint32_t events);
static void on_client(void *opaque, uint32_t events);

/* Has the loop wait for the events @wanted of @fd, or not at all; *@now is what it waits for. */
static void watch(struct vm_port *port, int fd, int *now, int wanted)
{
	if (*now == wanted)
		return;
	if (wanted == NOT_WATCHED)
		(void)loop_del(port->loop, fd);
	else if (*now != NOT_WATCHED)
		(void)loop_mod(port->loop, fd, (uint32_t)wanted);
	else if (loop_add(port->loop, fd, (uint32_t)wanted, on_event, port) == -EPERM) {
		port->always_ready = true; /* a regular file: epoll has no word for it */
		return;
	}
	*now = wanted;
}

/*
 * A connection that has nothing to be waited for is taken out of the loop rather than silenced there:
 * epoll reports a closed one whatever was asked, and must not make us spin while the guest is slow.
 * Only when its input has ended does it stay, to hear that the client is gone.
 */
static void watch_what_is_wanted(struct vm_port *port)
{
	bool in = port->in_live && port->pending_len == 0 && !port->always_ready;
	int in_mask = in ? EPOLLIN : 0;
	int out_mask = port->want_out ? EPOLLOUT : 0;

	if (port->client) {
		bool any = in_mask || out_mask || !port->in_live;

		watch(port, port->in_fd, &port->in_mask,
		      any ? in_mask | out_mask | (int)EPOLLHUP : NOT_WATCHED);
		return;
	}
	if (port->in_fd >= 0)
		watch(port, port->in_fd, &port->in_mask, in ? in_mask : NOT_WATCHED);
	if (port->out_fd >= 0)
		watch(port, port->out_fd, &port->out_mask, out_mask ? out_mask : NOT_WATCHED);
}

/* Nothing flows any more: the guest is told, and the next client may come. */
static void disconnect(struct vm_port *port)
{
	if (port->in_fd >= 0)
		watch(port, port->in_fd, &port->in_mask, NOT_WATCHED);
	if (port->out_fd >= 0 && !port->client)
		watch(port, port->out_fd, &port->out_mask, NOT_WATCHED);
	if (port->client)
		close(port->in_fd);
	port->client = false;
	port->in_fd = -1;
	port->out_fd = -1;
	virtio_console_connect(port->console, port->number, false);
	if (port->listen_fd >= 0)
		(void)loop_add(port->loop, port->listen_fd, EPOLLIN, on_client, port);
}

static void settle(struct vm_port *port)
{
	if (port->in_fd < 0 && port->out_fd < 0)
		return;
	if (port->in_live || port->out_live || port->pending_len)
		watch_what_is_wanted(port);
	else
		disconnect(port);
}

/* Hands pending input to the guest; true if all was taken. */
static bool drain(struct vm_port *port)
{
	size_t n = 0;

	if (port->pending_len)
		n = virtio_console_input(port->console, port->number,
					 port->pending + port->pending_start, port->pending_len);
	port->pending_start += n;
	port->pending_len -= n;
	port->bytes_in += n;
	return port->pending_len == 0;
}

/* Reads once into the empty buffer. False: nothing now, or never again. */
static bool read_some(struct vm_port *port)
{
	ssize_t n = read(port->in_fd, port->pending, sizeof(port->pending));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		port->in_live = false;
		return false;
	}
	port->pending_start = 0;
	port->pending_len = (size_t)n;
	return true;
}

/* Moves input until the guest takes no more, in_fd has to be waited for, or it is others' turn. */
static void pump(struct vm_port *port)
{
	bool known = port->always_ready;
	unsigned reads = 0;

	while (drain(port) && port->in_live && port->always_ready) {
		if (++reads > READS_MAX) {
			virtio_console_ask_room(port->console, port->number);
			break;
		}
		if (!read_some(port))
			break;
	}
	settle(port);
	/* Only now is it known whether in_fd can be waited for. */
	if (!known && port->always_ready && port->in_live && port->pending_len == 0 &&
	    read_some(port))
		pump(port);
}

static void on_event(void *opaque, uint32_t events)
{
	struct vm_port *port = opaque;
	bool gone = (events & (EPOLLHUP | EPOLLERR)) != 0;

	if (port->want_out && (gone || (events & EPOLLOUT))) {
		port->want_out = false;
		virtio_console_output_ready(port->console, port->number);
		if (port->moved)
			port->moved(port->moved_opaque);
	}
	if (port->in_live && port->pending_len == 0 && (gone || (events & EPOLLIN)) &&
	    read_some(port))
		(void)drain(port);
	if (port->client && gone && !port->in_live)
		port->out_live = false;
	settle(port);
}

static void on_room(void *opaque)
{
	pump(opaque);
}

/* A program of the guest opened the port: now it can hear the end of a caller's input. */
static void on_opened(void *opaque, bool open)
{
	struct vm_port *port = opaque;

	if (!open || port->client || port->listen_fd >= 0 || port->in_live)
		return;
	port->in_live = port->in_fd >= 0;
	if (port->in_live)
		pump(port);
	else if (!port->out_live)
		virtio_console_connect(port->console, port->number, false);
}

static void on_client(void *opaque, uint32_t events)
{
	struct vm_port *port = opaque;
	int fd = accept4(port->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	(void)loop_del(port->loop, port->listen_fd); /* one at a time: the next waits there */
	port->in_fd = fd;
	port->out_fd = fd;
	port->client = true;
	port->in_live = true;
	port->out_live = true;
	virtio_console_connect(port->console, port->number, true);
	pump(port);
}

/* Whether out_fd takes a piece at once: a caller's pipe or terminal may well be blocking. */
static bool takes_output(const struct vm_port *port)
{
	struct pollfd fd = { .fd = port->out_fd, .events = POLLOUT };

	return port->client || poll(&fd, 1, 0) > 0;
}

/* Bytes written, or -errno; -EAGAIN: later. */
static ssize_t write_some(const struct vm_port *port, const void *data, size_t len)
{
	ssize_t n;

	if (!takes_output(port))
		return -EAGAIN;
	n = write(port->out_fd, data, len);
	if (n >= 0)
		return n;
	return errno == EINTR ? -EAGAIN : -errno;
}

/* The device's output. What nobody can read any more is dropped, as by a cable without an end. */
static size_t on_output(void *opaque, const void *data, size_t len)
{
	struct vm_port *port = opaque;
	ssize_t n;

	if (!port->out_live)
		return len;
	n = write_some(port, data, len);
	if (n < 0 && n != -EAGAIN) {
		if (!port->client)
			diag_warn("port %s: cannot write: %s; its output ends here", port->name,
				  strerror((int)-n));
		port->out_live = false;
		settle(port);
		return len;
	}
	if (n < 0)
		n = 0;
	port->bytes_out += (uint64_t)n;
	port->want_out = (size_t)n < len;
	if (port->want_out)
		watch_what_is_wanted(port);
	return (size_t)n;
}

struct virtio_console_port vm_port_host(struct vm_port *port)
{
	return (struct virtio_console_port){
		.name = port->name,
		.out = on_output,
		.room = on_room,
		.opened = on_opened,
		.opaque = port,
	};
}

int vm_port_start(struct vm_port *port, struct loop *loop, struct virtio_dev *console,
		  unsigned number)
{
	port->loop = loop;
	port->console = console;
	port->number = number;
	if (port->listen_fd >= 0)
		return loop_add(loop, port->listen_fd, EPOLLIN, on_client, port);
	port->out_live = port->out_fd >= 0;
	virtio_console_connect(console, number, true);
	return 0;
}

void vm_port_stop(struct vm_port *port)
{
	if (port->loop && port->in_fd >= 0)
		watch(port, port->in_fd, &port->in_mask, NOT_WATCHED);
	if (port->loop && port->out_fd >= 0 && !port->client)
		watch(port, port->out_fd, &port->out_mask, NOT_WATCHED);
	if (port->loop && port->listen_fd >= 0 && !port->client)
		(void)loop_del(port->loop, port->listen_fd);
	if (port->client)
		close(port->in_fd);
	port->client = false;
	port->in_fd = -1;
	port->out_fd = -1;
	/* The next boot's port has no client yet, and hears nothing of this one's. */
	port->in_live = false;
	port->out_live = false;
	port->want_out = false;
	port->always_ready = false;
	port->pending_len = 0;
}
