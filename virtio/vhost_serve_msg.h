/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of a vhost-user front end, one at a time and whole, and what it is answered. */
#ifndef VIRTIO_VHOST_SERVE_MSG_H
#define VIRTIO_VHOST_SERVE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fd_message.h"
#include "virtio/vhost_user_msg.h"

struct vhost_inbox {
	int fd; /* connected stream socket; -1: none. The holder's */
	size_t got;
	uint8_t data[VHOST_USER_HEADER + VHOST_USER_PAYLOAD_MAX];
	struct fd_message fds;
	const char *why; /* what is wrong, after an error; a constant */

	/* Of the message that is whole. */
	uint32_t request;
	uint32_t flags;
	uint32_t len; /* of its payload */
};

/*
 * Reads on. 1: a message is whole; 0: nothing more is there now; -ECONNRESET: the front end hung up between two
 * messages; -EPROTO: what it sends is no message, or ends within one. Never waits.
 */
int vhost_inbox_read(struct vhost_inbox *inbox);

/* The payload of the message that is whole, inbox->len bytes. */
const uint8_t *vhost_inbox_payload(const struct vhost_inbox *inbox);

/* Away with the message, and with descriptors of it that nobody took. */
void vhost_inbox_next(struct vhost_inbox *inbox);

/*
 * Answers the message with @len bytes (at most VHOST_USER_PAYLOAD_MAX). 0; -ECONNRESET: the front end has gone
 * meanwhile; -EPROTO: it does not take it at once, though it reads before it asks again.
 */
int vhost_inbox_answer(struct vhost_inbox *inbox, const void *payload, size_t len);

/* The same with one number. */
int vhost_inbox_answer_u64(struct vhost_inbox *inbox, uint64_t value);

#endif
