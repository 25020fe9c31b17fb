/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-vsock: connections from either side, what passes over them, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/vsock_rig.h"
#include "virtio/devices.h"

/* Instead of the C library's: a clock that stands still. The device gives its peers seconds, which a busy machine may take. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){ .tv_sec = 1000 };
	return 0;
}

static void identity(void **state)
{
	uint8_t config[8];
	struct vsock_rig v;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	assert_int_equal(v.rig.dev->type->id, 19);
	assert_int_equal(v.rig.dev->queue_count, 3);
	virtio_config_read(v.rig.dev, 0, config, 8);
	assert_int_equal(le64_load(config), VSOCK_CID);
	vsock_rig_close(&v);
}

static void host_to_guest_and_back(void **state)
{
	char got[100] = "";
	struct vsock_rig v;
	struct vsock_packet p = { 0 };
	uint32_t port;
	int fd;

	(void)state;
	for (unsigned size = 1; size <= 64; size *= 2) {
		vsock_rig_open(&v, 8, size);
		fd = vsock_rig_from_host(&v, &port);
		vsock_rig_tell(fd, "hello guest");
		assert_true(vsock_rig_next(&v, &p, got));
		assert_int_equal(p.op, RW);
		assert_int_equal(p.len, 11);
		assert_memory_equal(got, "hello guest", 11);
		vsock_rig_send(&v, vsock_rig_packet(&v, RW, port), "hello host", 10);
		assert_int_equal(read(fd, got, sizeof(got)), 10);
		assert_memory_equal(got, "hello host", 10);
		/* The client goes: the guest hears of both directions and says so. */
		close(fd);
		p = vsock_rig_expect(&v, SHUTDOWN);
		assert_int_equal(p.flags, 3);
		assert_int_equal(vsock_rig_conns(&v), 1);
		vsock_rig_say(&v, RST, port, 0);
		assert_int_equal(vsock_rig_conns(&v), 0);
		vsock_rig_quiet(&v);
		vsock_rig_close(&v);
	}
}

static void guest_to_host_and_back(void **state)
{
	char got[100];
	struct vsock_rig v;
	struct vsock_packet p = { 0 };
	int fd;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	for (unsigned turn = 0; turn < 3; turn++) {
		fd = vsock_rig_from_guest(&v);
		vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), "ping", 4);
		assert_int_equal(read(fd, got, sizeof(got)), 4);
		vsock_rig_tell(fd, "pong!");
		assert_true(vsock_rig_next(&v, &p, got));
		assert_int_equal(p.op, RW);
		assert_int_equal(p.len, 5);
		assert_int_equal(p.fwd_cnt, 4);
		/* The guest closes; what it sent before arrives. */
		vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), "bye", 3);
		vsock_rig_say(&v, SHUTDOWN, HOST_PORT, 3);
		vsock_rig_expect(&v, RST);
		assert_int_equal(read(fd, got, sizeof(got)), 3);
		assert_int_equal(read(fd, got, sizeof(got)), 0);
		assert_int_equal(vsock_rig_conns(&v), 0);
		close(fd);
	}
	vsock_rig_close(&v);
}

static void nobody_takes_the_connection(void **state)
{
	struct vsock_rig v;
	char byte;
	int fd;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	/* The connector finds nobody, or is not there. */
	vsock_rig_say(&v, REQUEST, HOST_PORT, 0);
	virtio_vsock_connected(v.rig.dev, v.cookie, -ENOENT);
	vsock_rig_expect(&v, RST);
	v.refuse = -EAGAIN;
	vsock_rig_say(&v, REQUEST, HOST_PORT, 0);
	vsock_rig_expect(&v, RST);
	assert_int_equal(vsock_rig_conns(&v), 0);
	/* The guest says no: the client is hung up on. */
	fd = vsock_rig_client(&v);
	vsock_rig_tell(fd, "CONNECT 5\n");
	vsock_rig_say(&v, RST, vsock_rig_expect(&v, REQUEST).src_port, 0);
	rig_settle(&v.rig);
	close(fd);
	fd = vsock_rig_client(&v);
	vsock_rig_tell(fd, "CONNECT 1234\n");
	vsock_rig_say(&v, RST, vsock_rig_expect(&v, REQUEST).src_port, 0);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	vsock_rig_quiet(&v);
	vsock_rig_close(&v);
}

static void lines_of_clients(void **state)
{
	static const char *const bad[] = {
		"\n",
		"CONNECT\n",
		"CONNECT \n",
		"CONNECT 4294967295\n",
		"connect 1\n",
		"CONNECT 1 \n",
		"CONNECT -1\n",
		"CONNECT 99999999999\n",
		"CONNECT 0x10\n",
		"CONNECT 1234\r\n",
		"GET / HTTP/1.0\n",
		"CONNECT 12345678901234567890123456\n",
	};
	struct vsock_rig v;
	char byte;
	int fd;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fd = vsock_rig_client(&v);
		vsock_rig_tell(fd, bad[i]);
		rig_settle(&v.rig);
		vsock_rig_quiet(&v);
		/* Closed, perhaps with its line unread. */
		assert_true(read(fd, &byte, 1) == 0 || errno == ECONNRESET);
		close(fd);
	}
	assert_int_equal(vsock_rig_conns(&v), 0);
	/* Byte by byte, and with more behind it, which is the guest's. */
	fd = vsock_rig_client(&v);
	for (const char *at = "CONNECT 7"; *at; at++) {
		assert_int_equal(write(fd, at, 1), 1);
		rig_settle(&v.rig);
		vsock_rig_quiet(&v);
	}
	vsock_rig_tell(fd, "\nthe rest");
	{
		struct vsock_packet p = vsock_rig_expect(&v, REQUEST);
		struct vsock_packet yes = vsock_rig_packet(&v, RESPONSE, p.src_port);
		char got[100];

		assert_int_equal(p.dst_port, 7);
		yes.src_port = 7;
		vsock_rig_send(&v, yes, NULL, 0);
		assert_true(vsock_rig_next(&v, &p, got));
		assert_int_equal(p.len, 8);
		assert_memory_equal(got, "the rest", 8);
	}
	close(fd);
	vsock_rig_close(&v);
}

static void half_closes(void **state)
{
	char got[100];
	struct vsock_packet p;
	struct vsock_rig v;
	int fd;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	/* The host has said all, and reads on. */
	fd = vsock_rig_from_guest(&v);
	vsock_rig_tell(fd, "last");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	vsock_rig_expect(&v, RW);
	p = vsock_rig_expect(&v, SHUTDOWN);
	assert_int_equal(p.flags, 2);
	vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), "more", 4);
	assert_int_equal(read(fd, got, sizeof(got)), 4);
	vsock_rig_say(&v, SHUTDOWN, HOST_PORT, 3);
	vsock_rig_expect(&v, RST);
	assert_int_equal(read(fd, got, sizeof(got)), 0);
	close(fd);
	/* The guest has said all, and reads on. */
	fd = vsock_rig_from_guest(&v);
	vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), "last", 4);
	vsock_rig_say(&v, SHUTDOWN, HOST_PORT, 2);
	assert_int_equal(read(fd, got, sizeof(got)), 4);
	assert_int_equal(read(fd, got, sizeof(got)), 0);
	vsock_rig_tell(fd, "answer");
	p = vsock_rig_expect(&v, RW);
	assert_int_equal(p.len, 6);
	close(fd);
	p = vsock_rig_expect(&v, SHUTDOWN);
	assert_int_equal(p.flags, 3);
	vsock_rig_say(&v, SHUTDOWN, HOST_PORT, 3);
	vsock_rig_expect(&v, RST);
	/* The guest takes no more: the host's bytes are not read. */
	fd = vsock_rig_from_guest(&v);
	vsock_rig_say(&v, SHUTDOWN, HOST_PORT, 1);
	vsock_rig_tell(fd, "unheard");
	vsock_rig_quiet(&v);
	assert_int_equal(vsock_rig_conns(&v), 1);
	/* And data after the end of data is an error. */
	vsock_rig_say(&v, SHUTDOWN, HOST_PORT, 2);
	vsock_rig_expect(&v, RST);
	close(fd);
	fd = vsock_rig_from_guest(&v);
	vsock_rig_say(&v, SHUTDOWN, HOST_PORT, 2);
	vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), "x", 1);
	vsock_rig_expect(&v, RST);
	close(fd);
	vsock_rig_close(&v);
}

/* The host dies with bytes unread: the guest may send on, and nothing piles up. */
static void host_dies(void **state)
{
	static uint8_t data[32768];
	struct vsock_packet p;
	struct vsock_rig v;
	bool told = false;
	int fd;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	fd = vsock_rig_from_guest(&v);
	for (unsigned i = 0; i < 2; i++)
		vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), data, sizeof(data));
	close(fd);
	rig_settle(&v.rig);
	for (unsigned i = 0; i < 40; i++) {
		while (vsock_rig_next(&v, &p, NULL))
			told = told || (p.op == SHUTDOWN && p.flags == 3);
		vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), data, sizeof(data));
	}
	assert_true(told);
	assert_int_equal(vsock_rig_conns(&v), 1);
	vsock_rig_say(&v, RST, HOST_PORT, 0);
	assert_int_equal(vsock_rig_conns(&v), 0);
	vsock_rig_close(&v);
}

static void resets_in_flight(void **state)
{
	static uint8_t data[32768];
	struct vsock_rig v;
	struct vsock_packet p;
	int ends[2], fd, other, waiting;
	uint32_t port;
	char byte;

	(void)state;
	vsock_rig_open(&v, 8, 8);
	fd = vsock_rig_from_guest(&v);
	for (unsigned i = 0; i < 2; i++)
		vsock_rig_send(&v, vsock_rig_packet(&v, RW, HOST_PORT), data, sizeof(data));
	while (vsock_rig_next(&v, &p, NULL))
		assert_int_equal(p.op, CREDIT_UPDATE);
	other = vsock_rig_from_host(&v, &port);
	waiting = vsock_rig_client(&v);
	rig_settle(&v.rig);
	vsock_rig_say(&v, REQUEST, 5, 0);
	assert_int_equal(vsock_rig_conns(&v), 4);
	virtio_set_status(v.rig.dev, 0);
	assert_int_equal(vsock_rig_conns(&v), 0);
	assert_int_equal(read(other, &byte, 1), 0);
	assert_int_equal(read(waiting, &byte, 1), 0);
	/* The connector's answer comes too late: its socket is closed. */
	vsock_rig_start(&v);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	virtio_vsock_connected(v.rig.dev, v.cookie, ends[0]);
	assert_int_equal(read(ends[1], &byte, 1), 0);
	virtio_vsock_connected(v.rig.dev, UINT64_MAX, -1);
	close(ends[1]);
	close(fd);
	close(other);
	close(waiting);
	/* And all works again; a client that came while nobody was there is served. */
	virtio_set_status(v.rig.dev, 0);
	waiting = vsock_rig_client(&v);
	vsock_rig_tell(waiting, "CONNECT 1\n");
	rig_settle(&v.rig);
	vsock_rig_start(&v);
	vsock_rig_expect(&v, REQUEST);
	close(waiting);
	fd = vsock_rig_from_guest(&v);
	close(fd);
	vsock_rig_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(host_to_guest_and_back),
		cmocka_unit_test(guest_to_host_and_back),
		cmocka_unit_test(nobody_takes_the_connection),
		cmocka_unit_test(lines_of_clients),
		cmocka_unit_test(half_closes),
		cmocka_unit_test(host_dies),
		cmocka_unit_test(resets_in_flight),
	};

	return cmocka_run_group_tests_name("vsock", tests, NULL, NULL);
}
