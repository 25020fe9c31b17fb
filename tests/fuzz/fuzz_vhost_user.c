/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user front end with a back-end made of the input: its first byte says which kind of device,
 * and whether descriptors come along; the rest is all that the back-end ever says. Whatever it is, the
 * device is refused or can be driven and reset, and nothing waits.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/dev_fuzz.h"
#include "tests/lib/driver_ring.h"
#include "virtio/devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAID_MAX = 4096, SLICE = 32 };

/* Says it all, in slices that may each carry a descriptor, and hangs up. */
static void say(int fd, const uint8_t *data, size_t size, int extra)
{
	for (size_t done = 0; done < size; done += SLICE) {
		char control[CMSG_SPACE(sizeof(int))] = { 0 };
		struct iovec iov = { (void *)(uintptr_t)(data + done),
				     size - done < SLICE ? size - done : SLICE };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
		struct cmsghdr *head;

		if (extra >= 0) {
			mh.msg_control = control;
			mh.msg_controllen = sizeof(control);
			head = CMSG_FIRSTHDR(&mh);
			head->cmsg_level = SOL_SOCKET;
			head->cmsg_type = SCM_RIGHTS;
			head->cmsg_len = CMSG_LEN(sizeof(int));
			*(int *)(void *)CMSG_DATA(head) = extra;
		}
		fuzz_expect(sendmsg(fd, &mh, MSG_NOSIGNAL) == (ssize_t)iov.iov_len);
	}
	fuzz_expect(shutdown(fd, SHUT_WR) == 0);
}

static void drive(struct virtio_dev *dev, struct guest_mem *mem)
{
	struct driver_ring ring;

	for (unsigned turn = 0; turn < 2; turn++) {
		(void)dr_negotiate(dev, VIRTIO_F_VERSION_1);
		dr_init(&ring, mem, gpa(0x1000), 16);
		(void)dr_setup_queue(dev, 0, &ring);
		virtio_set_status(dev, virtio_status(dev) | VIRTIO_S_DRIVER_OK);
		virtio_config_write(dev, 32, "\1", 1);
		for (unsigned i = 0; i < 4; i++)
			fuzz_expect(loop_turn(dev->loop, 0) >= 0);
		virtio_set_status(dev, 0);
		fuzz_expect(virtio_dev_settle(dev, 1000));
		fuzz_expect(virtio_status(dev) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[6] = { 2 };
	struct vhost_user_config config = { .peer = "fuzz", .tag = "t", .queues = 2, .mac = mac };
	struct virtio_dev *dev = NULL;
	struct guest_mem *mem = NULL;
	struct loop *loop = NULL;
	int pair[2], memory;

	if (size < 1 || size > SAID_MAX)
		return -1;
	memory = mem_share_create(FUZZ_RAM, false);
	fuzz_expect(memory >= 0 && mem_create(&mem) == 0 && mem_share(mem, memory) == 0);
	fuzz_expect(mem_add(mem, gpa(0), FUZZ_RAM, MEM_RAM) == 0 && loop_create(&loop) == 0);
	fuzz_expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	config.kind = (enum vhost_user_kind)(data[0] % 3);
	config.fd = pair[0];
	say(pair[1], data + 1, size - 1, data[0] & 0x80 ? memory : -1);
	if (virtio_vhost_user_create(&config, 0, mem, loop, &dev) == 0)
		drive(dev, mem);
	virtio_dev_destroy(dev);
	close(pair[1]);
	loop_destroy(loop);
	mem_destroy(mem);
	close(memory);
	return 0;
}
