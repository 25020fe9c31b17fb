/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program behind a stream socket as back-end (passt): each frame preceded by its length, four bytes,
 * big-endian. It knows no virtio header, so checksums are finished here; what it says is judged
 * like a guest's words, for it reads the outside world's packets.
 *
 * Two buffers of fixed size stand between frames and the stream, which may break them anywhere: in one
 * gathers what was read, in the other small frames wait for the end of a batch, and what the
 * socket did not take.
 *
 * The passt of Debian 12 can read a frame in two parts, but not in three, nor with its length cut: then it takes the
 * frame's bytes for lengths and loses what comes until a read happens to begin with a frame. A reader may meet the stream
 * after each buffer that the kernel makes of a write, so each write is one such buffer: whole frames, or a half of a
 * large one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "virtio/net_backend.h"
#include "virtio/net_csum.h"
#include "virtio/queue.h"

enum {
	PREFIX = 4,
	IN_SIZE = 4 * (PREFIX + NET_FRAME_MAX),
	OUT_SIZE = 2 * (PREFIX + NET_FRAME_MAX),
	SMALL = 4096,	   /* frames to be gathered */
	PIECE = 34 * 1024, /* bytes at a time: a buffer of a unix socket holds them, two a frame */
};

struct stream {
	struct net_backend be; /* first */
	int fd;
	char name[24];
	bool ended;
	size_t in_start, in_end; /* what was read and not yet taken */
	size_t out_start, out_end;
	size_t out_whole; /* the first frame of which nothing was sent yet, out_start or behind it */
	uint8_t in[IN_SIZE];
	uint8_t out[OUT_SIZE];
};

static struct stream *stream_of(struct net_backend *be)
{
	return (struct stream *)be;
}

static int stream_fd(struct net_backend *be, unsigned pair)
{
	(void)pair;
	return stream_of(be)->fd;
}

static int end(struct stream *stream, const char *why)
{
	if (!stream->ended)
		diag_warn("%s %s; the guest's network link is down", stream->name, why);
	stream->ended = true;
	stream->out_start = stream->out_end = stream->out_whole = 0;
	stream->in_start = stream->in_end = 0;
	return -EPIPE;
}

static void stream_ended(struct net_backend *be)
{
	(void)end(stream_of(be), "ended");
}

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Sending. */

/* How far a write from out_start on may reach. */
static size_t piece_end(const struct stream *stream)
{
	size_t at = stream->out_whole, limit = stream->out_start + PIECE;

	while (at < stream->out_end) {
		size_t next = at + PREFIX + get_be32(stream->out + at);

		if (next > limit)
			break;
		at = next;
	}
	return at > stream->out_start && at < limit ? at : size_min(limit, stream->out_end);
}

/* Notes that @bytes were sent. */
static void sent(struct stream *stream, size_t bytes)
{
	stream->out_start += bytes;
	while (stream->out_whole < stream->out_start)
		stream->out_whole += PREFIX + get_be32(stream->out + stream->out_whole);
}

/* Whether nothing is left, or the end came and nothing matters any more. */
static bool push_out(struct stream *stream)
{
	while (stream->out_start < stream->out_end) {
		ssize_t n = write(stream->fd, stream->out + stream->out_start,
				  piece_end(stream) - stream->out_start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0) {
			(void)end(stream, "ended");
			return true;
		}
		sent(stream, (size_t)n);
	}
	stream->out_start = stream->out_end = stream->out_whole = 0;
	return true;
}

static bool stream_flush(struct net_backend *be, unsigned pair)
{
	(void)pair;
	return push_out(stream_of(be));
}

/* Copies what @iov holds from byte @done on behind what waits; there is room. */
static void keep(struct stream *stream, const struct iovec *iov, unsigned segs, size_t done)
{
	for (unsigned i = 0; i < segs; i++) {
		size_t skip = size_min(done, iov[i].iov_len);
		size_t len = iov[i].iov_len - skip;

		done -= skip;
		if (len > 0)
			memcpy(stream->out + stream->out_end,
			       (const uint8_t *)iov[i].iov_base + skip, len);
		stream->out_end += len;
	}
}

/* Room for @len bytes behind what waits. */
static bool make_room(struct stream *stream, size_t len)
{
	if (OUT_SIZE - stream->out_end >= len)
		return true;
	(void)push_out(stream);
	if (stream->out_start > 0) {
		memmove(stream->out, stream->out + stream->out_start,
			stream->out_end - stream->out_start);
		stream->out_end -= stream->out_start;
		stream->out_whole -= stream->out_start;
		stream->out_start = 0;
	}
	return OUT_SIZE - stream->out_end >= len;
}

/* Writes of what @iov holds the bytes from @from to @to: how many, or -errno. */
static ssize_t write_part(int fd, const struct iovec *iov, unsigned segs, size_t from, size_t to)
{
	struct iovec part[VQ_MAX_SEGS + 2];
	unsigned count = 0;
	size_t at = 0;
	ssize_t n;

	for (unsigned i = 0; i < segs && at < to; at += iov[i].iov_len, i++) {
		size_t skip = from > at ? size_min(from - at, iov[i].iov_len) : 0;
		size_t stop = size_min(iov[i].iov_len, to - at);

		if (stop > skip)
			part[count++] =
				(struct iovec){ (uint8_t *)iov[i].iov_base + skip, stop - skip };
	}
	do
		n = writev(fd, part, (int)count);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int stream_send(struct net_backend *be, unsigned pair, const struct net_hdr *hdr,
		       struct iovec *iov, unsigned segs, size_t len)
{
	struct stream *stream = stream_of(be);
	size_t all = PREFIX + len, done = 0;
	uint8_t prefix[PREFIX];

	(void)pair;
	if (stream->ended)
		return -EPIPE;
	if (!make_room(stream, all))
		return -EAGAIN;
	if (stream->ended)
		return -EPIPE;
	if (hdr->flags & NET_HDR_NEEDS_CSUM)
		net_csum_finish(hdr, iov + 1, segs - 1);
	put_be32(prefix, (uint32_t)len);
	iov[0] = (struct iovec){ prefix, sizeof(prefix) };
	if (len > SMALL && push_out(stream)) {
		if (stream->ended)
			return -EPIPE;
		while (done < all) {
			ssize_t n = write_part(stream->fd, iov, segs, done,
					       size_min(all, done + PIECE));

			if (n == -EAGAIN)
				break;
			if (n <= 0)
				return end(stream, "ended");
			done += (size_t)n;
		}
	}
	keep(stream, iov, segs, done);
	if (done > 0)
		stream->out_whole = all - done;
	return 0;
}

/* Receiving. */

/* Reads more, behind what is there: 0, -EAGAIN, -EPIPE. */
static int pull_in(struct stream *stream)
{
	ssize_t n;

	if (stream->in_start > 0) {
		memmove(stream->in, stream->in + stream->in_start,
			stream->in_end - stream->in_start);
		stream->in_end -= stream->in_start;
		stream->in_start = 0;
	}
	do
		n = read(stream->fd, stream->in + stream->in_end, IN_SIZE - stream->in_end);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n <= 0)
		return end(stream, "ended");
	stream->in_end += (size_t)n;
	return 0;
}

/* The length of the frame at in_start, all of which is there; 0: not yet; -EPIPE: it is none. */
static ssize_t frame_here(struct stream *stream)
{
	size_t have = stream->in_end - stream->in_start;
	char why[80];
	uint32_t len;

	if (have < PREFIX)
		return 0;
	len = get_be32(stream->in + stream->in_start);
	if (len < NET_ETH_SIZE || len > NET_FRAME_MAX) {
		(void)snprintf(why, sizeof(why),
			       "broke the protocol (a frame of %" PRIu32 " bytes)", len);
		return end(stream, why);
	}
	return have - PREFIX >= len ? (ssize_t)len : 0;
}

static ssize_t stream_receive(struct net_backend *be, unsigned pair, struct net_hdr *hdr,
			      struct iovec *iov, unsigned segs)
{
	struct stream *stream = stream_of(be);
	const uint8_t *frame;
	size_t left;
	ssize_t len;

	(void)pair;
	while ((len = stream->ended ? -EPIPE : frame_here(stream)) == 0) {
		int r = pull_in(stream);

		if (r < 0)
			return r;
	}
	if (len < 0)
		return len;
	frame = stream->in + stream->in_start + PREFIX;
	left = (size_t)len;
	for (unsigned i = 1; i < segs && left > 0; i++) {
		size_t n = size_min(left, iov[i].iov_len);

		memcpy(iov[i].iov_base, frame, n);
		frame += n;
		left -= n;
	}
	stream->in_start += PREFIX + (size_t)len;
	/* It never left this machine: what its checksums cover is as the program made it. */
	*hdr = (struct net_hdr){ .flags = NET_HDR_DATA_VALID };
	return len;
}

static int stream_set_up(struct net_backend *be, uint64_t features, unsigned pairs)
{
	(void)be;
	(void)features;
	(void)pairs;
	return 0;
}

static void stream_destroy(struct net_backend *be)
{
	(void)close(stream_of(be)->fd);
	free(stream_of(be));
}

static const struct net_backend_ops stream_ops = {
	.fd = stream_fd,
	.send = stream_send,
	.flush = stream_flush,
	.receive = stream_receive,
	.set_up = stream_set_up,
	.ended = stream_ended,
	.destroy = stream_destroy,
};

int net_stream_create(int fd, const char *name, struct net_backend **out)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		(void)close(fd);
		return -ENOMEM;
	}
	stream->be = (struct net_backend){
		.ops = &stream_ops,
		.pairs = 1,
		.features = NET_F_CSUM | NET_F_GUEST_CSUM,
	};
	stream->fd = fd;
	(void)snprintf(stream->name, sizeof(stream->name), "%s", name);
	*out = &stream->be;
	return 0;
}
