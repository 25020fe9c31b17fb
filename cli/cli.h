/* SPDX-License-Identifier: BSD-2-Clause */
/* The front door: words of the command line in, an exit status out. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdint.h>

/*
 * Does what the words @argv ask for (@argc of them, the program's name first) and returns the exit
 * status of the process (enum vm_status of vm/config.h, the guest's own, or 128 + signal).
 * @launched_ns is CLOCK_MONOTONIC at the start of main(). Called once, on the main thread; writes
 * into the strings of @argv (see options_parse).
 */
int cli_main(int argc, char **argv, uint64_t launched_ns);

#endif
