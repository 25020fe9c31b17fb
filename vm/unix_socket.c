/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the listening sockets; an old one in the way is removed only when nobody listens on it. */
#include "vm/unix_socket.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/diag.h"
#include "vm/config.h"

enum { BACKLOG = 64 };

/* Removes the socket at @address if nobody answers on it. 0, or -errno why it stays. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, err;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	if (err != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int bind_and_listen(const struct sockaddr_un *address, int *out)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	int r;

	if (fd < 0)
		return -errno;
	old = umask(0177);
	r = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	(void)umask(old);
	if (r < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*out = fd;
	return 0;
}

/*
 * Whoever waits for the name connects as soon as it is there: it comes when the socket is listened at, as a second name of
 * one that was bound beside it. -EEXIST: the name was taken meanwhile.
 */
static int listen_then_name(const struct sockaddr_un *address, int *out)
{
	struct sockaddr_un beside = { .sun_family = AF_UNIX };
	int len = snprintf(beside.sun_path, sizeof(beside.sun_path), "%s.%d", address->sun_path,
			   (int)getpid());
	sigset_t all, before;
	int r;

	if (len < 0 || (size_t)len >= sizeof(beside.sun_path))
		return -ENAMETOOLONG;
	/* A signal that ends the run waits for that moment: the first name would stay. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	r = bind_and_listen(&beside, out);
	if (!r) {
		r = link(beside.sun_path, address->sun_path) < 0 ? -errno : 0;
		(void)unlink(beside.sun_path);
		if (r < 0)
			close(*out);
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* Where a file system has no second names, or the first is too long, the name is there a moment before. */
static int listen_at(const struct sockaddr_un *address, int *out)
{
	int r = listen_then_name(address, out);

	if (r == -EEXIST)
		return -EADDRINUSE;
	return r < 0 ? bind_and_listen(address, out) : 0;
}

int vm_unix_listen(const char *what, const char *path, struct remover *remover, int *fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int r;

	if (len >= sizeof(address.sun_path)) {
		diag_error("%s: the socket's name %s is longer than %zu bytes", what, path,
			   sizeof(address.sun_path) - 1);
		return VM_STATUS_USAGE;
	}
	memcpy(address.sun_path, path, len);
	r = remove_stale(&address);
	if (!r)
		r = listen_at(&address, fd);
	if (!r && remover)
		(void)remover_note(remover, path);
	if (r == -EEXIST)
		diag_error("%s: %s exists and is no socket; it is left alone", what, path);
	else if (r == -EADDRINUSE)
		diag_error("%s: another program listens on %s", what, path);
	else if (r < 0)
		diag_error("%s: cannot listen on %s: %s", what, path, strerror(-r));
	return r < 0 ? VM_STATUS_SYSTEM : 0;
}
