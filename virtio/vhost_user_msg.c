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
#include "base/le.h"

/* Descriptors that one message of a back-end can carry before the kernel drops the rest. */
enum { FDS_MAX = VHOST_USER_REGIONS_MAX };

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

/* What came with the bytes of an answer. */
struct got_fds {
	int fd[FDS_MAX];
	unsigned count;
	bool cut; /* there were more */
};

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

/* Bytes left to send, with the descriptors before the first of them. */
static void attach(struct msghdr *mh, union control *control, const int *fds, unsigned count)
{
	struct cmsghdr *head;

	if (!count)
		return;
	memset(control, 0, sizeof(*control));
	mh->msg_control = control->bytes;
	mh->msg_controllen = CMSG_SPACE(count * sizeof(int));
	head = CMSG_FIRSTHDR(mh);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, count * sizeof(int));
}

static int send_all(struct vhost_user_link *link, const uint8_t *data, size_t len, const int *fds,
		    unsigned fd_count, int64_t deadline)
{
	size_t done = 0;

	while (done < len) {
		struct iovec iov = { (void *)(uintptr_t)(data + done), len - done };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
		union control control;
		ssize_t n;
		int r;

		attach(&mh, &control, fds, done ? 0 : fd_count);
		n = sendmsg(link->fd, &mh, MSG_NOSIGNAL);
		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
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
	if (msg->len > VHOST_USER_PAYLOAD_MAX || msg->fd_count > FDS_MAX)
		return failed(link, -EINVAL, "the message is too long");
	le32_store(data, msg->request);
	le32_store(data + 4, VHOST_USER_VERSION | flags);
	le32_store(data + 8, (uint32_t)msg->len);
	if (msg->len)
		memcpy(data + VHOST_USER_HEADER, msg->payload, msg->len);
	return send_all(link, data, VHOST_USER_HEADER + msg->len, msg->fds, msg->fd_count,
			deadline);
}

static void close_fds(struct got_fds *got)
{
	for (unsigned i = 0; i < got->count; i++)
		close(got->fd[i]);
	got->count = 0;
}

static void take_fds(struct msghdr *mh, struct got_fds *got)
{
	if (mh->msg_flags & MSG_CTRUNC)
		got->cut = true;
	for (struct cmsghdr *head = CMSG_FIRSTHDR(mh); head; head = CMSG_NXTHDR(mh, head)) {
		size_t count;

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
			if (got->count < FDS_MAX) {
				got->fd[got->count++] = fd;
			} else {
				got->cut = true;
				close(fd);
			}
		}
	}
}

static int recv_all(struct vhost_user_link *link, uint8_t *data, size_t len, struct got_fds *got,
		    int64_t deadline)
{
	size_t done = 0;

	while (done < len) {
		union control control;
		struct iovec iov = { data + done, len - done };
		struct msghdr mh = { .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control.bytes,
				     .msg_controllen = sizeof(control.bytes) };
		ssize_t n = recvmsg(link->fd, &mh, MSG_CMSG_CLOEXEC);
		int r;

		if (n > 0) {
			take_fds(&mh, got);
			done += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || errno != EAGAIN)
			return failed(link, -ECONNRESET, "it closed the connection");
		r = wait_for(link, POLLIN, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The header is judged before a byte of what it announces is read. */
static int recv_reply(struct vhost_user_link *link, uint32_t request, uint8_t *data, size_t len,
		      struct got_fds *got, int64_t deadline)
{
	uint8_t header[VHOST_USER_HEADER];
	uint32_t flags;
	int r = recv_all(link, header, sizeof(header), got, deadline);

	if (r < 0)
		return r;
	flags = le32_load(header + 4);
	if (le32_load(header) != request)
		return failed(link, -EPROTO, "it answers another question than was asked");
	if ((flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION || !(flags & VHOST_USER_REPLY))
		return failed(link, -EPROTO, "its answer is not marked as one");
	if (le32_load(header + 8) != len)
		return failed(link, -EPROTO, "its answer has the wrong length");
	return recv_all(link, data, len, got, deadline);
}

/* The answer to @request, with the one descriptor that @fd asks for, or none. */
static int take_reply(struct vhost_user_link *link, uint32_t request, void *reply, size_t len,
		      int *fd, int64_t deadline)
{
	uint8_t data[VHOST_USER_PAYLOAD_MAX];
	struct got_fds got = { .count = 0 };
	int r;

	if (len > sizeof(data))
		return failed(link, -EINVAL, "the answer asked for is too long");
	r = recv_reply(link, request, data, len, &got, deadline);
	if (!r && (got.cut || got.count != (fd ? 1U : 0U)))
		r = failed(link, -EPROTO, "its answer comes with the wrong number of descriptors");
	if (r < 0) {
		close_fds(&got);
		return r;
	}
	if (fd)
		*fd = got.fd[0];
	memcpy(reply, data, len);
	return 0;
}

int vhost_user_tell(struct vhost_user_link *link, const struct vhost_user_msg *msg, bool ack)
{
	const bool wait = ack && link->acks;
	const int64_t deadline = now_ms() + link->wait_ms;
	uint8_t answer[8];
	int r = send_msg(link, msg, wait ? VHOST_USER_NEED_REPLY : 0, deadline);

	if (r < 0 || !wait)
		return r;
	r = take_reply(link, msg->request, answer, sizeof(answer), NULL, deadline);
	if (!r && le64_load(answer))
		r = failed(link, -EPROTO, "it refuses what it is told");
	return r;
}

int vhost_user_ask(struct vhost_user_link *link, const struct vhost_user_msg *msg, void *reply,
		   size_t len, int *fd)
{
	const int64_t deadline = now_ms() + link->wait_ms;
	int r = send_msg(link, msg, 0, deadline);

	return r < 0 ? r : take_reply(link, msg->request, reply, len, fd, deadline);
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
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 }; /* descriptors are dropped */
	ssize_t n;

	if (link->fd < 0)
		return failed(link, -ECONNRESET, "its connection is closed");
	do
		n = recvmsg(link->fd, &mh, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
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
}
