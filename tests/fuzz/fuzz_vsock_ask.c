/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two ends of the socket between hvrun and its connector (vm/vsock_connector.h), each with the other one taken
 * over: any messages, with any number of descriptors. The connector answers each ask in its order, with a socket exactly
 * if it says so; hvrun takes what it is sent; neither has a descriptor left from it.
 *
 * The input: whose end it is (1 byte), then messages: length (1 byte, at most 40), how many descriptors (1), bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fuzz/dev_fuzz.h"
#include "tests/lib/send_fds.h"
#include "vm/vsock.h"
#include "vm/vsock_connector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PORT = 7, /* at which somebody listens */
	MESSAGES = 32,
	LENGTH = 40,
	PASSED = 2, /* as many as fit: of others qemu-user leaves some open itself */
	NUMBERS = 256,
};

static struct {
	char folder[32];
	char path[64];
	int listener;
} host = { .folder = "/tmp/hvrun-fuzz-XXXXXX", .listener = -1 };

static void close_host(void)
{
	(void)unlink(host.path);
	(void)rmdir(host.folder);
}

/* Once: somebody who listens, beside the guest's other ports, where nobody does. */
static void open_host(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (host.listener >= 0)
		return;
	fuzz_expect(mkdtemp(host.folder) != NULL);
	(void)snprintf(host.path, sizeof(host.path), "%s/s_%d", host.folder, PORT);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", host.path);
	host.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	fuzz_expect(host.listener >= 0 &&
		    bind(host.listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		    listen(host.listener, MESSAGES) == 0);
	fuzz_expect(atexit(close_host) == 0);
}

/* How many of our descriptors are open, of the numbers that one input can reach. */
static unsigned count_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < NUMBERS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Sends the messages; how many of them, from the first on, are asks, which are noted. */
static unsigned send_messages(int to, struct fuzz_input *in, struct vsock_ask *asks)
{
	unsigned good = 0;
	bool broken = false;

	for (unsigned i = 0; i < MESSAGES && in->left; i++) {
		size_t len = fuzz_byte(in) % (LENGTH + 1);
		unsigned count = fuzz_byte(in) % (PASSED + 1);
		const uint8_t *bytes = fuzz_bytes(in, &len);

		(void)send_fds(to, bytes, len, host.listener, count);
		broken = broken || len != sizeof(asks[0]);
		if (!broken)
			memcpy(&asks[good++], bytes, sizeof(asks[0]));
	}
	return good;
}

static void check_answer(int from, const struct vsock_ask *ask)
{
	struct vsock_answer answer;
	int fd;

	fuzz_expect(vsock_receive(from, &answer, sizeof(answer), &fd) == sizeof(answer));
	fuzz_expect(answer.cookie == ask->cookie && answer.boot == ask->boot);
	fuzz_expect((answer.err == 0) == (fd >= 0));
	fuzz_expect(ask->port == PORT || answer.err == ENOENT);
	if (fd < 0)
		return;
	fuzz_expect(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	fd = accept(host.listener, NULL, NULL);
	fuzz_expect(fd >= 0);
	close(fd);
}

static void at_connector(struct fuzz_input *in)
{
	struct vsock_ask asks[MESSAGES];
	char path[64], byte;
	unsigned count;
	int ends[2];

	fuzz_expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	count = send_messages(ends[0], in, asks);
	fuzz_expect(shutdown(ends[0], SHUT_WR) == 0);
	(void)snprintf(path, sizeof(path), "%s/s", host.folder);
	vsock_connector_serve(ends[1], path);
	for (unsigned i = 0; i < count; i++)
		check_answer(ends[0], &asks[i]);
	fuzz_expect(recv(ends[0], &byte, 1, MSG_DONTWAIT) < 0);
	close(ends[0]);
	close(ends[1]);
}

static void at_hvrun(struct fuzz_input *in)
{
	static struct vm_vsock vsock;
	struct vsock_ask unused[MESSAGES];
	struct virtio_vsock_config config;
	struct fuzz_bench b;
	int ends[2];

	vm_vsock_init(&vsock);
	fuzz_expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 &&
		    fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
	vsock.connector_fd = ends[0];
	vsock.conns = 4;
	vsock.boot = 0;
	config = vm_vsock_device(&vsock, 3);
	fuzz_open(&b);
	fuzz_expect(virtio_vsock_create(&config, b.mem, b.loop, &b.dev) == 0);
	fuzz_expect(vm_vsock_start(&vsock, b.loop, b.dev) == 0);
	(void)config.connect(config.opaque, PORT, 1);
	(void)send_messages(ends[1], in, unused);
	fuzz_settle(&b);
	vm_vsock_stop(&vsock);
	virtio_dev_destroy(b.dev);
	fuzz_close(&b);
	vm_vsock_close(&vsock);
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned before;

	open_host();
	before = count_open();
	if (fuzz_byte(&in) & 1)
		at_connector(&in);
	else
		at_hvrun(&in);
	fuzz_expect(count_open() == before);
	return 0;
}
