/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides by a frame's destination whether the guest wants it. */
#include "virtio/net_filter.h"

#include <string.h>

void net_filter_reset(struct net_filter *filter, const uint8_t mac[NET_MAC_SIZE])
{
	*filter = (struct net_filter){ .mode[NET_RX_PROMISC] = true };
	memcpy(filter->mac, mac, NET_MAC_SIZE);
}

static bool in_table(const struct net_table *table, const uint8_t *to)
{
	for (unsigned i = 0; i < table->count; i++) {
		if (memcmp(table->mac[i], to, NET_MAC_SIZE) == 0)
			return true;
	}
	return table->all;
}

bool net_filter_passes(const struct net_filter *filter, const uint8_t to[NET_MAC_SIZE])
{
	static const uint8_t broadcast[NET_MAC_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const bool *mode = filter->mode;

	if (mode[NET_RX_PROMISC])
		return true;
	if (memcmp(to, broadcast, NET_MAC_SIZE) == 0)
		return !mode[NET_RX_NOBCAST];
	if (to[0] & 1)
		return !mode[NET_RX_NOMULTI] &&
		       (mode[NET_RX_ALLMULTI] || in_table(&filter->multicast, to));
	return !mode[NET_RX_NOUNI] &&
	       (mode[NET_RX_ALLUNI] || memcmp(to, filter->mac, NET_MAC_SIZE) == 0 ||
		in_table(&filter->unicast, to));
}
