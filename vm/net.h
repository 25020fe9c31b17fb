/* SPDX-License-Identifier: BSD-2-Clause */
/* What vm/ needs to open for --net, before the door is locked. */
#ifndef VM_NET_H
#define VM_NET_H

#include <stdint.h>

#include "virtio/net_backend.h"
#include "vm/config.h"

/* An opened network: where its packets go, and what the guest is told of it. */
struct vm_net {
	struct net_backend *backend; /* NULL: none */
	uint8_t mac[6];
	uint16_t mtu;
};

/*
 * Opens what @config, the machine's network number @index, names: the tap, or passt in a process of
 * its own. 0 and *@net, or -errno, said. Says passt's own words if @verbose.
 */
int vm_net_open(const struct vm_net_config *config, unsigned index, bool verbose,
		struct vm_net *net);

/*
 * Starts passt (Debian's package of that name) as @config wants it, with frames on a stream socket of
 * which *@fd is our end, non-blocking. It is ready when this returns, in the background with an
 * identity and namespaces of its own, and ends when our end is closed, in whatever way. 0, -ENOENT
 * (there is no passt), -EIO (it gave up), or -errno, said.
 */
int vm_passt_start(const struct vm_net_config *config, uint16_t mtu, bool verbose, int *fd);

/*
 * The address of network @index when none is given: made of the machine's identity and of what the
 * network is, so that it stays; locally administered, no multicast.
 */
void vm_net_mac(const struct vm_net_config *config, unsigned index, uint8_t mac[6]);

#endif
