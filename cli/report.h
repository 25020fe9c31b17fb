/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommand `hvrun report`: reads a report of --report (docs/report.md) and shows it. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

/* Does what the @argc words @argv after `hvrun report` ask for: an exit status. */
int report_main(int argc, char **argv);

#endif
