/* SPDX-License-Identifier: BSD-2-Clause */
/* A subcommand whose words are some of run's and some of its own. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stddef.h>

#include "cli/options.h"
#include "cli/parse.h"

enum { COMMAND_ROWS_MAX = 64 };

struct command {
	struct grammar grammar; /* help_words and what concerns operands are the caller's */
	struct option rows[COMMAND_ROWS_MAX];
	const char *head; /* of its help */
};

/*
 * Fills the table of @command: the rows of run's table that @shared names (@count of them), with
 * @own before the last one, --help. Rows of run need a parser whose target begins with a struct options.
 */
void command_make(struct command *command, const char *const *shared, size_t count,
		  const struct option *own, size_t own_count);

/* Prints its help. An exit status. */
int command_help(const struct command *command);

/*
 * Parses into @target, which begins with @options (defaults are set here). The number of words taken,
 * or -EINVAL with options->error set.
 */
int command_parse(const struct command *command, int argc, char **argv, void *target,
		  struct options *options);

#endif
