/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of `hvrun run`: one table from which parsing, --help and the tests of the man page
 * come. The parser keeps no global state and prints nothing.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stddef.h>

#include "vm/config.h"

/* What the words of `run` ask for. */
enum options_wish {
	OPTIONS_RUN,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options {
	enum options_wish wish;
	struct vm_config config;
	char error[512]; /* what is wrong, in words, when options_parse() fails */
};

/*
 * Parses the @argc words @argv that follow `hvrun` or `hvrun run` into *@options, beginning with the
 * defaults of docs/hvrun.1. --help and --version end the parsing: words after them are not looked
 * at. Without them a kernel must have been named. The terminal's fields and launched_ns of the
 * config are not decided here: -1, 1, false and 0.
 *
 * The config's strings point into @argv, which must outlive it; the words of --disk are cut up and
 * unescaped in place. Returns 0, or -EINVAL with options->error set.
 */
int options_parse(int argc, char **argv, struct options *options);

/*
 * Writes the text of --help to @buf (@size bytes, 4096 is plenty), zero-ended: at most 23 lines of at
 * most 79 columns. Returns its length without the zero; what did not fit is cut.
 */
size_t options_help(char *buf, size_t size);

#endif
