/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stages of the door: environment, descriptors, user, limits, namespaces, an empty root, Landlock,
 * capabilities. Linux only; what a host or a container refuses is told by its errno.
 * A PID namespace, where one is asked for, is begun with the process (cli/pid_namespace.c).
 */
#include "vm/sandbox/stages.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"

enum {
	FIRST_FD = 3,
	FILES_MAX = 4096, /* descriptors: vCPUs, queues, disks; far more than a machine has */
	NUMBERS_MAX =
		1
		<< 20, /* descriptors that are asked for one by one, 0.1 s; fs.nr_open is that by default */
};

/* Of whatever the shell keeps there, passwords included. */
static int wipe_environment(struct sandbox_state *state)
{
	(void)state;
	for (char **word = environ; word && *word; word++)
		explicit_bzero(*word, strlen(*word));
	return clearenv() == 0 ? 0 : -ENOMEM;
}

/* What getdents64(2) writes. */
struct dirent_head {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t kind;
};

/*
 * A descriptor that came through exec has no FD_CLOEXEC, and every one that hvrun opens has: so the
 * strays are told apart. What was passed on purpose is 0 to 2, or was opened anew by its name in /dev/fd.
 */
static void close_if_stray(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0 && !(flags & FD_CLOEXEC))
		(void)close(fd);
}

static void close_named(const char *name)
{
	char *end;
	long fd = strtol(name, &end, 10);

	if (end != name && fd >= FIRST_FD)
		close_if_stray((int)fd);
}

static int close_strays_in(int dir)
{
	_Alignas(8) uint8_t entries[2048];
	long n;

	while ((n = syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < n;) {
			struct dirent_head head;

			memcpy(&head, entries + at, sizeof(head));
			/* The name lies behind the kind, without a gap. */
			close_named((const char *)entries + at +
				    offsetof(struct dirent_head, kind) + 1);
			at += head.size;
		}
	}
	return n < 0 ? -errno : 0;
}

/* Without /proc, or with no descriptor left for it: as far as there can be any, if that is not far. */
static bool close_strays_by_number(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > NUMBERS_MAX)
		return false;
	for (int fd = FIRST_FD; fd < (int)limit.rlim_cur; fd++)
		close_if_stray(fd);
	return true;
}

static int close_strays(struct sandbox_state *state)
{
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = -errno;

	(void)state;
	if (dir < 0)
		return close_strays_by_number() ? 0 : r;
	r = close_strays_in(dir);
	(void)close(dir);
	return r;
}

/*
 * Our own user keeps its number: by it the control socket tells its owner from others, who all look
 * alike from in here. No group is mapped, so this gives no power over any file. Where it cannot be
 * written, the control socket lets nobody in.
 */
static void map_user(const char *map, uid_t uid)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%u %u 1", (unsigned)uid, (unsigned)uid);
	int fd = open(map, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, line, (size_t)len);
	close(fd);
}

/*
 * Root that became another user cannot map it: what describes this process in /proc is still root's. So a child
 * stays behind as root until the namespace is there, maps, and ends.
 */
static void leave_mapper(struct sandbox_state *state)
{
	pid_t us = getpid();
	char map[64];
	char go = 0;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	state->mapper = fork();
	if (state->mapper == 0) {
		(void)close(ends[1]);
		while (read(ends[0], &go, 1) < 0 && errno == EINTR)
			;
		(void)snprintf(map, sizeof(map), "/proc/%d/uid_map", (int)us);
		if (go)
			map_user(map, state->user.uid);
		_exit(0); /* check-layers: allowed, a child that is no longer hvrun */
	}
	(void)close(ends[0]);
	if (state->mapper > 0) {
		state->mapper_fd = ends[1];
		return;
	}
	(void)close(ends[1]);
	state->mapper = 0;
}

/* On return the child is gone, and has done its work if @go. */
static void end_mapper(struct sandbox_state *state, bool go)
{
	if (go)
		(void)!write(state->mapper_fd, "m", 1);
	(void)close(state->mapper_fd);
	while (waitpid(state->mapper, NULL, 0) < 0 && errno == EINTR)
		;
	state->mapper = 0;
}

static int become_user(struct sandbox_state *state)
{
	const struct sandbox_user *user = &state->user;

	if (!user->set)
		return 0;
	leave_mapper(state);
	if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}

static int lower(int what, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)what, &limit) < 0)
		return -errno;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &limit) < 0 ? -errno : 0;
}

/*
 * Not the size of files, which disks, logs and redirected consoles have at will; not processes, which are
 * counted for all of a user's.
 */
static int limit_resources(struct sandbox_state *state)
{
	int r = lower(RLIMIT_CORE, 0);

	(void)state;
	if (!r)
		r = lower(RLIMIT_NOFILE, FILES_MAX);
	return r ? r : lower(RLIMIT_MSGQUEUE, 0);
}

enum { OTHER_NAMESPACES = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET };

/* With the user namespace, which is for everybody, the others can be had at once. */
static int leave_user_namespace(struct sandbox_state *state)
{
	uid_t uid = geteuid();
	int r = unshare(CLONE_NEWUSER | OTHER_NAMESPACES) < 0 ? -errno : 0;

	state->own_mounts = !r;
	if (state->mapper)
		end_mapper(state, !r);
	else if (!r)
		map_user("/proc/self/uid_map", uid);
	return r;
}

/* A container may forbid user namespaces to its root and let it have the others. */
static int leave_namespaces(struct sandbox_state *state)
{
	if (state->own_mounts)
		return 0;
	if (unshare(OTHER_NAMESPACES) < 0)
		return -errno;
	state->own_mounts = true;
	return 0;
}

/*
 * An empty file system that nobody can write to becomes the root, and all else is unmounted. It is
 * mounted over /dev, which is there, since /dev/kvm was.
 */
static int empty_root(struct sandbox_state *state)
{
	if (!state->own_mounts)
		return 0; /* said by the stage before */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("none", "/dev", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
		    0 ||
	    chdir("/dev") < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) < 0)
			return -errno;
		return chdir("/") < 0 ? -errno : 0;
	}
	/* An initramfs cannot be moved away; it can be covered. */
	if (errno != EINVAL || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		return -errno;
	return chdir("/") < 0 ? -errno : 0;
}

/* Whoever changes its user is no longer told of the end of the process outside. */
static int stay_with_outside(struct sandbox_state *state)
{
	if (!state->pid_namespace)
		return 0;
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
}

/* linux/landlock.h, newer than many a C library's. */
struct landlock_rules {
	uint64_t files;
	uint64_t net;
	uint64_t scope;
};

enum {
	LANDLOCK_VERSION = 1, /* flag of landlock_create_ruleset */
	ABI_REFER = 2,
	ABI_TRUNCATE = 3,
	ABI_NET = 4,
	ABI_IOCTL_DEV = 5,
	ABI_SCOPE = 6,
	FILES_FIRST = 0x1fff, /* what ABI 1 knows: thirteen kinds of access */
	FILES_REFER = 0x2000,
	FILES_TRUNCATE = 0x4000,
	FILES_IOCTL_DEV = 0x8000,
	NET_ALL = 3,   /* bind and connect by TCP */
	SCOPE_ALL = 3, /* abstract unix sockets, signals */
};

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444 /* the same on every architecture */
#define SYS_landlock_restrict_self  446
#endif

/* Everything that this kernel's Landlock can forbid, and no exception. */
static int landlock(struct sandbox_state *state)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	struct landlock_rules rules = {
		.files = FILES_FIRST | (abi >= ABI_REFER ? FILES_REFER : 0) |
			 (abi >= ABI_TRUNCATE ? FILES_TRUNCATE : 0) |
			 (abi >= ABI_IOCTL_DEV ? FILES_IOCTL_DEV : 0),
		.net = abi >= ABI_NET ? NET_ALL : 0,
		.scope = abi >= ABI_SCOPE ? SCOPE_ALL : 0,
	};
	int fd, r = 0;

	(void)state;
	if (abi < 0)
		return -errno;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* Those of the bounding set and the bits that keep root from having them again, where that is ours. */
static int drop_capabilities(struct sandbox_state *state)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	(void)state;
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0, 0);
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

static int forbid_looks(struct sandbox_state *state)
{
	(void)state;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static int no_new_privileges(struct sandbox_state *state)
{
	(void)state;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

void sandbox_shed(void)
{
	(void)wipe_environment(NULL);
	(void)close_strays(NULL);
}

const struct sandbox_stage *sandbox_stage(size_t index)
{
	static const struct sandbox_stage stages[] = {
		{ "environment", "its words are wiped", "its words stay in memory", false,
		  wipe_environment },
		{ "descriptors", "those that hvrun did not open are closed",
		  "those that hvrun inherited stay open", false, close_strays },
		{ "user", "another user, no groups (with --user)", "", true, become_user },
		{ "limits", "no core file, few descriptors, no message queues",
		  "core files and descriptors are not limited", false, limit_resources },
		{ "user namespace", "whoever gets out is nobody there",
		  "the process keeps its user's identity", false, leave_user_namespace },
		{ "namespaces", "mounts, network, IPC and host name of its own",
		  "the host's network and mounts stay in reach", false, leave_namespaces },
		{ "root", "an empty, read-only root; nothing else is mounted",
		  "the host's files stay in sight", false, empty_root },
		{ "pid namespace", "no process but its own can be named (with --pid-namespace)", "",
		  true, stay_with_outside },
		{ "no_new_privs", "no program gives privileges", "", true, no_new_privileges },
		{ "landlock", "no path, no TCP port, no signal to others",
		  "paths are not forbidden once more", false, landlock },
		{ "capabilities", "none, and none to be had", "", true, drop_capabilities },
		{ "dumpable", "no other process of the user looks into its memory",
		  "other processes of the user may look into its memory", false, forbid_looks },
	};

	return index < ARRAY_SIZE(stages) ? &stages[index] : NULL;
}
