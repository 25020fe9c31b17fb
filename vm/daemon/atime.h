/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * O_NOATIME is for the owner of a file. A guest's overlay file system asks for it with each file that it
 * opens, and a file server that is not root and passes it on could open nobody's files but its user's.
 * So such opens of it stop (seccomp_unotify(2)), and its keeper opens the file without the flag: with no
 * other rights than the server's, and only what the server has a descriptor of already.
 */
#ifndef VM_DAEMON_ATIME_H
#define VM_DAEMON_ATIME_H

#include <linux/seccomp.h>

/*
 * In the process that becomes the server, as root of its user namespace: from now on such opens stop. A
 * descriptor (closed by exec) that tells of them, or -errno.
 */
int daemon_atime_stop(void);

/*
 * In the keeper: opens what @request, an openat with O_NOATIME, wants. A descriptor, closed by exec; -EAGAIN if
 * the server's own open is to go on; -errno. @request is an enemy's, and so is the memory that it points to.
 */
int daemon_atime_open(const struct seccomp_notif *request);

/* In the keeper: answers one stopped open that @listener tells of. */
void daemon_atime_answer(int listener);

#endif
