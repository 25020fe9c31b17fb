/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommand `hvrun ctl`: one request to a machine's control socket, and what comes of it. */
#include "cli/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "cli/ctl_console.h"
#include "cli/parse.h"
#include "vm/config.h"
#include "vm/control/control.h"
#include "vm/control/machine.h"

enum { WORDS_MAX = 4 };

struct ctl_options {
	char *words[WORDS_MAX]; /* socket, command, its arguments */
	size_t count;
	bool help;
};

/* The connection, and what was read of it and not used yet. */
struct ctl {
	const char *socket;
	int fd;
	char in[CONTROL_OUT_MAX];
	size_t len;
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

static const struct option rows[] = {
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

/* A folder on the way may be for root alone, whose capabilities went with its effective identity. */
static void raise_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i].effective = data[i].permitted;
	(void)syscall(SYS_capset, &head, data);
}

/*
 * Root comes as the socket's owner: a machine in a user namespace of its own cannot tell root from anybody
 * else. 0 or -errno.
 */
static int connect_as_owner(int fd, const struct sockaddr_un *address)
{
	struct stat st;
	bool other = geteuid() == 0 && stat(address->sun_path, &st) == 0 && st.st_uid != 0 &&
		     seteuid(st.st_uid) == 0;
	int r;

	if (other)
		raise_capabilities();
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	return other && seteuid(0) < 0 ? -errno : r;
}

static int connect_to(const char *path, int *out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;
	int r;

	if (strlen(path) >= sizeof(address.sun_path)) {
		diag_error("ctl: the socket's name %s is too long", path);
		return VM_STATUS_USAGE;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = fd < 0 ? -errno : connect_as_owner(fd, &address);
	if (r == 0) {
		*out = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	diag_error("ctl %s: cannot connect: %s%s", path, strerror(-r),
		   r == -ECONNREFUSED || r == -ENOENT ? "; no machine has this control socket"
						      : "");
	return VM_STATUS_NO_INPUT;
}

/* The next line as an object; NULL when the machine has gone, or says what is no JSON. */
static json_t *next_object(struct ctl *ctl)
{
	for (;;) {
		char *end = memchr(ctl->in, '\n', ctl->len);

		if (end) {
			size_t len = (size_t)(end - ctl->in);
			json_t *json = json_loadb(ctl->in, len, 0, NULL);

			memmove(ctl->in, end + 1, ctl->len - len - 1);
			ctl->len -= len + 1;
			return json;
		}

		ssize_t n = ctl->len < sizeof(ctl->in)
				    ? read(ctl->fd, ctl->in + ctl->len, sizeof(ctl->in) - ctl->len)
				    : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		ctl->len += (size_t)n;
	}
}

/* Sends the line, with the descriptor @file if that is not -1. 0 or -errno. */
static int send_line(const struct ctl *ctl, const char *line, size_t len, int file)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)line, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (file >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	n = sendmsg(ctl->fd, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return write_full(ctl->fd, line + n, len - (size_t)n);
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

static int send_request(const struct ctl *ctl, const struct control_command_info *info,
			char *const *words, int file)
{
	json_t *json = json_object();
	char *text;
	int r = -ENOMEM;

	json_object_set_new(json, "command", json_string(info->name));
	if (info->arg && file < 0)
		json_object_set_new(json, "args", make_args(info, words));
	text = json_dumps(json, JSON_COMPACT);
	if (text) {
		size_t len = strlen(text);

		text[len] = '\n';
		r = send_line(ctl, text, len + 1, file);
	}
	free(text);
	json_decref(json);
	return r;
}

static int print_json(const json_t *json, size_t flags)
{
	char *text = json_dumps(json, flags);
	int r = text ? write_full(STDOUT_FILENO, text, strlen(text)) : -ENOMEM;

	if (!r)
		r = write_full(STDOUT_FILENO, "\n", 1);
	free(text);
	return r < 0 ? VM_STATUS_SYSTEM : VM_STATUS_OK;
}

static int gone(const struct ctl *ctl)
{
	diag_error("ctl %s: the machine has gone, or is no hvrun", ctl->socket);
	return VM_STATUS_SYSTEM;
}

/* Events, a line each, until the machine ends. */
static int follow_events(struct ctl *ctl)
{
	json_t *json;
	int status = 0;

	while (!status && (json = next_object(ctl))) {
		status = print_json(json, JSON_COMPACT);
		json_decref(json);
	}
	return status;
}

/* What the answer says: printed, or an exit status with its error said. */
static int take_answer(struct ctl *ctl, const char *command)
{
	json_t *answer = next_object(ctl);
	const json_t *result = json_object_get(answer, "result");
	const char *error = json_string_value(json_object_get(answer, "error"));
	int status = VM_STATUS_OK;

	if (!json_is_object(answer)) {
		status = gone(ctl);
	} else if (!json_is_true(json_object_get(answer, "ok"))) {
		diag_error("ctl %s: %s: %s", ctl->socket, command, error ? error : "refused");
		status = VM_STATUS_SYSTEM;
	} else if (json_object_size(result)) {
		status = print_json(result, JSON_INDENT(2));
	}
	json_decref(answer);
	return status;
}

/* The greeting says who is there and which protocol it speaks, or why it does not. */
static int take_greeting(struct ctl *ctl)
{
	json_t *greeting = next_object(ctl);
	json_int_t version = json_integer_value(json_object_get(greeting, "control"));
	const char *error = json_string_value(json_object_get(greeting, "error"));
	int status = 0;

	if (error) {
		diag_error("ctl %s: %s", ctl->socket, error);
		status = VM_STATUS_SYSTEM;
	} else if (!version) {
		status = gone(ctl);
	} else if (version != CONTROL_VERSION) {
		diag_error("ctl %s: the machine speaks version %d of the protocol, this hvrun %d",
			   ctl->socket, (int)version, CONTROL_VERSION);
		status = VM_STATUS_SYSTEM;
	}
	json_decref(greeting);
	return status;
}

static int talk(struct ctl *ctl, const struct control_command_info *info, char *const *words,
		int file)
{
	int status = take_greeting(ctl);

	if (status)
		return status;
	if (send_request(ctl, info, words, file) < 0)
		return gone(ctl);
	status = take_answer(ctl, info->name);
	if (status != VM_STATUS_OK)
		return status;
	if (strcmp(info->name, "events") == 0)
		return follow_events(ctl);
	if (strcmp(info->name, "console") == 0)
		return ctl_console(ctl->fd, ctl->in, ctl->len);
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
	struct ctl *ctl;
	int file = -1;
	int status = find_command(options->words[1], &info);

	if (!status)
		status = judge_words(&info, options);
	if (status)
		return status;
	ctl = calloc(1, sizeof(*ctl));
	if (!ctl) {
		diag_error("ctl: no memory");
		return VM_STATUS_SYSTEM;
	}
	ctl->socket = options->words[0];
	status = connect_to(ctl->socket, &ctl->fd);
	if (!status) {
		status = open_file(&info, options->words[2], &file);
		if (!status)
			status = talk(ctl, &info, options->words + 2, file);
		close(ctl->fd);
	}
	if (file >= 0)
		close(file);
	free(ctl);
	return status;
}

int ctl_main(int argc, char **argv)
{
	char error[512];
	struct ctl_options options = { .count = 0 };

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
