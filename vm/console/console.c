/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's console on the host's side: output, log, input, escape keys. */
#include "vm/console/console.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"

enum {
	CTRL_A = 0x01,
	READS_MAX = 16,	   /* of a file in one turn of the loop */
	WRITE_CHUNK = 512, /* bytes; POLLOUT on a pipe promises PIPE_BUF, at least 512 */
};

void vm_console_init(struct console *console, struct loop *loop)
{
	*console = (struct console){
		.loop = loop,
		.in_fd = -1,
		.out_fd = -1,
		.log_fd = -1,
		.wake_fds = { -1, -1 },
	};
}

/* Waits until out_fd takes more. False if the run ends first, or nobody reads any more. */
static bool wait_for_reader(const struct console *console)
{
	struct pollfd fds[3] = {
		{ .fd = console->out_fd, .events = POLLOUT },
		{ .fd = console->wake_fds[0], .events = POLLIN },
		{ .fd = console->wake_fds[1], .events = POLLIN },
	};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return (fds[0].revents & POLLOUT) || !(fds[1].revents || fds[2].revents);
}

static void write_out(struct console *console, const uint8_t *data, size_t len)
{
	while (len && console->out_fd >= 0) {
		if (!wait_for_reader(console))
			return;

		ssize_t n = write(console->out_fd, data, size_min(len, WRITE_CHUNK));

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			diag_warn(
				"standard output: %s; the guest's console goes %s", strerror(errno),
				console->log_fd >= 0 ? "to the log only" : "nowhere from here on");
			console->out_fd = -1;
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

static void on_writable(void *opaque, uint32_t events)
{
	struct console *console = opaque;

	(void)events;
	(void)loop_del(console->loop, console->out_fd);
	console->out_watched = false;
	console->writable(console->writable_opaque);
}

size_t vm_console_fits(struct console *console, size_t len)
{
	struct pollfd fd = { .fd = console->out_fd, .events = POLLOUT };

	if (console->out_fd < 0 || console->patient)
		return len;
	if (console->out_watched)
		return 0;
	if (poll(&fd, 1, 0) != 0)
		return size_min(len, WRITE_CHUNK);
	if (loop_add(console->loop, console->out_fd, EPOLLOUT, on_writable, console) < 0)
		return len; /* then somebody has to wait */
	console->out_watched = true;
	return 0;
}

void vm_console_output(void *opaque, const void *data, size_t len)
{
	struct console *console = opaque;

	console->bytes_out += len;
	write_out(console, data, len);
	if (console->log_fd < 0)
		return;

	int r = write_full(console->log_fd, data, len);

	if (r < 0) {
		diag_warn("log: cannot write: %s; the log ends here", strerror(-r));
		console->log_fd = -1;
	}
}

static void say_help(void)
{
	diag_note("keys: Ctrl-A x leaves hvrun, Ctrl-A Ctrl-A sends one Ctrl-A, Ctrl-A c is this "
		  "help");
}

/*
 * One key behind the escape rules: true if it (*@key) goes to the guest.
 */
static bool filter_key(struct console *console, uint8_t key)
{
	if (!console->escapes)
		return true;
	if (!console->escape_seen) {
		console->escape_seen = key == CTRL_A;
		return !console->escape_seen;
	}
	console->escape_seen = false;
	if (key == 'x' || key == 'X')
		console->on_key(console->key_opaque, VM_KEY_LEAVE);
	else if (key == 'c' || key == 'C' || key == '?' || key == 'h')
		say_help();
	return key == CTRL_A;
}

/* Hands pending input to the guest; true if all was taken. */
static bool drain_pending(struct console *console)
{
	if (console->pending_len) {
		size_t n = console->sink(console->sink_opaque,
					 console->pending + console->pending_start,
					 console->pending_len);

		console->pending_start += n;
		console->pending_len -= n;
		console->bytes_in += n;
	}
	return console->pending_len == 0;
}

static void on_input(void *opaque, uint32_t events);

/*
 * Watches in_fd, or not. It is taken out of the loop rather than silenced there: epoll reports a
 * closed pipe whatever was asked, and a guest slow to take input must not make us spin.
 */
static void watch(struct console *console, bool on)
{
	if (console->watched == on || console->always_ready)
		return;
	if (!on)
		loop_del(console->loop, console->in_fd);
	else if (loop_add(console->loop, console->in_fd, EPOLLIN, on_input, console) == -EPERM)
		console->always_ready = true; /* a regular file: epoll has no word for it */
	console->watched = on && !console->always_ready;
}

static void stop_input(struct console *console)
{
	if (console->in_fd >= 0)
		watch(console, false);
	console->in_fd = -1;
}

/* Reads once into the empty pending buffer; false at the end of input or if there is none now. */
static bool read_some(struct console *console)
{
	ssize_t n;

	do
		n = read(console->in_fd, console->pending, sizeof(console->pending));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		stop_input(console);
		return false;
	}

	size_t kept = 0;

	for (size_t i = 0; i < (size_t)n; i++) {
		if (filter_key(console, console->pending[i]))
			console->pending[kept++] = console->pending[i];
	}
	console->pending_start = 0;
	console->pending_len = kept;
	return true;
}

/* Moves input until the guest takes no more, in_fd has to be waited for, or it is others' turn. */
static void pump(struct console *console)
{
	unsigned reads = 0;

	do {
		if (!drain_pending(console)) {
			if (console->in_fd >= 0)
				watch(console, false);
			return;
		}
		if (console->in_fd < 0)
			return;
		watch(console, true);
		if (console->always_ready && console->again && ++reads > READS_MAX) {
			console->again(console->again_opaque);
			return;
		}
	} while (console->always_ready && read_some(console));
}

static void on_input(void *opaque, uint32_t events)
{
	struct console *console = opaque;

	(void)events;
	if (read_some(console))
		pump(console);
}

void vm_console_room(struct console *console)
{
	pump(console);
}

void vm_console_start(struct console *console)
{
	if (console->in_fd >= 0)
		pump(console);
}

void vm_console_stop(struct console *console)
{
	stop_input(console);
	if (console->out_watched)
		(void)loop_del(console->loop, console->out_fd);
	console->out_watched = false;
}
