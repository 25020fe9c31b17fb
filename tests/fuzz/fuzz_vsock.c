/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-vsock with a guest made of the input, programs of the host that connect, write, read and leave, and
 * a connector that answers when the input says so: bounded connections, and none left after a reset.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fuzz/dev_fuzz.h"
#include "virtio/devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONNS = 6, PEERS = 8, ASKS = 16 };

static struct {
	struct sockaddr_un address;
	socklen_t address_len;
	int listen_fd;
	int peers[PEERS]; /* the host's programs, -1: none */
	uint64_t asks[ASKS];
	unsigned ask_count;
} host;

static int on_connect(void *opaque, uint32_t port, uint64_t cookie)
{
	(void)opaque;
	if (port % 7 == 6 || host.ask_count == ASKS)
		return -1;
	host.asks[host.ask_count++] = cookie;
	return 0;
}

static void leave(unsigned which)
{
	if (host.peers[which] >= 0)
		close(host.peers[which]);
	host.peers[which] = -1;
}

static void answer(struct fuzz_bench *b, unsigned which)
{
	int ends[2] = { -1, -1 };
	uint64_t cookie = host.ask_count ? host.asks[--host.ask_count] : which;

	leave(which);
	if (which % 3 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0)
		host.peers[which] = ends[1];
	virtio_vsock_connected(b->dev, cookie, ends[0]);
}

static void come(unsigned which)
{
	leave(which);
	host.peers[which] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connect(host.peers[which], (struct sockaddr *)&host.address, host.address_len) < 0)
		leave(which);
}

static void own(struct fuzz_bench *b, struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	unsigned which = what / 8 % PEERS, conns;
	static uint8_t bytes[4096];
	size_t len = fuzz_byte(in);
	const uint8_t *text = fuzz_bytes(in, &len);
	int fd = host.peers[which];

	switch (what % 8) {
	case 0:
		answer(b, which);
		break;
	case 1:
		come(which);
		break;
	case 2:
		leave(which);
		break;
	case 3:
		(void)!write(fd, text, len);
		break;
	case 4:
		(void)!write(fd, bytes, sizeof(bytes));
		break;
	case 5:
		(void)!read(fd, bytes, sizeof(bytes));
		break;
	case 6:
		(void)shutdown(fd, (int)(len % 3));
		break;
	default:
		(void)!write(fd, "CONNECT 3\n", 10);
		break;
	}
	fuzz_settle(b);
	virtio_vsock_look(b->dev, &conns);
	fuzz_expect(conns <= CONNS);
}

static void open_host(void)
{
	host.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	host.address.sun_family = AF_UNIX;
	host.address_len = sizeof(host.address);
	fuzz_expect(bind(host.listen_fd, (struct sockaddr *)&host.address, sizeof(sa_family_t)) ==
		    0);
	fuzz_expect(getsockname(host.listen_fd, (struct sockaddr *)&host.address,
				&host.address_len) == 0);
	fuzz_expect(listen(host.listen_fd, 16) == 0);
	host.ask_count = 0;
	for (unsigned i = 0; i < PEERS; i++)
		host.peers[i] = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_vsock_config config = { .cid = 3, .conns = CONNS, .connect = on_connect };
	struct fuzz_bench b;
	unsigned conns;

	signal(SIGPIPE, SIG_IGN);
	open_host();
	config.listen_fd = host.listen_fd;
	fuzz_open(&b);
	fuzz_expect(virtio_vsock_create(&config, b.mem, b.loop, &b.dev) == 0);
	fuzz_run(&b, data, size, own);
	virtio_set_status(b.dev, 0);
	virtio_vsock_look(b.dev, &conns);
	fuzz_expect(conns == 0);
	virtio_dev_destroy(b.dev);
	fuzz_close(&b);
	for (unsigned i = 0; i < PEERS; i++)
		leave(i);
	close(host.listen_fd);
	host.address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return 0;
}
