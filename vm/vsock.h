/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --vsock: the host's side of virtio-vsock. The socket for clients of the host is made before the door is
 * locked. Behind it nobody makes a socket or finds a name: what a guest connects to (the socket
 * PATH_PORT) is connected by the connector, a small process that was started before and does nothing
 * else, and comes as a descriptor.
 */
#ifndef VM_VSOCK_H
#define VM_VSOCK_H

#include <stdint.h>

#include "hw/loop.h"
#include "virtio/devices.h"
#include "vm/config.h"
#include "vm/daemon/remover.h"

/* To the connector. */
struct vsock_ask {
	uint64_t cookie;
	uint32_t port;
	uint32_t boot; /* comes back: what an earlier boot asked for is nobody's */
};

/* From it, with a descriptor if @err is 0. */
struct vsock_answer {
	uint64_t cookie;
	uint32_t boot;
	int32_t err; /* errno */
};

enum { VM_VSOCK_ASKS = 1024 }; /* that wait for the connector */

struct vm_vsock {
	int listen_fd;	  /* -1: none */
	int connector_fd; /* -1: none */
	unsigned conns;	  /* that the limit on descriptors has room for */
	struct loop *loop;
	struct virtio_dev *dev; /* NULL: none */
	uint32_t boot;
	unsigned ask_first, ask_count;
	struct vsock_ask asks[VM_VSOCK_ASKS];
};

/* Nothing is open. */
void vm_vsock_init(struct vm_vsock *vsock);

/* Before the door: makes the socket, whose name @remover notes, and starts the connector. 0, or an exit status with the reason said. */
int vm_vsock_open(struct vm_vsock *vsock, const struct vm_config *config, struct remover *remover);

/* What the device is to be made with; then the device that was made, on @loop. 0 or -errno. */
struct virtio_vsock_config vm_vsock_device(struct vm_vsock *vsock, uint64_t cid);
int vm_vsock_start(struct vm_vsock *vsock, struct loop *loop, struct virtio_dev *dev);

/* Before the device and the loop go. */
void vm_vsock_stop(struct vm_vsock *vsock);

void vm_vsock_close(struct vm_vsock *vsock);

#endif
