/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net on the bench with a tap's code behind it: frames both ways, in buffers of every
 * shape, in order and bounded, and drivers that lie about them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/ioctl.h>

#include "base/checked.h"
#include "tests/lib/net_rig.h"

/* The tap's, in place of the C library's: it takes what it is asked. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

static uint8_t frame[NET_FRAME_MAX + 64], out[NET_FRAME_MAX + 64];

static void sends(void **state)
{
	static const size_t lens[] = { 14, 15, 59, 60, 255, 256, 257, 1514, 65535, NET_FRAME_MAX };
	const struct net_hdr plain = { 0 };
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, VIRTIO_F_EVENT_IDX);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		net_rig_fill(frame, lens[i], (unsigned)i);
		net_rig_send(&net, &plain, frame, lens[i]);
		assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), lens[i]);
		assert_memory_equal(out, frame, lens[i]);
		assert_memory_equal(&hdr, &plain, sizeof(hdr));
		assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), -1);
	}
	/* What is no frame is lost and costs nothing else. */
	net_rig_send(&net, &plain, frame, 13);
	net_rig_send(&net, &plain, frame, NET_FRAME_MAX + 1);
	assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), -1);
	assert_false(rig_broken(&net.rig));
	net_rig_close(&net);
}

static void sends_offloads(void **state)
{
	struct net_hdr hdr, got;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, HOST_OFFLOADS);
	for (int v6 = 0; v6 < 2; v6++) {
		size_t len = frame_tcp(frame, v6, 40000);

		hdr = frame_tcp_hdr(v6, 1000);
		hdr.hdr_len = 17; /* a lie; the device knows better */
		net_rig_send(&net, &hdr, frame, len);
		assert_int_equal(net_rig_sent(&net, 0, &got, out, sizeof(out)), len);
		hdr = frame_tcp_hdr(v6, 1000);
		assert_memory_equal(&got, &hdr, sizeof(got));
		assert_memory_equal(out, frame, len);
	}
	net_rig_close(&net);
}

/* Rows 4 and 18: header and frame cut into two buffers at every byte; framing means nothing (2.7.4). */
static void test_threat_04_split_anywhere(void **state)
{
	const struct net_hdr hdr = frame_tcp_hdr(false, 100);
	size_t len = frame_tcp(frame, false, 400);
	struct net_hdr got;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, HOST_OFFLOADS);
	net_hdr_store(rig_at(&net.rig, RIG_DATA), &hdr);
	memcpy(rig_at(&net.rig, RIG_DATA + NET_HDR_SIZE), frame, len);
	for (uint32_t cut = 0; cut <= NET_HDR_SIZE + len; cut++) {
		const struct dr_buf bufs[] = {
			{ RIG_DATA, cut, false },
			{ RIG_DATA + cut, (uint32_t)(NET_HDR_SIZE + len) - cut, false },
		};

		assert_int_equal(rig_do(&net.rig, NET_RIG_TX, bufs, 2), 0);
		assert_int_equal(net_rig_sent(&net, 0, &got, out, sizeof(out)), len);
		assert_memory_equal(out, frame, len);
		assert_memory_equal(&got, &hdr, sizeof(got));
	}
	net_rig_close(&net);
}

/* Row 18: what is not true of the frame never reaches the host's kernel, and the device lives. */
static void test_threat_18_header_lies(void **state)
{
	size_t len = frame_tcp(frame, false, 4000);
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, HOST_OFFLOADS);
	for (unsigned field = 0; field < 10; field++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t raw[NET_HDR_SIZE];
			struct net_hdr got = { 0 };
			bool came;

			hdr = frame_tcp_hdr(false, 1000);
			net_hdr_store(raw, &hdr);
			raw[field] = (uint8_t)value;
			net_hdr_load(&hdr, raw);
			net_rig_send(&net, &hdr, frame, len);
			came = net_rig_sent(&net, 0, &got, out, sizeof(out)) >= 0;
			if (!came)
				continue;
			/* What came out is true. */
			assert_true(got.flags <= 1);
			assert_true(got.gso_type == 0 || (got.gso_type & 0x7f) == NET_GSO_TCPV4);
			if (got.gso_type)
				assert_int_equal(got.hdr_len, FRAME_TCP4 + 20);
			if (got.flags)
				assert_true(got.csum_start + got.csum_offset + 2 <= NET_HEAD_MAX);
		}
	}
	assert_false(rig_broken(&net.rig));
	net_rig_close(&net);
}

/* Rows 5 and 9: chains without a whole header break the device, and no byte goes out. */
static void test_threat_05_short_header(void **state)
{
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	for (uint32_t len = 0; len < NET_HDR_SIZE; len++) {
		const struct dr_buf buf = { RIG_DATA, len, false };

		net_rig_start(&net, 0);
		rig_offer(&net.rig, NET_RIG_TX, 0, &buf, 1);
		rig_settle(&net.rig);
		assert_true(rig_broken(&net.rig));
		assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), -1);
	}
	for (uint32_t len = 0; len < NET_HDR_SIZE; len++) {
		net_rig_start(&net, 0);
		net_rig_offer(&net, NET_RIG_RX, 1, len);
		assert_true(rig_broken(&net.rig));
	}
	net_rig_close(&net);
}

/* Row 13: a buffer outside RAM, as in a device's own window, is refused whole; nothing recurs. */
static void test_threat_13_outside_ram(void **state)
{
	static const uint64_t where[] = { RIG_RAM, RIG_RAM - 100, 0xd0000000, UINT64_MAX - 100 };
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		for (unsigned queue = 0; queue < 2; queue++) {
			const struct dr_buf buf = { where[i], 2000, queue == NET_RIG_RX };

			net_rig_start(&net, NET_F_MRG_RXBUF);
			rig_offer(&net.rig, queue, 0, &buf, 1);
			net_rig_fill(frame, 100, 0);
			net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 100);
			assert_true(rig_broken(&net.rig));
			assert_int_equal(dr_used_idx(&net.rig.ring[queue]), 0);
			assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), -1);
		}
	}
	net_rig_close(&net);
}

static void receives(void **state)
{
	static const size_t lens[] = { 14, 60, 1000, 1514 };
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	for (int merge = 0; merge < 2; merge++) {
		net_rig_start(&net, merge ? NET_F_MRG_RXBUF : 0);
		net_rig_offer(&net, NET_RIG_RX, 32, 2048);
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			net_rig_fill(frame, lens[i], (unsigned)i);
			net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, lens[i]);
			net_rig_expect(&net, NET_RIG_RX, 2048, frame, lens[i], &hdr);
			assert_int_equal(hdr.flags, 0);
		}
	}
	net_rig_close(&net);
}

/* One frame over many buffers, with room for the longest there can be, and with less. */
static void merges(void **state)
{
	static const uint32_t sizes[] = { 1526, 2048, 4096, 16384, 65562 };
	static const size_t lens[] = { 14, 1514, 1515, 3000, 20000, 65000, 65535 };
	const struct net_hdr big = frame_tcp_hdr(false, 1448);
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			unsigned need = (unsigned)((lens[i] + NET_HDR_SIZE - 1) / sizes[s] + 1);

			/* Once with buffers for ten times as much, once with just enough. */
			for (unsigned more = 0; more < 2; more++) {
				net_rig_start(&net, NET_F_MRG_RXBUF | GUEST_OFFLOADS);
				net_rig_offer(&net, NET_RIG_RX, more ? need : 64, sizes[s]);
				net_rig_fill(frame, lens[i], (unsigned)i);
				net_rig_give(&net, 0, &big, frame, lens[i]);
				net_rig_expect(&net, NET_RIG_RX, sizes[s], frame, lens[i], &hdr);
				assert_int_equal(hdr.gso_type, NET_GSO_TCPV4);
				assert_int_equal(hdr.gso_size, 1448);
				assert_int_equal(dr_used_idx(&net.rig.ring[0]), need);
			}
		}
	}
	net_rig_close(&net);
}

/* A frame that comes when there are too few buffers waits for more, and those behind it. */
static void waits_for_buffers(void **state)
{
	struct net_hdr hdr;
	struct net_rig net;
	unsigned offered;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, NET_F_MRG_RXBUF | GUEST_OFFLOADS | VIRTIO_F_EVENT_IDX);
	net_rig_fill(frame, 10000, 5);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 10000);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 100);
	for (offered = 0; offered < 4; offered++) {
		const struct dr_buf buf = { NET_RIG_RX_AT + offered * 2048, 2048, true };

		assert_int_equal(dr_used_idx(&net.rig.ring[0]), 0);
		rig_offer(&net.rig, NET_RIG_RX, (uint16_t)offered, &buf, 1);
		rig_settle(&net.rig);
	}
	assert_int_equal(dr_used_idx(&net.rig.ring[0]), 0);
	for (; offered < 6; offered++) {
		const struct dr_buf buf = { NET_RIG_RX_AT + offered * 2048, 2048, true };

		rig_offer(&net.rig, NET_RIG_RX, (uint16_t)offered, &buf, 1);
		rig_settle(&net.rig);
	}
	net_rig_expect(&net, NET_RIG_RX, 2048, frame, 10000, &hdr);
	net_rig_expect(&net, NET_RIG_RX, 2048, frame, 100, &hdr);
	net_rig_close(&net);
}

/* Rows 8 and 9: a frame that can never fit is lost, it does not block the queue. */
static void test_threat_09_never_fits(void **state)
{
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	net.rig.ring_size = 4;
	net_rig_start(&net, NET_F_MRG_RXBUF | GUEST_OFFLOADS);
	net_rig_offer(&net, NET_RIG_RX, 4, 2048);
	net_rig_fill(frame, 20000, 1);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 20000);
	net_rig_fill(frame, 200, 2);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 200);
	net_rig_expect(&net, NET_RIG_RX, 2048, frame, 200, &hdr);
	/* The same without merging. */
	net_rig_start(&net, 0);
	net_rig_offer(&net, NET_RIG_RX, 4, 1000);
	net_rig_fill(frame, 1500, 1);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 1500);
	net_rig_fill(frame, 200, 2);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 200);
	net_rig_expect(&net, NET_RIG_RX, 1000, frame, 200, &hdr);
	net_rig_close(&net);
}

/* Segments queued for a driver that could take them do not reach one that cannot. */
static void stale_segments(void **state)
{
	const struct net_hdr big = frame_tcp_hdr(false, 1448);
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, NET_F_MRG_RXBUF | GUEST_OFFLOADS);
	net_rig_fill(frame, 1000, 1);
	net_rig_give(&net, 0, &big, frame, 1000);
	net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 900);
	net_rig_start(&net, NET_F_MRG_RXBUF);
	net_rig_offer(&net, NET_RIG_RX, 10, 2048);
	net_rig_expect(&net, NET_RIG_RX, 2048, frame, 900, &hdr);
	assert_int_equal(dr_used_idx(&net.rig.ring[0]), 1);
	net_rig_close(&net);
}

/* Sends until the tap is full and chains wait: how many were offered. */
static unsigned fill_tap(struct net_rig *net)
{
	const struct dr_buf bufs[] = { { NET_RIG_HDR_AT, NET_HDR_SIZE, false },
				       { NET_RIG_FRAME_AT, 60000, false } };
	unsigned offered;

	memset(rig_at(&net->rig, NET_RIG_HDR_AT), 0, NET_HDR_SIZE);
	for (offered = 0; offered < 30; offered++)
		rig_offer(&net->rig, NET_RIG_TX, (uint16_t)(offered * 2), bufs, 2);
	rig_settle(&net->rig);
	assert_true(dr_used_idx(&net->rig.ring[1]) < offered);
	return offered;
}

/* Row 11: a reset while a chain waits for the tap; nothing of the old driver is pushed or sent. */
static void test_threat_11_reset_in_flight(void **state)
{
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	for (unsigned i = 0; i < 3; i++) {
		net_rig_start(&net, 0);
		(void)fill_tap(&net);
		virtio_set_status(net.rig.dev, 0);
		while (net_rig_sent(&net, 0, &hdr, out, sizeof(out)) >= 0)
			rig_settle(&net.rig);
		net_rig_start(&net, NET_F_MRG_RXBUF);
		rig_settle(&net.rig);
		assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), -1);
		assert_int_equal(dr_used_idx(&net.rig.ring[1]), 0);
		/* And with buffers taken ahead, and a frame held. */
		net_rig_offer(&net, NET_RIG_RX, 1, 200);
		net_rig_fill(frame, 1000, 1);
		net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 1000);
		virtio_set_status(net.rig.dev, 0);
		net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 700);
		assert_int_equal(dr_used_idx(&net.rig.ring[0]), 0);
		net_rig_start(&net, NET_F_MRG_RXBUF);
		net_rig_offer(&net, NET_RIG_RX, 8, 2048);
		net_rig_expect(&net, NET_RIG_RX, 2048, frame, 700, &hdr);
	}
	net_rig_close(&net);
}

/* The back-end is full, then not: every packet goes, in order, and once. */
static void full_and_not(void **state)
{
	struct net_hdr hdr;
	struct net_rig net;
	unsigned offered, came = 0;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, VIRTIO_F_EVENT_IDX);
	offered = fill_tap(&net);
	while (net_rig_sent(&net, 0, &hdr, out, sizeof(out)) == 60000) {
		came++;
		rig_settle(&net.rig);
	}
	assert_int_equal(came, offered);
	assert_int_equal(dr_used_idx(&net.rig.ring[1]), offered);
	net_rig_close(&net);
}

/* Row 9: frames for a driver that never set up the queue for them do not make the loop spin. */
static void test_threat_09_no_receive_queue(void **state)
{
	const struct net_hdr plain = { 0 };
	struct net_hdr hdr;
	struct net_rig net;
	struct driver_ring *tx = &net.rig.ring[NET_RIG_TX];
	unsigned turns = 0;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, 0);
	virtio_set_status(net.rig.dev, 0);
	assert_true(dr_negotiate(net.rig.dev, net.rig.features));
	dr_init(tx, net.rig.mem, tx->desc, tx->num);
	assert_true(dr_setup_queue(net.rig.dev, NET_RIG_TX, tx));
	assert_true(dr_driver_ok(net.rig.dev));
	net_rig_fill(frame, 60, 0);
	assert_true(net_rig_put(&net, 0, &plain, frame, 60));
	while (turns < 100 && loop_turn(net.rig.loop, 0) > 0)
		turns++;
	assert_true(turns < 100);
	/* The other direction works on, and the next driver gets what waits. */
	net_rig_send(&net, &plain, frame, 60);
	assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), 60);
	assert_false(rig_broken(&net.rig));
	virtio_set_status(net.rig.dev, 0);
	net_rig_start(&net, 0);
	net_rig_offer(&net, NET_RIG_RX, 1, 2048);
	rig_used(&net.rig, NET_RIG_RX, NULL, NULL);
	net_rig_close(&net);
}

/* Row 8: one turn of the loop sends a bounded number, then others have theirs. */
static void test_threat_08_bounded_turn(void **state)
{
	const struct dr_buf bufs[] = { { NET_RIG_HDR_AT, NET_HDR_SIZE, false },
				       { NET_RIG_FRAME_AT, 10, false } };
	struct net_rig net;
	unsigned turns = 0;

	(void)state;
	net_rig_open(&net, 1);
	net.rig.ring_size = 256;
	net_rig_start(&net, 0);
	memset(rig_at(&net.rig, NET_RIG_HDR_AT), 0, NET_HDR_SIZE);
	for (unsigned i = 0; i < 128; i++)
		rig_offer(&net.rig, NET_RIG_TX, (uint16_t)(i * 2), bufs, 2);
	while (loop_turn(net.rig.loop, 0) > 0)
		assert_true(dr_used_idx(&net.rig.ring[1]) <= ++turns * 64);
	assert_int_equal(dr_used_idx(&net.rig.ring[1]), 128);
	net_rig_close(&net);
}

static void all_queue_sizes(void **state)
{
	struct net_hdr hdr;
	struct net_rig net;

	(void)state;
	net_rig_open(&net, 1);
	for (unsigned size = 1; size <= 256; size *= 2) {
		net.rig.ring_size = size;
		net_rig_start(&net, NET_F_MRG_RXBUF);
		for (unsigned i = 0; i < 3 * size && i < 20; i++) {
			const struct dr_buf whole = { NET_RIG_HDR_AT, NET_HDR_SIZE + 60, false };

			memset(rig_at(&net.rig, NET_RIG_HDR_AT), 0, NET_HDR_SIZE + 60);
			(void)rig_do(&net.rig, NET_RIG_TX, &whole, 1);
			assert_int_equal(net_rig_sent(&net, 0, &hdr, out, sizeof(out)), 60);
			net_rig_offer(&net, NET_RIG_RX, 1, 2048);
			net_rig_fill(frame, 600, i);
			net_rig_give(&net, 0, &(struct net_hdr){ 0 }, frame, 600);
			net_rig_expect(&net, NET_RIG_RX, 2048, frame, 600, &hdr);
		}
	}
	net_rig_close(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends),
		cmocka_unit_test(sends_offloads),
		cmocka_unit_test(test_threat_04_split_anywhere),
		cmocka_unit_test(test_threat_18_header_lies),
		cmocka_unit_test(test_threat_05_short_header),
		cmocka_unit_test(test_threat_13_outside_ram),
		cmocka_unit_test(receives),
		cmocka_unit_test(merges),
		cmocka_unit_test(waits_for_buffers),
		cmocka_unit_test(test_threat_09_never_fits),
		cmocka_unit_test(stale_segments),
		cmocka_unit_test(test_threat_11_reset_in_flight),
		cmocka_unit_test(full_and_not),
		cmocka_unit_test(test_threat_08_bounded_turn),
		cmocka_unit_test(test_threat_09_no_receive_queue),
		cmocka_unit_test(all_queue_sizes),
	};

	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
