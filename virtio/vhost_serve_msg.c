/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts a front end's messages together as their bytes come; the header is judged before its payload is read. */
#include "virtio/vhost_serve_msg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/le.h"

static int wrong(struct vhost_inbox *inbox, const char *why)
{
	inbox->why = why;
	return -EPROTO;
}

static int judge_header(struct vhost_inbox *inbox)
{
	inbox->request = le32_load(inbox->data);
	inbox->flags = le32_load(inbox->data + 4);
	inbox->len = le32_load(inbox->data + 8);
	if ((inbox->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION)
		return wrong(inbox, "it speaks another version of the protocol");
	if (inbox->flags & VHOST_USER_REPLY)
		return wrong(inbox, "it answers without being asked");
	if (inbox->len > VHOST_USER_PAYLOAD_MAX)
		return wrong(inbox, "its message is longer than any there is");
	return 0;
}

int vhost_inbox_read(struct vhost_inbox *inbox)
{
	for (;;) {
		size_t want = VHOST_USER_HEADER;
		ssize_t n;

		if (inbox->got >= VHOST_USER_HEADER) {
			if (judge_header(inbox))
				return -EPROTO;
			want += inbox->len;
		}
		if (inbox->got == want)
			return inbox->fds.cut ? wrong(inbox, "it sends too many descriptors") : 1;
		n = fd_message_receive(inbox->fd, inbox->data + inbox->got, want - inbox->got,
				       MSG_DONTWAIT, VHOST_USER_FDS_MAX, &inbox->fds);
		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return inbox->got ? wrong(inbox, "it hung up within a message")
					  : -ECONNRESET;
		inbox->got += (size_t)n;
	}
}

const uint8_t *vhost_inbox_payload(const struct vhost_inbox *inbox)
{
	return inbox->data + VHOST_USER_HEADER;
}

void vhost_inbox_next(struct vhost_inbox *inbox)
{
	fd_message_close(&inbox->fds);
	inbox->got = 0;
}

int vhost_inbox_answer(struct vhost_inbox *inbox, const void *payload, size_t len)
{
	uint8_t data[VHOST_USER_HEADER + VHOST_USER_PAYLOAD_MAX];
	const size_t all = VHOST_USER_HEADER + len;
	ssize_t n;

	le32_store(data, inbox->request);
	le32_store(data + 4, VHOST_USER_VERSION | VHOST_USER_REPLY);
	le32_store(data + 8, (uint32_t)len);
	memcpy(data + VHOST_USER_HEADER, payload, len);
	n = fd_message_send(inbox->fd, data, all, MSG_DONTWAIT, NULL, 0);
	if (n == -EPIPE || n == -ECONNRESET)
		return -ECONNRESET;
	return n == (ssize_t)all ? 0 : wrong(inbox, "it does not take its answers");
}

int vhost_inbox_answer_u64(struct vhost_inbox *inbox, uint64_t value)
{
	uint8_t payload[8];

	le64_store(payload, value);
	return vhost_inbox_answer(inbox, payload, sizeof(payload));
}
