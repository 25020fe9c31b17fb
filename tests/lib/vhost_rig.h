/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device whose rings a back-end in a thread of the test serves (vhost-user), with memory that
 * another process could have.
 */
#ifndef TESTS_LIB_VHOST_RIG_H
#define TESTS_LIB_VHOST_RIG_H

#include "tests/lib/dev_rig.h"
#include "tests/lib/fake_backend.h"
#include "virtio/devices.h"

#define RING_BITS   (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)
#define ALL_P	    (VHOST_USER_P_MQ | VHOST_USER_P_REPLY_ACK | VHOST_USER_P_CONFIG)
#define USER_BASE   (UINT64_C(1) << 46)
#define F_PACKED    (UINT64_C(1) << 34)
#define F_IOMMU	    (UINT64_C(1) << 33)
#define F_LOG_ALL   (UINT64_C(1) << 26)
#define BLK_F_FLUSH (UINT64_C(1) << 9)
#define BLK_F_WCE   (UINT64_C(1) << 11)
#define BLK_F_MQ    (UINT64_C(1) << 12)

/* A bench whose memory another process could have. */
struct vhost_rig {
	struct dev_rig rig;
	struct fake_backend fake;
	unsigned gone;
	int memory;
};

/*
 * Memory, loop and a back-end that is kind, which the test may change before it makes the
 * device.
 */
void vhost_rig_init(struct vhost_rig *b);

/* The device, of at most four queues: 0 or -errno. */
int vhost_rig_create(struct vhost_rig *b, enum vhost_user_kind kind);

/* Frees it, and ends the back-end. */
void vhost_rig_fini(struct vhost_rig *b);

#endif
