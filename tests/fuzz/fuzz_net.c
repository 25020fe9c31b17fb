/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net with a driver made of the input, two queue pairs, and a peer that sends what the input says.
 * Whatever comes out at the back-end must be true: a header whose checksum and segments lie in the frame
 * that follows it.
 *
 * The first byte chooses features, the second more of them and whether the back-end is a tap (a
 * packet socket in its place) or a stream; then steps (tests/fuzz/dev_fuzz.h). Step 2: the peer sends;
 * or a kick of queues 2 to 4.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/fuzz/dev_fuzz.h"
#include "virtio/devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	int peer[2];
	bool stream;
} world;

/* The tap agrees to everything; only the two requests that it knows may come. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	fuzz_expect(request == TUNSETOFFLOAD || request == TUNSETQUEUE);
	return 0;
}

/* What goes to a tap: the kernel would believe this header. */
static void check_packet(const uint8_t *raw, size_t len)
{
	struct net_hdr hdr;
	size_t frame = len - NET_HDR_SIZE;

	fuzz_expect(len >= NET_HDR_SIZE + NET_ETH_SIZE && frame <= NET_FRAME_MAX);
	net_hdr_load(&hdr, raw);
	fuzz_expect(hdr.flags <= NET_HDR_NEEDS_CSUM);
	if (hdr.flags)
		fuzz_expect((size_t)hdr.csum_start + hdr.csum_offset + 2 <= frame);
	if (hdr.gso_type != NET_GSO_NONE) {
		fuzz_expect(hdr.flags && hdr.gso_size >= 8);
		fuzz_expect(hdr.hdr_len > hdr.csum_start && hdr.hdr_len < frame);
	}
}

static void drain(void)
{
	static uint8_t buf[NET_HDR_SIZE + NET_FRAME_MAX + 1];
	ssize_t n;

	for (unsigned i = 0; i < 2; i++) {
		while ((n = read(world.peer[i], buf, sizeof(buf))) > 0) {
			if (!world.stream)
				check_packet(buf, (size_t)n);
		}
	}
}

static void own(struct fuzz_bench *b, struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	size_t len = fuzz_byte(in);
	const uint8_t *bytes;

	if (what & 1) {
		virtio_kick(b->dev, 2 + (what >> 1) % 3);
	} else {
		bytes = fuzz_bytes(in, &len);
		if (len > 0 && write(world.peer[what >> 1 & 1], bytes, len) < 0)
			fuzz_expect(errno == EAGAIN || errno == EPIPE);
	}
	fuzz_settle(b);
	drain();
}

static struct net_backend *open_backend(void)
{
	int type = (world.stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK;
	struct net_backend *be;
	int fds[2];

	for (unsigned i = 0; i < 2; i++) {
		int pair[2];

		fuzz_expect(socketpair(AF_UNIX, type, 0, pair) == 0);
		fds[i] = pair[0];
		world.peer[i] = pair[1];
	}
	if (world.stream) {
		(void)close(fds[1]);
		fuzz_expect(net_stream_create(fds[0], "peer", &be) == 0);
	} else {
		fuzz_expect(net_tap_create(fds, 2, true, "tap", &be) == 0);
	}
	return be;
}

/* A bit for each group of features that go together. */
static uint64_t features_of(uint8_t first, uint8_t second)
{
	static const uint64_t groups[] = {
		NET_F_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6,
		NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6,
		NET_F_MRG_RXBUF,
		NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA | NET_F_CTRL_MAC_ADDR,
		NET_F_MQ,
		NET_F_HOST_ECN | NET_F_GUEST_ECN,
		NET_F_HOST_USO | NET_F_GUEST_USO4 | NET_F_GUEST_USO6,
		NET_F_GUEST_OFFLOADS,
	};
	uint64_t features = (uint64_t)(second >> 1 & 3) << 28;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (first >> i & 1)
			features |= groups[i];
	}
	return features;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_net_config config = { .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 1500 };
	struct fuzz_bench b;

	if (size < 2)
		return 0;
	(void)signal(SIGPIPE, SIG_IGN); /* as in hvrun */
	world.stream = data[1] & 1;
	config.backend = open_backend();
	fuzz_open(&b);
	fuzz_expect(virtio_net_create(&config, 0, b.mem, b.loop, &b.dev) == 0);
	fuzz_steps(&b, data + 2, size - 2, features_of(data[0], data[1]), own);
	drain();
	virtio_dev_destroy(b.dev);
	net_backend_destroy(config.backend);
	fuzz_close(&b);
	for (unsigned i = 0; i < 2; i++)
		(void)close(world.peer[i]);
	return 0;
}
