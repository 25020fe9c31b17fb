/* SPDX-License-Identifier: BSD-2-Clause */
/* A network device on the bench, with a socket pair in place of a tap. */
#include "tests/lib/net_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio/devices.h"

const uint8_t net_rig_mac[6] = { 0x52, 0x54, 0, 0, 0, 1 };

void net_rig_open(struct net_rig *net, unsigned pairs)
{
	struct virtio_net_config config = { .mtu = NET_RIG_MTU };
	int fds[NET_MAX_PAIRS];

	*net = (struct net_rig){ .pairs = pairs };
	rig_init(&net->rig);
	for (unsigned i = 0; i < pairs; i++) {
		int pair[2];
		int size = 1 << 20;

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
		assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
				 0);
		fds[i] = pair[0];
		net->peer[i] = pair[1];
	}
	memcpy(config.mac, net_rig_mac, sizeof(config.mac));
	assert_int_equal(net_tap_create(fds, pairs, true, "test", &config.backend), 0);
	net->backend = config.backend;
	assert_int_equal(virtio_net_create(&config, 0, net->rig.mem, net->rig.loop, &net->rig.dev),
			 0);
}

void net_rig_close(struct net_rig *net)
{
	rig_fini(&net->rig);
	net_backend_destroy(net->backend);
	for (unsigned i = 0; i < net->pairs; i++) {
		if (net->peer[i] >= 0)
			(void)close(net->peer[i]);
	}
}

void net_rig_start(struct net_rig *net, uint64_t features)
{
	rig_start(&net->rig, features, features & NET_F_MQ ? net->pairs * 2 + 1 : 3);
}

void net_rig_send(struct net_rig *net, const struct net_hdr *hdr, const uint8_t *frame, size_t len)
{
	const struct dr_buf bufs[] = {
		{ NET_RIG_HDR_AT, NET_HDR_SIZE, false },
		{ NET_RIG_FRAME_AT, (uint32_t)len, false },
	};

	net_hdr_store(rig_at(&net->rig, NET_RIG_HDR_AT), hdr);
	memcpy(rig_at(&net->rig, NET_RIG_FRAME_AT), frame, len);
	assert_int_equal(rig_do(&net->rig, NET_RIG_TX, bufs, 2), 0);
}

ssize_t net_rig_sent(struct net_rig *net, unsigned pair, struct net_hdr *hdr, uint8_t *frame,
		     size_t size)
{
	uint8_t raw[NET_HDR_SIZE];
	struct iovec iov[] = { { raw, sizeof(raw) }, { frame, size } };
	ssize_t n = readv(net->peer[pair], iov, 2);

	if (n < 0)
		return -1;
	assert_true(n >= NET_HDR_SIZE);
	net_hdr_load(hdr, raw);
	return n - NET_HDR_SIZE;
}

bool net_rig_put(struct net_rig *net, unsigned pair, const struct net_hdr *hdr,
		 const uint8_t *frame, size_t len)
{
	uint8_t raw[NET_HDR_SIZE];
	uint8_t copy[NET_FRAME_MAX];
	const struct iovec iov[] = { { raw, sizeof(raw) }, { copy, len } };

	memcpy(copy, frame, len);
	net_hdr_store(raw, hdr);
	ssize_t n = writev(net->peer[pair], iov, 2);

	assert_true(n == (ssize_t)(NET_HDR_SIZE + len) || (n < 0 && errno == EAGAIN));
	return n > 0;
}

bool net_rig_try_give(struct net_rig *net, unsigned pair, const struct net_hdr *hdr,
		      const uint8_t *frame, size_t len)
{
	bool fits = net_rig_put(net, pair, hdr, frame, len);

	rig_settle(&net->rig);
	return fits;
}

void net_rig_give(struct net_rig *net, unsigned pair, const struct net_hdr *hdr,
		  const uint8_t *frame, size_t len)
{
	assert_true(net_rig_try_give(net, pair, hdr, frame, len));
}

void net_rig_offer(struct net_rig *net, unsigned queue, unsigned count, uint32_t size)
{
	for (unsigned i = 0; i < count; i++) {
		const struct dr_buf buf = { NET_RIG_RX_AT + (uint64_t)i * size, size, true };

		assert_true((i + 1) * (uint64_t)size <= RIG_RAM - NET_RIG_RX_AT);
		rig_offer(&net->rig, queue, (uint16_t)i, &buf, 1);
	}
	rig_settle(&net->rig);
}

void net_rig_fill(uint8_t *to, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(i * 31 + i / 255 + seed);
	memcpy(to, net_rig_mac, 6);
}

void net_rig_expect(struct net_rig *net, unsigned queue, uint32_t size, const uint8_t *frame,
		    size_t len, struct net_hdr *hdr)
{
	static uint8_t out[NET_FRAME_MAX + 64];
	size_t left = NET_HDR_SIZE + len, done = 0;
	unsigned count = 0;

	while (left > 0) {
		uint32_t id, written;

		rig_used(&net->rig, queue, &id, &written);
		assert_int_equal(written, size_min(size, left));
		memcpy(out + done, rig_at(&net->rig, NET_RIG_RX_AT + (uint64_t)id * size), written);
		left -= written;
		done += written;
		count++;
	}
	net_hdr_load(hdr, out);
	assert_int_equal(hdr->num_buffers, count);
	assert_memory_equal(out + NET_HDR_SIZE, frame, len);
}

uint8_t net_rig_command(struct net_rig *net, unsigned queue, uint8_t class, uint8_t command,
			const void *data, size_t len)
{
	const struct dr_buf bufs[] = {
		{ NET_RIG_HDR_AT, 2, false },
		{ NET_RIG_FRAME_AT, (uint32_t)len, false },
		{ NET_RIG_HDR_AT + 16, 1, true },
	};

	*rig_at(&net->rig, NET_RIG_HDR_AT) = class;
	*rig_at(&net->rig, NET_RIG_HDR_AT + 1) = command;
	*rig_at(&net->rig, NET_RIG_HDR_AT + 16) = 0xee;
	if (len > 0)
		memcpy(rig_at(&net->rig, NET_RIG_FRAME_AT), data, len);
	assert_int_equal(rig_do(&net->rig, queue, bufs, 3), 1);
	return *rig_at(&net->rig, NET_RIG_HDR_AT + 16);
}
