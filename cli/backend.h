/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommand `hvrun backend`. */
#ifndef CLI_BACKEND_H
#define CLI_BACKEND_H

/* Serves the device that @argv (@argc words behind "backend") names. An exit status. */
int backend_main(int argc, char **argv);

#endif
