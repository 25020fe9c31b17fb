/* SPDX-License-Identifier: BSD-2-Clause */
/* The child that outlives us by the time it takes to remove a few names. */
#include "vm/daemon/remover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

void remover_init(struct remover *remover)
{
	remover->count = 0;
	remover->ended_fd = remover->gone_fd = -1;
}

/*
 * Many file systems give the number of what was removed to what is made next. It is held where a descriptor is left for
 * that: without, a socket that the next run makes while the child of one that was killed still stands would be taken for ours.
 */
int remover_note(struct remover *remover, const char *path)
{
	struct stat st;
	int fd;

	if (remover->count == REMOVER_NAMES_MAX)
		return -ENOSPC;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if ((fd >= 0 ? fstat(fd, &st) : lstat(path, &st)) < 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	remover->names[remover->count].path = path;
	remover->names[remover->count].device = st.st_dev;
	remover->names[remover->count].inode = st.st_ino;
	remover->names[remover->count++].fd = fd;
	return 0;
}

static void let_go(struct remover *remover)
{
	for (unsigned i = 0; i < remover->count; i++) {
		if (remover->names[i].fd >= 0)
			close(remover->names[i].fd);
		remover->names[i].fd = -1;
	}
}

/* What another run has put in a name's place meanwhile is that one's. */
static void remove_all(const struct remover *remover)
{
	for (unsigned i = 0; i < remover->count; i++) {
		struct stat st;

		if (lstat(remover->names[i].path, &st) == 0 &&
		    st.st_dev == remover->names[i].device && st.st_ino == remover->names[i].inode)
			(void)unlink(remover->names[i].path);
	}
}

/* All descriptors from 2 on, but those that hold what names name. */
static void close_others(const struct remover *remover)
{
	unsigned from = 2;

	for (;;) {
		unsigned held = ~0U; /* the lowest one from there on */

		for (unsigned i = 0; i < remover->count; i++) {
			unsigned fd = (unsigned)remover->names[i].fd; /* -1: as none */

			if (fd >= from && fd < held)
				held = fd;
		}
		if (held > from)
			(void)close_range(from, held == ~0U ? held : held - 1, 0);
		if (held == ~0U)
			return;
		from = held + 1;
	}
}

_Noreturn static void wait_and_remove(const struct remover *remover, int ended_fd, int gone_fd)
{
	sigset_t all;
	char byte;

	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)prctl(PR_SET_NAME, "hvrun-remover");
	/* Nothing else stays open in here: above all no end of a pipe that others wait for. */
	(void)dup2(ended_fd, 0);
	(void)dup2(gone_fd, 1);
	close_others(remover);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	remove_all(remover);
	_exit(0); /* check-layers: allowed, the child is not hvrun */
}

/* Two pipes: the child sees our end by one, and we see the child's by the other. */
int remover_start(struct remover *remover)
{
	int ended[2] = { -1, -1 };
	int gone[2] = { -1, -1 };
	pid_t child = -1;
	int r = 0;

	if (!remover->count)
		return 0;
	if (pipe2(ended, O_CLOEXEC) == 0 && pipe2(gone, O_CLOEXEC) == 0)
		child = fork();
	if (child == 0) {
		/* Out of the way of 0 and 1, should those be free. */
		int in = fcntl(ended[0], F_DUPFD, 3);
		int out = fcntl(gone[1], F_DUPFD, 3);

		close(ended[1]);
		close(gone[0]);
		wait_and_remove(remover, in, out);
	}
	if (child < 0)
		r = -errno;
	for (int i = 0; i < 2; i++) {
		if (ended[i] >= 0 && (r < 0 || i == 0))
			close(ended[i]);
		if (gone[i] >= 0 && (r < 0 || i == 1))
			close(gone[i]);
	}
	if (r < 0)
		return r;
	let_go(remover); /* the child holds them */
	remover->ended_fd = ended[1];
	remover->gone_fd = gone[0];
	return 0;
}

void remover_end(struct remover *remover)
{
	char byte;

	if (remover->ended_fd < 0) {
		remove_all(remover);
	} else {
		close(remover->ended_fd);
		while (read(remover->gone_fd, &byte, 1) < 0 && errno == EINTR)
			;
		close(remover->gone_fd);
	}
	let_go(remover);
	remover_init(remover);
}
