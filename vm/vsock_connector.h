/* SPDX-License-Identifier: BSD-2-Clause */
/* The connector: a process that connects unix sockets for a machine whose door is locked. */
#ifndef VM_VSOCK_CONNECTOR_H
#define VM_VSOCK_CONNECTOR_H

#include <stddef.h>
#include <sys/types.h>

#include "vm/config.h"

/*
 * Starts it; *@fd is the socket by which it is asked (struct vsock_ask, one a message) and answers (struct
 * vsock_answer), not blocking. It ends when that is closed. Before the door is locked, one thread.
 * 0 or -errno.
 */
int vsock_connector_start(const struct vm_config *config, int *fd);

/*
 * In the connector: answers what is asked on @fd, a socket of messages, until it is closed or says what is no
 * struct vsock_ask. Who asks may be a hvrun that was taken over: all it gets is sockets connected to
 * @path and a number behind it.
 */
void vsock_connector_serve(int fd, const char *path);

/*
 * Receives one message of at most @len bytes and the descriptor that came with it, close-on-exec (*@passed, the
 * caller's whatever is returned; -1: none, or more than one, which are closed). Its bytes, 0 at the end, @len + 1 if there
 * were more, or -errno.
 */
ssize_t vsock_receive(int fd, void *to, size_t len, int *passed);

#endif
