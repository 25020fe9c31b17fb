/* SPDX-License-Identifier: BSD-2-Clause */
/* Unix sockets that the command line names, made before the door is locked. */
#ifndef VM_UNIX_SOCKET_H
#define VM_UNIX_SOCKET_H

/*
 * Listens on a socket at @path that only this user may use (mode 0600), non-blocking, in *@fd, the
 * caller's. A socket that nobody listens on any more (the rest of an earlier run) is replaced; anything
 * else in its place is left alone. 0, or an exit status after saying what @what ("port log") cannot do.
 *
 * The name stays when the run ends: behind the door nothing can be removed.
 */
int vm_unix_listen(const char *what, const char *path, int *fd);

#endif
