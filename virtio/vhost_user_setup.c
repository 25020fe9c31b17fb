/* SPDX-License-Identifier: BSD-2-Clause */
/* The vhost-user front end's first talk with a back-end: what both can do, and the guest's memory. */
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "virtio/vhost_user.h"

enum {
	FS_TAG_SIZE = 36,
	FS_CONFIG_SIZE = 40, /* tag, num_request_queues (5.11.4) */
	FS_QUEUES = 2,	     /* one for what must not wait, one for requests */
	BLK_CONFIG_SIZE = 60,
	BLK_CONFIG_NUM_QUEUES = 34,
	NET_CONFIG_SIZE = 6, /* mac */
	NET_QUEUES = 2,
	RUN_WAIT_MS = 10000, /* for an answer once the back-end has given its first */
};

#define BLK_F_MQ  (UINT64_C(1) << 12)
#define NET_F_MAC (UINT64_C(1) << 5)

/*
 * Device features that this front end can pass on, by kind: those that need nothing of it. So none of
 * the network device's control queue, which is a front end's to serve.
 */
static const uint64_t passed_features[] = {
	[VHOST_USER_FS] = 0,
	/* SIZE_MAX SEG_MAX GEOMETRY RO BLK_SIZE FLUSH TOPOLOGY CONFIG_WCE MQ DISCARD WRITE_ZEROES */
	[VHOST_USER_BLK] = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 |
			   VHOST_BLK_F_CONFIG_WCE | BLK_F_MQ | 1 << 13 | 1 << 14,
	/* CSUM GUEST_CSUM GUEST_{TSO4,TSO6,ECN,UFO} HOST_{TSO4,TSO6,ECN,UFO} MRG_RXBUF */
	[VHOST_USER_NET] = 1 << 0 | 1 << 1 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 |
			   1 << 12 | 1 << 13 | 1 << 14 | 1 << 15,
};

/* What both sides may agree on whatever the kind. No packed rings, no IOMMU, no dirty log. */
#define RING_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)

static int lacks(struct vhost *vhost, const char *what)
{
	vhost->link.why = what;
	return -ENOTSUP;
}

static int agree_on_protocol(struct vhost *vhost)
{
	const uint64_t known = VHOST_USER_P_MQ | VHOST_USER_P_REPLY_ACK | VHOST_USER_P_CONFIG |
			       VHOST_USER_P_INFLIGHT_SHMFD;
	uint64_t offered = 0;
	int r;

	vhost->queue_max = vhost->kind == VHOST_USER_BLK ? 1 : 2;
	if (!(vhost->features & VHOST_USER_F_PROTOCOL_FEATURES))
		return 0;
	r = vhost_user_ask_u64(&vhost->link, VHOST_USER_GET_PROTOCOL_FEATURES, &offered);
	vhost->protocol = offered & known;
	if (!r)
		r = vhost_user_tell_u64(&vhost->link, VHOST_USER_SET_PROTOCOL_FEATURES,
					vhost->protocol);
	vhost->link.acks = vhost->protocol & VHOST_USER_P_REPLY_ACK;
	if (!r && (vhost->protocol & VHOST_USER_P_MQ))
		r = vhost_user_ask_u64(&vhost->link, VHOST_USER_GET_QUEUE_NUM, &vhost->queue_max);
	return r;
}

/* All RAM, each region with the one file. */
static int tell_memory(struct vhost *vhost, const struct guest_mem *mem, int fd)
{
	uint8_t payload[8 + 32 * VHOST_USER_REGIONS_MAX] = { 0 };
	int fds[VHOST_USER_REGIONS_MAX];
	struct vhost_user_msg msg = { .request = VHOST_USER_SET_MEM_TABLE,
				      .payload = payload,
				      .fds = fds };
	size_t count;
	const struct mem_region *region = mem_regions(mem, &count);

	for (size_t i = 0; i < count; i++) {
		uint8_t *entry = payload + 8 + (size_t)32 * msg.fd_count;

		if (region[i].kind != MEM_RAM)
			continue;
		if (msg.fd_count == VHOST_USER_REGIONS_MAX)
			return lacks(vhost,
				     "the guest has more regions of memory than it can be told");
		le64_store(entry, region[i].start.v);
		le64_store(entry + 8, region[i].size);
		le64_store(entry + 16, vhost_user_address(region[i].start));
		le64_store(entry + 24, region[i].offset);
		fds[msg.fd_count++] = fd;
	}
	le32_store(payload, msg.fd_count);
	msg.len = 8 + (size_t)32 * msg.fd_count;
	return vhost_user_tell(&vhost->link, &msg, true);
}

/* A disk's config space is the back-end's. */
static int ask_config(struct vhost *vhost)
{
	uint8_t payload[12 + BLK_CONFIG_SIZE] = { 0 };
	uint8_t reply[sizeof(payload)];
	const struct vhost_user_msg ask = { .request = VHOST_USER_GET_CONFIG,
					    .payload = payload,
					    .len = sizeof(payload) };
	int r;

	if (!(vhost->protocol & VHOST_USER_P_CONFIG))
		return lacks(vhost, "it cannot tell a disk's size (protocol feature CONFIG)");
	le32_store(payload + 4, BLK_CONFIG_SIZE);
	r = vhost_user_ask(&vhost->link, &ask, reply, sizeof(reply), NULL);
	if (r < 0)
		return r;
	if (le32_load(reply) != 0 || le32_load(reply + 4) != BLK_CONFIG_SIZE) {
		vhost->link.why = "its config space is not the one that was asked for";
		return -EPROTO;
	}
	memcpy(vhost->config, reply + 12, BLK_CONFIG_SIZE);
	vhost->config_size = BLK_CONFIG_SIZE;
	return 0;
}

static int make_config(struct vhost *vhost, const struct vhost_user_config *config)
{
	switch (config->kind) {
	case VHOST_USER_BLK:
		return ask_config(vhost);
	case VHOST_USER_FS:
		memcpy(vhost->config, config->tag, strnlen(config->tag, FS_TAG_SIZE));
		le32_store(vhost->config + FS_TAG_SIZE, FS_QUEUES - 1);
		vhost->config_size = FS_CONFIG_SIZE;
		return 0;
	case VHOST_USER_NET:
		memcpy(vhost->config, config->mac, NET_CONFIG_SIZE);
		vhost->config_size = NET_CONFIG_SIZE;
		return 0;
	}
	return -EINVAL;
}

/* How many queues the device has; a disk's config space is made to say the same. */
static int judge_queues(struct vhost *vhost, const struct vhost_user_config *config,
			unsigned *count)
{
	uint64_t most = vhost->queue_max;

	if (config->kind != VHOST_USER_BLK) {
		*count = config->kind == VHOST_USER_FS ? FS_QUEUES : NET_QUEUES;
		/* Some count pairs here for a network device; one pair is always there. */
		if (config->kind == VHOST_USER_FS && most < FS_QUEUES)
			return lacks(vhost, "it serves too few queues");
		return 0;
	}
	if (most < 1)
		return lacks(vhost, "it serves too few queues");
	if (!(vhost->features & BLK_F_MQ))
		most = 1;
	else
		most = u64_min(most, le16_load(vhost->config + BLK_CONFIG_NUM_QUEUES));
	most = u64_min(u64_max(most, 1), u64_min(config->queues, VIRTIO_MAX_QUEUES));
	le16_store(vhost->config + BLK_CONFIG_NUM_QUEUES, (uint16_t)most);
	*count = (unsigned)most;
	return 0;
}

int vhost_shake_hands(struct vhost *vhost, const struct vhost_user_config *config,
		      struct guest_mem *mem, unsigned *queues)
{
	const struct vhost_user_msg owner = { .request = VHOST_USER_SET_OWNER };
	int memory = mem_share_fd(mem);
	int r;

	if (memory < 0)
		return lacks(vhost, "the guest's memory is not shared");
	r = vhost_user_ask_u64(&vhost->link, VHOST_USER_GET_FEATURES, &vhost->features);
	if (!r && !(vhost->features & VIRTIO_F_VERSION_1))
		r = lacks(vhost, "it speaks only virtio before 1.0");
	if (!r)
		r = agree_on_protocol(vhost);
	if (!r)
		r = vhost_user_tell(&vhost->link, &owner, false);
	if (!r)
		r = make_config(vhost, config);
	if (!r)
		r = judge_queues(vhost, config, queues);
	if (!r)
		r = tell_memory(vhost, mem, memory);
	vhost->link.wait_ms = RUN_WAIT_MS;
	return r;
}

uint64_t vhost_offered_features(const struct vhost *vhost)
{
	uint64_t own = vhost->kind == VHOST_USER_NET ? NET_F_MAC : 0;

	return (vhost->features & (passed_features[vhost->kind] | RING_FEATURES)) | own;
}
