/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of `hvrun run`: one table from which parsing, --help and the tests of the man page
 * come. Words of run are also words of exec where they make sense.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/parse.h"
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

/* The table; its apply functions take a parser whose target is a struct options. */
extern const struct grammar options_grammar;

/* The config that @parser, whose target is a struct options, is filling. */
struct vm_config *options_config(struct parser *parser);

/* Sets *@options to the defaults of docs/hvrun.1. */
void options_default(struct options *options);

/*
 * Whether what was asked for goes together: a kernel is named, and all that is to be verified can be. 0, or
 * -EINVAL with options->error set.
 */
int options_judge(struct options *options);

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
 * Writes the text of --help to @buf (@size bytes, 8192 is plenty), zero-ended, lines of at most 79
 * columns: with @all every option of run, else the common ones, at most 23 lines. Returns its length
 * without the zero; what did not fit is cut.
 */
size_t options_help(char *buf, size_t size, bool all);

#endif
