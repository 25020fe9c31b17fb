/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends descriptors through a unix socket. */
#include "tests/lib/send_fds.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

ssize_t send_fds(int to, const void *bytes, size_t len, int fd, unsigned count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(SEND_FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count > SEND_FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (count) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		for (unsigned i = 0; i < count; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(fd), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	return sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}
