/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of virtio-vsock as the standard lays them out (virtio 1.3, 5.10.6), and a socket for its host's programs. */
#ifndef TESTS_LIB_VSOCK_PACKET_H
#define TESTS_LIB_VSOCK_PACKET_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { VSOCK_HEADER = 44 }; /* bytes before the data */

enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };

/* A header; type is 1 for streams. */
struct vsock_packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
};

void vsock_packet_store(uint8_t header[VSOCK_HEADER], const struct vsock_packet *p);
struct vsock_packet vsock_packet_load(const uint8_t header[VSOCK_HEADER]);

/* A listening socket with a name of the kernel's choice, in no file system. Fails the running cmocka test. */
int vsock_rig_listen(struct sockaddr_un *address, socklen_t *address_len);

#endif
