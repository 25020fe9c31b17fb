/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers of virtio-vsock, to and from memory. */
#include "tests/lib/vsock_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/le.h"

void vsock_packet_store(uint8_t header[VSOCK_HEADER], const struct vsock_packet *p)
{
	le64_store(header, p->src_cid);
	le64_store(header + 8, p->dst_cid);
	le32_store(header + 16, p->src_port);
	le32_store(header + 20, p->dst_port);
	le32_store(header + 24, p->len);
	le16_store(header + 28, p->type);
	le16_store(header + 30, p->op);
	le32_store(header + 32, p->flags);
	le32_store(header + 36, p->buf_alloc);
	le32_store(header + 40, p->fwd_cnt);
}

struct vsock_packet vsock_packet_load(const uint8_t header[VSOCK_HEADER])
{
	return (struct vsock_packet){
		.src_cid = le64_load(header),
		.dst_cid = le64_load(header + 8),
		.src_port = le32_load(header + 16),
		.dst_port = le32_load(header + 20),
		.len = le32_load(header + 24),
		.type = le16_load(header + 28),
		.op = le16_load(header + 30),
		.flags = le32_load(header + 32),
		.buf_alloc = le32_load(header + 36),
		.fwd_cnt = le32_load(header + 40),
	};
}

int vsock_rig_listen(struct sockaddr_un *address, socklen_t *address_len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	address->sun_family = AF_UNIX;
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(sa_family_t)), 0);
	*address_len = sizeof(*address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, address_len), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}
