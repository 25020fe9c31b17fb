/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices that other processes serve over vhost-user: connections and daemons of one machine. */
#ifndef VM_DAEMON_BACKENDS_H
#define VM_DAEMON_BACKENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/devices.h"
#include "vm/config.h"
#include "vm/daemon/daemon.h"

enum { VM_MAX_BACKENDS = VM_MAX_SHARES + VM_MAX_VHOST_USER + VM_MAX_DISKS };

/* One of them. */
struct vm_backend {
	enum vhost_user_kind kind;
	int fd;		      /* its connection until a device takes it, else -1 */
	const char *peer;     /* for messages */
	const char *tag;      /* of a file system */
	unsigned queues;      /* of a disk */
	uint8_t mac[6];	      /* of a network device */
	unsigned index;	      /* among those of its kind, or of the disk */
	bool disk;	      /* it serves a --disk */
	struct daemon daemon; /* keeper -1: it is not ours to start and end */
};

struct vm;

/*
 * Whether @config has a device that another process serves: then the guest's memory is shared, and the
 * sandbox has the calls that speak to one.
 */
bool vm_has_backends(const struct vm_config *config);

/*
 * Whether the machine may be built a second time in one run: by --reboot, or by a client's reset. Not with a
 * back-end, which is never asked a second time.
 */
bool vm_may_restart(const struct vm_config *config);

/*
 * Starts daemons and connects sockets, before the door is locked; their answers are not waited for. 0, or an
 * exit status with the reason said. vm_close_backends undoes it, after the devices are gone.
 */
int vm_open_backends(struct vm *vm);
void vm_close_backends(struct vm *vm);

/* One more backend, with its connection @fd, or NULL if there is no room (said). */
struct vm_backend *vm_add_backend(struct vm *vm, enum vhost_user_kind kind, const char *peer);

/*
 * vm/daemon/share.c: a virtiofsd for @share. 0, or an exit status with the reason said.
 */
int vm_start_share(struct vm *vm, const struct vm_share_config *share);

/* The virtiofsd of this host (or what HVRUN_VIRTIOFSD names), an absolute name; NULL: there is none. */
const char *vm_find_virtiofsd(void);

#endif
