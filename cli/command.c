/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of subcommands, made of rows of run's and their own. */
#include "cli/command.h"

#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/io.h"

static const struct option *row_of_run(const char *name)
{
	size_t i = 0;

	while (strcmp(options_grammar.options[i].name, name) != 0)
		i++;
	return &options_grammar.options[i];
}

void command_make(struct command *command, const char *const *shared, size_t count,
		  const struct option *own, size_t own_count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; i == count - 1 && k < own_count; k++)
			command->rows[n++] = own[k];
		command->rows[n] = *row_of_run(shared[i]);
		command->rows[n++].rare = false;
	}
	command->grammar.options = command->rows;
	command->grammar.count = n;
}

int command_help(const struct command *command)
{
	char buf[8192];
	struct text text = { .buf = buf, .size = sizeof(buf) };
	int err;

	text_add(&text, "%s", command->head);
	parse_help(&text, &command->grammar, true);
	err = write_full(STDOUT_FILENO, buf, text.used);
	if (!err)
		return VM_STATUS_OK;
	diag_error("standard output: cannot write: %s", strerror(-err));
	return VM_STATUS_SYSTEM;
}

int command_parse(const struct command *command, int argc, char **argv, void *target,
		  struct options *options)
{
	options_default(options);
	return parse_all(&command->grammar, argc, argv, target, options->error,
			 sizeof(options->error));
}
