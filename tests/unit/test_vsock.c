/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-vsock: connections both ways, credit, ends of every kind, and a guest that lies. The test is the
 * guest (by rings), the host's programs (by sockets) and the connector.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"

enum {
	RX,
	TX,
	EVENT,
	HEADER = 44,
	CID = 77,
	GUEST_PORT = 1234,
	HOST_PORT = 99,
	TX_AT = RIG_DATA,	     /* packets of the guest */
	RX_AT = RIG_DATA + 0x100000, /* its buffers, RX_SIZE each */
	RX_SIZE = 0x2000,
	ROOM = 64 * 1024,
};

enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };

struct packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
};

struct bench {
	struct dev_rig rig;
	struct sockaddr_un address;
	socklen_t address_len;
	int listen_fd;
	/* What the device asked the connector. */
	unsigned asked;
	uint32_t port;
	uint64_t cookie;
	int refuse; /* -errno: at once */
	/* The guest's. */
	uint32_t buf_alloc, fwd_cnt;
	unsigned posted; /* buffers, round and round */
	uint64_t cid;	 /* that it says it has */
};

/* Instead of the C library's: the clock that deadlines are compared with can be put forward. */
static time_t ahead; /* seconds */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int r = (int)syscall(SYS_clock_gettime, clock, now);

	if (clock == CLOCK_MONOTONIC)
		now->tv_sec += ahead;
	return r;
}

static int on_connect(void *opaque, uint32_t port, uint64_t cookie)
{
	struct bench *b = opaque;

	b->asked++;
	b->port = port;
	b->cookie = cookie;
	return b->refuse;
}

static void post(struct bench *b, unsigned count)
{
	while (count--) {
		unsigned slot = b->posted++ % b->rig.ring_size;

		rig_offer(&b->rig, RX, (uint16_t)slot,
			  &(struct dr_buf){ RX_AT + slot * RX_SIZE, RX_SIZE, true }, 1);
	}
	rig_settle(&b->rig);
}

static void start(struct bench *b)
{
	rig_start(&b->rig, 0, 3);
	b->posted = 0;
	post(b, b->rig.ring_size);
}

static void open_bench(struct bench *b, unsigned conns, unsigned ring_size)
{
	struct virtio_vsock_config config = {
		.cid = CID, .conns = conns, .connect = on_connect, .opaque = b
	};

	*b = (struct bench){ .buf_alloc = 100000, .cid = CID };
	signal(SIGPIPE, SIG_IGN);
	b->address.sun_family = AF_UNIX;
	b->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(b->listen_fd >= 0);
	/* A name of the kernel's choice, in no file system. */
	assert_int_equal(bind(b->listen_fd, (struct sockaddr *)&b->address, sizeof(sa_family_t)),
			 0);
	b->address_len = sizeof(b->address);
	assert_int_equal(getsockname(b->listen_fd, (struct sockaddr *)&b->address, &b->address_len),
			 0);
	assert_int_equal(listen(b->listen_fd, 64), 0);
	config.listen_fd = b->listen_fd;
	rig_init(&b->rig);
	b->rig.ring_size = ring_size;
	assert_int_equal(virtio_vsock_create(&config, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
	start(b);
}

static void close_bench(struct bench *b)
{
	rig_fini(&b->rig);
	close(b->listen_fd);
}

static void put(struct bench *b, const struct packet *p)
{
	uint8_t *h = rig_at(&b->rig, TX_AT);

	le64_store(h, p->src_cid);
	le64_store(h + 8, p->dst_cid);
	le32_store(h + 16, p->src_port);
	le32_store(h + 20, p->dst_port);
	le32_store(h + 24, p->len);
	le16_store(h + 28, p->type);
	le16_store(h + 30, p->op);
	le32_store(h + 32, p->flags);
	le32_store(h + 36, p->buf_alloc);
	le32_store(h + 40, p->fwd_cnt);
}

static struct packet packet(const struct bench *b, unsigned op, uint32_t host_port)
{
	return (struct packet){
		.src_cid = b->cid,
		.dst_cid = 2,
		.src_port = GUEST_PORT,
		.dst_port = host_port,
		.type = 1,
		.op = (uint16_t)op,
		.buf_alloc = b->buf_alloc,
		.fwd_cnt = b->fwd_cnt,
	};
}

/* Sends @p with @len bytes of @data; a header and data that are cut anywhere mean the same. */
static void send_packet(struct bench *b, struct packet p, const void *data, uint32_t len)
{
	const struct dr_buf bufs[] = {
		{ TX_AT, 20, false },
		{ TX_AT + 20, HEADER - 20 + len, false },
	};

	p.len = len;
	put(b, &p);
	if (len)
		memcpy(rig_at(&b->rig, TX_AT + HEADER), data, len);
	if (b->rig.ring_size == 1)
		rig_offer(&b->rig, TX, 0, &(struct dr_buf){ TX_AT, HEADER + len, false }, 1);
	else
		rig_offer(&b->rig, TX, 0, bufs, 2);
	rig_settle(&b->rig);
	while (dr_take_used(&b->rig.ring[TX], NULL, NULL))
		;
}

static void say(struct bench *b, unsigned op, uint32_t host_port, uint32_t flags)
{
	struct packet p = packet(b, op, host_port);

	p.flags = flags;
	send_packet(b, p, NULL, 0);
}

/* The next packet for the guest, whose data is copied to @data; false: none. Posts its buffer again. */
static bool next(struct bench *b, struct packet *p, void *data)
{
	uint32_t id, len;
	const uint8_t *h;

	rig_settle(&b->rig);
	if (!dr_take_used(&b->rig.ring[RX], &id, &len))
		return false;
	h = rig_at(&b->rig, RX_AT + id * RX_SIZE);
	*p = (struct packet){
		.src_cid = le64_load(h),
		.dst_cid = le64_load(h + 8),
		.src_port = le32_load(h + 16),
		.dst_port = le32_load(h + 20),
		.len = le32_load(h + 24),
		.type = le16_load(h + 28),
		.op = le16_load(h + 30),
		.flags = le32_load(h + 32),
		.buf_alloc = le32_load(h + 36),
		.fwd_cnt = le32_load(h + 40),
	};
	assert_int_equal(len, HEADER + p->len);
	if (data)
		memcpy(data, h + HEADER, p->len);
	rig_offer(&b->rig, RX, (uint16_t)id,
		  &(struct dr_buf){ RX_AT + (uint64_t)id * RX_SIZE, RX_SIZE, true }, 1);
	return true;
}

static struct packet expect(struct bench *b, unsigned op)
{
	struct packet p = { 0 };

	assert_true(next(b, &p, NULL));
	assert_int_equal(p.op, op);
	return p;
}

static void quiet(struct bench *b)
{
	struct packet p;

	assert_false(next(b, &p, NULL));
}

static unsigned conns(struct bench *b)
{
	unsigned n;

	virtio_vsock_look(b->rig.dev, &n);
	return n;
}

/* A program of the host that connects. */
static int client(struct bench *b)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&b->address, b->address_len), 0);
	return fd;
}

static void write_all(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* What there is to be read now; -1 nothing, 0 the end. */
static ssize_t read_now(int fd, void *buf, size_t len)
{
	return read(fd, buf, len);
}

/* Connected from the host; *@port is the host's. */
static int from_host(struct bench *b, uint32_t *port)
{
	char line[64] = "", want[64];
	int fd = client(b);
	struct packet p;

	write_all(fd, "CONNECT 1234\n");
	p = expect(b, REQUEST);
	assert_int_equal(p.src_cid, 2);
	assert_int_equal(p.dst_cid, CID);
	assert_int_equal(p.dst_port, GUEST_PORT);
	assert_int_equal(p.type, 1);
	assert_int_equal(p.len, 0);
	assert_int_equal(p.buf_alloc, ROOM);
	*port = p.src_port;
	assert_int_equal(read_now(fd, line, sizeof(line)), -1);
	say(b, RESPONSE, *port, 0);
	(void)snprintf(want, sizeof(want), "OK %u\n", *port);
	assert_int_equal(read_now(fd, line, sizeof(line) - 1), strlen(want));
	assert_string_equal(line, want);
	return fd;
}

/* Connected from the guest to HOST_PORT: the host's end. */
static int from_guest(struct bench *b)
{
	int ends[2];
	unsigned before = b->asked;

	say(b, REQUEST, HOST_PORT, 0);
	assert_int_equal(b->asked, before + 1);
	assert_int_equal(b->port, HOST_PORT);
	quiet(b);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	virtio_vsock_connected(b->rig.dev, b->cookie, ends[0]);
	expect(b, RESPONSE);
	return ends[1];
}

static void identity(void **state)
{
	uint8_t config[8];
	struct bench b;

	(void)state;
	open_bench(&b, 8, 8);
	assert_int_equal(b.rig.dev->type->id, 19);
	assert_int_equal(b.rig.dev->queue_count, 3);
	virtio_config_read(b.rig.dev, 0, config, 8);
	assert_int_equal(le64_load(config), CID);
	close_bench(&b);
}

static void host_to_guest_and_back(void **state)
{
	char got[100] = "";
	struct bench b;
	struct packet p = { 0 };
	uint32_t port;
	int fd;

	(void)state;
	for (unsigned size = 1; size <= 64; size *= 2) {
		open_bench(&b, 8, size);
		fd = from_host(&b, &port);
		write_all(fd, "hello guest");
		assert_true(next(&b, &p, got));
		assert_int_equal(p.op, RW);
		assert_int_equal(p.len, 11);
		assert_memory_equal(got, "hello guest", 11);
		send_packet(&b, packet(&b, RW, port), "hello host", 10);
		assert_int_equal(read_now(fd, got, sizeof(got)), 10);
		assert_memory_equal(got, "hello host", 10);
		/* The client goes: the guest hears of both directions and says so. */
		close(fd);
		p = expect(&b, SHUTDOWN);
		assert_int_equal(p.flags, 3);
		assert_int_equal(conns(&b), 1);
		say(&b, RST, port, 0);
		assert_int_equal(conns(&b), 0);
		quiet(&b);
		close_bench(&b);
	}
}

static void guest_to_host_and_back(void **state)
{
	char got[100];
	struct bench b;
	struct packet p = { 0 };
	int fd;

	(void)state;
	open_bench(&b, 8, 8);
	for (unsigned turn = 0; turn < 3; turn++) {
		fd = from_guest(&b);
		send_packet(&b, packet(&b, RW, HOST_PORT), "ping", 4);
		assert_int_equal(read_now(fd, got, sizeof(got)), 4);
		write_all(fd, "pong!");
		assert_true(next(&b, &p, got));
		assert_int_equal(p.op, RW);
		assert_int_equal(p.len, 5);
		assert_int_equal(p.fwd_cnt, 4);
		/* The guest closes; what it sent before arrives. */
		send_packet(&b, packet(&b, RW, HOST_PORT), "bye", 3);
		say(&b, SHUTDOWN, HOST_PORT, 3);
		expect(&b, RST);
		assert_int_equal(read_now(fd, got, sizeof(got)), 3);
		assert_int_equal(read_now(fd, got, sizeof(got)), 0);
		assert_int_equal(conns(&b), 0);
		close(fd);
	}
	close_bench(&b);
}

static void nobody_there(void **state)
{
	struct bench b;
	char byte;
	int fd;

	(void)state;
	open_bench(&b, 8, 8);
	/* The connector finds nobody, or is not there. */
	say(&b, REQUEST, HOST_PORT, 0);
	virtio_vsock_connected(b.rig.dev, b.cookie, -ENOENT);
	expect(&b, RST);
	b.refuse = -EAGAIN;
	say(&b, REQUEST, HOST_PORT, 0);
	expect(&b, RST);
	assert_int_equal(conns(&b), 0);
	/* The guest says no: the client is hung up on. */
	fd = client(&b);
	write_all(fd, "CONNECT 5\n");
	say(&b, RST, expect(&b, REQUEST).src_port, 0);
	rig_settle(&b.rig);
	close(fd);
	fd = client(&b);
	write_all(fd, "CONNECT 1234\n");
	say(&b, RST, expect(&b, REQUEST).src_port, 0);
	assert_int_equal(read_now(fd, &byte, 1), 0);
	close(fd);
	quiet(&b);
	close_bench(&b);
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
	struct bench b;
	char byte;
	int fd;

	(void)state;
	open_bench(&b, 8, 8);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = client(&b);
		write_all(fd, bad[i]);
		rig_settle(&b.rig);
		quiet(&b);
		/* Closed, perhaps with its line unread. */
		assert_true(read_now(fd, &byte, 1) == 0 || errno == ECONNRESET);
		close(fd);
	}
	assert_int_equal(conns(&b), 0);
	/* Byte by byte, and with more behind it, which is the guest's. */
	fd = client(&b);
	for (const char *at = "CONNECT 7"; *at; at++) {
		assert_int_equal(write(fd, at, 1), 1);
		rig_settle(&b.rig);
		quiet(&b);
	}
	write_all(fd, "\nthe rest");
	{
		struct packet p = expect(&b, REQUEST);
		struct packet yes = packet(&b, RESPONSE, p.src_port);
		char got[100];

		assert_int_equal(p.dst_port, 7);
		yes.src_port = 7;
		send_packet(&b, yes, NULL, 0);
		assert_true(next(&b, &p, got));
		assert_int_equal(p.len, 8);
		assert_memory_equal(got, "the rest", 8);
	}
	close(fd);
	close_bench(&b);
}

/* What the host does not read waits, as far as the credit goes and no further. */
static void our_credit(void **state)
{
	static uint8_t data[4096];
	uint32_t sent = 0, got = 0;
	struct packet p;
	struct bench b;
	int fd;
	ssize_t n;

	(void)state;
	open_bench(&b, 8, 8);
	fd = from_guest(&b);
	/* The socket takes some, and tells of it by fwd_cnt; then our buffer fills. */
	for (uint32_t fwd = 0; sent - fwd + sizeof(data) <= ROOM; sent += sizeof(data)) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)((sent + i) % 251);
		send_packet(&b, packet(&b, RW, HOST_PORT), data, sizeof(data));
		while (next(&b, &p, NULL)) {
			assert_int_equal(p.op, CREDIT_UPDATE);
			fwd = p.fwd_cnt;
		}
		assert_true(sent < 4 << 20);
	}
	assert_int_equal(conns(&b), 1);
	say(&b, CREDIT_REQUEST, HOST_PORT, 0);
	p = expect(&b, CREDIT_UPDATE);
	assert_int_equal(p.buf_alloc, ROOM);
	assert_true(sent - p.fwd_cnt <= ROOM && sent > p.fwd_cnt);
	/* The guest ends while all that waits; the host reads it all, in order. */
	say(&b, SHUTDOWN, HOST_PORT, 2);
	while ((n = read_now(fd, data, sizeof(data))) != 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(data[i], (got + (uint32_t)i) % 251);
		got += n > 0 ? (uint32_t)n : 0;
		rig_settle(&b.rig);
		while (next(&b, &p, NULL))
			assert_int_equal(p.op, CREDIT_UPDATE);
	}
	assert_int_equal(got, sent);
	close(fd);
	p = expect(&b, SHUTDOWN);
	assert_int_equal(p.flags, 3);
	close_bench(&b);
}

static void more_than_credit(void **state)
{
	static uint8_t data[ROOM + 1];
	struct bench b;
	int fd, size = 4096;

	(void)state;
	open_bench(&b, 8, 8);
	fd = from_guest(&b);
	send_packet(&b, packet(&b, RW, HOST_PORT), data, ROOM + 1);
	expect(&b, RST);
	assert_int_equal(read_now(fd, data, 1), 0);
	close(fd);
	/* Bit by bit, without a look at our fwd_cnt. */
	fd = from_guest(&b);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (unsigned i = 0; conns(&b); i++) {
		struct packet p;

		send_packet(&b, packet(&b, RW, HOST_PORT), data, 60000);
		assert_true(i < 100);
		while (next(&b, &p, NULL))
			assert_true(p.op == RST || p.op == CREDIT_UPDATE);
	}
	close(fd);
	close_bench(&b);
}

/* The guest's credit: not a byte more than it has room for, and a lie stops its own connection only. */
static void their_credit(void **state)
{
	struct packet p;
	struct bench b;
	uint32_t sum = 0;
	char data[1000];
	int fd;

	(void)state;
	open_bench(&b, 8, 8);
	b.buf_alloc = 100;
	fd = from_guest(&b);
	memset(data, 'x', sizeof(data));
	assert_int_equal(write(fd, data, 250), 250);
	p = expect(&b, RW);
	assert_int_equal(p.len, 100);
	expect(&b, CREDIT_REQUEST);
	quiet(&b);
	/* The same again is no news. */
	say(&b, CREDIT_UPDATE, HOST_PORT, 0);
	quiet(&b);
	b.fwd_cnt = 60;
	say(&b, CREDIT_UPDATE, HOST_PORT, 0);
	p = expect(&b, RW);
	assert_int_equal(p.len, 60);
	expect(&b, CREDIT_REQUEST);
	/* More taken than was sent; all kinds of nonsense. */
	b.fwd_cnt = 161;
	say(&b, CREDIT_UPDATE, HOST_PORT, 0);
	(void)next(&b, &p, NULL);
	b.fwd_cnt = 0x80000000;
	say(&b, CREDIT_UPDATE, HOST_PORT, 0);
	b.buf_alloc = 0;
	say(&b, CREDIT_UPDATE, HOST_PORT, 0);
	while (next(&b, &p, NULL))
		assert_int_equal(p.op, CREDIT_REQUEST);
	b.fwd_cnt = 160;
	b.buf_alloc = UINT32_MAX;
	say(&b, CREDIT_UPDATE, HOST_PORT, 0);
	p = expect(&b, RW);
	assert_int_equal(p.len, 90);
	assert_int_equal(write(fd, data, 1000), 1000);
	while (next(&b, &p, NULL))
		sum += p.op == RW ? p.len : 0;
	assert_int_equal(sum, 1000);
	assert_int_equal(conns(&b), 1);
	close(fd);
	close_bench(&b);
}

static void half_closes(void **state)
{
	char got[100];
	struct packet p;
	struct bench b;
	int fd;

	(void)state;
	open_bench(&b, 8, 8);
	/* The host has said all, and reads on. */
	fd = from_guest(&b);
	write_all(fd, "last");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	expect(&b, RW);
	p = expect(&b, SHUTDOWN);
	assert_int_equal(p.flags, 2);
	send_packet(&b, packet(&b, RW, HOST_PORT), "more", 4);
	assert_int_equal(read_now(fd, got, sizeof(got)), 4);
	say(&b, SHUTDOWN, HOST_PORT, 3);
	expect(&b, RST);
	assert_int_equal(read_now(fd, got, sizeof(got)), 0);
	close(fd);
	/* The guest has said all, and reads on. */
	fd = from_guest(&b);
	send_packet(&b, packet(&b, RW, HOST_PORT), "last", 4);
	say(&b, SHUTDOWN, HOST_PORT, 2);
	assert_int_equal(read_now(fd, got, sizeof(got)), 4);
	assert_int_equal(read_now(fd, got, sizeof(got)), 0);
	write_all(fd, "answer");
	p = expect(&b, RW);
	assert_int_equal(p.len, 6);
	close(fd);
	p = expect(&b, SHUTDOWN);
	assert_int_equal(p.flags, 3);
	say(&b, SHUTDOWN, HOST_PORT, 3);
	expect(&b, RST);
	/* The guest takes no more: the host's bytes are not read. */
	fd = from_guest(&b);
	say(&b, SHUTDOWN, HOST_PORT, 1);
	write_all(fd, "unheard");
	quiet(&b);
	assert_int_equal(conns(&b), 1);
	/* And data after the end of data is an error. */
	say(&b, SHUTDOWN, HOST_PORT, 2);
	expect(&b, RST);
	close(fd);
	fd = from_guest(&b);
	say(&b, SHUTDOWN, HOST_PORT, 2);
	send_packet(&b, packet(&b, RW, HOST_PORT), "x", 1);
	expect(&b, RST);
	close(fd);
	close_bench(&b);
}

/* The host dies with bytes unread: the guest may send on, and nothing piles up. */
static void host_dies(void **state)
{
	static uint8_t data[32768];
	struct packet p;
	struct bench b;
	bool told = false;
	int fd;

	(void)state;
	open_bench(&b, 8, 8);
	fd = from_guest(&b);
	for (unsigned i = 0; i < 2; i++)
		send_packet(&b, packet(&b, RW, HOST_PORT), data, sizeof(data));
	close(fd);
	rig_settle(&b.rig);
	for (unsigned i = 0; i < 40; i++) {
		while (next(&b, &p, NULL))
			told = told || (p.op == SHUTDOWN && p.flags == 3);
		send_packet(&b, packet(&b, RW, HOST_PORT), data, sizeof(data));
	}
	assert_true(told);
	assert_int_equal(conns(&b), 1);
	say(&b, RST, HOST_PORT, 0);
	assert_int_equal(conns(&b), 0);
	close_bench(&b);
}

static void resets_in_flight(void **state)
{
	static uint8_t data[32768];
	struct bench b;
	struct packet p;
	int ends[2], fd, other, waiting;
	uint32_t port;
	char byte;

	(void)state;
	open_bench(&b, 8, 8);
	fd = from_guest(&b);
	for (unsigned i = 0; i < 2; i++)
		send_packet(&b, packet(&b, RW, HOST_PORT), data, sizeof(data));
	while (next(&b, &p, NULL))
		assert_int_equal(p.op, CREDIT_UPDATE);
	other = from_host(&b, &port);
	waiting = client(&b);
	rig_settle(&b.rig);
	say(&b, REQUEST, 5, 0);
	assert_int_equal(conns(&b), 4);
	virtio_set_status(b.rig.dev, 0);
	assert_int_equal(conns(&b), 0);
	assert_int_equal(read_now(other, &byte, 1), 0);
	assert_int_equal(read_now(waiting, &byte, 1), 0);
	/* The connector's answer comes too late: its socket is closed. */
	start(&b);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	virtio_vsock_connected(b.rig.dev, b.cookie, ends[0]);
	assert_int_equal(read_now(ends[1], &byte, 1), 0);
	virtio_vsock_connected(b.rig.dev, UINT64_MAX, -1);
	close(ends[1]);
	close(fd);
	close(other);
	close(waiting);
	/* And all works again; a client that came while nobody was there is served. */
	virtio_set_status(b.rig.dev, 0);
	waiting = client(&b);
	write_all(waiting, "CONNECT 1\n");
	rig_settle(&b.rig);
	start(&b);
	expect(&b, REQUEST);
	close(waiting);
	fd = from_guest(&b);
	close(fd);
	close_bench(&b);
}

/* Row 4: header and data parted at every byte, and up to the end of RAM. */
static void test_threat_04_framing(void **state)
{
	char got[64];
	struct bench b;
	int fd;

	(void)state;
	open_bench(&b, 8, 8);
	fd = from_guest(&b);
	for (uint32_t cut = 0; cut <= HEADER + 10; cut++) {
		struct packet p = packet(&b, RW, HOST_PORT);
		const struct dr_buf bufs[] = {
			{ TX_AT, cut, false },
			{ RIG_RAM - (HEADER + 10 - cut), HEADER + 10 - cut, false },
		};

		p.len = 10;
		put(&b, &p);
		memcpy(rig_at(&b.rig, TX_AT + HEADER), "0123456789", 10);
		memcpy(rig_at(&b.rig, bufs[1].addr), rig_at(&b.rig, TX_AT + cut), bufs[1].len);
		rig_offer(&b.rig, TX, 0, bufs, 2);
		rig_settle(&b.rig);
		assert_int_equal(read_now(fd, got, sizeof(got)), 10);
		assert_memory_equal(got, "0123456789", 10);
		while (dr_take_used(&b.rig.ring[TX], NULL, NULL))
			;
	}
	close(fd);
	close_bench(&b);
}

/* Rows 4 and 5: a packet shorter than its header, longer than its buffers; a buffer too short for one. */
static void test_threat_04_05_lengths(void **state)
{
	static const uint32_t lens[] = { 1, 2, 0x7fffffff, 0x80000000, 0xffffffff };
	struct bench b;

	(void)state;
	open_bench(&b, 8, 8);
	for (uint32_t len = 0; len < HEADER; len++) {
		rig_offer(&b.rig, TX, 0, &(struct dr_buf){ TX_AT, len, false }, 1);
		rig_settle(&b.rig);
		assert_true(rig_broken(&b.rig));
		start(&b);
	}
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct packet p = packet(&b, RW, HOST_PORT);

		p.len = lens[i];
		put(&b, &p);
		rig_offer(&b.rig, TX, 0, &(struct dr_buf){ TX_AT, HEADER, false }, 1);
		rig_settle(&b.rig);
		assert_true(rig_broken(&b.rig));
		start(&b);
	}
	for (uint32_t len = 0; len <= HEADER; len++) {
		rig_start(&b.rig, 0, 3);
		rig_offer(&b.rig, RX, 0, &(struct dr_buf){ RX_AT, len, true }, 1);
		say(&b, RW, HOST_PORT, 0);
		assert_true(rig_broken(&b.rig));
	}
	start(&b);
	close(from_guest(&b));
	close_bench(&b);
}

/* Strange packets: who is not there is told so, and nobody else is disturbed. */
static void strangers(void **state)
{
	struct packet p, answer;
	struct bench b;
	int fd;

	(void)state;
	open_bench(&b, 8, 8);
	for (unsigned op = 0; op < 20; op++) {
		say(&b, op == REQUEST ? 20 : op, 4711, 0);
		if (op == RST) {
			quiet(&b);
			continue;
		}
		answer = expect(&b, RST);
		assert_int_equal(answer.src_port, 4711);
		assert_int_equal(answer.dst_port, GUEST_PORT);
	}
	/* Not from us: no answer, nothing done. */
	fd = from_guest(&b);
	b.cid = 3;
	say(&b, RST, HOST_PORT, 0);
	say(&b, REQUEST, 5, 0);
	b.cid = CID;
	quiet(&b);
	assert_int_equal(conns(&b), 1);
	/* To others, or of another type. */
	for (unsigned i = 0; i < 2; i++) {
		p = packet(&b, REQUEST, HOST_PORT);
		if (i)
			p.type = 2;
		else
			p.dst_cid = 9;
		send_packet(&b, p, NULL, 0);
		answer = expect(&b, RST);
		assert_int_equal(answer.type, p.type);
		assert_int_equal(answer.src_cid, p.dst_cid);
	}
	assert_int_equal(conns(&b), 1);
	/* Out of turn on what is connected. */
	for (unsigned op = 0; op < 20; op++) {
		if (op >= RST && op <= CREDIT_REQUEST)
			continue;
		say(&b, op, HOST_PORT, 0);
		expect(&b, RST);
		close(fd);
		fd = from_guest(&b);
	}
	/* A change of mind while the host's side is being connected. */
	say(&b, REQUEST, 5, 0);
	say(&b, SHUTDOWN, 5, 3);
	expect(&b, RST);
	virtio_vsock_connected(b.rig.dev, b.cookie, -1);
	say(&b, REQUEST, 5, 0);
	say(&b, REQUEST, 5, 0);
	expect(&b, RST);
	quiet(&b);
	close(fd);
	close_bench(&b);
}

/* Row 8: a guest that offers no buffers gets its packets taken up to a bound, and all answers later. */
static void test_threat_08_no_buffers(void **state)
{
	struct dr_buf buf = { TX_AT, HEADER, false };
	unsigned answers = 0;
	struct bench b;
	struct packet p;

	(void)state;
	open_bench(&b, 8, 256);
	rig_start(&b.rig, 0, 3);
	p = packet(&b, RW, HOST_PORT);
	put(&b, &p);
	for (unsigned i = 0; i < 256; i++)
		rig_offer(&b.rig, TX, (uint16_t)i, &buf, 1);
	rig_settle(&b.rig);
	assert_true(dr_used_idx(&b.rig.ring[TX]) < 100);
	b.posted = 0;
	for (unsigned i = 0; i < 256; i++)
		rig_offer(&b.rig, RX, (uint16_t)i,
			  &(struct dr_buf){ RX_AT + (i % 64) * RX_SIZE, RX_SIZE, true }, 1);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[TX]), 256);
	while (dr_take_used(&b.rig.ring[RX], NULL, NULL))
		answers++;
	assert_int_equal(answers, 256);
	close_bench(&b);
}

/* As many connections as there may be; the next is refused, and one more fits when one ends. */
static void test_threat_08_many(void **state)
{
	enum { LEAST = 1000, OTHERS = 100 };
	static int fds[VIRTIO_VSOCK_CONNS];
	unsigned many = VIRTIO_VSOCK_CONNS;
	struct rlimit limit;
	struct packet p;
	struct bench b;
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
	open_bench(&b, many, 64);
	for (unsigned i = 0; i < many; i++) {
		int ends[2];

		say(&b, REQUEST, i, 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
		virtio_vsock_connected(b.rig.dev, b.cookie, ends[0]);
		p = expect(&b, RESPONSE);
		assert_int_equal(p.buf_alloc, i < 256 ? ROOM : 8192);
		fds[i] = ends[1];
	}
	assert_int_equal(conns(&b), many);
	say(&b, REQUEST, many, 0);
	expect(&b, RST);
	late = client(&b);
	write_all(late, "CONNECT 1\n");
	rig_settle(&b.rig);
	quiet(&b);
	for (unsigned i = 0; i < many; i++) {
		write_all(fds[i], "x");
		p = expect(&b, RW);
		assert_int_equal(p.src_port, i);
		send_packet(&b, packet(&b, RW, i), "y", 1);
		assert_int_equal(read_now(fds[i], &byte, 1), 1);
	}
	say(&b, RST, 500, 0);
	expect(&b, REQUEST);
	close(late);
	for (unsigned i = 0; i < many; i++)
		close(fds[i]);
	close_bench(&b);
}

/* Row 12: creation that fails at each descriptor leaves nothing open. */
/* So much later, and the device has looked at its clock, which it does each second. */
static void later(struct bench *b, time_t seconds)
{
	ahead += seconds;
	assert_true(loop_turn(b->rig.loop, 60000) > 0);
	rig_settle(&b->rig);
}

/* A client that comes when there is no descriptor left: the loop does not spin for it, and it is let in later. */
static void no_descriptor_for_a_client(void **state)
{
	struct rlimit old, none;
	unsigned turns = 0;
	struct bench b;
	int fd;

	(void)state;
	open_bench(&b, 4, 8);
	fd = client(&b);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	while (turns < 100 && loop_turn(b.rig.loop, 0) > 0)
		turns++;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(turns < 100);
	assert_int_equal(conns(&b), 0);
	later(&b, 2);
	assert_int_equal(conns(&b), 1);
	write_all(fd, "CONNECT 1234\n");
	expect(&b, REQUEST);
	close(fd);
	close_bench(&b);
}

/* Whoever lets the other wait for ever does not keep a connection: the guest, the host's program, the connector. */
static void test_threat_08_who_never_answers(void **state)
{
	struct bench b;
	struct packet p;
	uint32_t port, gone;
	char byte;
	int silent, asking, closed, fds[4];

	(void)state;
	open_bench(&b, 4, 8);
	closed = from_host(&b, &gone);
	close(closed);
	expect(&b, SHUTDOWN); /* which the guest does not acknowledge */
	asking = client(&b);
	write_all(asking, "CONNECT 1234\n");
	port = expect(&b, REQUEST).src_port; /* nor does it answer this */
	say(&b, REQUEST, HOST_PORT, 0);	     /* the connector brings no socket */
	silent = client(&b);
	rig_settle(&b.rig);
	quiet(&b);
	assert_int_equal(conns(&b), 4);
	later(&b, 5);
	assert_int_equal(conns(&b), 4);

	later(&b, 10);
	assert_int_equal(conns(&b), 1);
	for (unsigned i = 0; i < 3; i++) {
		p = expect(&b, RST);
		assert_true(p.src_port == gone || p.src_port == port || p.src_port == HOST_PORT);
	}
	quiet(&b);
	assert_int_equal(read_now(asking, &byte, 1), 0);
	assert_int_equal(read_now(silent, &byte, 1), -1);
	/* What comes too late is no connection any more. */
	say(&b, RESPONSE, port, 0);
	expect(&b, RST);
	virtio_vsock_connected(b.rig.dev, b.cookie, dup(b.listen_fd));
	quiet(&b);
	assert_int_equal(conns(&b), 1);

	later(&b, 60);
	assert_int_equal(conns(&b), 0);
	assert_int_equal(read_now(silent, &byte, 1), 0);
	close(silent);
	close(asking);
	/* And the slots serve others. */
	for (unsigned i = 0; i < 4; i++)
		fds[i] = from_host(&b, &port);
	assert_int_equal(conns(&b), 4);
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
	close_bench(&b);
}

static void test_threat_12_create_fails(void **state)
{
	struct virtio_vsock_config config = { .cid = 3, .listen_fd = -1, .conns = 4 };
	struct rlimit old, limit;
	bool made = false;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned room = 0; !made; room++) {
		struct virtio_dev *dev = NULL;
		struct dev_rig rig;

		rig_init(&rig);
		limit = old;
		limit.rlim_cur = (rlim_t)dup(0) + room;
		(void)close((int)(limit.rlim_cur - room));
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		made = virtio_vsock_create(&config, rig.mem, rig.loop, &dev) == 0;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		assert_true(made == (dev != NULL));
		assert_true(room < 8);
		virtio_dev_destroy(dev);
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(host_to_guest_and_back),
		cmocka_unit_test(guest_to_host_and_back),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(lines_of_clients),
		cmocka_unit_test(our_credit),
		cmocka_unit_test(more_than_credit),
		cmocka_unit_test(their_credit),
		cmocka_unit_test(half_closes),
		cmocka_unit_test(host_dies),
		cmocka_unit_test(resets_in_flight),
		cmocka_unit_test(strangers),
		cmocka_unit_test(test_threat_04_framing),
		cmocka_unit_test(test_threat_04_05_lengths),
		cmocka_unit_test(test_threat_08_no_buffers),
		cmocka_unit_test(test_threat_08_many),
		cmocka_unit_test(no_descriptor_for_a_client),
		cmocka_unit_test(test_threat_08_who_never_answers),
		cmocka_unit_test(test_threat_12_create_fails),
	};

	return cmocka_run_group_tests_name("vsock", tests, NULL, NULL);
}
