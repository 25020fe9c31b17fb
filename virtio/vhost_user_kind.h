/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vhost-user back-end can be: a word of the command line and of virtio/devices.h. */
#ifndef VIRTIO_VHOST_USER_KIND_H
#define VIRTIO_VHOST_USER_KIND_H

enum vhost_user_kind {
	VHOST_USER_FS,
	VHOST_USER_BLK,
	VHOST_USER_NET,
};

#endif
