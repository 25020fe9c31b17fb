/* SPDX-License-Identifier: BSD-2-Clause */
/* --user: who that is. */
#ifndef VM_USER_H
#define VM_USER_H

#include "vm/sandbox/stages.h"

/*
 * Finds USER[:GROUP] in @text, each a name of /etc/passwd and /etc/group or a number; without GROUP the
 * user's own, and a number that /etc/passwd does not know needs one. Opens these files. 0, or an
 * exit status with the reason said.
 */
int user_find(const char *text, struct sandbox_user *user);

#endif
