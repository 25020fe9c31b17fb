/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's side of virtio-vsock within hvrun: asks the connector for sockets and hands them on. */
#include "vm/vsock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "vm/unix_socket.h"
#include "vm/vsock_connector.h"

enum {
	ANSWER_BATCH = 64,
	OTHER_FILES = 512, /* descriptors for all but connections */
};

void vm_vsock_init(struct vm_vsock *vsock)
{
	vsock->listen_fd = vsock->connector_fd = -1;
	vsock->dev = NULL;
}

/* As many connections as the limit on descriptors, raised as far as it goes, has room for. */
static unsigned connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return OTHER_FILES;
	limit.rlim_cur =
		u64_max(limit.rlim_cur, u64_min(limit.rlim_max, VIRTIO_VSOCK_CONNS + OTHER_FILES));
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur <= UINT64_C(2) * OTHER_FILES)
		return (unsigned)u64_max(limit.rlim_cur / 4, 1);
	return (unsigned)u64_min(limit.rlim_cur - OTHER_FILES, VIRTIO_VSOCK_CONNS);
}

int vm_vsock_open(struct vm_vsock *vsock, const struct vm_config *config, struct remover *remover)
{
	int status;
	int r;

	if (!config->vsock_path)
		return 0;
	vsock->conns = connections();
	status = vm_unix_listen("vsock", config->vsock_path, remover, &vsock->listen_fd);
	if (status)
		return status;
	r = vsock_connector_start(config, &vsock->connector_fd);
	if (r >= 0)
		return 0;
	diag_error("vsock: cannot start the process that connects: %s", strerror(-r));
	return VM_STATUS_SYSTEM;
}

static void on_connector(void *opaque, uint32_t events);

static void watch(struct vm_vsock *vsock)
{
	(void)loop_mod(vsock->loop, vsock->connector_fd,
		       EPOLLIN | (vsock->ask_count ? (uint32_t)EPOLLOUT : 0));
}

static void connector_gone(struct vm_vsock *vsock)
{
	diag_warn("vsock: the process that connects has ended; the guest can connect to nothing "
		  "more");
	(void)loop_del(vsock->loop, vsock->connector_fd);
	close(vsock->connector_fd);
	vsock->connector_fd = -1;
	vsock->ask_count = 0;
}

/* Asks what waits, as far as the connector has room. */
static void ask(struct vm_vsock *vsock)
{
	while (vsock->ask_count) {
		const struct vsock_ask *first = &vsock->asks[vsock->ask_first];

		if (send(vsock->connector_fd, first, sizeof(*first), MSG_DONTWAIT | MSG_NOSIGNAL) <
		    0)
			break;
		vsock->ask_first = (vsock->ask_first + 1) % VM_VSOCK_ASKS;
		vsock->ask_count--;
	}
	watch(vsock);
}

static int connect_port(void *opaque, uint32_t port, uint64_t cookie)
{
	struct vm_vsock *vsock = opaque;

	if (vsock->connector_fd < 0 || vsock->ask_count == VM_VSOCK_ASKS)
		return -EAGAIN;
	vsock->asks[(vsock->ask_first + vsock->ask_count) % VM_VSOCK_ASKS] =
		(struct vsock_ask){ cookie, port, vsock->boot };
	vsock->ask_count++;
	ask(vsock);
	return 0;
}

/* One answer; false: there is none now, or never again. */
static bool take_answer(struct vm_vsock *vsock)
{
	struct vsock_answer answer = { 0 };
	int fd = -1;
	ssize_t n = vsock_receive(vsock->connector_fd, &answer, sizeof(answer), &fd);

	if (n == 0)
		connector_gone(vsock);
	if (n != (ssize_t)sizeof(answer)) {
		if (fd >= 0)
			close(fd);
		return n > 0;
	}
	if (answer.boot == vsock->boot && vsock->dev)
		virtio_vsock_connected(vsock->dev, answer.cookie, fd);
	else if (fd >= 0)
		close(fd);
	return true;
}

static void on_connector(void *opaque, uint32_t events)
{
	struct vm_vsock *vsock = opaque;

	(void)events;
	for (unsigned i = 0; i < ANSWER_BATCH && take_answer(vsock); i++)
		;
	if (vsock->connector_fd >= 0)
		ask(vsock);
}

struct virtio_vsock_config vm_vsock_device(struct vm_vsock *vsock, uint64_t cid)
{
	return (struct virtio_vsock_config){
		.cid = cid,
		.listen_fd = vsock->listen_fd,
		.conns = vsock->conns,
		.connect = connect_port,
		.opaque = vsock,
	};
}

int vm_vsock_start(struct vm_vsock *vsock, struct loop *loop, struct virtio_dev *dev)
{
	vsock->loop = loop;
	vsock->dev = dev;
	vsock->boot++;
	vsock->ask_count = 0;
	if (vsock->connector_fd < 0)
		return 0;
	return loop_add(loop, vsock->connector_fd, EPOLLIN, on_connector, vsock);
}

void vm_vsock_stop(struct vm_vsock *vsock)
{
	if (vsock->dev && vsock->connector_fd >= 0)
		(void)loop_del(vsock->loop, vsock->connector_fd);
	vsock->dev = NULL;
}

void vm_vsock_close(struct vm_vsock *vsock)
{
	if (vsock->listen_fd >= 0)
		close(vsock->listen_fd);
	if (vsock->connector_fd >= 0)
		close(vsock->connector_fd);
	vm_vsock_init(vsock);
}
