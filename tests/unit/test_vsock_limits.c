/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-vsock: what a connection may take and how many there may be: credit both ways,
 * buffers, descriptors, time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/vsock_rig.h"
#include "virtio/devices.h"

/* Instead of the C library's: the clock that deadlines are compared with is put forward, and stands still besides. */
static time_t ahead; /* seconds */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){ .tv_sec = 1000 + ahead };
	return 0;
}

/* What the host does not read waits, as far as the credit goes and no further. */
static void what_the_host_does_not_read_waits(void **state)
{
	static uint8_t data[4096];
	uint32_t sent = 0, got = 0;
	struct vsock_packet p;
	struct vsock_rig v;
	int fd;
	ssize_t n;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	fd = vsock_rig_from_guest(&v);
	/* The socket takes some, and tells of it by fwd_cnt; then our buffer fills. */
	for (uint32_t fwd = 0; sent - fwd + sizeof(data) <= ROOM; sent += sizeof(data)) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)((sent + i) % 251);
		vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), data, sizeof(data));
		while (vsock_rig_next(&v, &p, NULL)) {
			assert_int_equal(p.op, CREDIT_UPDATE);
			fwd = p.fwd_cnt;
		}
		assert_true(sent < 4 << 20);
	}
	assert_int_equal(vsock_rig_conns(&v), 1);
	vsock_rig_say(&v, CREDIT_REQUEST, HOST_PORT, 0);
	p = vsock_rig_expect(&v, CREDIT_UPDATE);
	assert_int_equal(p.buf_alloc, ROOM);
	assert_true(sent - p.fwd_cnt <= ROOM && sent > p.fwd_cnt);
	/* The guest ends while all that waits; the host reads it all, in order. */
	vsock_rig_say(&v, SHUTDOWN, HOST_PORT, 2);
	while ((n = read(fd, data, sizeof(data))) != 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(data[i], (got + (uint32_t)i) % 251);
		got += n > 0 ? (uint32_t)n : 0;
		rig_settle(&v.rig);
		while (vsock_rig_next(&v, &p, NULL))
			assert_int_equal(p.op, CREDIT_UPDATE);
	}
	assert_int_equal(got, sent);
	close(fd);
	p = vsock_rig_expect(&v, SHUTDOWN);
	assert_int_equal(p.flags, 3);
	vsock_rig_close(&v);
}

static void more_than_our_credit_ends_it(void **state)
{
	static uint8_t data[ROOM + 1];
	struct vsock_rig v;
	int fd, size = 4096;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	fd = vsock_rig_from_guest(&v);
	vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), data, ROOM + 1);
	vsock_rig_expect(&v, RST);
	assert_int_equal(read(fd, data, 1), 0);
	close(fd);
	/* Bit by bit, without a look at our fwd_cnt. */
	fd = vsock_rig_from_guest(&v);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (unsigned i = 0; vsock_rig_conns(&v); i++) {
		struct vsock_packet p;

		vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), data, 60000);
		assert_true(i < 100);
		while (vsock_rig_next(&v, &p, NULL))
			assert_true(p.op == RST || p.op == CREDIT_UPDATE);
	}
	close(fd);
	vsock_rig_close(&v);
}

/* The guest's credit: not a byte more than it has room for, and a lie stops its own connection only. */
static void no_more_than_the_guest_has_room_for(void **state)
{
	struct vsock_packet p;
	struct vsock_rig v;
	uint32_t sum = 0;
	char data[1000];
	int fd;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	v.buf_alloc = 100;
	fd = vsock_rig_from_guest(&v);
	memset(data, 'x', sizeof(data));
	assert_int_equal(write(fd, data, 250), 250);
	p = vsock_rig_expect(&v, RW);
	assert_int_equal(p.len, 100);
	vsock_rig_expect(&v, CREDIT_REQUEST);
	vsock_rig_quiet(&v);
	/* The same again is no news. */
	vsock_rig_say(&v, CREDIT_UPDATE, HOST_PORT, 0);
	vsock_rig_quiet(&v);
	v.fwd_cnt = 60;
	vsock_rig_say(&v, CREDIT_UPDATE, HOST_PORT, 0);
	p = vsock_rig_expect(&v, RW);
	assert_int_equal(p.len, 60);
	vsock_rig_expect(&v, CREDIT_REQUEST);
	/* More taken than was sent; all kinds of nonsense. */
	v.fwd_cnt = 161;
	vsock_rig_say(&v, CREDIT_UPDATE, HOST_PORT, 0);
	(void)vsock_rig_next(&v, &p, NULL);
	v.fwd_cnt = 0x80000000;
	vsock_rig_say(&v, CREDIT_UPDATE, HOST_PORT, 0);
	v.buf_alloc = 0;
	vsock_rig_say(&v, CREDIT_UPDATE, HOST_PORT, 0);
	while (vsock_rig_next(&v, &p, NULL))
		assert_int_equal(p.op, CREDIT_REQUEST);
	v.fwd_cnt = 160;
	v.buf_alloc = UINT32_MAX;
	vsock_rig_say(&v, CREDIT_UPDATE, HOST_PORT, 0);
	p = vsock_rig_expect(&v, RW);
	assert_int_equal(p.len, 90);
	assert_int_equal(write(fd, data, 1000), 1000);
	while (vsock_rig_next(&v, &p, NULL))
		sum += p.op == RW ? p.len : 0;
	assert_int_equal(sum, 1000);
	assert_int_equal(vsock_rig_conns(&v), 1);
	close(fd);
	vsock_rig_close(&v);
}

/* Row 8: a guest that offers no buffers gets its packets taken up to a bound, and all answers later. */
static void test_threat_08_no_buffers(void **state)
{
	struct dr_buf buf = { TX_AT, VSOCK_HEADER, false };
	unsigned answers = 0;
	struct vsock_rig v;
	struct vsock_packet p;

	(void)state;
	vsock_rig_open(&v, 8, 256);
	rig_start(&v.rig, 0, 3);
	p = vsock_rig_packet(&v, RW, HOST_PORT);
	vsock_rig_put(&v, &p);
	for (unsigned i = 0; i < 256; i++)
		rig_offer(&v.rig, VSOCK_TX, (uint16_t)i, &buf, 1);
	rig_settle(&v.rig);
	assert_true(dr_used_idx(&v.rig.ring[VSOCK_TX]) < 100);
	v.posted = 0;
	for (unsigned i = 0; i < 256; i++)
		rig_offer(&v.rig, VSOCK_RX, (uint16_t)i,
			  &(struct dr_buf){ RX_AT + (i % 64) * RX_SIZE, RX_SIZE, true }, 1);
	rig_settle(&v.rig);
	assert_int_equal(dr_used_idx(&v.rig.ring[VSOCK_TX]), 256);
	while (dr_take_used(&v.rig.ring[VSOCK_RX], NULL, NULL))
		answers++;
	assert_int_equal(answers, 256);
	vsock_rig_close(&v);
}

/* As many connections as there may be; the next is refused, and one more fits when one ends. */
static void test_threat_08_many(void **state)
{
	enum { LEAST = 1000, OTHERS = 100 };
	static int fds[VIRTIO_VSOCK_CONNS];
	unsigned many = VIRTIO_VSOCK_CONNS;
	struct rlimit limit;
	struct vsock_packet p;
	struct vsock_rig v;
	int late;
	char byte;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 2 * many + OTHERS)
		many = (unsigned)(limit.rlim_cur - OTHERS) / 2;
	if (limit.rlim_cur < OTHERS || many < LEAST)
		skip();
	vsock_rig_open(&v, many, 64);
	for (unsigned i = 0; i < many; i++) {
		int ends[2];

		vsock_rig_say(&v, REQUEST, i, 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
		virtio_vsock_connected(v.rig.dev, v.cookie, ends[0]);
		p = vsock_rig_expect(&v, RESPONSE);
		assert_int_equal(p.buf_alloc, i < 256 ? ROOM : 8192);
		fds[i] = ends[1];
	}
	assert_int_equal(vsock_rig_conns(&v), many);
	vsock_rig_say(&v, REQUEST, many, 0);
	vsock_rig_expect(&v, RST);
	late = vsock_rig_client(&v);
	vsock_rig_tell(late, "CONNECT 1\n");
	rig_settle(&v.rig);
	vsock_rig_quiet(&v);
	for (unsigned i = 0; i < many; i++) {
		vsock_rig_tell(fds[i], "x");
		p = vsock_rig_expect(&v, RW);
		assert_int_equal(p.src_port, i);
		vsock_rig_send(&v, vsock_rig_packet(&v, RW, i), "y", 1);
		assert_int_equal(read(fds[i], &byte, 1), 1);
	}
	vsock_rig_say(&v, RST, 500, 0);
	vsock_rig_expect(&v, REQUEST);
	close(late);
	for (unsigned i = 0; i < many; i++)
		close(fds[i]);
	vsock_rig_close(&v);
}

/* So much later, and the device has looked at its clock, which it does each second. */
static void later(struct vsock_rig *v, time_t seconds)
{
	ahead += seconds;
	assert_true(loop_turn(v->rig.loop, 60000) > 0);
	rig_settle(&v->rig);
}

/* A client that comes when there is no descriptor left: the loop does not spin for it, and it is let in later. */
static void no_descriptor_for_a_client(void **state)
{
	struct rlimit old, none;
	unsigned turns = 0;
	struct vsock_rig v;
	int fd;

	(void)state;
	vsock_rig_open(&v, 4, 8);
	fd = vsock_rig_client(&v);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	while (turns < 100 && loop_turn(v.rig.loop, 0) > 0)
		turns++;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(turns < 100);
	assert_int_equal(vsock_rig_conns(&v), 0);
	later(&v, 2);
	assert_int_equal(vsock_rig_conns(&v), 1);
	vsock_rig_tell(fd, "CONNECT 1234\n");
	vsock_rig_expect(&v, REQUEST);
	close(fd);
	vsock_rig_close(&v);
}

/* Whoever lets the other wait for ever does not keep a connection: the guest, the host's program, the connector. */
static void test_threat_08_who_never_answers(void **state)
{
	struct vsock_rig v;
	struct vsock_packet p;
	uint32_t port, gone;
	char byte;
	int silent, asking, closed, fds[4];

	(void)state;
	vsock_rig_open(&v, 4, 8);
	closed = vsock_rig_from_host(&v, &gone);
	close(closed);
	vsock_rig_expect(&v, SHUTDOWN); /* which the guest does not acknowledge */
	asking = vsock_rig_client(&v);
	vsock_rig_tell(asking, "CONNECT 1234\n");
	port = vsock_rig_expect(&v, REQUEST).src_port; /* nor does it answer this */
	vsock_rig_say(&v, REQUEST, HOST_PORT, 0);      /* the connector brings no socket */
	silent = vsock_rig_client(&v);
	rig_settle(&v.rig);
	vsock_rig_quiet(&v);
	assert_int_equal(vsock_rig_conns(&v), 4);
	later(&v, 5);
	assert_int_equal(vsock_rig_conns(&v), 4);

	later(&v, 10);
	assert_int_equal(vsock_rig_conns(&v), 1);
	for (unsigned i = 0; i < 3; i++) {
		p = vsock_rig_expect(&v, RST);
		assert_true(p.src_port == gone || p.src_port == port || p.src_port == HOST_PORT);
	}
	vsock_rig_quiet(&v);
	assert_int_equal(read(asking, &byte, 1), 0);
	assert_int_equal(read(silent, &byte, 1), -1);
	/* What comes too late is no connection any more. */
	vsock_rig_say(&v, RESPONSE, port, 0);
	vsock_rig_expect(&v, RST);
	virtio_vsock_connected(v.rig.dev, v.cookie, dup(v.listen_fd));
	vsock_rig_quiet(&v);
	assert_int_equal(vsock_rig_conns(&v), 1);

	later(&v, 60);
	assert_int_equal(vsock_rig_conns(&v), 0);
	assert_int_equal(read(silent, &byte, 1), 0);
	close(silent);
	close(asking);
	/* And the slots serve others. */
	for (unsigned i = 0; i < 4; i++)
		fds[i] = vsock_rig_from_host(&v, &port);
	assert_int_equal(vsock_rig_conns(&v), 4);
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
	vsock_rig_close(&v);
}

/* Who has been answered may be silent as long as it likes, whichever side asked. */
static void open_connections_have_time(void **state)
{
	struct vsock_rig v;
	uint32_t port;
	char byte;
	int fds[2];

	(void)state;
	vsock_rig_open(&v, 4, 8);
	fds[0] = vsock_rig_from_guest(&v);
	fds[1] = vsock_rig_from_host(&v, &port);
	later(&v, 3600);
	vsock_rig_quiet(&v);
	assert_int_equal(vsock_rig_conns(&v), 2);
	vsock_rig_tell(fds[0], "x");
	assert_int_equal(vsock_rig_expect(&v, RW).src_port, HOST_PORT);
	vsock_rig_send(&v, vsock_rig_packet(&v, RW, port), "y", 1);
	assert_int_equal(read(fds[1], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	vsock_rig_close(&v);
}

static int create(struct dev_rig *rig, struct virtio_dev **dev)
{
	const struct virtio_vsock_config config = { .cid = 3, .listen_fd = -1, .conns = 4 };

	return virtio_vsock_create(&config, rig->mem, rig->loop, dev);
}

/* Row 12: creation that fails at each descriptor leaves nothing open. */
static void test_threat_12_create_fails(void **state)
{
	(void)state;
	rig_create_fails(create);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_host_does_not_read_waits),
		cmocka_unit_test(more_than_our_credit_ends_it),
		cmocka_unit_test(no_more_than_the_guest_has_room_for),
		cmocka_unit_test(test_threat_08_no_buffers),
		cmocka_unit_test(test_threat_08_many),
		cmocka_unit_test(no_descriptor_for_a_client),
		cmocka_unit_test(test_threat_08_who_never_answers),
		cmocka_unit_test(open_connections_have_time),
		cmocka_unit_test(test_threat_12_create_fails),
	};

	return cmocka_run_group_tests_name("vsock_limits", tests, NULL, NULL);
}
