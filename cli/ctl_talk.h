/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection of `hvrun ctl` to a machine: lines both ways, none of which is waited for without end. */
#ifndef CLI_CTL_TALK_H
#define CLI_CTL_TALK_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/ctl_answer.h"

struct ctl_peer {
	const char *socket; /* its name */
	int fd;
	unsigned wait_s; /* how long the machine may take to greet, to take a request, and to answer it */
	struct ctl_input in;
};

/* Connects: 0, or an exit status, said. Root comes as the socket's owner. The caller closes peer->fd. */
int ctl_connect(struct ctl_peer *peer);

/*
 * The next line: 0 with *@object, the caller's, or an exit status, said. As long as the file @growing, if
 * that is not -1, changes, the time begins anew.
 */
int ctl_next(struct ctl_peer *peer, int growing, json_t **object);

/* The same for as long as it takes; 0 with NULL when the machine ends the connection. */
int ctl_next_event(struct ctl_peer *peer, json_t **object);

/* Sends the line @text, with the descriptor @file if that is not -1: 0, or an exit status, said. */
int ctl_send(const struct ctl_peer *peer, const char *text, size_t len, int file);

#endif
