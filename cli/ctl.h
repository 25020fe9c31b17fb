/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommand `hvrun ctl`: speaks to the control socket of a running machine (docs/control.md). */
#ifndef CLI_CTL_H
#define CLI_CTL_H

/* Does what the @argc words @argv after `hvrun ctl` ask for: an exit status. */
int ctl_main(int argc, char **argv);

#endif
