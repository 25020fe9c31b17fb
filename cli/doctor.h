/* SPDX-License-Identifier: BSD-2-Clause */
/* `hvrun doctor`: what this host can run, and why not. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

/*
 * Looks at the host and writes what it found to standard output, one fact a line, "name: words".
 * Changes nothing; makes a machine of one vCPU and no memory to see whether KVM lets it. The last
 * line begins "stock-guests: yes" or "stock-guests: no" (scripts read it). Returns VM_STATUS_OK
 * when at least bare-metal guests can run, else VM_STATUS_NO_KVM; VM_STATUS_SYSTEM when standard
 * output takes nothing.
 */
int doctor_run(void);

#endif
