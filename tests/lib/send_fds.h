/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hostile peer of a unix socket sends: bytes, and descriptors that nobody asked for. */
#ifndef TESTS_LIB_SEND_FDS_H
#define TESTS_LIB_SEND_FDS_H

#include <stddef.h>
#include <sys/types.h>

enum { SEND_FDS_MAX = 20 };

/*
 * Sends @len bytes at @bytes to the socket @to, with @count descriptors, all of them @fd, SEND_FDS_MAX at most. Never
 * waits, and raises no SIGPIPE. As sendmsg.
 */
ssize_t send_fds(int to, const void *bytes, size_t len, int fd, unsigned count);

#endif
