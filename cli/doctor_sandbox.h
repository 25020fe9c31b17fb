/* SPDX-License-Identifier: BSD-2-Clause */
/* `hvrun doctor --sandbox`: the sandbox's table, and what this host gives of it. */
#ifndef CLI_DOCTOR_SANDBOX_H
#define CLI_DOCTOR_SANDBOX_H

/*
 * Writes the lists of system calls to standard output; docs/security.md holds the same lines. Returns
 * VM_STATUS_OK, or VM_STATUS_SYSTEM when standard output takes nothing, said.
 */
int doctor_sandbox(void);

#endif
