/* SPDX-License-Identifier: BSD-2-Clause */
/* hvrun exec: a command in a guest. */
#ifndef CLI_EXEC_H
#define CLI_EXEC_H

#include <stdbool.h>
#include <stdint.h>

/* The words that follow `hvrun exec`. An exit status: the command's own when it ran. */
int exec_main(int argc, char **argv, bool input_open, uint64_t launched_ns);

#endif
