/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071), for a back-end that wants finished packets. */
#ifndef VIRTIO_NET_CSUM_H
#define VIRTIO_NET_CSUM_H

#include <stdint.h>
#include <sys/uio.h>

#include "virtio/net_header.h"

/*
 * Stores the checksum that @hdr (judged) asks for into the frame in @iov, whose first piece holds the
 * place for it. The guest may rewrite the other pieces meanwhile: then the sum is wrong, no more.
 */
void net_csum_finish(const struct net_hdr *hdr, const struct iovec *iov, unsigned segs);

/* The folded sum, not inverted, of all bytes of @iov from @offset on. */
uint16_t net_csum_sum(const struct iovec *iov, unsigned segs, size_t offset);

#endif
