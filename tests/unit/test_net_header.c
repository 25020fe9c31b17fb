/* SPDX-License-Identifier: BSD-2-Clause */
/* The judgement on packet headers that a guest wrote, the receive filter, and checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/frames.h"
#include "virtio/net_csum.h"
#include "virtio/net_filter.h"

#define ALL UINT64_MAX

static uint8_t frame[NET_FRAME_MAX + 64];

/* Why the frame of @len bytes may not go out with @hdr; NULL if it may. */
static const char *judge(struct net_hdr *hdr, uint64_t features, size_t len)
{
	return net_hdr_judge_tx(hdr, features, frame, size_min(len, NET_HEAD_MAX), len);
}

static void refuse(struct net_hdr hdr, uint64_t features, size_t len, const char *why)
{
	const char *said = judge(&hdr, features, len);

	if (!said || !strstr(said, why))
		fail_msg("\"%s\" was said instead of \"%s\"", said ? said : "nothing", why);
}

static void stored_and_loaded(void **state)
{
	const struct net_hdr hdr = { 1, 0x84, 0x1234, 0x5678, 0x9abc, 0xdef0, 0x1122 };
	static const uint8_t raw[] = { 1,    0x84, 0x34, 0x12, 0x78, 0x56,
				       0xbc, 0x9a, 0xf0, 0xde, 0x22, 0x11 };
	uint8_t out[NET_HDR_SIZE];
	struct net_hdr in;

	(void)state;
	net_hdr_store(out, &hdr);
	assert_memory_equal(out, raw, sizeof(raw));
	net_hdr_load(&in, raw);
	assert_memory_equal(&in, &hdr, sizeof(hdr));
}

static void conditions_of_features(void **state)
{
	(void)state;
	assert_int_equal(net_features_effective(ALL), ALL);
	assert_int_equal(net_features_effective(ALL & ~NET_F_CSUM),
			 ALL & ~NET_F_CSUM & ~NET_HOST_GSO);
	assert_int_equal(net_features_effective(ALL & ~NET_F_GUEST_CSUM),
			 ALL & ~NET_F_GUEST_CSUM & ~NET_GUEST_GSO);
	assert_int_equal(net_features_effective(NET_F_CSUM | NET_F_HOST_ECN), NET_F_CSUM);
	assert_int_equal(net_features_effective(NET_F_GUEST_CSUM | NET_F_GUEST_ECN),
			 NET_F_GUEST_CSUM);
	assert_int_equal(net_features_effective(NET_F_MQ | NET_F_CTRL_RX | NET_F_MAC), NET_F_MAC);
}

static void honest_frames_pass(void **state)
{
	struct net_hdr hdr;
	size_t len;

	(void)state;
	hdr = (struct net_hdr){ 0 };
	assert_null(judge(&hdr, 0, frame_tcp(frame, false, 10)));
	hdr = (struct net_hdr){ 0 };
	assert_null(judge(&hdr, 0, NET_ETH_SIZE));
	hdr = (struct net_hdr){ 0 };
	assert_null(judge(&hdr, 0, NET_FRAME_MAX));
	for (int v6 = 0; v6 < 2; v6++) {
		len = frame_tcp(frame, v6, 60000);
		hdr = frame_tcp_hdr(v6, 0);
		assert_null(judge(&hdr, NET_F_CSUM, len));
		assert_int_equal(hdr.csum_offset, 16);
		hdr = frame_tcp_hdr(v6, 1448);
		assert_null(judge(&hdr, ALL, len));
		hdr = frame_tcp_hdr(v6, 1448);
		hdr.gso_type |= NET_GSO_ECN;
		assert_null(judge(&hdr, ALL, len));
	}
	len = frame_udp(frame, 12800);
	hdr = frame_udp_hdr(100);
	assert_null(judge(&hdr, ALL, len));
}

/* What does not mean anything does not go out, whatever the driver left there. */
static void cleans_what_means_nothing(void **state)
{
	struct net_hdr hdr = { 0xfe, 0, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff };
	static const struct net_hdr nothing;

	(void)state;
	assert_null(judge(&hdr, 0, frame_tcp(frame, false, 10)));
	assert_memory_equal(&hdr, &nothing, sizeof(hdr));
}

/* Row 18: hdr_len is what the frame itself says, whatever the driver claims. */
static void test_threat_18_hdr_len_lies(void **state)
{
	static const uint16_t lies[] = { 0, 1, 13, 53, 55, 1000, 65535 };
	size_t len = frame_tcp(frame, false, 5000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct net_hdr hdr = frame_tcp_hdr(false, 1448);

		hdr.hdr_len = lies[i];
		assert_null(judge(&hdr, ALL, len));
		assert_int_equal(hdr.hdr_len, FRAME_TCP4 + 20);
	}
}

/* Row 18: csum_start and csum_offset, every value of one at some of the other. */
static void test_threat_18_csum_lies(void **state)
{
	static const uint16_t offsets[] = { 0,	 1,   16,     100,    240,   254,
					    255, 256, 0x7fff, 0xfffe, 0xffff };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(offsets); k++) {
		for (uint32_t start = 0; start <= UINT16_MAX; start++) {
			struct net_hdr hdr = { .flags = NET_HDR_NEEDS_CSUM,
					       .csum_start = (uint16_t)start,
					       .csum_offset = offsets[k] };
			bool right = start >= NET_ETH_SIZE && start + offsets[k] + 2 <= 200;

			if ((judge(&hdr, ALL, 200) == NULL) != right)
				fail_msg("start %u, offset %u", start, offsets[k]);
		}
	}
	refuse((struct net_hdr){ .flags = 1, .csum_start = 20 }, ALL & ~NET_F_CSUM, 100,
	       "not negotiated");
	/* Only headers hold checksums, however long the frame is. */
	refuse((struct net_hdr){ .flags = 1, .csum_start = 20, .csum_offset = 300 }, ALL, 1000,
	       "outside the frame's headers");
}

/* Row 18: each field of a segmented frame, and each byte of its headers that the judgement rests on. */
static void test_threat_18_gso_lies(void **state)
{
	const struct net_hdr good = frame_tcp_hdr(false, 1448);
	size_t len = frame_tcp(frame, false, 5000);
	struct net_hdr hdr;

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		hdr = good;
		hdr.gso_type = (uint8_t)type;
		bool right = type == NET_GSO_NONE || (type & 0x7f) == NET_GSO_TCPV4;

		assert_int_equal(judge(&hdr, ALL, len) == NULL, right);
	}
	for (uint32_t size = 0; size <= UINT16_MAX; size++) {
		hdr = good;
		hdr.gso_size = (uint16_t)size;
		assert_int_equal(judge(&hdr, ALL, len) == NULL, size >= 8 && size < UINT16_MAX);
	}
	refuse(good, ALL & ~NET_F_HOST_TSO4, len, "not negotiated");
	hdr = good;
	hdr.gso_type |= NET_GSO_ECN;
	refuse(hdr, ALL & ~NET_F_HOST_ECN, len, "ECN");
	hdr = good;
	hdr.flags = 0;
	refuse(hdr, ALL, len, "without a checksum");
	hdr = good;
	hdr.csum_offset = 6;
	refuse(hdr, ALL, len, "not TCP's");
	hdr = good;
	hdr.csum_start = FRAME_IPV4;
	refuse(hdr, ALL, len, "not the headers");
	refuse(good, ALL, FRAME_TCP4 + 20, "of nothing");

	frame[12] = 0x12;
	refuse(good, ALL, len, "not the headers");
	len = frame_tcp(frame, false, 5000);
	frame[FRAME_IPV4] = 0x44; /* too short to be one */
	refuse(good, ALL, len, "not the headers");
	frame[FRAME_IPV4] = 0x4f; /* longer than csum_start says */
	refuse(good, ALL, len, "not the headers");
	len = frame_tcp(frame, false, 5000);
	frame[FRAME_IPV4 + 6] = 0x20; /* a fragment */
	refuse(good, ALL, len, "not the headers");
	len = frame_tcp(frame, false, 5000);
	frame[FRAME_IPV4 + 9] = 17;
	refuse(good, ALL, len, "not TCP");
	len = frame_tcp(frame, false, 5000);
	frame[FRAME_TCP4 + 12] = 4 << 4;
	refuse(good, ALL, len, "impossible length");
	frame[FRAME_TCP4 + 12] = 15 << 4;
	refuse(good, ALL, FRAME_TCP4 + 40, "impossible length");
	refuse(frame_tcp_hdr(true, 1448), ALL, frame_tcp(frame, false, 5000), "not the headers");
	hdr = frame_tcp_hdr(true, 1448);
	hdr.gso_type = NET_GSO_TCPV4;
	refuse(hdr, ALL, frame_tcp(frame, true, 5000), "another IP version");
	refuse(frame_udp_hdr(8), ALL, frame_udp(frame, 8 * 128 + 1), "more segments");
}

/* Frames cut at each byte of their headers: judged, never read beyond (ASan watches). */
static void test_threat_18_cut_headers(void **state)
{
	(void)state;
	for (size_t len = 0; len < 120; len++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct net_hdr hdr = frame_tcp_hdr(v6, 8);
			uint8_t *copy = test_malloc(len + 1);
			size_t whole = v6 ? FRAME_TCP6 + 20 : FRAME_TCP4 + 20;

			(void)frame_tcp(frame, v6, 200);
			memcpy(copy, frame, len);
			assert_int_equal(net_hdr_judge_tx(&hdr, ALL, copy, len, len) == NULL,
					 len > whole);
			test_free(copy);
		}
	}
}

/* VLAN tags and IPv6 extension headers are walked, a bounded number of them. */
static void tags_and_extensions(void **state)
{
	struct net_hdr hdr = frame_tcp_hdr(false, 100);
	size_t len = frame_tcp(frame, false, 500);

	(void)state;
	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, "\x81\x00\x00\x05", 4);
	hdr.csum_start += 4;
	assert_null(judge(&hdr, ALL, len + 4));
	assert_int_equal(hdr.hdr_len, FRAME_TCP4 + 24);
	for (unsigned i = 0; i < 3; i++) {
		memmove(frame + 16, frame + 12, len);
		memcpy(frame + 12, "\x88\xa8\x00\x05", 4);
		hdr.csum_start += 4;
		assert_int_equal(judge(&hdr, ALL, len + 8 + 4 * i) == NULL, i == 0);
	}

	for (unsigned count = 1; count < 12; count++) {
		hdr = frame_tcp_hdr(true, 100);
		len = frame_tcp(frame, true, 500);
		memmove(frame + FRAME_TCP6 + 8 * count, frame + FRAME_TCP6, len - FRAME_TCP6);
		frame[FRAME_IPV4 + 6] = 60;
		for (unsigned i = 0; i < count; i++) {
			memset(frame + FRAME_TCP6 + 8 * i, 0, 8);
			frame[FRAME_TCP6 + 8 * i] = i + 1 < count ? 60 : 6;
		}
		hdr.csum_start = (uint16_t)(FRAME_TCP6 + 8 * count);
		assert_int_equal(judge(&hdr, ALL, len + 8 * (size_t)count) == NULL, count < 8);
	}
}

static void to_the_guest_only_what_it_took(void **state)
{
	struct net_hdr hdr = { .flags = 0xff };

	(void)state;
	assert_false(net_hdr_fits_rx(&hdr, 0));
	hdr.flags = 0xff;
	assert_true(net_hdr_fits_rx(&hdr, NET_F_GUEST_CSUM));
	assert_int_equal(hdr.flags, 3);
	hdr = (struct net_hdr){ .flags = NET_HDR_DATA_VALID };
	assert_true(net_hdr_fits_rx(&hdr, 0));
	assert_int_equal(hdr.flags, 0);
	hdr = (struct net_hdr){ .gso_type = NET_GSO_TCPV4 };
	assert_false(net_hdr_fits_rx(&hdr, ALL & ~NET_F_GUEST_TSO4));
	assert_true(net_hdr_fits_rx(&hdr, NET_F_GUEST_TSO4));
	hdr.gso_type = NET_GSO_TCPV6 | NET_GSO_ECN;
	assert_false(net_hdr_fits_rx(&hdr, ALL & ~NET_F_GUEST_ECN));
	assert_false(net_hdr_fits_rx(&hdr, ALL & ~NET_F_GUEST_TSO6));
	assert_true(net_hdr_fits_rx(&hdr, ALL));
	hdr.gso_type = NET_GSO_UDP_L4;
	assert_false(net_hdr_fits_rx(&hdr, ALL & ~NET_F_GUEST_USO4 & ~NET_F_GUEST_USO6));
	assert_true(net_hdr_fits_rx(&hdr, ALL));
	hdr.gso_type = 3;
	assert_false(net_hdr_fits_rx(&hdr, ALL));
}

/* Against the sum counted byte by byte, cut into pieces of all lengths and alignments. */
static void checksums(void **state)
{
	(void)state;
	for (size_t payload = 0; payload < 300; payload++) {
		for (size_t cut = 0; cut < 40; cut++) {
			size_t len = payload % 2 ? frame_tcp(frame, payload % 3 == 0, payload)
						 : frame_udp(frame, payload);
			struct net_hdr hdr = payload % 2 ? frame_tcp_hdr(payload % 3 == 0, 0)
							 : frame_udp_hdr(0);
			size_t head = size_min(len, 80), second = size_min(cut, len - head);
			struct iovec iov[] = {
				{ frame, head },
				{ frame + head, second },
				{ frame + head + second, len - head - second },
			};

			assert_false(frame_sum_right(frame, len));
			net_csum_finish(&hdr, iov, 3);
			assert_true(frame_sum_right(frame, len));
		}
	}
}

static void sums_of_ones_and_none(void **state)
{
	struct iovec iov = { frame, 65536 };
	struct net_hdr hdr = { .flags = 1, .csum_start = 14, .csum_offset = 0 };

	(void)state;
	memset(frame, 0xff, 65536);
	assert_int_equal(net_csum_sum(&iov, 1, 0), 0xffff);
	memset(frame, 0, 65536);
	assert_int_equal(net_csum_sum(&iov, 1, 0), 0);
	/* A sum that comes out as zero is written as ones: zero would mean that there is none. */
	memset(frame, 0, 32);
	frame[16] = 0xff;
	frame[17] = 0xff;
	iov.iov_len = 32;
	net_csum_finish(&hdr, &iov, 1);
	assert_int_equal(le16_load(frame + 14), 0xffff);
}

static void filter_modes(void **state)
{
	static const uint8_t own[] = { 2, 0, 0, 0, 0, 1 }, other[] = { 2, 0, 0, 0, 0, 2 };
	static const uint8_t listed[] = { 2, 0, 0, 0, 0, 3 };
	static const uint8_t group[] = { 1, 0, 0x5e, 0, 0, 1 }, joined[] = { 1, 0, 0x5e, 0, 0, 2 };
	static const uint8_t all[] = { 255, 255, 255, 255, 255, 255 };
	struct net_filter filter;

	(void)state;
	net_filter_reset(&filter, own);
	assert_true(net_filter_passes(&filter, other));
	assert_true(net_filter_passes(&filter, group));
	filter.mode[NET_RX_PROMISC] = false;
	memcpy(filter.unicast.mac[0], listed, 6);
	filter.unicast.count = 1;
	memcpy(filter.multicast.mac[0], joined, 6);
	filter.multicast.count = 1;
	assert_true(net_filter_passes(&filter, own));
	assert_false(net_filter_passes(&filter, other));
	assert_true(net_filter_passes(&filter, listed));
	assert_false(net_filter_passes(&filter, group));
	assert_true(net_filter_passes(&filter, joined));
	assert_true(net_filter_passes(&filter, all));
	filter.mode[NET_RX_ALLMULTI] = true;
	assert_true(net_filter_passes(&filter, group));
	filter.mode[NET_RX_NOMULTI] = true;
	assert_false(net_filter_passes(&filter, joined));
	assert_true(net_filter_passes(&filter, all));
	filter.mode[NET_RX_NOBCAST] = true;
	assert_false(net_filter_passes(&filter, all));
	filter.mode[NET_RX_ALLUNI] = true;
	assert_true(net_filter_passes(&filter, other));
	filter.mode[NET_RX_NOUNI] = true;
	assert_false(net_filter_passes(&filter, own));
	net_filter_reset(&filter, own);
	filter.mode[NET_RX_PROMISC] = false;
	filter.unicast.all = true;
	filter.multicast.all = true;
	assert_true(net_filter_passes(&filter, other));
	assert_true(net_filter_passes(&filter, group));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_and_loaded),
		cmocka_unit_test(conditions_of_features),
		cmocka_unit_test(honest_frames_pass),
		cmocka_unit_test(cleans_what_means_nothing),
		cmocka_unit_test(test_threat_18_hdr_len_lies),
		cmocka_unit_test(test_threat_18_csum_lies),
		cmocka_unit_test(test_threat_18_gso_lies),
		cmocka_unit_test(test_threat_18_cut_headers),
		cmocka_unit_test(tags_and_extensions),
		cmocka_unit_test(to_the_guest_only_what_it_took),
		cmocka_unit_test(checksums),
		cmocka_unit_test(sums_of_ones_and_none),
		cmocka_unit_test(filter_modes),
	};

	return cmocka_run_group_tests_name("net_header", tests, NULL, NULL);
}
