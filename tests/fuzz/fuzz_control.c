/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as what a client of the control socket sends, cut anyhow, with a machine that takes part of
 * the console's input and answers some requests later. The first byte of each piece is its length in 8 bytes; with
 * both low bits set the piece comes with descriptors, as many as the next two bits say and one. In the end
 * each of them is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/send_fds.h"
#include "vm/control/control.h"

/* What the server has room for: of what does not fit, qemu-user leaves some open itself. */
enum { PASSED_MAX = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static int run(void *opaque, struct control_client *client, const char *command, const json_t *args,
	       json_t **result, char *why)
{
	uint64_t *later = opaque;

	must(json_is_object(args));
	if (strcmp(command, "console") == 0) {
		client->raw_next = true;
	} else if (strcmp(command, "events") == 0) {
		client->events = true;
	} else if (strcmp(command, "core") == 0) {
		must(client->passed_fd < 0 || fcntl(client->passed_fd, F_GETFD) == FD_CLOEXEC);
		*later = client->serial;
		return -EINPROGRESS;
	} else if (strcmp(command, "report") == 0) {
		*result = json_array();
		for (int i = 0; i < 1000; i++)
			json_array_append_new(*result, json_integer(i));
	} else {
		strcpy(why, "no such command");
		return -ENOENT;
	}
	return 0;
}

static size_t input(void *opaque, const void *data, size_t len)
{
	(void)opaque;
	(void)data;
	return len / 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct control_ops ops = { .run = run, .input = input };
	struct control *control = malloc(sizeof(*control));
	struct loop *loop = NULL;
	uint64_t later = 0;
	char back[4096];
	int fds[2], ends[2];

	must(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	must(control && loop_create(&loop) == 0);
	control_init(control, &ops, &later);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	/* Not a listening socket, and never told of: only so that clients are served. */
	control->listen_fd = fds[1];
	must(control_attach(control, loop) == 0);
	(void)loop_mod(loop, fds[1], 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	must(control_adopt(control, fds[1]) == 0);
	control_detach(control);
	must(control_attach(control, loop) == 0);
	(void)loop_mod(loop, control->listen_fd, 0);
	for (size_t at = 0; at < size;) {
		unsigned passed = (data[at] & 3) == 3 ? (data[at] >> 2) % PASSED_MAX + 1 : 0;
		size_t len = data[at++] * 8U;

		if (len > size - at)
			len = size - at;
		(void)send_fds(fds[0], data + at, len, ends[1], passed);
		at += len;
		must(loop_turn(loop, 0) >= 0);
		if (later) {
			uint64_t serial = later;

			later = 0;
			control_answer(control, serial, NULL, at % 2 ? "no" : NULL);
		}
		control_console(control, "console", 7);
		control_event(control, json_object());
		control_room(control);
		if (at % 3 == 0)
			(void)!recv(fds[0], back, sizeof(back), 0);
	}
	control_end(control);
	close(control->listen_fd);
	close(fds[0]);
	loop_destroy(loop);
	free(control);
	/* Nobody has a copy of what was passed. */
	close(ends[1]);
	must(read(ends[0], back, 1) == 0);
	close(ends[0]);
	return 0;
}
