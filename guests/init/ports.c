/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the ports of the virtio console by their names in sysfs. */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/time_types.h>

#include "init.h"

struct entry { /* struct linux_dirent64 */
	unsigned long long ino;
	long long off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static const char ports[] = "/sys/class/virtio-ports/";

/* Whether the port whose directory is @dir has the name @name. */
static bool is_named(const char *dir, const char *name)
{
	char path[128], got[64];
	long len = read_file(join(path, sizeof(path), ports, dir, "/name", NULL), got, sizeof(got));

	if (len <= 0)
		return false;
	if (got[len - 1] == '\n')
		got[len - 1] = '\0';
	return same(got, name);
}

/* Opens the port now if it is there. */
static int try_port(const char *name, int flags)
{
	_Alignas(8) char buf[2048];
	int dir = open_read(ports), fd = -1;
	long n;

	if (dir < 0)
		return -1;
	while (fd < 0 && (n = sys(dir, (long)buf, sizeof(buf), 0, 0, __NR_getdents64)) > 0) {
		for (long at = 0; fd < 0 && at < n;) {
			struct entry *entry = (struct entry *)(buf + at);
			char path[128];

			if (entry->name[0] != '.' && is_named(entry->name, name))
				fd = (int)sys(AT_FDCWD,
					      (long)join(path, sizeof(path), "/dev/", entry->name,
							 NULL, NULL),
					      flags, 0, 0, __NR_openat);
			at += entry->len;
		}
	}
	sys(dir, 0, 0, 0, 0, __NR_close);
	return fd;
}

/* The host says right after a port's name that its end is open; only then the port can be used. */
static bool connected(int fd)
{
	struct __kernel_timespec now = { 0 };
	struct pollfd poll = { .fd = fd, .events = POLLIN };

	return sys((long)&poll, 1, (long)&now, 0, 8, __NR_ppoll) >= 0 && !(poll.revents & POLLHUP);
}

int open_port(const char *name, int flags)
{
	int fd = -1;

	for (unsigned tries = 0; fd < 0 && tries < 5000; tries++) {
		fd = try_port(name, flags);
		if (fd < 0)
			sleep_ms(1);
	}
	for (unsigned tries = 0; fd >= 0 && tries < 5000 && !connected(fd); tries++)
		sleep_ms(1);
	return fd;
}
