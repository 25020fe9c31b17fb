/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net on the bench: what the driver and the back-end agree on: features, the control
 * queue, filters, offloads, pairs of queues, the link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/net_rig.h"
#include "virtio/devices.h"

enum {
	CLASS_RX = 0,
	CLASS_MAC = 1,
	CLASS_MQ = 4,
	CLASS_OFFLOADS = 5,
};

/* The tap as its ioctls know it: in place of the C library's. */
static struct {
	unsigned long offloads;
	unsigned detached; /* queues */
	int fail;	   /* errno for the next */
} tap;

int ioctl(int fd, unsigned long request, ...)
{
	const struct ifreq *req;
	va_list args;

	(void)fd;
	va_start(args, request);
	if (tap.fail) {
		errno = tap.fail;
		va_end(args);
		return -1;
	}
	if (request == TUNSETOFFLOAD) {
		tap.offloads = va_arg(args, unsigned long);
	} else {
		assert_int_equal(request, TUNSETQUEUE);
		req = va_arg(args, const struct ifreq *);
		tap.detached += req->ifr_flags == IFF_DETACH_QUEUE ? 1U : -1U;
	}
	va_end(args);
	return 0;
}

static uint8_t frame[NET_FRAME_MAX + 64], out[NET_FRAME_MAX + 64];

static void identity(void **state)
{
	struct net_rig net;
	uint8_t config[13];

	(void)state;
	tap.detached = 0;
	net_rig_open(&net, 2);
	assert_int_equal(net.rig.dev->type->id, 1);
	assert_int_equal(net.rig.dev->queue_count, 5);
	virtio_config_read(net.rig.dev, 0, config, 8);
	virtio_config_read(net.rig.dev, 8, config + 8, 5);
	assert_memory_equal(config, net_rig_mac, 6);
	assert_int_equal(le16_load(config + 6), 1);
	assert_int_equal(le16_load(config + 8), 2);
	assert_int_equal(le16_load(config + 10), NET_RIG_MTU);
	assert_int_equal(config[12], 0xff);
	net_rig_close(&net);
	net_rig_open(&net, 1);
	assert_false(net.rig.dev->features & NET_F_MQ);
	assert_int_equal(net.rig.dev->queue_count, 3);
	net_rig_close(&net);
}

static void filters(void **state)
{
	static const uint8_t other[] = { 0x52, 0x54, 0, 0, 0, 9 };
	const uint64_t features = NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA |
				  NET_F_CTRL_MAC_ADDR | NET_F_MRG_RXBUF;
	uint8_t table[4 + 6 + 4 + 6 * 65] = { 0 }, byte = 0, config[6];
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, features);
	net_rig_offer(&net, NET_RIG_RX, 20, 2048);
	assert_int_equal(net_rig_command(&net, 2, CLASS_RX, 0, &byte, 1), 0);
	net_rig_fill(frame, 100, 1);
	memcpy(frame, other, 6);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 100);
	assert_int_equal(dr_used_idx(&net.rig.ring[0]), 0);
	/* In the table it passes; and as the device's own address. */
	le32_store(table, 1);
	memcpy(table + 4, other, 6);
	assert_int_equal(net_rig_command(&net, 2, CLASS_MAC, 0, table, 14), 0);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 100);
	net_rig_expect(&net, NET_RIG_RX, 2048, frame, 100, &hdr);
	memset(table, 0, sizeof(table));
	assert_int_equal(net_rig_command(&net, 2, CLASS_MAC, 0, table, 8), 0);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 100);
	assert_int_equal(dr_used_idx(&net.rig.ring[0]), 1);
	assert_int_equal(net_rig_command(&net, 2, CLASS_MAC, 1, other, 6), 0);
	virtio_config_read(net.rig.dev, 0, config, 6);
	assert_memory_equal(config, other, 6);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 100);
	net_rig_expect(&net, NET_RIG_RX, 2048, frame, 100, &hdr);
	/* A longer table than there is room for lets all of its kind through. */
	le32_store(table + 4, 65);
	assert_int_equal(net_rig_command(&net, 2, CLASS_MAC, 0, table, 8 + 6 * 65), 0);
	frame[0] |= 1;
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 100);
	net_rig_expect(&net, NET_RIG_RX, 2048, frame, 100, &hdr);
	/* A reset brings the first address and no filter back. */
	net_rig_start(&net, features);
	virtio_config_read(net.rig.dev, 0, config, 6);
	assert_memory_equal(config, net_rig_mac, 6);
	net_rig_close(&net);
}

/* Rows 5 and 27: commands that are wrong, cut or too long change nothing and are told so. */
static void test_threat_05_commands(void **state)
{
	uint8_t data[64] = { 0 };
	struct net_rig net;
	uint8_t config[6];

	(void)state;
	net_rig_open(&net, 2);
	net_rig_start(&net, net.rig.dev->features);
	for (unsigned class = 0; class < 256; class += class < 8 ? 1 : 31) {
		for (unsigned command = 0; command < 256; command += command < 8 ? 1 : 31) {
			for (size_t len = 0; len < 16; len++) {
				bool right = (class == CLASS_RX && command < 6 && len == 1) ||
					     (class == CLASS_MAC && command == 0 && len == 8) ||
					     (class == CLASS_MAC && command == 1 && len == 6) ||
					     (class == CLASS_OFFLOADS && command == 0 && len == 8);

				if (net_rig_command(&net, 4, (uint8_t) class, (uint8_t)command,
						    data, len) != !right)
					fail_msg("class %u command %u length %zu", class, command,
						 len);
			}
		}
	}
	data[0] = 2; /* neither on nor off */
	assert_int_equal(net_rig_command(&net, 4, CLASS_RX, 0, data, 1), 1);
	data[0] = 1; /* a group's address */
	assert_int_equal(net_rig_command(&net, 4, CLASS_MAC, 1, data, 6), 1);
	virtio_config_read(net.rig.dev, 0, config, 6);
	assert_memory_equal(config, "\0\0\0\0\0\0", 6); /* as the loop above left it */
	le32_store(data, 0xffffffff);
	assert_int_equal(net_rig_command(&net, 4, CLASS_MAC, 0, data, 8), 1);
	le32_store(data, 0x2aaaaaab); /* times six wraps 32 bits to 2 */
	assert_int_equal(net_rig_command(&net, 4, CLASS_MAC, 0, data, 10), 1);
	le16_store(data, 0);
	assert_int_equal(net_rig_command(&net, 4, CLASS_MQ, 0, data, 2), 1);
	le16_store(data, 3);
	assert_int_equal(net_rig_command(&net, 4, CLASS_MQ, 0, data, 2), 1);
	le64_store(data, UINT64_MAX);
	assert_int_equal(net_rig_command(&net, 4, CLASS_OFFLOADS, 0, data, 8), 1);
	/* No room for an answer. */
	rig_offer(&net.rig, 4, 0, &(struct dr_buf){ RIG_DATA, 3, false }, 1);
	rig_settle(&net.rig);
	assert_true(rig_broken(&net.rig));
	net_rig_close(&net);
}

static void offloads_follow_the_driver(void **state)
{
	struct net_rig net;
	uint8_t data[8];

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, 0);
	assert_int_equal(tap.offloads, 0);
	net_rig_start(&net, GUEST_OFFLOADS);
	assert_int_equal(tap.offloads, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	net_rig_start(&net, GUEST_OFFLOADS & ~NET_F_GUEST_CSUM);
	assert_int_equal(tap.offloads, 0);
	net_rig_start(&net, net.rig.dev->features);
	assert_int_equal(tap.offloads, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | 0x60);
	le64_store(data, NET_F_GUEST_CSUM);
	assert_int_equal(net_rig_command(&net, 2, CLASS_OFFLOADS, 0, data, 8), 0);
	assert_int_equal(tap.offloads, TUN_F_CSUM);
	le64_store(data, NET_F_GUEST_TSO4);
	assert_int_equal(net_rig_command(&net, 2, CLASS_OFFLOADS, 0, data, 8), 0);
	assert_int_equal(tap.offloads, 0);
	net_rig_close(&net);
}

static void many_queues(void **state)
{
	struct net_hdr hdr;
	struct net_rig net;
	uint8_t data[2];

	(void)state;
	tap.detached = 0;
	net_rig_open(&net, 2);
	/* Without MQ the control queue is the third, and the other pair is silent. */
	net_rig_start(&net, NET_F_CTRL_VQ | NET_F_CTRL_RX);
	assert_int_equal(tap.detached, 1);
	data[0] = 1;
	assert_int_equal(net_rig_command(&net, 2, CLASS_RX, 1, data, 1), 0);

	net_rig_start(&net, NET_F_CTRL_VQ | NET_F_MQ | NET_F_MRG_RXBUF);
	net_rig_offer(&net, 2, 8, 2048);
	net_rig_fill(frame, 300, 3);
	net_rig_give(&net, 1, &(struct net_hdr){ 0 }, frame, 300);
	assert_int_equal(dr_used_idx(&net.rig.ring[2]), 0);
	le16_store(data, 2);
	assert_int_equal(net_rig_command(&net, 4, CLASS_MQ, 0, data, 2), 0);
	assert_int_equal(tap.detached, 0);
	rig_settle(&net.rig);
	net_rig_expect(&net, 2, 2048, frame, 300, &hdr);
	const struct dr_buf bufs[] = { { NET_RIG_HDR_AT, NET_HDR_SIZE, false },
				       { NET_RIG_FRAME_AT, 60, false } };

	memset(rig_at(&net.rig, NET_RIG_HDR_AT), 0, NET_HDR_SIZE);
	(void)rig_do(&net.rig, 3, bufs, 2);
	assert_int_equal(net_rig_sent(&net, 1, &hdr, out, sizeof(out)), 60);
	le16_store(data, 1);
	assert_int_equal(net_rig_command(&net, 4, CLASS_MQ, 0, data, 2), 0);
	assert_int_equal(tap.detached, 1);
	(void)rig_do(&net.rig, 3, bufs, 2);
	assert_int_equal(net_rig_sent(&net, 1, &hdr, out, sizeof(out)), -1);
	net_rig_close(&net);
}

/* The other side goes away: the link is down, the driver is told, and its packets are lost. */
static void link_goes_down(void **state)
{
	struct net_rig net;
	uint8_t status[2];
	unsigned pulses;

	(void)state;
	for (unsigned buffers = 0; buffers <= 8; buffers += 8) {
		net_rig_open(&net, 1);
		net_rig_start(&net, NET_F_STATUS | NET_F_MRG_RXBUF);
		net_rig_offer(&net, NET_RIG_RX, buffers, 2048);
		pulses = atomic_load(&net.rig.irq.pulses);
		(void)close(net.peer[0]);
		net.peer[0] = -1;
		rig_settle(&net.rig);
		virtio_config_read(net.rig.dev, 6, status, 2);
		assert_int_equal(le16_load(status), 0);
		assert_int_equal(atomic_load(&net.rig.irq.pulses), pulses + 1);
		assert_true(virtio_isr_read(net.rig.dev) & VIRTIO_ISR_CONFIG);
		for (unsigned i = 0; i < 3; i++)
			net_rig_send(&net, &(struct net_hdr){ 0 }, frame, 60);
		/* It stays down for the next driver. */
		net_rig_start(&net, NET_F_STATUS);
		net_rig_send(&net, &(struct net_hdr){ 0 }, frame, 60);
		net_rig_close(&net);
	}
}

static void refused_offloads(void **state)
{
	struct net_rig net;
	uint8_t status[2];

	(void)state;
	net_rig_open(&net, 1);
	tap.fail = EINVAL;
	net_rig_start(&net, GUEST_OFFLOADS);
	tap.fail = 0;
	virtio_config_read(net.rig.dev, 6, status, 2);
	assert_int_equal(le16_load(status), 0);
	net_rig_close(&net);
}

/* Each feature left out alone: the device does without. */
static void features_one_by_one(void **state)
{
	struct net_hdr hdr, sent;
	struct net_rig net;
	size_t len;

	(void)state;
	net_rig_open(&net, 2);
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t offered = net.rig.dev->features,
			 features = offered & ~(UINT64_C(1) << bit);

		if (features == offered || bit == 32)
			continue;
		net_rig_start(&net, features);
		features = net_features_effective(features);
		net_rig_offer(&net, NET_RIG_RX, 30, 4096);
		len = frame_tcp(frame, false, 3000);
		sent = frame_tcp_hdr(false, 1000);
		net_rig_send(&net, &sent, frame, len);
		assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)),
				 features & NET_F_HOST_TSO4 ? (ssize_t)len : -1);
		net_rig_send(&net, &(struct net_hdr){ 0 }, frame, 60);
		assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), 60);
		memcpy(frame, net_rig_mac, 6);
		if (features & NET_F_GUEST_TSO4) {
			net_rig_give(&net, 0, &sent, frame, len);
			net_rig_expect(&net, NET_RIG_RX, 4096, frame, len, &hdr);
			assert_int_equal(hdr.gso_size, 1000);
		}
		net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 1000);
		net_rig_expect(&net, NET_RIG_RX, 4096, frame, 1000, &hdr);
		assert_false(rig_broken(&net.rig));
	}
	net_rig_close(&net);
}

static struct net_backend *backend;

static int create(struct dev_rig *rig, struct virtio_dev **dev)
{
	const struct virtio_net_config config = { .backend = backend, .mtu = NET_RIG_MTU };

	return virtio_net_create(&config, 0, rig->mem, rig->loop, dev);
}

/* Row 12: creation that fails at each descriptor leaves nothing open, and the back-end whole. */
static void test_threat_12_create_fails(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	assert_int_equal(net_tap_create(fds, 1, false, "test", &backend), 0);
	rig_create_fails(create);
	net_backend_destroy(backend);
	(void)close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(filters),
		cmocka_unit_test(test_threat_05_commands),
		cmocka_unit_test(offloads_follow_the_driver),
		cmocka_unit_test(many_queues),
		cmocka_unit_test(link_goes_down),
		cmocka_unit_test(refused_offloads),
		cmocka_unit_test(features_one_by_one),
		cmocka_unit_test(test_threat_12_create_fails),
	};

	return cmocka_run_group_tests_name("net_control", tests, NULL, NULL);
}
