/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Namespaces, mounts and limits of a daemon's process. As root it is mount and network namespaces; as
 * anybody else these come with a user namespace, in which the daemon is root and its user is
 * everybody there is.
 */
#include "vm/daemon/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/io.h"

enum {
	FILES_MAX = 1000000
}; /* descriptors: a file server holds one for each file a guest looked at */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = write_full(fd, text, strlen(text));
	close(fd);
	return r;
}

int daemon_map_identity(unsigned uid, unsigned gid, bool same)
{
	char text[32];
	int r = write_file("/proc/self/setgroups", "deny");

	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%u %u 1", same ? uid : 0, uid);
	r = write_file("/proc/self/uid_map", text);
	(void)snprintf(text, sizeof(text), "%u %u 1", same ? gid : 0, gid);
	return r < 0 ? r : write_file("/proc/self/gid_map", text);
}

/*
 * Programs made to be started by root begin with setgroups, which a user namespace like ours refuses,
 * and then give up. They are told that it went well: what they wanted to lose is the rights of root's
 * groups, and these groups are only the user's own.
 */
static int pretend_setgroups(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setgroups, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	/* Root of the namespace may do so without no_new_privs. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

/* One who is not called root keeps the rights over the namespace beyond exec. */
static int keep_rights(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].inheritable = data[0].permitted;
	data[1].inheritable = data[1].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	for (unsigned cap = 0; cap < 64; cap++) {
		if ((data[cap / 32].permitted >> cap % 32 & 1) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

static int enter_namespaces(int flags, bool same_ids, const char **step)
{
	unsigned uid = geteuid(), gid = getegid();
	int r;

	*step = "namespaces";
	if (unshare(flags) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	*step = "a user namespace, which one who is not root needs";
	if (unshare(CLONE_NEWUSER | flags) < 0)
		return -errno;
	*step = "the users of its namespace";
	r = daemon_map_identity(uid, gid, same_ids);
	if (!r)
		r = pretend_setgroups();
	if (r || !same_ids)
		return r;
	*step = "its rights";
	return keep_rights();
}

/*
 * A root file system that the kernel made for itself (an initramfs) cannot be left by pivot_root, which is
 * what such daemons do. It is put over itself, and what lies on top can be left.
 */
static int make_root_leavable(void)
{
	struct statfs st;

	if (statfs("/", &st) < 0)
		return -errno;
	if (st.f_type != RAMFS_MAGIC && st.f_type != TMPFS_MAGIC)
		return 0;
	/* At the root, ".." is the root, with what is mounted over it. */
	if (mount("/", "/", NULL, MS_BIND | MS_REC, NULL) < 0 || chdir("/..") < 0 ||
	    chroot(".") < 0)
		return -errno;
	return 0;
}

/* All that lies at @path and below, also other file systems mounted there, cannot be written to. */
static int make_readonly(const char *path)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -errno;
	return mount_setattr(AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* As many descriptors as we may give it. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < FILES_MAX) {
		struct rlimit more = { FILES_MAX, FILES_MAX };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int daemon_enter_jail(const struct daemon_jail *jail, const char **step)
{
	int flags = (jail->mounts ? CLONE_NEWNS : 0) | (jail->network ? 0 : CLONE_NEWNET);
	int r = flags ? enter_namespaces(flags, jail->same_ids, step) : 0;

	raise_limit();
	if (r < 0 || !jail->mounts)
		return r;
	*step = "its own mounts";
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	r = make_root_leavable();
	if (r < 0)
		return r;
	if (jail->root_at) {
		*step = "the root at another place";
		if (mount("/", jail->root_at, NULL, MS_BIND | MS_REC, NULL) < 0)
			return -errno;
	}
	*step = "a read-only view of the folder";
	return jail->readonly ? make_readonly(jail->readonly) : 0;
}

bool daemon_jail_is_ours(const struct daemon_jail *jail)
{
	return jail->same_ids && geteuid() != 0;
}

int daemon_die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return -1;
	if (getppid() == parent)
		return 0;
	errno = ESRCH;
	return -1;
}
