/* SPDX-License-Identifier: BSD-2-Clause */
/* `hvrun ctl SOCKET console`: the terminal as a guest's console, through the control socket. */
#ifndef CLI_CTL_CONSOLE_H
#define CLI_CTL_CONSOLE_H

#include <stddef.h>

/*
 * Copies standard input to the socket @fd and what comes from it, after the @len bytes at @first, to
 * standard output, until the machine ends, or Ctrl-A x on a terminal. An exit status.
 */
int ctl_console(int fd, const char *first, size_t len);

#endif
