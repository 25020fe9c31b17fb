/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommand `hvrun ctl`: one request to a machine's control socket, and what comes of it. */
#include "cli/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "cli/ctl_answer.h"
#include "cli/ctl_console.h"
#include "cli/ctl_talk.h"
#include "cli/parse.h"
#include "vm/config.h"
#include "vm/control/control.h"
#include "vm/control/machine.h"

enum {
	WORDS_MAX = 4,
	WAIT_S = 60,	     /* a machine that starts on a slow host greets late */
	WAIT_MAX_S = 604800, /* a week */
};

struct ctl_options {
	char *words[WORDS_MAX]; /* socket, command, its arguments */
	size_t count;
	unsigned wait_s;
	bool help;
};

static int apply_help(struct parser *parser, char *value)
{
	struct ctl_options *options = parser->target;

	(void)value;
	options->help = true;
	parser->done = true;
	return 0;
}

static int apply_operand(struct parser *parser, char *word)
{
	struct ctl_options *options = parser->target;

	if (options->count == WORDS_MAX)
		return parse_fail(parser, "\"%s\" is one word too many; hvrun ctl --help", word);
	options->words[options->count++] = word;
	return 0;
}

static int apply_wait(struct parser *parser, char *value)
{
	struct ctl_options *options = parser->target;
	uint64_t seconds;

	if (!parse_number_within(value, 1, WAIT_MAX_S, &seconds))
		return parse_fail(parser, "--wait: %s is not a time; give seconds, such as 60",
				  value);
	options->wait_s = (unsigned)seconds;
	return 0;
}

static const struct option rows[] = {
	{ .letter = 'w',
	  .name = "wait",
	  .value = "SECONDS",
	  .help = "how long the machine may be silent (60)",
	  .apply = apply_wait },
	{ .letter = 'h', .repeats = true, .name = "help", .help = "this text", .apply = apply_help },
};

static const struct grammar grammar = {
	.help_words = "hvrun ctl --help",
	.options = rows,
	.count = ARRAY_SIZE(rows),
	.operand = apply_operand,
};

static int print_help(void)
{
	char buf[4096];
	struct text text = { .buf = buf, .size = sizeof(buf) };
	struct control_command_info info;

	text_add(&text, "hvrun ctl SOCKET COMMAND [WORD]...\n"
			"  speaks to a machine that was started with --control SOCKET\n\n");
	for (size_t i = 0; control_command_info(i, &info); i++)
		text_add(&text, "  %-8s %-9s %s\n", info.name, info.what ? info.what : "",
			 info.help);
	text_add(&text, "\n");
	parse_help(&text, &grammar, true);
	return write_full(STDOUT_FILENO, buf, text.used) < 0 ? VM_STATUS_SYSTEM : VM_STATUS_OK;
}

/* How many words @info's command takes: one for each member in its list. */
static size_t words_of(const struct control_command_info *info)
{
	size_t count = info->arg ? 1 : 0;

	for (const char *c = info->arg; c && *c; c++)
		count += *c == ' ';
	return count;
}

/* Its last word is a size. */
static bool ends_with_size(const struct control_command_info *info)
{
	const char *last = info->arg ? strrchr(info->arg, ' ') : NULL;

	return info->arg && strcmp(last ? last + 1 : info->arg, "size") == 0;
}

/* The words as members of "args"; a size, which judge_words found good, as bytes. */
static json_t *make_args(const struct control_command_info *info, char *const *words)
{
	json_t *args = json_object();
	const char *list = info->arg;
	size_t count = words_of(info);

	for (size_t i = 0; i < count; i++) {
		char name[16];
		size_t len = strcspn(list, " ");
		uint64_t bytes;

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, list);
		if (i + 1 == count && ends_with_size(info) && parse_size(words[i], &bytes) == 0)
			json_object_set_new(args, name, json_integer((json_int_t)bytes));
		else
			json_object_set_new(args, name, json_string(words[i]));
		list += len + 1;
	}
	return args;
}

static int no_memory(void)
{
	diag_error("ctl: no memory");
	return VM_STATUS_SYSTEM;
}

static int send_request(const struct ctl_peer *peer, const struct control_command_info *info,
			char *const *words, int file)
{
	json_t *json = json_object();
	char *text;
	int status;

	json_object_set_new(json, "command", json_string(info->name));
	if (info->arg && file < 0)
		json_object_set_new(json, "args", make_args(info, words));
	text = json_dumps(json, JSON_COMPACT);
	if (text) {
		size_t len = strlen(text);

		text[len] = '\n';
		status = ctl_send(peer, text, len + 1, file);
	} else {
		status = no_memory();
	}
	free(text);
	json_decref(json);
	return status;
}

static int print_json(const json_t *json, size_t flags)
{
	char *text = ctl_text(json, flags);
	int r = text ? write_full(STDOUT_FILENO, text, strlen(text)) : -ENOMEM;

	free(text);
	if (r == 0)
		return VM_STATUS_OK;
	diag_error("ctl: cannot print the answer: %s", strerror(-r));
	return VM_STATUS_SYSTEM;
}

/* Events, a line each, until the machine ends. */
static int follow_events(struct ctl_peer *peer)
{
	json_t *json;
	int status;

	while (!(status = ctl_next_event(peer, &json)) && json) {
		status = print_json(json, JSON_COMPACT);
		json_decref(json);
		if (status)
			break;
	}
	return status;
}

/* What the answer says: printed, or an exit status with its error said. */
static int take_answer(struct ctl_peer *peer, const char *command, int file)
{
	char why[DIAG_MAX];
	json_t *answer, *result;
	int status = ctl_next(peer, file, &answer);

	if (status)
		return status;
	if (!ctl_answers(answer, &result, why)) {
		diag_error("ctl %s: %s: %s", peer->socket, command, why);
		status = VM_STATUS_SYSTEM;
	} else if (json_object_size(result)) {
		status = print_json(result, JSON_INDENT(2));
	}
	json_decref(answer);
	return status;
}

/* The greeting says who is there and which protocol it speaks, or why it does not. */
static int take_greeting(struct ctl_peer *peer)
{
	char why[DIAG_MAX];
	json_t *greeting;
	int status = ctl_next(peer, -1, &greeting);

	if (status)
		return status;
	if (!ctl_greets(greeting, why)) {
		diag_error("ctl %s: %s", peer->socket, why);
		status = VM_STATUS_SYSTEM;
	}
	json_decref(greeting);
	return status;
}

static int talk(struct ctl_peer *peer, const struct control_command_info *info, char *const *words,
		int file)
{
	int status = take_greeting(peer);

	if (!status)
		status = send_request(peer, info, words, file);
	if (!status)
		status = take_answer(peer, info->name, file);
	if (status)
		return status;
	if (strcmp(info->name, "events") == 0)
		return follow_events(peer);
	if (strcmp(info->name, "console") == 0)
		return ctl_console(peer->fd, peer->in.bytes + peer->in.start, peer->in.len);
	return VM_STATUS_OK;
}

/* For `core`: the file, which the machine gets opened. Else -1. */
static int open_file(const struct control_command_info *info, const char *name, int *fd)
{
	*fd = -1;
	if (!info->arg || strcmp(info->arg, "file") != 0)
		return 0;
	*fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (*fd >= 0)
		return 0;
	diag_error("ctl: %s: cannot open: %s", name, strerror(errno));
	return VM_STATUS_NO_INPUT;
}

static int find_command(const char *word, struct control_command_info *info)
{
	for (size_t i = 0; control_command_info(i, info); i++) {
		if (strcmp(info->name, word) == 0)
			return 0;
	}
	diag_error("ctl: unknown command \"%s\"; hvrun ctl --help lists what there is", word);
	return VM_STATUS_USAGE;
}

static int judge_words(const struct control_command_info *info, const struct ctl_options *options)
{
	size_t wanted = words_of(info), given = options->count - 2;
	uint64_t bytes;

	if (given < wanted) {
		diag_error("ctl: %s needs a word%s: %s %s", info->name,
			   given + 1 < wanted ? " or two" : "", info->name, info->what);
		return VM_STATUS_USAGE;
	}
	if (given > wanted) {
		diag_error("ctl: %s takes %s, and was given \"%s\"", info->name,
			   wanted ? info->what : "no word", options->words[2 + wanted]);
		return VM_STATUS_USAGE;
	}
	if (ends_with_size(info) &&
	    (parse_size(options->words[1 + wanted], &bytes) < 0 || bytes > INT64_MAX)) {
		diag_error(
			"ctl: %s is not a size; give bytes, or a number with K, M or G, such as 512M",
			options->words[1 + wanted]);
		return VM_STATUS_USAGE;
	}
	return 0;
}

static int run(const struct ctl_options *options)
{
	struct control_command_info info;
	struct ctl_peer *peer;
	int file = -1;
	int status = find_command(options->words[1], &info);

	if (!status)
		status = judge_words(&info, options);
	if (status)
		return status;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return no_memory();
	peer->socket = options->words[0];
	peer->wait_s = options->wait_s;
	status = ctl_connect(peer);
	if (!status) {
		status = open_file(&info, options->words[2], &file);
		if (!status)
			status = talk(peer, &info, options->words + 2, file);
		close(peer->fd);
	}
	if (file >= 0)
		close(file);
	free(peer);
	return status;
}

int ctl_main(int argc, char **argv)
{
	char error[512];
	struct ctl_options options = { .wait_s = WAIT_S };

	if (parse_all(&grammar, argc, argv, &options, error, sizeof(error)) < 0) {
		diag_error("%s", error);
		return VM_STATUS_USAGE;
	}
	if (options.help)
		return print_help();
	if (options.count >= 2)
		return run(&options);
	diag_error("a socket and a command are needed: hvrun ctl SOCKET COMMAND");
	return VM_STATUS_USAGE;
}
