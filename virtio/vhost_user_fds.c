/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors through a unix socket, beside bytes. All that come are ours to close, wanted or not. */
#include "virtio/vhost_user_fds.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(VHOST_USER_FDS_MAX * sizeof(int))];
};

static void take(struct msghdr *mh, struct vhost_user_fds *got)
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
			if (got->count < VHOST_USER_FDS_MAX) {
				got->fd[got->count++] = fd;
			} else {
				got->cut = true;
				close(fd);
			}
		}
	}
}

ssize_t vhost_user_recv(int fd, void *data, size_t len, struct vhost_user_fds *got)
{
	union control control;
	struct iovec iov = { data, len };
	ssize_t n;

	do {
		struct msghdr mh = { .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control.bytes,
				     .msg_controllen = sizeof(control.bytes) };

		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n > 0)
			take(&mh, got);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return -ECONNRESET;
	return n < 0 ? -errno : n;
}

static void attach(struct msghdr *mh, union control *control, const int *fds, unsigned count)
{
	struct cmsghdr *head;

	memset(control, 0, sizeof(*control));
	mh->msg_control = control->bytes;
	mh->msg_controllen = CMSG_SPACE(count * sizeof(int));
	head = CMSG_FIRSTHDR(mh);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, count * sizeof(int));
}

ssize_t vhost_user_send(int fd, const void *data, size_t len, const int *fds, unsigned count)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (count > VHOST_USER_FDS_MAX)
		return -EINVAL;
	if (fds && count)
		attach(&mh, &control, fds, count);
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int vhost_user_fds_take(struct vhost_user_fds *got)
{
	int fd;

	if (!got->count)
		return -1;
	fd = got->fd[0];
	got->count--;
	memmove(got->fd, got->fd + 1, got->count * sizeof(got->fd[0]));
	return fd;
}

void vhost_user_fds_close(struct vhost_user_fds *got)
{
	for (unsigned i = 0; i < got->count; i++)
		close(got->fd[i]);
	*got = (struct vhost_user_fds){ .count = 0 };
}
