/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tap of the host as back-end: one descriptor a queue pair, the kernel's own virtio-net header before
 * each frame, checksums and segmentation as the driver negotiated them.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/diag.h"
#include "virtio/net_backend.h"

/* linux/if_tun.h of older systems lacks these two. */
enum {
	OFFLOAD_USO4 = 0x20,
	OFFLOAD_USO6 = 0x40,
};

struct tap {
	struct net_backend be; /* first */
	char name[24];
	int fds[NET_MAX_PAIRS];
	unsigned attached; /* queues that get packets */
	bool ended;
	uint8_t raw[NET_HDR_SIZE];
};

static struct tap *tap_of(struct net_backend *be)
{
	return (struct tap *)be;
}

static int tap_fd(struct net_backend *be, unsigned pair)
{
	return tap_of(be)->fds[pair];
}

static void say_end(struct tap *tap, const char *why)
{
	if (!tap->ended)
		diag_warn("tap %s: %s; the guest's network link is down", tap->name, why);
	tap->ended = true;
}

static void tap_ended(struct net_backend *be)
{
	say_end(tap_of(be), "it is gone");
}

static int tap_send(struct net_backend *be, unsigned pair, const struct net_hdr *hdr,
		    struct iovec *iov, unsigned segs, size_t len)
{
	struct tap *tap = tap_of(be);
	ssize_t n;

	(void)len;
	net_hdr_store(tap->raw, hdr);
	iov[0] = (struct iovec){ tap->raw, sizeof(tap->raw) };
	do
		n = writev(tap->fds[pair], iov, (int)segs);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n < 0 && errno == EBADFD) {
		say_end(tap, "it is gone");
		return -EPIPE;
	}
	/* Anything else loses the frame: an interface that is down, a header that it refuses. */
	return 0;
}

static bool tap_flush(struct net_backend *be, unsigned pair)
{
	(void)be;
	(void)pair;
	return true;
}

static ssize_t tap_receive(struct net_backend *be, unsigned pair, struct net_hdr *hdr,
			   struct iovec *iov, unsigned segs)
{
	struct tap *tap = tap_of(be);
	ssize_t n;

	iov[0] = (struct iovec){ tap->raw, sizeof(tap->raw) };
	do
		n = readv(tap->fds[pair], iov, (int)segs);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n < NET_HDR_SIZE) {
		say_end(tap, n < 0 && errno != EBADFD ? strerror(errno) : "it is gone");
		return -EPIPE;
	}
	net_hdr_load(hdr, tap->raw);
	return n - NET_HDR_SIZE;
}

static unsigned offload_flags(uint64_t features)
{
	static const struct {
		uint64_t feature;
		unsigned flag;
	} map[] = {
		{ NET_F_GUEST_CSUM, TUN_F_CSUM },   { NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ NET_F_GUEST_TSO6, TUN_F_TSO6 },   { NET_F_GUEST_ECN, TUN_F_TSO_ECN },
		{ NET_F_GUEST_USO4, OFFLOAD_USO4 }, { NET_F_GUEST_USO6, OFFLOAD_USO6 },
	};
	unsigned flags = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (features & map[i].feature)
			flags |= map[i].flag;
	}
	/* The kernel has one word for both versions of IP. */
	if (flags & (OFFLOAD_USO4 | OFFLOAD_USO6) &&
	    (flags & (OFFLOAD_USO4 | OFFLOAD_USO6)) != (OFFLOAD_USO4 | OFFLOAD_USO6))
		flags &= ~(unsigned)(OFFLOAD_USO4 | OFFLOAD_USO6);
	return flags;
}

/* Attaches or detaches one queue: the kernel spreads packets over those that are attached. */
static int attach(const struct tap *tap, unsigned pair, bool on)
{
	/* struct ifreq as the kernel reads it: 16 bytes of name, then flags. */
	struct {
		char name[16];
		short flags;
		char rest[22];
	} req = { .flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return ioctl(tap->fds[pair], TUNSETQUEUE, &req) < 0 ? -errno : 0;
}

static int tap_set_up(struct net_backend *be, uint64_t features, unsigned pairs)
{
	struct tap *tap = tap_of(be);
	int r;

	if (tap->ended)
		return 0;
	if (ioctl(tap->fds[0], TUNSETOFFLOAD, (unsigned long)offload_flags(features)) < 0)
		return -errno;
	while (tap->attached < pairs) {
		r = attach(tap, tap->attached, true);
		if (r < 0)
			return r;
		tap->attached++;
	}
	while (tap->attached > pairs) {
		r = attach(tap, tap->attached - 1, false);
		if (r < 0)
			return r;
		tap->attached--;
	}
	return 0;
}

static void tap_destroy(struct net_backend *be)
{
	struct tap *tap = tap_of(be);

	for (unsigned i = 0; i < be->pairs; i++)
		(void)close(tap->fds[i]);
	free(tap);
}

static const struct net_backend_ops tap_ops = {
	.fd = tap_fd,
	.send = tap_send,
	.flush = tap_flush,
	.receive = tap_receive,
	.set_up = tap_set_up,
	.ended = tap_ended,
	.destroy = tap_destroy,
};

int net_tap_create(const int *fds, unsigned pairs, bool uso, const char *name,
		   struct net_backend **out)
{
	struct tap *tap = calloc(1, sizeof(*tap));

	if (!tap) {
		for (unsigned i = 0; i < pairs; i++)
			(void)close(fds[i]);
		return -ENOMEM;
	}
	tap->be = (struct net_backend){
		.ops = &tap_ops,
		.pairs = pairs,
		.features = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 |
			    NET_F_HOST_ECN | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN |
			    NET_F_GUEST_OFFLOADS,
	};
	if (uso)
		tap->be.features |= NET_F_HOST_USO | NET_F_GUEST_USO4 | NET_F_GUEST_USO6;
	tap->attached = pairs; /* as they are after TUNSETIFF */
	memcpy(tap->fds, fds, pairs * sizeof(*fds));
	(void)snprintf(tap->name, sizeof(tap->name), "%s", name);
	*out = &tap->be;
	return 0;
}
