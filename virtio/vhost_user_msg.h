/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of the vhost-user protocol (QEMU's docs/interop/vhost-user.rst), front-end side: sends
 * requests with descriptors, and judges what comes back.
 *
 * The back-end is a stranger. A reply counts only if it is the answer to the request at hand, whole,
 * of the length that the request's answer has, with as many descriptors as belong to it, and in
 * time; anything else is the end of the conversation (-EPROTO, -ETIMEDOUT, -ECONNRESET), with the
 * reason in words in link->why. Nothing is retried on a link that failed.
 *
 * A link belongs to one thread. Calls may wait for the back-end, link->wait_ms at most each; but for
 * those that say that they do not.
 */
#ifndef VIRTIO_VHOST_USER_MSG_H
#define VIRTIO_VHOST_USER_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fd_message.h"

enum {
	VHOST_USER_HEADER = 12,	      /* bytes: request, flags, size */
	VHOST_USER_PAYLOAD_MAX = 320, /* bytes of any payload that we send or accept */
	VHOST_USER_REGIONS_MAX = 8,   /* memory regions in one table */
	VHOST_USER_FDS_MAX = 8,	      /* descriptors with one message: one for each region */
	VHOST_USER_CONFIG_MAX = 256,  /* bytes of config space in one message */
	VHOST_USER_WAIT_MS = 20000,   /* for one reply; a back-end may just be starting */
};

/* Requests of the front end. */
enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
};

/* Flags of a header. */
enum {
	VHOST_USER_VERSION = 1,
	VHOST_USER_VERSION_MASK = 3,
	VHOST_USER_REPLY = 4,
	VHOST_USER_NEED_REPLY = 8,
};

/* Feature bit that says the back-end has protocol features. */
#define VHOST_USER_F_PROTOCOL_FEATURES (UINT64_C(1) << 30)

/* Protocol features. */
#define VHOST_USER_P_MQ		    (UINT64_C(1) << 0)
#define VHOST_USER_P_REPLY_ACK	    (UINT64_C(1) << 3)
#define VHOST_USER_P_CONFIG	    (UINT64_C(1) << 9)
#define VHOST_USER_P_INFLIGHT_SHMFD (UINT64_C(1) << 12)

/* An answer that is awaited: as much of it as has come. */
struct vhost_user_answer {
	enum vhost_user_request request;
	size_t len; /* of its payload */
	size_t got; /* bytes of header and payload */
	struct fd_message fds;
	uint8_t data[VHOST_USER_HEADER + VHOST_USER_PAYLOAD_MAX];
};

struct vhost_user_link {
	int fd;		 /* connected stream socket, non-blocking; -1 once it is closed */
	int wait_ms;	 /* for one reply */
	bool acks;	 /* VHOST_USER_P_REPLY_ACK is agreed on */
	const char *why; /* what went wrong, after an error; a constant */
	struct vhost_user_answer answer;
};

/* One request. */
struct vhost_user_msg {
	enum vhost_user_request request;
	const void *payload; /* @len bytes, little-endian */
	size_t len;
	const int *
		fds; /* @fd_count of them, at most VHOST_USER_REGIONS_MAX; they stay the caller's */
	unsigned fd_count;
};

/* Takes over @fd (a connected stream socket) and makes it non-blocking. 0 or -errno. */
int vhost_user_link_init(struct vhost_user_link *link, int fd);

/*
 * Between requests a back-end has nothing to say. 0 if it is silent; else -ECONNRESET (it closed the
 * connection) or -EPROTO (it spoke), with link->why. Never waits.
 */
int vhost_user_link_silent(struct vhost_user_link *link);

/* Closes the socket. Allowed more than once. */
void vhost_user_link_close(struct vhost_user_link *link);

/*
 * Sends @msg, which has no answer of its own. If acknowledgements are agreed on and @ack is set,
 * waits for that: -EPROTO too if the back-end says that it failed. 0 or -errno.
 */
int vhost_user_tell(struct vhost_user_link *link, const struct vhost_user_msg *msg, bool ack);

/*
 * Sends @msg and waits for its answer: exactly @len bytes into @reply, which is untouched on an error.
 * @fd: the one descriptor that comes with it, the caller's from then on; NULL if none may come. 0
 * or -errno.
 */
int vhost_user_ask(struct vhost_user_link *link, const struct vhost_user_msg *msg, void *reply,
		   size_t len, int *fd);

/*
 * The same in two steps, for who must not wait: sends @msg, to which @len bytes are the
 * answer. Nothing else is sent that has an answer until that one is here. 0 or -errno.
 */
int vhost_user_ask_later(struct vhost_user_link *link, const struct vhost_user_msg *msg,
			 size_t len);

/*
 * Takes what there is of the answer, and never waits. 1: all of it is in @reply; 0: not yet; or -errno.
 * @fd as for vhost_user_ask.
 */
int vhost_user_answer(struct vhost_user_link *link, void *reply, int *fd);

/*
 * vhost_user_tell for who must not wait. 1: an acknowledgement is awaited, which vhost_user_acknowledged takes as
 * vhost_user_answer does (-EPROTO: it is a no); 0: there will be none; or -errno, also if the message does not find room.
 */
int vhost_user_tell_later(struct vhost_user_link *link, const struct vhost_user_msg *msg, bool ack);
int vhost_user_acknowledged(struct vhost_user_link *link);

/* vhost_user_ask for requests without payload whose answer is one number. */
int vhost_user_ask_u64(struct vhost_user_link *link, enum vhost_user_request request,
		       uint64_t *value);

/* vhost_user_tell of one number, without acknowledgement. */
int vhost_user_tell_u64(struct vhost_user_link *link, enum vhost_user_request request,
			uint64_t value);

#endif
