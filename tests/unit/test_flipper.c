/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Row 14 for every device: a second CPU of the guest changes rings, descriptors and headers while the
 * device looks. Whatever it sees, it stays in its bounds, each turn of the loop ends, what goes out is
 * what was judged, and after a reset it serves an honest driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/flipper.h"
#include "tests/lib/net_rig.h"
#include "tests/lib/storm.h"
#include "tests/lib/vsock_packet.h"
#include "virtio/devices.h"

enum {
	HEAD = RIG_DATA + 64, /* headers, where the flipper is */
	DATA = RIG_DATA + 0x10000,
};

/* The tap's questions to its file: all well. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

/* --- the block device --- */

struct blk_run {
	struct storm run;
	struct stub_disk *stub;
};

static void blk_round(void *opaque, unsigned round)
{
	struct blk_run *b = opaque;
	uint8_t *header = rig_at(b->run.rig, HEAD);
	const struct dr_buf bufs[] = {
		{ HEAD, 16, false },
		{ DATA, round % 2 ? 512 : 0, false },
		{ DATA + 0x1000, round % 2 ? 0 : 4096, true },
		{ DATA + 0x4000, 1, true },
	};

	memset(header, 0, 16);
	header[0] = round % 2;
	header[8] = (uint8_t)(round % 16);
	storm_offer(&b->run, 0, bufs, 4, round);
}

static void test_threat_14_blk_while_it_looks(void **state)
{
	enum { SECTORS = 64, F_FLUSH = 1 << 9, F_DISCARD = 1 << 13 };
	struct dev_rig rig;
	struct blk_run b = { .run = { &rig, F_FLUSH | F_DISCARD | VIRTIO_F_INDIRECT_DESC, 1,
				      blk_round, &b } };
	struct virtio_blk_config config = { .threads = 2 };
	const struct dr_buf good[] = { { DATA, 16, false },
				       { DATA + 0x1000, 512, true },
				       { DATA + 0x4000, 1, true } };
	struct flipper f = { .count = 0 };

	(void)state;
	rig_init(&rig);
	b.stub = stub_disk_new(SECTORS * 512);
	b.stub->nowait = true;
	config.disk = &b.stub->disk;
	assert_int_equal(virtio_blk_create(&config, 0, rig.mem, rig.loop, &rig.dev), 0);
	rig_start(&rig, b.run.features, 1);
	flipper_rings(&f, &rig, 1);
	flipper_area(&f, &rig, HEAD, 16);
	flipper_area(&f, &rig, STORM_TABLE, 64);
	storm_run(&b.run, &f);
	/* The disk saw no range that it does not have. */
	assert_int_equal(atomic_load(&b.stub->outside), 0);
	memset(rig_at(&rig, DATA), 0, 16);
	assert_int_equal(rig_do(&rig, 0, good, 3), 513);
	assert_int_equal(*rig_at(&rig, DATA + 0x4000), 0);
	rig_fini(&rig);
}

/* --- the network card --- */

struct net_run {
	struct storm run;
	struct net_rig *net;
	uint64_t features;
	unsigned out;
};

/* What came out at the tap is what was judged: its header is true of its bytes. */
static void check_sent(struct net_run *n)
{
	static uint8_t frame[NET_FRAME_MAX + 1];
	struct net_hdr hdr, again;
	ssize_t len;

	while ((len = net_rig_sent(n->net, 0, &hdr, frame, sizeof(frame))) >= 0) {
		size_t head = (size_t)len < NET_HEAD_MAX ? (size_t)len : NET_HEAD_MAX;

		again = hdr;
		assert_null(net_hdr_judge_tx(&again, net_features_effective(n->features), frame,
					     head, (uint64_t)len));
		assert_memory_equal(&again, &hdr, sizeof(hdr));
		n->out++;
	}
}

static void net_round(void *opaque, unsigned round)
{
	const struct net_hdr hdr = frame_tcp_hdr(false, 500);
	struct net_run *n = opaque;
	struct dev_rig *rig = &n->net->rig;
	const struct dr_buf send[] = { { HEAD, NET_HDR_SIZE, false }, { DATA, 1400, false } };
	const struct dr_buf receive[] = { { DATA + 0x4000, 0x2000, true } };
	const struct dr_buf command[] = { { HEAD + 0x200, 2 + 8, false },
					  { DATA + 0x8000, 1, true } };
	uint8_t *body = rig_at(rig, HEAD + 0x200);
	uint8_t frame[1400];

	(void)frame_tcp(frame, false, sizeof(frame) - FRAME_TCP4 - 20);
	net_hdr_store(rig_at(rig, HEAD), &hdr);
	memcpy(rig_at(rig, DATA), frame, sizeof(frame));
	storm_offer(&n->run, NET_RIG_TX, send, 2, round);
	storm_offer(&n->run, NET_RIG_RX, receive, 1, round);
	/* A card that is broken most of the time takes little: what waits fills the tap. */
	(void)net_rig_try_give(n->net, 0, &(struct net_hdr){ .gso_type = 0 }, frame, 200);
	body[0] = (uint8_t)(round % 6);
	body[1] = (uint8_t)(round % 2);
	storm_offer(&n->run, 2, command, 2, round);
	check_sent(n);
}

static void test_threat_14_net_while_it_looks(void **state)
{
	const uint64_t features = NET_F_CSUM | NET_F_HOST_TSO4 | NET_F_GUEST_CSUM |
				  NET_F_MRG_RXBUF | NET_F_CTRL_VQ | NET_F_CTRL_RX |
				  NET_F_CTRL_MAC_ADDR | VIRTIO_F_INDIRECT_DESC;
	struct net_rig net;
	struct net_run n = { .run = { &net.rig, features, 3, net_round, &n },
			     .net = &net,
			     .features = features };
	struct flipper f = { .count = 0 };
	unsigned before;

	(void)state;
	net_rig_open(&net, 1);
	net_rig_start(&net, features);
	flipper_rings(&f, &net.rig, 3);
	flipper_area(&f, &net.rig, HEAD, NET_HDR_SIZE);
	flipper_area(&f, &net.rig, HEAD + 0x200, 10);
	flipper_area(&f, &net.rig, DATA, 60); /* the frame's own headers */
	flipper_area(&f, &net.rig, STORM_TABLE, 32);
	storm_run(&n.run, &f);
	check_sent(&n);
	before = n.out;
	assert_true(before > 0);
	/* The same by an honest driver goes out. */
	net_round(&n, 0);
	rig_settle(&net.rig);
	check_sent(&n);
	assert_int_equal(n.out, before + 1);
	net_rig_close(&net);
}

/* --- the console, with its control queues --- */

struct console_run {
	struct storm run;
	size_t printed, longest;
};

static size_t print(void *opaque, const void *data, size_t len)
{
	struct console_run *c = opaque;

	(void)data;
	c->printed += len;
	c->longest = len > c->longest ? len : c->longest;
	return len;
}

static void console_round(void *opaque, unsigned round)
{
	struct console_run *c = opaque;
	const struct dr_buf text[] = { { DATA, 300, false } };
	const struct dr_buf empty[] = { { DATA + 0x4000, 64, true } };
	const struct dr_buf message[] = { { HEAD, 8, false } };
	uint8_t *raw = rig_at(c->run.rig, HEAD);

	memset(raw, 0, 8);
	raw[0] = (uint8_t)(round % 3);
	raw[4] = (uint8_t)(round % 4 * 2); /* ready, -, port 4, open */
	raw[6] = 1;
	storm_offer(&c->run, 3, message, 1, round);
	storm_offer(&c->run, 2, empty, 1, round);
	storm_offer(&c->run, round % 2 ? 1 : 5, text, 1, round);
	storm_offer(&c->run, 0, empty, 1, round);
	(void)virtio_console_input(c->run.rig->dev, 0, "typed", 5);
	virtio_console_resize(c->run.rig->dev, (uint16_t)round, 25);
	virtio_console_connect(c->run.rig->dev, 1, round % 5 != 0);
}

static void test_threat_14_console_while_it_looks(void **state)
{
	enum { F_SIZE = 1, F_MULTIPORT = 2 };
	struct dev_rig rig;
	struct console_run c = { .run = { &rig, F_SIZE | F_MULTIPORT | VIRTIO_F_INDIRECT_DESC, 6,
					  console_round, &c } };
	const struct virtio_console_port ports[] = {
		{ .out = print, .opaque = &c },
		{ .name = "one", .out = print, .opaque = &c },
	};
	const struct dr_buf text[] = { { DATA, 300, false } };
	struct flipper f = { .count = 0 };

	(void)state;
	rig_init(&rig);
	assert_int_equal(virtio_console_create(ports, 2, rig.mem, rig.loop, &rig.dev), 0);
	rig_start(&rig, c.run.features, 6);
	flipper_rings(&f, &rig, 6);
	flipper_area(&f, &rig, HEAD, 8);
	flipper_area(&f, &rig, STORM_TABLE, 32);
	storm_run(&c.run, &f);
	assert_true(c.longest <= 4096);
	c.printed = 0;
	(void)rig_do(&rig, 1, text, 1);
	assert_int_equal(c.printed, 300);
	rig_fini(&rig);
}

/* --- entropy --- */

static void rng_round(void *opaque, unsigned round)
{
	const struct dr_buf bufs[] = { { DATA, 64, true }, { DATA + 0x1000, round % 300, true } };

	storm_offer(opaque, 0, bufs, 2, round);
}

static void test_threat_14_rng_while_it_looks(void **state)
{
	struct dev_rig rig;
	struct storm run = { &rig, VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX, 1, rng_round,
			     &run };
	const struct dr_buf good[] = { { DATA, 64, true } };
	struct flipper f = { .count = 0 };

	(void)state;
	rig_init(&rig);
	assert_int_equal(virtio_rng_create(rig.mem, rig.loop, &rig.dev), 0);
	rig_start(&rig, run.features, 1);
	flipper_rings(&f, &rig, 1);
	flipper_area(&f, &rig, STORM_TABLE, 32);
	storm_run(&run, &f);
	assert_int_equal(rig_do(&rig, 0, good, 1), 64);
	rig_fini(&rig);
}

/* --- persistent memory --- */

struct pmem_run {
	struct storm run;
	unsigned answers;
};

/* Wherever the flipper sent an answer, and whatever was asked: it is 0 or -1, so these are its bytes. */
static void pmem_round(void *opaque, unsigned round)
{
	struct pmem_run *p = opaque;
	const struct dr_buf bufs[] = { { HEAD, 4, false }, { DATA, 4 + round % 2 * 60, true } };
	uint8_t *answer = rig_at(p->run.rig, DATA);

	for (unsigned i = 0; i < 64; i++)
		assert_true(answer[i] == 0x5a || answer[i] == 0 || answer[i] == 0xff);
	p->answers += answer[0] != 0x5a;
	memset(answer, 0x5a, 64);
	le32_store(rig_at(p->run.rig, HEAD), round % 4 == 3);
	storm_offer(&p->run, 0, bufs, 2, round);
}

static void test_threat_14_pmem_while_it_looks(void **state)
{
	struct dev_rig rig;
	struct pmem_run p = { .run = { &rig, VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX, 1,
				       pmem_round, &p } };
	const struct dr_buf good[] = { { HEAD, 4, false }, { DATA, 4, true } };
	struct flipper f = { .count = 0 };

	(void)state;
	rig_init(&rig);
	assert_int_equal(virtio_pmem_create(UINT64_C(5) << 30, UINT64_C(1) << 21, 0, rig.mem,
					    rig.loop, &rig.dev),
			 0);
	rig_start(&rig, p.run.features, 1);
	memset(rig_at(&rig, DATA), 0x5a, 64);
	flipper_rings(&f, &rig, 1);
	flipper_area(&f, &rig, HEAD, 4);
	flipper_area(&f, &rig, STORM_TABLE, 32);
	storm_run(&p.run, &f);
	assert_true(p.answers > 0);
	le32_store(rig_at(&rig, HEAD), 0);
	assert_int_equal(rig_do(&rig, 0, good, 2), 4);
	assert_int_equal(le32_load(rig_at(&rig, DATA)), 0);
	rig_fini(&rig);
}

/* --- the balloon --- */

static void balloon_round(void *opaque, unsigned round)
{
	const struct storm *run = opaque;
	const struct dr_buf pages[] = { { HEAD, 16, false } };
	const struct dr_buf stats[] = { { HEAD + 0x100, 20, false } };
	const struct dr_buf report[] = { { DATA + 0x100000, 0x3000, true } };

	for (unsigned i = 0; i < 4; i++)
		le32_store(rig_at(run->rig, HEAD + 4 * (uint64_t)i), (DATA >> 12) + 0x200 + i);
	storm_offer(run, round % 2, pages, 1, round);
	storm_offer(run, 2, stats, 1, round);
	storm_offer(run, run->queues - 1, report, 1, round);
	(void)virtio_balloon_set(run->rig->dev, (uint64_t)(round % 64) << 12);
}

static void test_threat_14_balloon_while_it_looks(void **state)
{
	enum { F_STATS = 1 << 1, F_OOM = 1 << 2, F_REPORT = 1 << 5 };
	struct dev_rig rig;
	struct storm run = { &rig, F_STATS | F_OOM | F_REPORT | VIRTIO_F_INDIRECT_DESC, 4,
			     balloon_round, &run };
	struct flipper f = { .count = 0 };
	uint32_t id;

	(void)state;
	rig_init(&rig);
	assert_int_equal(virtio_balloon_create(rig.mem, rig.loop, &rig.dev), 0);
	run.queues = rig.dev->queue_count;
	rig_start(&rig, run.features, run.queues);
	flipper_rings(&f, &rig, run.queues);
	flipper_area(&f, &rig, HEAD,
		     16); /* numbers of pages: a few bits, so mostly inside of RAM */
	flipper_area(&f, &rig, HEAD + 0x100, 20);
	flipper_area(&f, &rig, STORM_TABLE, 32);
	storm_run(&run, &f);
	balloon_round(&run, 0);
	rig_used(&rig, 0, &id, NULL);
	assert_int_equal(id, 0);
	rig_fini(&rig);
}

/* --- vsock --- */

struct vsock_run {
	struct storm run;
	uint64_t cookie;
	bool asked;
	int peer; /* the host's program, or -1 */
};

static int on_connect(void *opaque, uint32_t port, uint64_t cookie)
{
	struct vsock_run *v = opaque;

	(void)port;
	v->cookie = cookie;
	v->asked = true;
	return 0;
}

/* The host's side: takes what was asked for, reads and writes a little, goes away now and then. */
static void vsock_host(struct vsock_run *v, unsigned round)
{
	char data[256];
	int pair[2];

	if (v->asked) {
		v->asked = false;
		if (v->peer >= 0)
			(void)close(v->peer);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		v->peer = pair[1];
		virtio_vsock_connected(v->run.rig->dev, v->cookie, pair[0]);
	}
	if (v->peer < 0)
		return;
	(void)!read(v->peer, data, sizeof(data));
	(void)!write(v->peer, "from the host", 13);
	if (round % 50 == 49) {
		(void)close(v->peer);
		v->peer = -1;
	}
}

static void vsock_says(struct dev_rig *rig, unsigned op, uint32_t len)
{
	const struct vsock_packet p = {
		.src_cid = 77,
		.dst_cid = 2,
		.src_port = 1234,
		.dst_port = 99,
		.len = len,
		.type = 1,
		.op = (uint16_t)op,
		.buf_alloc = 4096,
	};

	vsock_packet_store(rig_at(rig, HEAD), &p);
}

static void vsock_round(void *opaque, unsigned round)
{
	struct vsock_run *v = opaque;
	unsigned op = round % 8 == 0 ? REQUEST : round % 8 < 6 ? RW : round % 8;
	uint32_t len = op == RW ? 100 : 0;
	const struct dr_buf packet[] = { { HEAD, VSOCK_HEADER, false }, { DATA, len, false } };
	const struct dr_buf empty[] = { { DATA + 0x4000, 300, true } };

	vsock_says(v->run.rig, op, len);
	storm_offer(&v->run, 1, packet, len ? 2 : 1, round);
	storm_offer(&v->run, 0, empty, 1, round);
	vsock_host(v, round);
}

static void test_threat_14_vsock_while_it_looks(void **state)
{
	struct dev_rig rig;
	struct vsock_run v = { .run = { &rig, VIRTIO_F_INDIRECT_DESC, 3, vsock_round, &v },
			       .peer = -1 };
	const struct virtio_vsock_config config = {
		.cid = 77, .conns = 16, .listen_fd = -1, .connect = on_connect, .opaque = &v
	};
	const struct dr_buf packet[] = { { HEAD, VSOCK_HEADER, false } };
	const struct dr_buf empty[] = { { DATA, 300, true } };
	struct flipper f = { .count = 0 };
	uint32_t id;

	(void)state;
	rig_init(&rig);
	assert_int_equal(virtio_vsock_create(&config, rig.mem, rig.loop, &rig.dev), 0);
	rig_start(&rig, v.run.features, 3);
	flipper_rings(&f, &rig, 3);
	flipper_area(&f, &rig, HEAD, VSOCK_HEADER);
	flipper_area(&f, &rig, STORM_TABLE, 32);
	storm_run(&v.run, &f);
	/* An honest request is asked of the host. */
	v.asked = false;
	vsock_says(&rig, REQUEST, 0);
	rig_offer(&rig, 0, 8, empty, 1);
	rig_offer(&rig, 1, 0, packet, 1);
	rig_used(&rig, 1, &id, NULL);
	assert_true(v.asked);
	if (v.peer >= 0)
		(void)close(v.peer);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threat_14_blk_while_it_looks),
		cmocka_unit_test(test_threat_14_net_while_it_looks),
		cmocka_unit_test(test_threat_14_console_while_it_looks),
		cmocka_unit_test(test_threat_14_rng_while_it_looks),
		cmocka_unit_test(test_threat_14_pmem_while_it_looks),
		cmocka_unit_test(test_threat_14_balloon_while_it_looks),
		cmocka_unit_test(test_threat_14_vsock_while_it_looks),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(500); /* a hang is a failure, too */
	return cmocka_run_group_tests_name("flipper", tests, NULL, NULL);
}
