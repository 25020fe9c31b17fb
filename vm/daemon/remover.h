/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removes the names of our sockets when the run ends, however it ends: by a child that waits for it, since
 * behind the locked door nothing can be removed, and one who is killed removes nothing.
 */
#ifndef VM_DAEMON_REMOVER_H
#define VM_DAEMON_REMOVER_H

#include <sys/types.h>

enum { REMOVER_NAMES_MAX = 64 };

struct remover {
	struct {
		const char *path;
		dev_t device; /* what it named when it was noted: nothing else is removed */
		ino_t inode;
		int fd; /* holds that, by O_PATH, so that nothing else gets its number; or -1 */
	} names[REMOVER_NAMES_MAX];
	unsigned count;
	int ended_fd; /* closes when we end; -1: there is no child */
	int gone_fd;  /* closes when the child has */
};

void remover_init(struct remover *remover);

/* Notes @path, which names a socket of ours by now and stays the caller's. 0 or -errno. */
int remover_note(struct remover *remover, const char *path);

/* Starts the child, if a name was noted. Before the door, and after the last note. 0 or -errno. */
int remover_start(struct remover *remover);

/* Removes the names noted, by ourselves where no child was started. On return they are gone. */
void remover_end(struct remover *remover);

#endif
