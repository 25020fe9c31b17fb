/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: clients, their lines, and what is sent to them. What the commands do is not known
 * here (vm/control/commands.c). The protocol is told in docs/control.md: one JSON object a line, both
 * ways.
 *
 * Clients are of the same user, which is trusted with the machine, and yet bounded: in number, in the
 * length of a line, in what waits to be sent. None of them makes the loop wait; who does not read is
 * dropped. Everything runs on the loop's thread.
 */
#ifndef VM_CONTROL_CONTROL_H
#define VM_CONTROL_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hw/loop.h"

enum {
	CONTROL_VERSION =
		1, /* "control" in the greeting: rises when a command changes its meaning */
	CONTROL_CLIENTS = 8,	  /* at once */
	CONTROL_LINE_MAX = 65536, /* bytes of a request, its line end included */
	CONTROL_OUT_MAX = 262144, /* bytes that wait for a client; beyond, it is dropped */
	CONTROL_WHY_MAX = 256,	  /* bytes of an error's words */
};

struct control;

struct control_client {
	struct control *control;
	int fd;		 /* -1: no client */
	int passed_fd;	 /* came with the line under way (SCM_RIGHTS), -1: none */
	bool events;	 /* asked for events */
	bool raw_next;	 /* raw as soon as the answer is queued */
	bool raw;	 /* the connection is the guest's console from now on */
	bool done;	 /* to be dropped when all is sent */
	bool waits;	 /* its request is under way: no other is looked at before control_answer */
	json_t *id;	 /* of that request, NULL: it had none */
	uint64_t serial; /* of the connection: no two have the same */
	uint32_t mask;	 /* what the loop waits for; UINT32_MAX: not in the loop */
	char *in;	 /* CONTROL_LINE_MAX bytes */
	size_t in_len;
	char *out; /* CONTROL_OUT_MAX bytes, a queue from out_start */
	size_t out_start;
	size_t out_len;
};

struct control_ops {
	/*
	 * Does @command for @client: 0 with *@result (a new reference, or NULL for an empty object),
	 * -EINPROGRESS if control_answer comes later, or another -errno with words in @why
	 * (CONTROL_WHY_MAX bytes). @args is an object, borrowed.
	 */
	int (*run)(void *opaque, struct control_client *client, const char *command,
		   const json_t *args, json_t **result, char *why);
	/* Input for the guest's console: takes at most @len bytes, returns how many. */
	size_t (*input)(void *opaque, const void *data, size_t len);
};

struct control {
	const struct control_ops *ops;
	void *opaque;
	struct loop *loop; /* NULL: detached */
	int listen_fd;	   /* -1: no control socket */
	bool listening;	   /* listen_fd is in the loop */
	uid_t uid;	   /* whose clients are let in, besides root's */
	uint64_t serial;   /* of the last client */
	struct control_client clients[CONTROL_CLIENTS];
};

/* No socket, no clients. */
void control_init(struct control *control, const struct control_ops *ops, void *opaque);

/* Serves clients on @loop from now on, those of before too: 0 or -errno. control_detach before it goes. */
int control_attach(struct control *control, struct loop *loop);
void control_detach(struct control *control);

/* Takes @fd, a connected socket, as a client's. 0, or -EBUSY, -ENOMEM: it is closed. */
int control_adopt(struct control *control, int fd);

/*
 * Answers the request under way of the client @serial, if that is still there: with @result (stolen, or
 * NULL for an empty object), or with the error @why.
 */
void control_answer(struct control *control, uint64_t serial, json_t *result, const char *why);

/* Sends @event, stolen, as a line to every client that asked for events. */
void control_event(struct control *control, json_t *event);

/* What the guest printed, to the clients that have its console. */
void control_console(struct control *control, const void *data, size_t len);

/* The guest takes console input again. */
void control_room(struct control *control);

/* Whether somebody listens to events, or has the console. */
bool control_has_client(const struct control *control);

/* Drops all clients, after a last try to send what waits. listen_fd stays the caller's. */
void control_end(struct control *control);

#endif
