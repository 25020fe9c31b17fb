/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control queue (virtio 1.3, 5.1.6.5): receive modes, addresses, queue pairs, offloads. Each command
 * is read by copies of bounded size, judged whole, and then takes effect whole or not at all.
 */
#include <string.h>

#include "base/le.h"
#include "virtio/net_device.h"
#include "virtio/take.h"

enum {
	CLASS_RX = 0,
	CLASS_MAC = 1,
	CLASS_MQ = 4,
	CLASS_OFFLOADS = 5,
	MAC_TABLE_SET = 0,
	MAC_ADDR_SET = 1,
	MQ_PAIRS_SET = 0,
	OFFLOADS_SET = 0,
	BODY = 2, /* where a command's own data begins, behind class and command */
	BATCH = 64,
};

enum {
	ACK_OK = 0,
	ACK_ERR = 1,
};

/* Whether the command's data are exactly @len bytes, then in @data. */
static bool read_body(const struct vq_chain *chain, void *data, size_t len)
{
	return chain->out_len == BODY + len && vq_chain_read(chain, BODY, data, len) == len;
}

static bool set_mode(struct net *net, uint8_t command)
{
	uint64_t feature = command <= NET_RX_ALLMULTI ? NET_F_CTRL_RX : NET_F_CTRL_RX_EXTRA;
	uint8_t on;

	if (!(net->features & feature) || command >= NET_RX_MODES ||
	    !read_body(&net->chain, &on, 1) || on > 1)
		return false;
	net->filter.mode[command] = on;
	return true;
}

/* One table of addresses at *@at, which moves behind it. False if the data end before. */
static bool read_table(const struct vq_chain *chain, uint64_t *at, struct net_table *table)
{
	uint8_t count[4];
	uint64_t bytes;

	if (vq_chain_read(chain, *at, count, sizeof(count)) < sizeof(count))
		return false;
	bytes = (uint64_t)le32_load(count) * NET_MAC_SIZE;
	*at += sizeof(count);
	if (bytes > chain->out_len - *at)
		return false;
	table->all = bytes > sizeof(table->mac);
	table->count = table->all ? 0 : le32_load(count);
	(void)vq_chain_read(chain, *at, table->mac, table->count * sizeof(table->mac[0]));
	*at += bytes;
	return true;
}

static bool set_tables(struct net *net)
{
	struct net_table unicast, multicast;
	uint64_t at = BODY;

	if (!(net->features & NET_F_CTRL_RX) || !read_table(&net->chain, &at, &unicast) ||
	    !read_table(&net->chain, &at, &multicast) || at != net->chain.out_len)
		return false;
	net->filter.unicast = unicast;
	net->filter.multicast = multicast;
	return true;
}

static bool set_mac(struct net *net)
{
	uint8_t mac[NET_MAC_SIZE];

	if (!(net->features & NET_F_CTRL_MAC_ADDR) || !read_body(&net->chain, mac, sizeof(mac)) ||
	    (mac[0] & 1))
		return false;
	memcpy(net->mac, mac, sizeof(mac));
	memcpy(net->filter.mac, mac, sizeof(mac));
	return true;
}

static bool set_pairs(struct net *net)
{
	uint8_t data[2];
	unsigned pairs;

	if (!(net->features & NET_F_MQ) || !read_body(&net->chain, data, sizeof(data)))
		return false;
	pairs = le16_load(data);
	return pairs >= 1 && pairs <= net->be->pairs && net_apply(net, net->offloads, pairs) == 0;
}

static bool set_offloads(struct net *net)
{
	const uint64_t all = NET_F_GUEST_CSUM | NET_GUEST_GSO;
	uint64_t wanted;
	uint8_t data[8];

	if (!(net->features & NET_F_GUEST_OFFLOADS) || !read_body(&net->chain, data, sizeof(data)))
		return false;
	wanted = le64_load(data);
	if (wanted & ~(net->features & all))
		return false;
	/* What needs a checksum goes with it. */
	if (!(wanted & NET_F_GUEST_CSUM))
		wanted = 0;
	return net_apply(net, wanted, net->pairs) == 0;
}

static bool carry_out(struct net *net)
{
	uint8_t what[BODY];

	if (vq_chain_read(&net->chain, 0, what, sizeof(what)) < sizeof(what))
		return false;
	switch (what[0]) {
	case CLASS_RX:
		return set_mode(net, what[1]);
	case CLASS_MAC:
		if (what[1] == MAC_TABLE_SET)
			return set_tables(net);
		return what[1] == MAC_ADDR_SET && set_mac(net);
	case CLASS_MQ:
		return what[1] == MQ_PAIRS_SET && set_pairs(net);
	case CLASS_OFFLOADS:
		return what[1] == OFFLOADS_SET && set_offloads(net);
	default:
		return false;
	}
}

void net_ctrl_run(struct net *net, unsigned queue)
{
	struct virtio_dev *dev = net->dev;
	unsigned commands = 0;

	vq_disable_kick(&dev->queues[queue]);
	while (virtio_take(dev, queue, &net->chain)) {
		uint16_t head = net->chain.head;
		uint8_t ack;

		if (net->chain.in_len == 0) {
			virtio_dev_broken(dev, "a command without room for its answer");
			break;
		}
		ack = carry_out(net) ? ACK_OK : ACK_ERR;
		(void)vq_chain_write(&net->chain, 0, &ack, 1);
		vq_push(&dev->queues[queue], head, 1);
		if (++commands == BATCH) {
			virtio_kick(dev, queue);
			break;
		}
	}
	virtio_signal(dev, queue);
}
