/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors through a unix socket, beside bytes. All that come are ours to close, wanted or not. */
#include "base/fd_message.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FD_MESSAGE_MAX * sizeof(int))];
};

/* Room for an odd number is, by its alignment, room for one more: that one is closed here. */
static void keep(const struct cmsghdr *head, unsigned most, struct fd_message *got)
{
	const size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
		if (got->count < most) {
			got->fd[got->count++] = fd;
		} else {
			got->cut = true;
			close(fd);
		}
	}
}

static void keep_all(struct msghdr *msg, unsigned most, struct fd_message *got)
{
	if (msg->msg_flags & MSG_CTRUNC)
		got->cut = true;
	for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
			keep(head, most, got);
	}
}

ssize_t fd_message_receive(int from, void *data, size_t len, int flags, unsigned most,
			   struct fd_message *got)
{
	const unsigned limit = most < FD_MESSAGE_MAX ? most : FD_MESSAGE_MAX;
	const size_t room = got->count < limit ? limit - got->count : 0;
	union control control;
	struct iovec iov = { data, len };
	struct msghdr msg;
	ssize_t n;

	do {
		/* Without room the kernel itself drops what comes. */
		msg = (struct msghdr){ .msg_iov = &iov,
				       .msg_iovlen = 1,
				       .msg_control = room ? control.bytes : NULL,
				       .msg_controllen = room ? CMSG_SPACE(room * sizeof(int))
							      : 0 };
		n = recvmsg(from, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	keep_all(&msg, limit, got);
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

static void attach(struct msghdr *msg, union control *control, const int *fds, unsigned count)
{
	struct cmsghdr *head;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(count * sizeof(int));
	head = CMSG_FIRSTHDR(msg);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, count * sizeof(int));
}

ssize_t fd_message_send(int to, const void *data, size_t len, int flags, const int *fds,
			unsigned count)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (count > FD_MESSAGE_MAX)
		return -EINVAL;
	if (fds && count)
		attach(&msg, &control, fds, count);
	do
		n = sendmsg(to, &msg, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int fd_message_take(struct fd_message *got)
{
	int fd;

	if (!got->count)
		return -1;
	fd = got->fd[0];
	got->count--;
	memmove(got->fd, got->fd + 1, got->count * sizeof(got->fd[0]));
	return fd;
}

void fd_message_close(struct fd_message *got)
{
	for (unsigned i = 0; i < got->count; i++)
		close(got->fd[i]);
	*got = (struct fd_message){ .count = 0 };
}
