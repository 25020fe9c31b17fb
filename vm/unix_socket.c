/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the listening sockets; an old one in the way is removed only when nobody listens on it. */
#include "vm/unix_socket.h"

#include <errno.h>
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

static int listen_at(const struct sockaddr_un *address, int *out)
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
