/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens what --net names: an existing tap, or passt; and makes up the address that the guest gets. */
#include "vm/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"

enum {
	MTU_USER = 65520, /* the longest that passt has: fewer, larger frames */
	/* All that a guest may be handed unfinished; the last two are unknown to older kernels. */
	OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
	OFFLOADS_USO = OFFLOADS | 0x20 | 0x40,
};

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* What tells this host from others: systemd's identity, else the name. */
static uint64_t hash_host(uint64_t h)
{
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct utsname names;
	char id[64];
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, id, sizeof(id));
		(void)close(fd);
	}
	if (n > 0)
		return hash(h, id, (size_t)n);
	return uname(&names) == 0 ? hash(h, names.nodename, strlen(names.nodename)) : h;
}

void vm_net_mac(const struct vm_net_config *config, unsigned index, uint8_t mac[6])
{
	uint64_t h = hash_host(UINT64_C(0xcbf29ce484222325));

	if (config->kind == VM_NET_TAP)
		h = hash(h, config->ifname, strlen(config->ifname) + 1);
	else
		h = hash(h, &index, sizeof(index));
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)(h >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

/* Says why the tap cannot be had. */
static int tap_failed(const struct vm_net_config *config, int err)
{
	const char *name = config->ifname;

	switch (err) {
	case ENODEV:
		diag_error(
			"--net tap=%s: there is no such interface; make one with: ip tuntap add %s "
			"mode tap user $USER vnet_hdr%s",
			name, name, config->queues > 1 ? " multi_queue" : "");
		break;
	case EBUSY:
		diag_error("--net tap=%s: another program has it open", name);
		break;
	case EPERM:
		diag_error("--net tap=%s: it belongs to another user", name);
		break;
	case EINVAL:
		diag_error("--net tap=%s: it is no tap%s", name,
			   config->queues > 1 ? ", or was made without multi_queue" : "");
		break;
	default:
		diag_error("--net tap=%s: cannot open it: %s", name, strerror(err));
	}
	return -err;
}

/* One queue of the tap @name. Its descriptor or -errno. */
static int open_queue(const char *name, short flags)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int size = NET_HDR_SIZE, le = 1;
	struct ifreq req = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags) };
	int err;

	if (fd < 0)
		return -errno;
	memcpy(req.ifr_name, name, strlen(name)); /* checked to be shorter than the field */
	if (ioctl(fd, TUNSETIFF, &req) == 0 && ioctl(fd, TUNSETVNETHDRSZ, &size) == 0 &&
	    ioctl(fd, TUNSETVNETLE, &le) == 0)
		return fd;
	err = errno;
	(void)close(fd);
	return -err;
}

static int open_queues(const struct vm_net_config *config, int *fds, unsigned *count)
{
	short flags = config->queues > 1 ? IFF_MULTI_QUEUE : 0;

	for (*count = 0; *count < config->queues; ++*count) {
		int fd = open_queue(config->ifname, flags);

		/* One queue of a tap that can have many is asked for as one of many. */
		if (fd == -EINVAL && !flags) {
			flags = IFF_MULTI_QUEUE;
			fd = open_queue(config->ifname, flags);
		}
		if (fd < 0)
			return fd;
		fds[*count] = fd;
	}
	return 0;
}

/* The interface's MTU, or 1500. */
static uint16_t mtu_of(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { 0 };
	int mtu = 1500;

	memcpy(req.ifr_name, name, strlen(name));
	if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &req) == 0 && req.ifr_mtu >= 68 &&
	    req.ifr_mtu <= UINT16_MAX)
		mtu = req.ifr_mtu;
	if (fd >= 0)
		(void)close(fd);
	return (uint16_t)mtu;
}

static int open_tap(const struct vm_net_config *config, struct vm_net *net)
{
	unsigned count;
	int fds[VM_NET_MAX_QUEUES] = { -1 };
	bool uso;
	int r;

	/* TUNSETIFF would make an interface of that name. */
	if (if_nametoindex(config->ifname) == 0)
		return tap_failed(config, ENODEV);
	r = open_queues(config, fds, &count);
	if (r < 0) {
		while (count > 0)
			(void)close(fds[--count]);
		return tap_failed(config, -r);
	}
	uso = ioctl(fds[0], TUNSETOFFLOAD, (unsigned long)OFFLOADS_USO) == 0;
	(void)ioctl(fds[0], TUNSETOFFLOAD, 0UL);
	if (config->mtu == 0)
		net->mtu = mtu_of(config->ifname);
	r = net_tap_create(fds, count, uso, config->ifname, &net->backend);
	return r < 0 ? tap_failed(config, -r) : 0;
}

static int open_user(const struct vm_net_config *config, bool verbose, struct vm_net *net)
{
	int fd, r;

	if (config->mtu == 0)
		net->mtu = MTU_USER;
	r = vm_passt_start(config, net->mtu, verbose, &fd);
	if (r < 0)
		return r;
	r = net_stream_create(fd, "passt", &net->backend);
	if (r < 0)
		diag_error("--net user: %s", strerror(-r));
	return r;
}

int vm_net_open(const struct vm_net_config *config, unsigned index, bool verbose,
		struct vm_net *net)
{
	*net = (struct vm_net){ .mtu = config->mtu };
	if (config->has_mac)
		memcpy(net->mac, config->mac, sizeof(net->mac));
	else
		vm_net_mac(config, index, net->mac);
	return config->kind == VM_NET_TAP ? open_tap(config, net) : open_user(config, verbose, net);
}
