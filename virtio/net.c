/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network device (virtio 1.3, section 5.1): what the driver sees of it, the link's state, and when
 * the loop calls which direction. Packets: virtio/net_tx.c, virtio/net_rx.c; docs/devices/net.md.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/diag.h"
#include "base/le.h"
#include "virtio/devices.h"
#include "virtio/net_device.h"

/* Config space (5.1.4). */
enum {
	CONFIG_MAC = 0,
	CONFIG_STATUS = 6,    /* le16 */
	CONFIG_MAX_PAIRS = 8, /* le16 */
	CONFIG_MTU = 10,      /* le16 */
	CONFIG_SIZE = 12,
	STATUS_LINK_UP = 1,
};

static struct net *net_of(struct virtio_dev *dev)
{
	return dev->priv;
}

static void on_backend(void *opaque, uint32_t events);

/*
 * A queue pair that is not in use is taken out of the loop: a tap reports an error for it. The first
 * one stays, if only to hear of the back-end's end.
 */
void net_watch(struct net_pair *pair)
{
	struct net *net = pair->net;
	bool used = net->up && (pair->index == 0 || pair->index < net->pairs);
	int fd = net->be->ops->fd(net->be, pair->index);
	uint32_t events = EPOLLRDHUP;

	if (net->live && pair->index < net->pairs && !pair->rx.dry)
		events |= EPOLLIN;
	if (pair->tx_held || pair->tx_left)
		events |= EPOLLOUT;
	if (pair->watched && !used) {
		(void)loop_del(net->dev->loop, fd);
		pair->watched = false;
	} else if (!pair->watched && used) {
		pair->watched = loop_add(net->dev->loop, fd, events, on_backend, pair) == 0;
		pair->events = events;
	} else if (used && events != pair->events) {
		(void)loop_mod(net->dev->loop, fd, events);
		pair->events = events;
	}
}

static void watch_all(struct net *net)
{
	for (unsigned i = 0; i < net->be->pairs; i++)
		net_watch(&net->pair[i]);
}

void net_link_lost(struct net *net)
{
	if (!net->up)
		return;
	net->up = false;
	for (unsigned i = 0; i < net->be->pairs; i++)
		net->pair[i].tx_left = false;
	watch_all(net);
	virtio_config_changed(net->dev);
}

/* The guest's frames are lost from here on; chains that wait for room must come back. */
static void drop_held(struct net *net)
{
	for (unsigned i = 0; i < net->be->pairs; i++) {
		if (net->pair[i].tx_held)
			net_tx_run(&net->pair[i]);
	}
}

static void on_backend(void *opaque, uint32_t events)
{
	struct net_pair *pair = opaque;
	struct net *net = pair->net;
	bool over = events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP);
	bool reads = net->live && pair->index < net->pairs && !pair->rx.dry;

	if ((events & EPOLLOUT) || (over && pair->tx_held))
		net_tx_run(pair);
	if (reads && (over || (events & EPOLLIN)))
		net_rx_run(pair);
	else if (over && net->up) {
		net->be->ops->ended(net->be);
		net_link_lost(net);
	}
	if (!net->up)
		drop_held(net);
}

int net_apply(struct net *net, uint64_t offloads, unsigned pairs)
{
	int r = net->up ? net->be->ops->set_up(net->be, offloads, pairs) : 0;

	if (r < 0)
		return r;
	net->offloads = offloads;
	net->pairs = pairs;
	watch_all(net);
	return 0;
}

/* The device. */

static void net_kick(struct virtio_dev *dev, unsigned index)
{
	struct net *net = net_of(dev);
	/* Without MQ the control queue follows the one pair (5.1.2). */
	unsigned ctrl = (net->features & NET_F_MQ) ? net->be->pairs * 2 : 2;

	if (index == ctrl && (net->features & NET_F_CTRL_VQ))
		net_ctrl_run(net, index);
	else if (index >= ctrl)
		return;
	else if (index % 2)
		net_tx_run(&net->pair[index / 2]);
	else
		net_rx_run(&net->pair[index / 2]);
}

static void net_ready(struct virtio_dev *dev)
{
	struct net *net = net_of(dev);
	int r;

	net->features = net_features_effective(dev->driver_features);
	net->live = true;
	r = net_apply(net, net->features & (NET_F_GUEST_CSUM | NET_GUEST_GSO), 1);
	if (r < 0) {
		diag_warn(
			"virtio-%s: the host refuses what the guest's driver asks for: %s; its link is "
			"down",
			dev->name, strerror(-r));
		net_link_lost(net);
	}
}

/* Nothing is in flight: the back-end has copied, or sent, what it took. */
static void net_reset(struct virtio_dev *dev)
{
	struct net *net = net_of(dev);

	net->live = false;
	net->pairs = 0;
	net->features = 0;
	net->offloads = 0;
	memcpy(net->mac, net->first_mac, sizeof(net->mac));
	net_filter_reset(&net->filter, net->mac);
	for (unsigned i = 0; i < net->be->pairs; i++) {
		net->pair[i].tx_held = false;
		net_rx_reset(&net->pair[i].rx);
	}
	watch_all(net);
}

static void net_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	const struct net *net = net_of(dev);
	uint8_t config[CONFIG_SIZE];

	memcpy(config + CONFIG_MAC, net->mac, NET_MAC_SIZE);
	le16_store(config + CONFIG_STATUS, net->up ? STATUS_LINK_UP : 0);
	le16_store(config + CONFIG_MAX_PAIRS, (uint16_t)net->be->pairs);
	le16_store(config + CONFIG_MTU, net->mtu);
	memcpy(data, config + offset, len);
}

static void net_free(struct net *net)
{
	for (unsigned i = 0; i < NET_MAX_PAIRS; i++)
		free(net->pair[i].rx.held);
	free(net);
}

static void net_destroy(struct virtio_dev *dev)
{
	struct net *net = net_of(dev);

	for (unsigned i = 0; i < net->be->pairs; i++) {
		if (net->pair[i].watched)
			(void)loop_del(dev->loop, net->be->ops->fd(net->be, i));
	}
	net_free(net);
}

static const struct virtio_type net_type = {
	.name = "net",
	.id = 1,
	.config_read = net_config_read,
	.ready = net_ready,
	.queue_kick = net_kick,
	.reset = net_reset,
	.destroy = net_destroy,
};

static uint64_t features_of(const struct net_backend *be)
{
	uint64_t features = NET_F_MAC | NET_F_MTU | NET_F_STATUS | NET_F_MRG_RXBUF | NET_F_CTRL_VQ |
			    NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA | NET_F_CTRL_MAC_ADDR |
			    be->features;

	return be->pairs > 1 ? features | NET_F_MQ : features;
}

/* The device's state without its shared part. */
static struct net *net_new(const struct virtio_net_config *config)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		return NULL;
	net->be = config->backend;
	net->mtu = config->mtu;
	net->up = true;
	memcpy(net->first_mac, config->mac, sizeof(net->first_mac));
	for (unsigned i = 0; i < net->be->pairs; i++) {
		net->pair[i].net = net;
		net->pair[i].index = i;
		net->pair[i].rx.held = malloc(NET_FRAME_MAX);
		if (!net->pair[i].rx.held) {
			net_free(net);
			return NULL;
		}
	}
	return net;
}

int virtio_net_create(const struct virtio_net_config *config, unsigned index, struct guest_mem *mem,
		      struct loop *loop, struct virtio_dev **out)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	struct net *net = dev ? net_new(config) : NULL;
	char name[sizeof(dev->name)];
	int err = -ENOMEM;

	(void)snprintf(name, sizeof(name), "net%u", index);
	if (net)
		err = virtio_dev_init(dev, &net_type, name, mem, loop, net->be->pairs * 2 + 1,
				      NET_QUEUE_SIZE, features_of(net->be), CONFIG_SIZE);
	if (err < 0) {
		if (net)
			net_free(net);
		free(dev);
		return err;
	}
	net->dev = dev;
	dev->priv = net;
	net_reset(dev);
	*out = dev;
	return 0;
}
