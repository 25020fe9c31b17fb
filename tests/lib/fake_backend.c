/* SPDX-License-Identifier: BSD-2-Clause */
/* A vhost-user back-end in a thread, kind or not. */
#include "tests/lib/fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/send_fds.h"

struct message {
	uint32_t request, flags, len;
	uint8_t payload[VHOST_USER_PAYLOAD_MAX];
	int fds[VHOST_USER_REGIONS_MAX];
	unsigned fd_count;
};

void fake_init(struct fake_backend *fake, uint64_t features, uint64_t protocol)
{
	*fake = (struct fake_backend){
		.features = features | (protocol ? VHOST_USER_F_PROTOCOL_FEATURES : 0),
		.protocol = protocol,
		.queue_num = 2,
		.memory = -1,
		.inflight_size = 4096,
	};
	for (unsigned i = 0; i < FAKE_QUEUES; i++)
		fake->ring[i].kick = fake->ring[i].call = -1;
}

static bool receive(int fd, void *to, size_t len, struct message *msg)
{
	size_t done = 0;

	while (done < len) {
		char control[CMSG_SPACE(sizeof(msg->fds))];
		struct iovec iov = { (uint8_t *)to + done, len - done };
		struct msghdr mh = { .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
		struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&mh) : NULL;

		if (n <= 0)
			return false;
		if (head) {
			msg->fd_count = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(msg->fds, CMSG_DATA(head), msg->fd_count * sizeof(int));
		}
		done += (size_t)n;
	}
	return true;
}

static bool take(struct fake_backend *fake, struct message *msg)
{
	uint8_t header[VHOST_USER_HEADER];

	*msg = (struct message){ 0 };
	if (!receive(fake->fd, header, sizeof(header), msg))
		return false;
	msg->request = le32_load(header);
	msg->flags = le32_load(header + 4);
	msg->len = le32_load(header + 8);
	return msg->len <= sizeof(msg->payload) && receive(fake->fd, msg->payload, msg->len, msg);
}

static void drip(int to, const uint8_t *data, size_t len)
{
	const struct timespec pause = { .tv_nsec = 200000 };

	for (size_t i = 0; i < len; i++) {
		(void)send_fds(to, data + i, 1, -1, 0);
		(void)nanosleep(&pause, NULL);
	}
}

static void wait_until_late(struct fake_backend *fake)
{
	atomic_store(&fake->waits, true);
	while (!atomic_load(&fake->late))
		(void)poll(NULL, 0, 1);
}

/* Answers @request with @len bytes and perhaps a descriptor, as the trick has it. */
static void answer(struct fake_backend *fake, uint32_t request, const void *payload, uint32_t len,
		   int fd)
{
	enum fake_trick trick = request == fake->trick_at ? fake->trick : FAKE_KIND;
	uint8_t data[VHOST_USER_HEADER + VHOST_USER_PAYLOAD_MAX];
	size_t total = VHOST_USER_HEADER + len;
	unsigned fds = fd >= 0;
	int extra = fd >= 0 ? fd : fake->fd;

	le32_store(data, trick == FAKE_OTHER_REQUEST ? request + 1 : request);
	le32_store(data + 4, (trick == FAKE_BAD_VERSION ? 2U : 1U) |
				     (trick == FAKE_NO_REPLY_FLAG ? 0U : VHOST_USER_REPLY));
	le32_store(data + 8, trick == FAKE_SHORT ? len - 1 : trick == FAKE_LONG ? UINT32_MAX : len);
	memcpy(data + VHOST_USER_HEADER, payload, len);
	if (trick == FAKE_ZEROES || trick == FAKE_REFUSE)
		memset(data + VHOST_USER_HEADER, trick == FAKE_REFUSE ? 0xff : 0, len);
	switch (trick) {
	case FAKE_CLOSE:
		(void)shutdown(fake->fd, SHUT_RDWR);
		return;
	case FAKE_HALF:
		(void)send_fds(fake->fd, data, total / 2, extra, fds);
		(void)shutdown(fake->fd, SHUT_RDWR);
		return;
	case FAKE_DRIP:
		drip(fake->fd, data, total);
		return;
	case FAKE_LATE:
		wait_until_late(fake);
		(void)send_fds(fake->fd, data, total, extra, fds);
		return;
	case FAKE_EXTRA_FD:
		(void)send_fds(fake->fd, data, total, extra, fds + 1);
		return;
	case FAKE_MANY_FDS:
		(void)send_fds(fake->fd, data, total, extra, 20);
		return;
	default:
		(void)send_fds(fake->fd, data, total, extra, fds);
	}
}

static void answer_u64(struct fake_backend *fake, uint32_t request, uint64_t value)
{
	uint8_t payload[8];

	le64_store(payload, value);
	answer(fake, request, payload, sizeof(payload), -1);
}

static void answer_inflight(struct fake_backend *fake, struct message *msg)
{
	int fd = memfd_create("notes", MFD_CLOEXEC);

	le64_store(msg->payload, fake->inflight_size);
	answer(fake, msg->request, msg->payload, msg->len, fd);
	close(fd);
	fake->inflights++;
}

static void keep_fd(int *place, struct message *msg)
{
	if (*place >= 0)
		close(*place);
	*place = msg->fd_count ? msg->fds[0] : -1;
	for (unsigned i = 1; i < msg->fd_count; i++)
		close(msg->fds[i]);
	msg->fd_count = 0;
}

/* Keeps what a request tells of a ring. */
static void keep_ring(struct fake_backend *fake, struct message *msg)
{
	uint32_t index = le32_load(msg->payload) % FAKE_QUEUES;
	uint32_t value = le32_load(msg->payload + 4);

	switch (msg->request) {
	case VHOST_USER_SET_VRING_NUM:
		fake->ring[index].num = value;
		break;
	case VHOST_USER_SET_VRING_BASE:
		fake->ring[index].base = value;
		break;
	case VHOST_USER_SET_VRING_ADDR:
		fake->ring[index].desc = le64_load(msg->payload + 8);
		fake->ring[index].used = le64_load(msg->payload + 16);
		fake->ring[index].avail = le64_load(msg->payload + 24);
		break;
	case VHOST_USER_SET_VRING_KICK:
		keep_fd(&fake->ring[index].kick, msg);
		break;
	case VHOST_USER_SET_VRING_CALL:
		keep_fd(&fake->ring[index].call, msg);
		break;
	case VHOST_USER_SET_VRING_ENABLE:
		atomic_fetch_add(&fake->ring[index].enabled, value);
		break;
	case VHOST_USER_GET_VRING_BASE:
		atomic_fetch_add(&fake->ring[index].stopped, 1);
		answer(fake, msg->request, msg->payload, 8, -1);
		break;
	default:
		break;
	}
}

/* Whether it has its own answer. */
static bool serve(struct fake_backend *fake, struct message *msg)
{
	switch (msg->request) {
	case VHOST_USER_GET_FEATURES:
		answer_u64(fake, msg->request, fake->features);
		return true;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		answer_u64(fake, msg->request, fake->protocol);
		return true;
	case VHOST_USER_GET_QUEUE_NUM:
		answer_u64(fake, msg->request, fake->queue_num);
		return true;
	case VHOST_USER_SET_FEATURES:
		fake->agreed = le64_load(msg->payload);
		return false;
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		fake->agreed_protocol = le64_load(msg->payload);
		return false;
	case VHOST_USER_SET_MEM_TABLE:
		fake->regions = le32_load(msg->payload);
		memcpy(fake->region, msg->payload + 8, msg->len - 8);
		keep_fd(&fake->memory, msg);
		return false;
	case VHOST_USER_GET_CONFIG:
		memcpy(msg->payload + 12, fake->config, msg->len - 12);
		answer(fake, msg->request, msg->payload, msg->len, -1);
		return true;
	case VHOST_USER_SET_CONFIG:
		memcpy(fake->set_config, msg->payload,
		       size_min(msg->len, sizeof(fake->set_config)));
		return false;
	case VHOST_USER_GET_INFLIGHT_FD:
		answer_inflight(fake, msg);
		return true;
	default:
		keep_ring(fake, msg);
		return msg->request == VHOST_USER_GET_VRING_BASE;
	}
}

static void *run(void *opaque)
{
	struct fake_backend *fake = opaque;
	struct message msg;

	while (take(fake, &msg)) {
		atomic_fetch_add(&fake->requests, 1);
		if (!serve(fake, &msg) && (msg.flags & VHOST_USER_NEED_REPLY))
			answer_u64(fake, msg.request, 0);
		for (unsigned i = 0; i < msg.fd_count; i++)
			close(msg.fds[i]);
	}
	return NULL;
}

int fake_start(struct fake_backend *fake)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fake->fd = pair[0];
	assert_int_equal(pthread_create(&fake->thread, NULL, run, fake), 0);
	return pair[1];
}

void fake_stop(struct fake_backend *fake)
{
	atomic_store(&fake->late, true);
	(void)shutdown(fake->fd, SHUT_RDWR);
	(void)pthread_join(fake->thread, NULL);
	close(fake->fd);
	if (fake->memory >= 0)
		close(fake->memory);
	for (unsigned i = 0; i < FAKE_QUEUES; i++) {
		if (fake->ring[i].kick >= 0)
			close(fake->ring[i].kick);
		if (fake->ring[i].call >= 0)
			close(fake->ring[i].call);
	}
}
