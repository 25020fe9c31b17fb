/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back-end on a stream socket: frames broken anywhere, a peer that is slow, ends, or lies about
 * lengths (threat 19), and checksums finished on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/io.h"
#include "tests/lib/frames.h"
#include "virtio/net_backend.h"

static uint8_t frame[NET_FRAME_MAX + 64], out[NET_FRAME_MAX + 64];

struct bench {
	struct net_backend *be;
	int peer;
};

static void open_bench_of(struct bench *b, int type)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	b->peer = pair[1];
	assert_int_equal(net_stream_create(pair[0], "peer", &b->be), 0);
	assert_int_equal(b->be->pairs, 1);
}

static void open_bench(struct bench *b)
{
	open_bench_of(b, SOCK_STREAM);
}

static void close_bench(struct bench *b)
{
	net_backend_destroy(b->be);
	if (b->peer >= 0)
		(void)close(b->peer);
}

/* Sends @len bytes of frame in pieces, as the device does: judged head first, then two more. */
static int send_frame(struct bench *b, const struct net_hdr *hdr, size_t len)
{
	size_t head = size_min(len, NET_HEAD_MAX), middle = (len - head) / 3;
	struct iovec iov[] = {
		{ NULL, 0 },
		{ frame, head },
		{ frame + head, middle },
		{ frame + head + middle, len - head - middle },
	};

	return b->be->ops->send(b->be, 0, hdr, iov, 4, len);
}

/* Takes the next frame into @size bytes of out, in two pieces. */
static ssize_t take_frame(struct bench *b, size_t size)
{
	struct iovec iov[] = { { NULL, 0 },
			       { out, size / 3 },
			       { out + size / 3, size - size / 3 } };
	struct net_hdr hdr;
	ssize_t n = b->be->ops->receive(b->be, 0, &hdr, iov, 3);

	if (n >= 0) {
		assert_int_equal(hdr.flags, NET_HDR_DATA_VALID);
		assert_int_equal(hdr.gso_type, NET_GSO_NONE);
	}
	return n;
}

static void prefix(uint8_t *to, uint32_t len)
{
	to[0] = (uint8_t)(len >> 24);
	to[1] = (uint8_t)(len >> 16);
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
}

static void read_frame(struct bench *b, size_t len)
{
	uint8_t head[4], want[4];

	prefix(want, (uint32_t)len);
	assert_int_equal(read_full(b->peer, head, 4), 4);
	assert_memory_equal(head, want, 4);
	assert_int_equal(read_full(b->peer, out, len), len);
}

static void sends_small_and_large(void **state)
{
	static const size_t lens[] = { 14, 60, 1514, 4096, 4097, 9000, 65534, NET_FRAME_MAX };
	const struct net_hdr hdr = { 0 };
	struct bench b;

	(void)state;
	open_bench(&b);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		for (size_t k = 0; k < lens[i]; k++)
			frame[k] = (uint8_t)(k * 3 + i);
		assert_int_equal(send_frame(&b, &hdr, lens[i]), 0);
		assert_true(b.be->ops->flush(b.be, 0));
		read_frame(&b, lens[i]);
		assert_memory_equal(out, frame, lens[i]);
	}
	close_bench(&b);
}

/* Small frames gather until the end of the batch; a large one takes them along, in order. */
static void gathers(void **state)
{
	const struct net_hdr hdr = { 0 };
	struct bench b;

	(void)state;
	open_bench(&b);
	assert_int_equal(send_frame(&b, &hdr, 100), 0);
	assert_int_equal(send_frame(&b, &hdr, 200), 0);
	assert_int_equal(recv(b.peer, out, 1, MSG_DONTWAIT), -1);
	assert_int_equal(send_frame(&b, &hdr, 30000), 0);
	assert_true(b.be->ops->flush(b.be, 0));
	read_frame(&b, 100);
	read_frame(&b, 200);
	read_frame(&b, 30000);
	close_bench(&b);
}

static void finishes_checksums(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	for (size_t payload = 0; payload < 60000; payload = payload * 2 + 1) {
		struct net_hdr hdr = frame_tcp_hdr(payload % 3 == 0, 0);
		size_t len = frame_tcp(frame, payload % 3 == 0, payload);

		assert_int_equal(send_frame(&b, &hdr, len), 0);
		assert_true(b.be->ops->flush(b.be, 0));
		read_frame(&b, len);
		assert_true(frame_sum_right(out, len));
	}
	close_bench(&b);
}

/* A peer that does not read: -EAGAIN before anything is lost, and all comes out whole later. */
static void slow_reader(void **state)
{
	const struct net_hdr hdr = { 0 };
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned round = 0; round < 20; round++) {
		size_t len = 5000 + round * 3001;
		unsigned sent = 0;

		for (size_t k = 0; k < len; k++)
			frame[k] = (uint8_t)(k + round);
		while (send_frame(&b, &hdr, len) == 0) {
			assert_true(++sent < 1000);
			frame[0] = (uint8_t)sent;
		}
		assert_false(b.be->ops->flush(b.be, 0));
		for (unsigned i = 0; i < sent; i++) {
			(void)b.be->ops->flush(b.be, 0);
			read_frame(&b, len);
			assert_int_equal(out[0], i == 0 ? (uint8_t)round : (uint8_t)i);
			assert_memory_equal(out + 1, frame + 1, len - 1);
		}
		assert_true(b.be->ops->flush(b.be, 0));
	}
	close_bench(&b);
}

/*
 * A socket that takes little at a time and a peer that reads a byte at a time: every write may be cut, within
 * the length too, with small frames that gather and large ones that go past them.
 */
static void writes_cut_anywhere(void **state)
{
	static const size_t lens[] = { 60, 9000, 14, NET_FRAME_MAX, 4096, 4097, 1514 };
	const struct net_hdr hdr = { 0 };
	size_t sent = 0, got = 0, at = 0;
	bool filled = false;
	uint8_t want[4];
	struct bench b;

	(void)state;
	open_bench(&b);
	assert_int_equal(setsockopt(b.be->ops->fd(b.be, 0), SOL_SOCKET, SO_SNDBUF, &(int){ 1 },
				    sizeof(int)),
			 0);
	while (got < ARRAY_SIZE(lens) * 2) {
		uint8_t byte;

		while (sent < ARRAY_SIZE(lens) * 2) {
			size_t len = lens[sent % ARRAY_SIZE(lens)];

			for (size_t k = 0; !filled && k < len; k++)
				frame[k] = (uint8_t)(k * 7 + sent);
			filled = send_frame(&b, &hdr, len) != 0;
			if (filled)
				break;
			sent++;
		}
		(void)b.be->ops->flush(b.be, 0);
		assert_int_equal(recv(b.peer, &byte, 1, MSG_DONTWAIT), 1);
		prefix(want, (uint32_t)lens[got % ARRAY_SIZE(lens)]);
		assert_int_equal(byte, at < 4 ? want[at] : (uint8_t)((at - 4) * 7 + got));
		if (++at == 4 + lens[got % ARRAY_SIZE(lens)]) {
			at = 0;
			got++;
		}
	}
	assert_int_equal(sent, got);
	assert_true(b.be->ops->flush(b.be, 0));
	assert_int_equal(recv(b.peer, want, 1, MSG_DONTWAIT), -1);
	close_bench(&b);
}

/* A byte at a time up to 1514 bytes; the longest frame in pieces that end within the next one's length. */
/* What Linux puts into one buffer of a unix stream, or more: 32 KiB of pages and what is left of another. */
enum { ONE_BUFFER = 36544 };

/*
 * Reads one write, and what else belongs to its last frame, as Debian 12's passt does: that frame may be in two parts, and
 * its length is never cut. The number of frames; 0: nothing is there.
 */
static unsigned take_written(struct bench *b, const size_t *lens, unsigned seen)
{
	static uint8_t written[4 * (NET_FRAME_MAX + 4)];
	ssize_t got = recv(b->peer, written, sizeof(written), MSG_DONTWAIT);
	size_t at = 0, have = got > 0 ? (size_t)got : 0;
	unsigned frames = 0;

	assert_true(have <= ONE_BUFFER);
	while (at < have) {
		uint8_t want[4];
		size_t end = at + 4 + lens[seen];

		assert_true(have - at > 4);
		prefix(want, (uint32_t)lens[seen++]);
		assert_memory_equal(written + at, want, 4);
		if (end > have) {
			(void)b->be->ops->flush(b->be, 0);
			got = recv(b->peer, written + have, sizeof(written) - have, MSG_DONTWAIT);
			assert_true(got > 0 && (size_t)got >= end - have && got <= ONE_BUFFER);
			have += (size_t)got;
		}
		at = end;
		frames++;
	}
	return frames;
}

/* Whatever the frames' sizes, and however full the socket is: a packet of such a socket is one write. */
static void writes_what_passt_can_read(void **state)
{
	enum { FRAMES = 4000 };
	static size_t lens[FRAMES];
	static const size_t some[] = { 54, 66, 1514, 4096, 4097, 9000, 40000, 65534, NET_FRAME_MAX };
	const struct net_hdr hdr = { 0 };
	unsigned sent = 0, seen = 0, dice = 1, got;
	struct bench b;

	(void)state;
	open_bench_of(&b, SOCK_SEQPACKET);
	for (unsigned i = 0; i < FRAMES; i++, dice = dice * 1664525 + 1013904223)
		lens[i] = some[(dice >> 16) % ARRAY_SIZE(some)];
	memset(frame, 0xff, sizeof(frame));
	while (seen < FRAMES) {
		unsigned burst = (dice = dice * 1664525 + 1013904223) >> 26;

		while (burst-- && sent < FRAMES && send_frame(&b, &hdr, lens[sent]) == 0)
			sent++;
		(void)b.be->ops->flush(b.be, 0);
		for (burst = dice >> 16 & 7; (got = take_written(&b, lens, seen)) > 0 && burst;
		     burst--)
			seen += got;
		seen += got;
	}
	assert_int_equal(sent, FRAMES);
	close_bench(&b);
}

/* A full socket takes a write whole or not at all, as long as it fits into one buffer. */
static void full_socket_cuts_no_write(void **state)
{
	const struct net_hdr hdr = { 0 };
	size_t left = 0, len = 65534;
	struct bench b;

	(void)state;
	open_bench(&b);
	memset(frame, 0xff, sizeof(frame));
	while (b.be->ops->flush(b.be, 0))
		assert_int_equal(send_frame(&b, &hdr, len), 0);
	for (ssize_t n; (n = recv(b.peer, out, sizeof(out), MSG_DONTWAIT)) > 0;)
		left += (size_t)n;
	left %= 4 + len;
	assert_true(left == 0 ||
		    (left <= ONE_BUFFER && 4 + len - left <= ONE_BUFFER && left % 1024 == 0));
	close_bench(&b);
}

static void receives_broken_anywhere(void **state)
{
	static const size_t lens[] = { 14, 60, 333, 1514 };
	struct bench b;

	(void)state;
	open_bench(&b);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		uint8_t bytes[4 + 1514];

		prefix(bytes, (uint32_t)lens[i]);
		for (size_t k = 0; k < lens[i]; k++)
			bytes[4 + k] = (uint8_t)(k + i);
		for (size_t k = 0; k < 4 + lens[i]; k++) {
			assert_int_equal(take_frame(&b, sizeof(out)), -EAGAIN);
			assert_int_equal(write(b.peer, bytes + k, 1), 1);
		}
		assert_int_equal(take_frame(&b, sizeof(out)), lens[i]);
		assert_memory_equal(out, bytes + 4, lens[i]);
	}
	for (size_t cut = 1; cut < 4 + 20; cut++) {
		static uint8_t two[4 + NET_FRAME_MAX + 4 + 20];
		size_t first = sizeof(two) - cut;

		prefix(two, NET_FRAME_MAX);
		prefix(two + 4 + NET_FRAME_MAX, 20);
		for (size_t k = 0; k < NET_FRAME_MAX; k++)
			two[4 + k] = (uint8_t)(k + cut);
		assert_int_equal(write(b.peer, two, first), first);
		assert_int_equal(take_frame(&b, sizeof(out)), NET_FRAME_MAX);
		assert_memory_equal(out, two + 4, NET_FRAME_MAX);
		assert_int_equal(take_frame(&b, sizeof(out)), -EAGAIN);
		assert_int_equal(write(b.peer, two + first, cut), cut);
		assert_int_equal(take_frame(&b, sizeof(out)), 20);
	}
	close_bench(&b);
}

/* Many frames in one read, the last one in part; and one longer than its place, which is cut. */
static void receives_many(void **state)
{
	uint8_t bytes[64 * 104];
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < 64; i++) {
		prefix(bytes + i * 104, 100);
		memset(bytes + i * 104 + 4, (int)i, 100);
	}
	assert_int_equal(write(b.peer, bytes, sizeof(bytes) - 1), sizeof(bytes) - 1);
	for (unsigned i = 0; i < 63; i++) {
		assert_int_equal(take_frame(&b, i % 2 ? 10 : sizeof(out)), 100);
		assert_int_equal(out[9], i);
	}
	assert_int_equal(take_frame(&b, sizeof(out)), -EAGAIN);
	assert_int_equal(write(b.peer, bytes + sizeof(bytes) - 1, 1), 1);
	assert_int_equal(take_frame(&b, sizeof(out)), 100);
	close_bench(&b);
}

/* Row 19: a length that is no frame's ends the link; nothing more is read or believed. */
static void test_threat_19_lengths(void **state)
{
	static const uint32_t lies[] = { 0,	1,	    13,		NET_FRAME_MAX + 1,
					 65600, 0x7fffffff, 0x80000000, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		const struct net_hdr hdr = { 0 };
		struct bench b;
		uint8_t head[4];

		open_bench(&b);
		prefix(head, lies[i]);
		assert_int_equal(write(b.peer, head, 4), 4);
		assert_int_equal(take_frame(&b, sizeof(out)), -EPIPE);
		assert_int_equal(take_frame(&b, sizeof(out)), -EPIPE);
		assert_int_equal(send_frame(&b, &hdr, 100), -EPIPE);
		assert_true(b.be->ops->flush(b.be, 0));
		close_bench(&b);
	}
}

/* Row 19: the peer ends in the middle of everything. */
static void test_threat_19_ends(void **state)
{
	const struct net_hdr hdr = { 0 };
	uint8_t head[8];
	struct bench b;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t have = 0; have < sizeof(head); have++) {
		open_bench(&b);
		prefix(head, 100);
		assert_int_equal(write(b.peer, head, have), have);
		(void)close(b.peer);
		b.peer = -1;
		assert_int_equal(take_frame(&b, sizeof(out)), -EPIPE);
		close_bench(&b);
	}
	open_bench(&b);
	(void)close(b.peer);
	b.peer = -1;
	assert_int_equal(send_frame(&b, &hdr, 60000), -EPIPE);
	close_bench(&b);
	/* With something kept back. */
	open_bench(&b);
	while (send_frame(&b, &hdr, 60000) == 0)
		;
	(void)close(b.peer);
	b.peer = -1;
	assert_true(b.be->ops->flush(b.be, 0));
	assert_int_equal(send_frame(&b, &hdr, 100), -EPIPE);
	b.be->ops->ended(b.be);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_small_and_large),
		cmocka_unit_test(gathers),
		cmocka_unit_test(finishes_checksums),
		cmocka_unit_test(slow_reader),
		cmocka_unit_test(writes_cut_anywhere),
		cmocka_unit_test(receives_broken_anywhere),
		cmocka_unit_test(writes_what_passt_can_read),
		cmocka_unit_test(full_socket_cuts_no_write),
		cmocka_unit_test(receives_many),
		cmocka_unit_test(test_threat_19_lengths),
		cmocka_unit_test(test_threat_19_ends),
	};

	return cmocka_run_group_tests_name("net_stream", tests, NULL, NULL);
}
