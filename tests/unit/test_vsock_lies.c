/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-vsock: packets that are cut anywhere, lie about their length, or belong to no
 * connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/vsock_rig.h"
#include "virtio/devices.h"

/* Instead of the C library's: a clock that stands still. The device gives its peers seconds, which a busy machine may take. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){ .tv_sec = 1000 };
	return 0;
}

/* Row 4: header and data parted at every byte, and up to the end of RAM. */
static void test_threat_04_framing(void **state)
{
	char got[64];
	struct vsock_rig v;
	int fd;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	fd = vsock_rig_from_guest(&v);
	for (uint32_t cut = 0; cut <= VSOCK_HEADER + 10; cut++) {
		struct vsock_packet p = vsock_rig_packet(&v, RW, HOST_PORT);
		const struct dr_buf bufs[] = {
			{ TX_AT, cut, false },
			{ RIG_RAM - (VSOCK_HEADER + 10 - cut), VSOCK_HEADER + 10 - cut, false },
		};

		p.len = 10;
		vsock_rig_put(&v, &p);
		memcpy(rig_at(&v.rig, TX_AT + VSOCK_HEADER), "0123456789", 10);
		memcpy(rig_at(&v.rig, bufs[1].addr), rig_at(&v.rig, TX_AT + cut), bufs[1].len);
		rig_offer(&v.rig, VSOCK_TX, 0, bufs, 2);
		rig_settle(&v.rig);
		assert_int_equal(read(fd, got, sizeof(got)), 10);
		assert_memory_equal(got, "0123456789", 10);
		while (dr_take_used(&v.rig.ring[VSOCK_TX], NULL, NULL))
			;
	}
	close(fd);
	vsock_rig_close(&v);
}

/* Rows 4 and 5: a packet shorter than its header, longer than its buffers; a buffer too short for one. */
static void test_threat_04_05_lengths(void **state)
{
	static const uint32_t lens[] = { 1, 2, 0x7fffffff, 0x80000000, 0xffffffff };
	struct vsock_rig v;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	for (uint32_t len = 0; len < VSOCK_HEADER; len++) {
		rig_offer(&v.rig, VSOCK_TX, 0, &(struct dr_buf){ TX_AT, len, false }, 1);
		rig_settle(&v.rig);
		assert_true(rig_broken(&v.rig));
		vsock_rig_start(&v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct vsock_packet p = vsock_rig_packet(&v, RW, HOST_PORT);

		p.len = lens[i];
		vsock_rig_put(&v, &p);
		rig_offer(&v.rig, VSOCK_TX, 0, &(struct dr_buf){ TX_AT, VSOCK_HEADER, false }, 1);
		rig_settle(&v.rig);
		assert_true(rig_broken(&v.rig));
		vsock_rig_start(&v);
	}
	for (uint32_t len = 0; len <= VSOCK_HEADER; len++) {
		rig_start(&v.rig, 0, 3);
		rig_offer(&v.rig, VSOCK_RX, 0, &(struct dr_buf){ RX_AT, len, true }, 1);
		vsock_rig_say(&v, RW, HOST_PORT, 0);
		assert_true(rig_broken(&v.rig));
	}
	vsock_rig_start(&v);
	close(vsock_rig_from_guest(&v));
	vsock_rig_close(&v);
}

/* Strange packets: who is not there is told so, and nobody else is disturbed. */
static void packets_of_strangers(void **state)
{
	struct vsock_packet p, answer;
	struct vsock_rig v;
	int fd;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	for (unsigned op = 0; op < 20; op++) {
		vsock_rig_say(&v, op == REQUEST ? 20 : op, 4711, 0);
		if (op == RST) {
			vsock_rig_quiet(&v);
			continue;
		}
		answer = vsock_rig_expect(&v, RST);
		assert_int_equal(answer.src_port, 4711);
		assert_int_equal(answer.dst_port, GUEST_PORT);
	}
	/* Not from us: no answer, nothing done. */
	fd = vsock_rig_from_guest(&v);
	v.cid = 3;
	vsock_rig_say(&v, RST, HOST_PORT, 0);
	vsock_rig_say(&v, REQUEST, 5, 0);
	v.cid = VSOCK_CID;
	vsock_rig_quiet(&v);
	assert_int_equal(vsock_rig_conns(&v), 1);
	/* To others, or of another type. */
	for (unsigned i = 0; i < 2; i++) {
		p = vsock_rig_packet(&v, REQUEST, HOST_PORT);
		if (i)
			p.type = 2;
		else
			p.dst_cid = 9;
		vsock_rig_send(&v, p, NULL, 0);
		answer = vsock_rig_expect(&v, RST);
		assert_int_equal(answer.type, p.type);
		assert_int_equal(answer.src_cid, p.dst_cid);
	}
	assert_int_equal(vsock_rig_conns(&v), 1);
	/* Out of turn on what is connected. */
	for (unsigned op = 0; op < 20; op++) {
		if (op >= RST && op <= CREDIT_REQUEST)
			continue;
		vsock_rig_say(&v, op, HOST_PORT, 0);
		vsock_rig_expect(&v, RST);
		close(fd);
		fd = vsock_rig_from_guest(&v);
	}
	/* A change of mind while the host's side is being connected. */
	vsock_rig_say(&v, REQUEST, 5, 0);
	vsock_rig_say(&v, SHUTDOWN, 5, 3);
	vsock_rig_expect(&v, RST);
	virtio_vsock_connected(v.rig.dev, v.cookie, -1);
	vsock_rig_say(&v, REQUEST, 5, 0);
	vsock_rig_say(&v, REQUEST, 5, 0);
	vsock_rig_expect(&v, RST);
	vsock_rig_quiet(&v);
	close(fd);
	vsock_rig_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_of_strangers),
		cmocka_unit_test(test_threat_04_framing),
		cmocka_unit_test(test_threat_04_05_lengths),
	};

	return cmocka_run_group_tests_name("vsock_lies", tests, NULL, NULL);
}
