/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands `hvrun sign` and `hvrun verify`. */
#ifndef CLI_SIGN_H
#define CLI_SIGN_H

/*
 * Do what the @argc words @argv after `hvrun sign` or `hvrun verify` ask for: an exit status. Strings
 * of @argv are cut up in place.
 */
int sign_main(int argc, char **argv);
int verify_main(int argc, char **argv);

#endif
