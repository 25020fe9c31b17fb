/* SPDX-License-Identifier: BSD-2-Clause */
/* The vhost-user protocol's messages over a unix stream socket, with every answer judged. */
#include "virtio/vhost_user_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/fd_message.h"
#include "base/le.h"

static int failed(struct vhost_user_link *link, int err, const char *why)
{
	link->why = why;
	return err;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until the socket is ready for @events. 0, -ETIMEDOUT at @deadline, or -errno. */
static int wait_for(struct vhost_user_link *link, short events, int64_t deadline)
{
	struct pollfd pfd = { .fd = link->fd, .events = events };
	int n;

	do {
		int64_t left = deadline - now_ms();

		n = left > 0 ? poll(&pfd, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return 0;
	if (n < 0)
		return failed(link, -errno, "cannot wait for it");
	return failed(link, -ETIMEDOUT, "it does not answer in time");
}

static int send_all(struct vhost_user_link *link, const uint8_t *data, size_t len, const int *fds,
		    unsigned fd_count, int64_t deadline)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = fd_message_send(link->fd, data + done, len - done, MSG_DONTWAIT, fds,
					    done ? 0 : fd_count);
		int r;

		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n != -EAGAIN)
			return failed(link, -ECONNRESET, "its connection is closed");
		r = wait_for(link, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

static int send_msg(struct vhost_user_link *link, const struct vhost_user_msg *msg, uint32_t flags,
		    int64_t deadline)
{
	uint8_t data[VHOST_USER_HEADER + VHOST_USER_PAYLOAD_MAX];

	if (link->fd < 0)
		return failed(link, -ECONNRESET, "its connection is closed");
	if (msg->len > VHOST_USER_PAYLOAD_MAX || msg->fd_count > VHOST_USER_FDS_MAX)
		return failed(link, -EINVAL, "the message is too long");
	le32_store(data, msg->request);
	le32_store(data + 4, VHOST_USER_VERSION | flags);
	le32_store(data + 8, (uint32_t)msg->len);
	if (msg->len)
		memcpy(data + VHOST_USER_HEADER, msg->payload, msg->len);
	return send_all(link, data, VHOST_USER_HEADER + msg->len, msg->fds, msg->fd_count,
			deadline);
}

/* The header is judged before a byte of what it announces is read. */
static int judge_header(struct vhost_user_link *link)
{
	const struct vhost_user_answer *answer = &link->answer;
	const uint32_t flags = le32_load(answer->data + 4);

	if (le32_load(answer->data) != answer->request)
		return failed(link, -EPROTO, "it answers another question than was asked");
	if ((flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION || !(flags & VHOST_USER_REPLY))
		return failed(link, -EPROTO, "its answer is not marked as one");
	if (le32_load(answer->data + 8) != answer->len)
		return failed(link, -EPROTO, "its answer has the wrong length");
	return 0;
}

/* 1 when the header and @answer->len bytes are here, 0 not yet, or -errno. */
static int receive(struct vhost_user_link *link)
{
	struct vhost_user_answer *answer = &link->answer;
	const size_t all = VHOST_USER_HEADER + answer->len;

	while (answer->got < all) {
		size_t want = answer->got < VHOST_USER_HEADER ? VHOST_USER_HEADER : all;
		ssize_t n = fd_message_receive(link->fd, answer->data + answer->got,
					       want - answer->got, MSG_DONTWAIT, VHOST_USER_FDS_MAX,
					       &answer->fds);

		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return failed(link, -ECONNRESET, "it closed the connection");
		answer->got += (size_t)n;
		if (answer->got == VHOST_USER_HEADER) {
			int r = judge_header(link);

			if (r < 0)
				return r;
		}
	}
	return 1;
}

static int expect(struct vhost_user_link *link, enum vhost_user_request request, size_t len)
{
	if (len > VHOST_USER_PAYLOAD_MAX)
		return failed(link, -EINVAL, "the answer asked for is too long");
	link->answer.request = request;
	link->answer.len = len;
	link->answer.got = 0;
	return 0;
}

int vhost_user_answer(struct vhost_user_link *link, void *reply, int *fd)
{
	struct vhost_user_answer *answer = &link->answer;
	int r = receive(link);

	if (r > 0 && (answer->fds.cut || answer->fds.count != (fd ? 1U : 0U)))
		r = failed(link, -EPROTO, "its answer comes with the wrong number of descriptors");
	if (r < 0)
		fd_message_close(&answer->fds);
	if (r <= 0)
		return r;
	if (fd)
		*fd = fd_message_take(&answer->fds);
	memcpy(reply, answer->data + VHOST_USER_HEADER, answer->len);
	return 1;
}

/* Waits for the answer to what has been sent. */
static int await(struct vhost_user_link *link, void *reply, int *fd, int64_t deadline)
{
	int r = 0;

	while (r == 0) {
		r = vhost_user_answer(link, reply, fd);
		if (r == 0 && wait_for(link, POLLIN, deadline) < 0) {
			fd_message_close(&link->answer.fds);
			r = -ETIMEDOUT;
		}
	}
	return r < 0 ? r : 0;
}

int vhost_user_tell(struct vhost_user_link *link, const struct vhost_user_msg *msg, bool ack)
{
	const bool wait = ack && link->acks;
	const int64_t deadline = now_ms() + link->wait_ms;
	uint8_t answer[8];
	int r = send_msg(link, msg, wait ? VHOST_USER_NEED_REPLY : 0, deadline);

	if (r < 0 || !wait)
		return r;
	r = expect(link, msg->request, sizeof(answer));
	if (!r)
		r = await(link, answer, NULL, deadline);
	if (!r && le64_load(answer))
		r = failed(link, -EPROTO, "it refuses what it is told");
	return r;
}

int vhost_user_ask(struct vhost_user_link *link, const struct vhost_user_msg *msg, void *reply,
		   size_t len, int *fd)
{
	const int64_t deadline = now_ms() + link->wait_ms;
	int r = send_msg(link, msg, 0, deadline);

	if (!r)
		r = expect(link, msg->request, len);
	return r < 0 ? r : await(link, reply, fd, deadline);
}

int vhost_user_ask_later(struct vhost_user_link *link, const struct vhost_user_msg *msg, size_t len)
{
	int r = send_msg(link, msg, 0, now_ms());

	return r < 0 ? r : expect(link, msg->request, len);
}

int vhost_user_tell_later(struct vhost_user_link *link, const struct vhost_user_msg *msg, bool ack)
{
	const bool wait = ack && link->acks;
	int r = send_msg(link, msg, wait ? VHOST_USER_NEED_REPLY : 0, now_ms());

	if (!r && wait)
		r = expect(link, msg->request, 8);
	return !r && wait ? 1 : r;
}

int vhost_user_acknowledged(struct vhost_user_link *link)
{
	uint8_t answer[8];
	int r = vhost_user_answer(link, answer, NULL);

	if (r > 0 && le64_load(answer))
		r = failed(link, -EPROTO, "it refuses what it is told");
	return r;
}

int vhost_user_ask_u64(struct vhost_user_link *link, enum vhost_user_request request,
		       uint64_t *value)
{
	const struct vhost_user_msg msg = { .request = request };
	uint8_t answer[8];
	int r = vhost_user_ask(link, &msg, answer, sizeof(answer), NULL);

	if (!r)
		*value = le64_load(answer);
	return r;
}

int vhost_user_tell_u64(struct vhost_user_link *link, enum vhost_user_request request,
			uint64_t value)
{
	uint8_t payload[8];
	const struct vhost_user_msg msg = { .request = request, .payload = payload, .len = 8 };

	le64_store(payload, value);
	return vhost_user_tell(link, &msg, false);
}

int vhost_user_link_init(struct vhost_user_link *link, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	*link = (struct vhost_user_link){ .fd = fd, .wait_ms = VHOST_USER_WAIT_MS };
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int vhost_user_link_silent(struct vhost_user_link *link)
{
	struct fd_message none = { .count = 0 };
	char byte = 0;
	ssize_t n;

	if (link->fd < 0)
		return failed(link, -ECONNRESET, "its connection is closed");
	n = fd_message_receive(link->fd, &byte, 1, MSG_DONTWAIT, 0, &none);
	if (n == -EAGAIN)
		return 0;
	if (n > 0)
		return failed(link, -EPROTO, "it speaks without being asked");
	return failed(link, -ECONNRESET, "it closed the connection");
}

void vhost_user_link_close(struct vhost_user_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	fd_message_close(&link->answer.fds);
}
