/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens files for a daemon that asked for O_NOATIME without being their owner. */
#include "vm/daemon/atime.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"

int daemon_atime_stop(void)
{
	/* Arguments are 64 bits wide, little-endian: the flags are in the lower half. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_NOATIME, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			  &program);

	return fd < 0 ? -errno : (int)fd;
}

/*
 * The name of the file that is to be opened, as we see it: file servers open what they have looked up by
 * the number of its descriptor, in their /proc/self/fd. False: this open is none of these.
 */
static bool name_of(const struct seccomp_notif *request, char *name, size_t size)
{
	char number[12] = { 0 };
	struct iovec ours = { number, sizeof(number) - 1 };
	struct iovec theirs = { (void *)(uintptr_t)request->data.args[1], sizeof(number) - 1 };
	struct statfs fs;
	size_t len;

	/* The name may stand at the end of a page. */
	while (theirs.iov_len > 0 &&
	       process_vm_readv((pid_t)request->pid, &ours, 1, &theirs, 1, 0) < 0)
		theirs.iov_len--;
	len = strspn(number, "0123456789");
	if (len == 0 || number[len] || (request->data.args[2] & O_CREAT))
		return false;
	(void)snprintf(name, size, "/proc/%u/fd/%d", request->pid, (int)request->data.args[0]);
	if (statfs(name, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	(void)snprintf(name, size, "/proc/%u/fd/%s", request->pid, number);
	return true;
}

/*
 * Whether the file is one to be opened: another user's, for else the daemon's own open does it. Not a FIFO, which
 * would make us wait for its other end, nor a device, which might do anything, nor anything of /proc: there it
 * matters who opens, and we are not in the daemon's namespaces.
 */
static bool is_wanted(int file)
{
	struct stat st;
	struct statfs fs;

	return fstat(file, &st) == 0 && st.st_uid != geteuid() &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && fstatfs(file, &fs) == 0 &&
	       fs.f_type != PROC_SUPER_MAGIC;
}

int daemon_atime_open(const struct seccomp_notif *request)
{
	char name[64];
	int flags = (int)request->data.args[2] & ~(O_NOATIME | O_NOFOLLOW);
	int file, fd;

	/* __O_TMPFILE makes a file, and O_PATH asks for no access at all: neither is for O_NOATIME. */
	if ((flags & (O_TMPFILE & ~O_DIRECTORY)) || (flags & O_PATH) ||
	    !name_of(request, name, sizeof(name)))
		return -EAGAIN;
	/* The number may be another file's at any moment: what is judged is what is opened. */
	file = open(name, O_PATH | O_CLOEXEC);
	if (file < 0 || !is_wanted(file)) {
		if (file >= 0)
			close(file);
		return -EAGAIN;
	}
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	fd = open(name, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		fd = -errno;
	else if (!(flags & O_NONBLOCK))
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	close(file);
	return fd;
}

void daemon_atime_answer(int listener)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_resp response;
	struct seccomp_notif_addfd given;
	int fd;

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return; /* the one who asked is gone */
	fd = daemon_atime_open(&request);
	given = (struct seccomp_notif_addfd){
		.id = request.id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = (uint32_t)request.data.args[2] & O_CLOEXEC,
	};
	if (fd >= 0) {
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &given) >= 0) {
			close(fd);
			return;
		}
		close(fd);
		fd = -EMFILE;
	}
	response = (struct seccomp_notif_resp){
		.id = request.id,
		.error = fd == -EAGAIN ? 0 : fd,
		.flags = fd == -EAGAIN ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0,
	};
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}
