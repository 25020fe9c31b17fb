/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command's root: a directory of the host by virtio-fs (or a disk with its files), under an
 * overlay in memory unless it may be written, with the kernel's file systems in it.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "init.h"

static void make_dir(const char *path)
{
	sys(AT_FDCWD, (long)path, 0755, 0, 0, __NR_mkdirat);
}

/* In files of the host's directories it is the user who does something, where the host knows no root. */
static void act_as(unsigned uid, unsigned gid)
{
	sys(gid, 0, 0, 0, 0, __NR_setfsgid);
	sys(uid, 0, 0, 0, 0, __NR_setfsuid);
}

static long try_mount(const char *what, const char *at, const char *type, unsigned long flags,
		      const char *options)
{
	return sys((long)what, (long)at, (long)type, (long)flags, (long)options, __NR_mount);
}

static void mount_or_fail(const char *what, const char *at, const char *type, unsigned long flags,
			  const char *options)
{
	long r = try_mount(what, at, type, flags, options);

	if (r < 0)
		fail("cannot mount", type, r);
}

/* A disk's driver may still be about to find it. */
static void mount_disk(const char *disk, const char *at)
{
	long r = -ENOENT;

	for (unsigned tries = 0; r == -ENOENT && tries < 5000; tries++) {
		if (tries)
			sleep_ms(1);
		r = try_mount(disk, at, "ext4", 0, NULL);
	}
	sys(AT_FDCWD, (long)"/new/lost+found", AT_REMOVEDIR, 0, 0, __NR_unlinkat); /* of mke2fs */
	if (r < 0)
		fail("cannot mount the copy of the root on", disk, r);
}

/* The root's own files, at @at. */
static void mount_source(const struct spec *spec, const char *at)
{
	unsigned long flags = spec->root_readonly ? MS_RDONLY : 0;

	if (spec->root_tag)
		mount_or_fail(spec->root_tag, at, "virtiofs", flags, NULL);
	else if (spec->root_disk)
		mount_disk(spec->root_disk, at);
	else
		mount_or_fail("root", at, "tmpfs", 0, "mode=755");
}

static void mount_root(const struct spec *spec)
{
	make_dir("/new");
	if (!spec->root_readonly) {
		mount_source(spec, "/new");
		return;
	}
	make_dir("/lower");
	make_dir("/rw");
	mount_source(spec, "/lower");
	mount_or_fail("rw", "/rw", "tmpfs", 0, "mode=755");
	make_dir("/rw/up");
	make_dir("/rw/work");
	mount_or_fail("root", "/new", "overlay", 0,
		      "lowerdir=/lower,upperdir=/rw/up,workdir=/rw/work");
}

/* All the directories of @path below @base, which exists. */
static void make_path(const char *base, const char *path)
{
	char at[4096];

	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/')
			continue;
		join(at, sizeof(at), base, path, NULL, NULL);
		if (length(base) + i < sizeof(at))
			at[length(base) + i] = '\0';
		make_dir(at);
	}
	make_dir(join(at, sizeof(at), base, path, NULL, NULL));
}

static void mount_shares(const struct spec *spec)
{
	char at[4096];

	for (unsigned i = 0; i < spec->share_count; i++) {
		const struct share *share = &spec->shares[i];
		long r;

		if (!spec->root_readonly)
			act_as(spec->uid, spec->gid);
		make_path("/new", share->at);
		act_as(0, 0);
		r = try_mount(share->tag, join(at, sizeof(at), "/new", share->at, NULL, NULL),
			      "virtiofs", share->readonly ? MS_RDONLY : 0, NULL);
		if (r < 0)
			fail("cannot mount the share", share->at, r);
	}
}

/* What a program expects of a running system; /dev, /proc and /sys are mounted here already. */
static void mount_system(const struct spec *spec)
{
	static const char *const dirs[] = { "/new/proc", "/new/sys", "/new/dev", "/new/run",
					    "/new/tmp" };

	if (!spec->root_readonly)
		act_as(spec->uid, spec->gid);
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		make_dir(dirs[i]);
	act_as(0, 0);
	mount_or_fail("proc", "/new/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	mount_or_fail("sysfs", "/new/sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	mount_or_fail("devtmpfs", "/new/dev", "devtmpfs", MS_NOSUID, NULL);
	make_dir("/new/dev/pts");
	make_dir("/new/dev/shm");
	(void)try_mount("devpts", "/new/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=666");
	(void)try_mount("shm", "/new/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	(void)try_mount("run", "/new/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	(void)try_mount("cgroup2", "/new/sys/fs/cgroup", "cgroup2",
			MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	sys((long)"/proc/self/fd", AT_FDCWD, (long)"/new/dev/fd", 0, 0, __NR_symlinkat);
	sys((long)"/proc/self/fd/0", AT_FDCWD, (long)"/new/dev/stdin", 0, 0, __NR_symlinkat);
	sys((long)"/proc/self/fd/1", AT_FDCWD, (long)"/new/dev/stdout", 0, 0, __NR_symlinkat);
	sys((long)"/proc/self/fd/2", AT_FDCWD, (long)"/new/dev/stderr", 0, 0, __NR_symlinkat);
}

void make_root(const struct spec *spec)
{
	long r;

	mount_root(spec);
	mount_system(spec);
	mount_shares(spec);
	r = sys((long)"/new", 0, 0, 0, 0, __NR_chdir);
	if (r >= 0)
		r = try_mount(".", "/", NULL, MS_MOVE, NULL);
	if (r >= 0)
		r = sys((long)".", 0, 0, 0, 0, __NR_chroot);
	if (r < 0)
		fail("cannot enter", "the new root", r);
}
