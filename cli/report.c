/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommand `hvrun report`: a report in words, or as a picture. */
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "cli/parse.h"
#include "cli/timeline.h"
#include "vm/config.h"

enum {
	REPORT_MAX = 4 << 20, /* bytes of a report that are read */
	PICTURE_MAX = 64 << 10,
	WORDS_MAX = 1024,
};

struct report_options {
	const char *file;
	const char *timeline;
	bool help;
};

static int apply_help(struct parser *parser, char *value)
{
	struct report_options *options = parser->target;

	(void)value;
	options->help = true;
	parser->done = true;
	return 0;
}

static int apply_operand(struct parser *parser, char *word)
{
	struct report_options *options = parser->target;

	if (options->file)
		return parse_fail(parser, "\"%s\" is one file too many; a report is one file",
				  word);
	options->file = word;
	return 0;
}

static const struct option rows[] = {
	{ .name = "timeline",
	  .value = "FILE",
	  .help = "draw the boot's steps there as an SVG picture",
	  .field = offsetof(struct report_options, timeline) },
	{ .letter = 'h', .repeats = true, .name = "help", .help = "this text", .apply = apply_help },
};

static const struct grammar grammar = {
	.help_words = "hvrun report --help",
	.options = rows,
	.count = ARRAY_SIZE(rows),
	.operand = apply_operand,
};

static int print_help(void)
{
	char buf[1024];
	struct text text = { .buf = buf, .size = sizeof(buf) };

	text_add(&text, "hvrun report [--timeline FILE.svg] REPORT.json\n"
			"  what a file of --report says, in words or as a picture\n\n");
	parse_help(&text, &grammar, true);
	return write_full(STDOUT_FILENO, buf, text.used) < 0 ? VM_STATUS_SYSTEM : VM_STATUS_OK;
}

/* The file's object in *@json. 0 or an exit status, said. */
static int read_report(const char *name, json_t **json)
{
	json_error_t error;
	uint8_t *data = NULL;
	size_t len = 0;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 ? -errno : read_file_whole(fd, REPORT_MAX, &data, &len);

	if (fd >= 0)
		close(fd);
	if (r == -EFBIG || r == -EISDIR) {
		diag_error("report %s: this is no report of hvrun (%s)", name, strerror(-r));
		return VM_STATUS_BAD_IMAGE;
	}
	if (r < 0) {
		diag_error("report %s: cannot read: %s", name, strerror(-r));
		return VM_STATUS_NO_INPUT;
	}
	*json = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, &error);
	free(data);
	if (json_is_object(*json))
		return 0;
	diag_error("report %s: this is not one JSON object: line %d: %s", name, error.line,
		   *json ? "something else" : error.text);
	json_decref(*json);
	return VM_STATUS_BAD_IMAGE;
}

static const char *string_of(const json_t *json, const char *key, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value ? value : otherwise;
}

/* How it ended, in one line. */
static void end_words(const json_t *json, char *words, size_t size)
{
	(void)snprintf(words, size, "%s, status %" JSON_INTEGER_FORMAT "%s%s",
		       string_of(json, "why", "?"),
		       json_integer_value(json_object_get(json, "status")),
		       json_object_get(json, "words") ? ": " : "", string_of(json, "words", ""));
}

static int draw(const json_t *json, const struct timeline *timeline, const char *name)
{
	char words[WORDS_MAX];
	char title[WORDS_MAX];
	struct text text = { .buf = malloc(PICTURE_MAX), .size = PICTURE_MAX };
	int fd;
	int r;

	if (!text.buf) {
		diag_error("timeline %s: no memory for the picture", name);
		return VM_STATUS_SYSTEM;
	}
	end_words(json, words, sizeof(words));
	(void)snprintf(title, sizeof(title), "hvrun -k %s",
		       string_of(json_object_get(json, "guest"), "kernel", "?"));
	timeline_draw(timeline, title, words, &text);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	r = fd < 0 ? -errno : write_full(fd, text.buf, text.used);
	if (fd >= 0)
		close(fd);
	free(text.buf);
	if (r == 0)
		return VM_STATUS_OK;
	diag_error("timeline %s: cannot write: %s", name, strerror(-r));
	return fd < 0 ? VM_STATUS_NO_INPUT : VM_STATUS_SYSTEM;
}

/* Bytes that could steer a terminal are a stranger's here too. */
static void say(struct text *text, const char *words)
{
	for (; *words; words++)
		text_add(text, (unsigned char)*words < 0x20 || *words == 0x7f ? "?" : "%c", *words);
}

static int print_words(const json_t *json, const struct timeline *timeline)
{
	char words[WORDS_MAX];
	char buf[8192];
	struct text text = { .buf = buf, .size = sizeof(buf) };

	end_words(json, words, sizeof(words));
	say(&text, words);
	text_add(&text, "\n");
	for (size_t i = 0; i < timeline->count; i++) {
		const struct timeline_step *step = &timeline->steps[i];

		text_add(&text, "%10" PRIu64 " us  +%-10" PRIu64 " ", step->end_us,
			 step->end_us - step->begin_us);
		say(&text, step->name);
		text_add(&text, "\n");
	}
	return write_full(STDOUT_FILENO, buf, text.used) < 0 ? VM_STATUS_SYSTEM : VM_STATUS_OK;
}

static int show(const struct report_options *options)
{
	struct timeline timeline;
	const char *why = NULL;
	json_t *json = NULL;
	int status = read_report(options->file, &json);

	if (status)
		return status;
	if (timeline_read(json, &timeline, &why) < 0) {
		diag_error("report %s: %s", options->file, why);
		status = VM_STATUS_BAD_IMAGE;
	} else if (options->timeline) {
		status = draw(json, &timeline, options->timeline);
	} else {
		status = print_words(json, &timeline);
	}
	json_decref(json);
	return status;
}

int report_main(int argc, char **argv)
{
	char error[512];
	struct report_options options = { .file = NULL };

	if (parse_all(&grammar, argc, argv, &options, error, sizeof(error)) < 0) {
		diag_error("%s", error);
		return VM_STATUS_USAGE;
	}
	if (options.help)
		return print_help();
	if (options.file)
		return show(&options);
	diag_error("no report is named: hvrun report [--timeline FILE.svg] REPORT.json");
	return VM_STATUS_USAGE;
}
