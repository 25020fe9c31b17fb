/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords: from the terminal, unseen, or from a file. */
#ifndef CLI_PASSWORD_H
#define CLI_PASSWORD_H

enum { PASSWORD_MAX = 1024 }; /* bytes, the zero at its end included; as in minisign */

/*
 * The password of @name, typed on the process's terminal (/dev/tty) without being shown. 0; or -errno
 * having said why there is none (-ENXIO: no terminal; -EINTR: Ctrl-C or Ctrl-D).
 */
int password_ask(const char *name, char password[PASSWORD_MAX]);

/* The first line of @file. 0 or -errno, said. */
int password_read(const char *file, char password[PASSWORD_MAX]);

#endif
