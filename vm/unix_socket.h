/* SPDX-License-Identifier: BSD-2-Clause */
/* Unix sockets that the command line names, made before the door is locked. */
#ifndef VM_UNIX_SOCKET_H
#define VM_UNIX_SOCKET_H

#include "vm/daemon/remover.h"

/*
 * Listens on a socket at @path that only this user may use (mode 0600), non-blocking, in *@fd, the
 * caller's. A socket that nobody listens on any more (the rest of an earlier run) is replaced; anything
 * else in its place is left alone. Who sees the name can connect. It is noted in @remover, which removes it when the run ends
 * (NULL: it stays). 0, or an exit status after saying what @what ("port log") cannot do.
 */
int vm_unix_listen(const char *what, const char *path, struct remover *remover, int *fd);

#endif
