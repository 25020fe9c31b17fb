/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: clients come and go, and bytes with them. What their lines say: vm/control/lines.c. */
#include "vm/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/fd_message.h"
#include "vm/control/client.h"

static void on_client(void *opaque, uint32_t events);
static void on_listen(void *opaque, uint32_t events);

/* --- clients come and go --- */

static void watch(struct control_client *client, uint32_t mask)
{
	struct loop *loop = client->control->loop;

	if (!loop || client->fd < 0 || client->mask == mask)
		return;
	if (mask == UINT32_MAX)
		(void)loop_del(loop, client->fd);
	else if (client->mask == UINT32_MAX)
		(void)loop_add(loop, client->fd, mask, on_client, client);
	else
		(void)loop_mod(loop, client->fd, mask);
	client->mask = mask;
}

static void listen_on(struct control *control, bool on)
{
	if (!control->loop || control->listen_fd < 0 || control->listening == on)
		return;
	if (on && loop_add(control->loop, control->listen_fd, EPOLLIN, on_listen, control) < 0)
		return;
	if (!on)
		(void)loop_del(control->loop, control->listen_fd);
	control->listening = on;
}

void control_forget_passed(struct control_client *client)
{
	if (client->passed_fd >= 0)
		close(client->passed_fd);
	client->passed_fd = -1;
}

static void make_free(struct control_client *client, struct control *control)
{
	*client = (struct control_client){
		.control = control,
		.fd = -1,
		.passed_fd = -1,
		.mask = UINT32_MAX,
	};
}

static void drop(struct control_client *client)
{
	struct control *control = client->control;

	if (client->fd < 0)
		return;
	watch(client, UINT32_MAX);
	close(client->fd);
	control_forget_passed(client);
	json_decref(client->id);
	free(client->in);
	free(client->out);
	make_free(client, control);
	/* Where descriptors had run out there is one again. */
	listen_on(control, true);
}

void control_settle(struct control_client *client)
{
	bool room = client->in_len < CONTROL_LINE_MAX && !client->done;

	watch(client, (room ? EPOLLIN : 0U) | (client->out_len ? EPOLLOUT : 0U));
}

/* --- sending --- */

static void send_waiting(struct control_client *client)
{
	while (client->fd >= 0 && client->out_len) {
		ssize_t n = send(client->fd, client->out + client->out_start, client->out_len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			drop(client);
			return;
		}
		client->out_start += (size_t)n;
		client->out_len -= (size_t)n;
	}
	if (!client->out_len && client->done)
		drop(client);
	else if (client->fd >= 0)
		control_settle(client);
}

/* Queues bytes and tries to send them; a client that lets too much pile up is dropped. */
static void put(struct control_client *client, const void *data, size_t len)
{
	if (client->fd < 0)
		return;
	if (len > CONTROL_OUT_MAX - client->out_len) {
		drop(client);
		return;
	}
	if (len > CONTROL_OUT_MAX - client->out_start - client->out_len) {
		memmove(client->out, client->out + client->out_start, client->out_len);
		client->out_start = 0;
	}
	memcpy(client->out + client->out_start + client->out_len, data, len);
	client->out_len += len;
	send_waiting(client);
}

void control_put(struct control_client *client, const json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;

	if (!text) {
		drop(client);
		return;
	}
	text[len] = '\n'; /* in place of the zero: one send for the line */
	put(client, text, len + 1);
	free(text);
}

void control_event(struct control *control, json_t *event)
{
	for (size_t i = 0; event && i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd >= 0 && client->events && !client->raw)
			control_put(client, event);
	}
	json_decref(event);
}

void control_console(struct control *control, const void *data, size_t len)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->clients[i].fd >= 0 && control->clients[i].raw)
			put(&control->clients[i], data, len);
	}
}

bool control_has_client(const struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->clients[i].fd >= 0)
			return true;
	}
	return false;
}

/* --- what comes --- */

/* Some bytes, or what fd_message_receive says. One descriptor is kept, the last message's: others are a hoarder's. */
static ssize_t receive(struct control_client *client)
{
	struct fd_message passed = { .count = 0 };
	ssize_t n = fd_message_receive(client->fd, client->in + client->in_len,
				       CONTROL_LINE_MAX - client->in_len, MSG_DONTWAIT, 1, &passed);

	if (passed.count) {
		control_forget_passed(client);
		client->passed_fd = fd_message_take(&passed);
	}
	return n;
}

static void on_client(void *opaque, uint32_t events)
{
	struct control_client *client = opaque;

	if (events & EPOLLOUT)
		send_waiting(client);
	if (client->fd < 0)
		return;
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && client->in_len < CONTROL_LINE_MAX &&
	    !client->done) {
		ssize_t n = receive(client);

		if (n <= 0 && n != -EAGAIN) {
			drop(client);
			return;
		}
		if (n > 0) {
			client->in_len += (size_t)n;
			control_serve(client);
		}
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		drop(client);
	}
	if (client->fd >= 0)
		control_settle(client);
}

void control_room(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd < 0 || !client->raw || !client->in_len)
			continue;
		control_serve(client);
		control_settle(client);
	}
}

static void greet(struct control_client *client)
{
	json_t *json = json_object();

	json_object_set_new(json, "hvrun", json_string(HVRUN_VERSION));
	json_object_set_new(json, "control", json_integer(CONTROL_VERSION));
	control_put(client, json);
	json_decref(json);
}

int control_adopt(struct control *control, int fd)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd >= 0)
			continue;
		client->in = malloc(CONTROL_LINE_MAX);
		client->out = malloc(CONTROL_OUT_MAX);
		client->fd = fd;
		client->serial = ++control->serial;
		if (!client->in || !client->out) {
			drop(client);
			return -ENOMEM;
		}
		greet(client);
		return 0;
	}
	close(fd);
	return -EBUSY;
}

/* The same user, or root, as the kernel saw it when the client connected. */
static bool is_allowed(const struct control *control, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && len == sizeof(cred) &&
	       (cred.uid == control->uid || cred.uid == 0);
}

static void refuse(int fd, const char *why)
{
	json_t *json = control_error(why);
	char *text = json_dumps(json, JSON_COMPACT);

	if (text) {
		size_t len = strlen(text);

		text[len] = '\n';
		(void)!send(fd, text, len + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	free(text);
	json_decref(json);
	close(fd);
}

static bool is_full(const struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->clients[i].fd < 0)
			return false;
	}
	return true;
}

static void on_listen(void *opaque, uint32_t events)
{
	struct control *control = opaque;
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0) {
		/* No descriptor left: it would come again at once. A client that leaves frees one. */
		if ((errno == EMFILE || errno == ENFILE) && control_has_client(control))
			listen_on(control, false);
		return;
	}
	if (!is_allowed(control, fd))
		refuse(fd, "only the user who runs this machine, and root, may control it");
	else if (is_full(control))
		refuse(fd, "there are 8 clients already");
	else
		(void)control_adopt(control, fd);
}

/* --- life --- */

void control_init(struct control *control, const struct control_ops *ops, void *opaque)
{
	*control =
		(struct control){ .ops = ops, .opaque = opaque, .listen_fd = -1, .uid = geteuid() };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		make_free(&control->clients[i], control);
}

int control_attach(struct control *control, struct loop *loop)
{
	if (control->listen_fd < 0)
		return 0;
	control->loop = loop;
	listen_on(control, true);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd >= 0)
			control_settle(&control->clients[i]);
	return control->listening ? 0 : -ENOMEM;
}

void control_detach(struct control *control)
{
	listen_on(control, false);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		watch(&control->clients[i], UINT32_MAX);
	control->loop = NULL;
}

void control_end(struct control *control)
{
	control_detach(control);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		send_waiting(&control->clients[i]);
		drop(&control->clients[i]);
	}
}
