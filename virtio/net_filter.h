/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which frames a guest wants to see: receive mode and address tables of the control queue (virtio 1.3,
 * 5.1.6.5.1, 5.1.6.5.2). Fixed in size: longer tables let everything of their kind through.
 */
#ifndef VIRTIO_NET_FILTER_H
#define VIRTIO_NET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NET_MAC_SIZE = 6,
	NET_TABLE_MAX = 64, /* addresses in each table */
};

/* Modes, numbered as the commands of the class are. */
enum net_rx_mode {
	NET_RX_PROMISC,
	NET_RX_ALLMULTI,
	NET_RX_ALLUNI,
	NET_RX_NOMULTI,
	NET_RX_NOUNI,
	NET_RX_NOBCAST,
	NET_RX_MODES,
};

struct net_table {
	unsigned count;
	bool all; /* more than fit were asked for */
	uint8_t mac[NET_TABLE_MAX][NET_MAC_SIZE];
};

struct net_filter {
	bool mode[NET_RX_MODES];
	uint8_t mac[NET_MAC_SIZE]; /* the device's own */
	struct net_table unicast;
	struct net_table multicast;
};

/* Everything passes until the driver says otherwise. */
void net_filter_reset(struct net_filter *filter, const uint8_t mac[NET_MAC_SIZE]);

/* Whether a frame to @to passes. */
bool net_filter_passes(const struct net_filter *filter, const uint8_t to[NET_MAC_SIZE]);

#endif
