/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads lines of a control socket as an enemy's. */
#include "cli/ctl_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deeper than any answer is; printed with indents, a deep one would become much longer than it came. */
enum { DEPTH_MAX = 16 };

char *ctl_input_room(struct ctl_input *input, size_t *room)
{
	if (input->start) {
		memmove(input->bytes, input->bytes + input->start, input->len);
		input->start = 0;
	}
	*room = sizeof(input->bytes) - input->len;
	return input->bytes + input->len;
}

/* Whether more brackets are open at once in @text, JSON or not, than are allowed. */
static bool is_deep(const char *text, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (in_string)
			continue;
		else if ((text[i] == '{' || text[i] == '[') && ++depth > DEPTH_MAX)
			return true;
		else if ((text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
	}
	return false;
}

int ctl_input_next(struct ctl_input *input, json_t **object)
{
	const char *line = input->bytes + input->start;
	const char *end = memchr(line, '\n', input->len);
	size_t len = end ? (size_t)(end - line) : 0;
	json_t *json;

	if (!end)
		return input->len == sizeof(input->bytes) ? -EBADMSG : -EAGAIN;
	input->start += len + 1;
	input->len -= len + 1;
	json = is_deep(line, len) ? NULL : json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		return -EBADMSG;
	}
	*object = json;
	return 0;
}

/* The words of an error, if there are any. */
static const char *error_of(const json_t *json)
{
	const char *error = json_string_value(json_object_get(json, "error"));

	return error && *error ? error : NULL;
}

bool ctl_greets(const json_t *greeting, char why[DIAG_MAX])
{
	const json_t *version = json_object_get(greeting, "control");
	const char *error = error_of(greeting);

	if (error)
		(void)snprintf(why, DIAG_MAX, "%s", error);
	else if (!json_is_integer(version))
		(void)snprintf(why, DIAG_MAX, "who answers there is no hvrun");
	else if (json_integer_value(version) != CONTROL_VERSION)
		(void)snprintf(why, DIAG_MAX,
			       "the machine speaks version %" JSON_INTEGER_FORMAT
			       " of the protocol, this hvrun %d",
			       json_integer_value(version), CONTROL_VERSION);
	else
		return true;
	return false;
}

bool ctl_answers(const json_t *answer, json_t **result, char why[DIAG_MAX])
{
	const char *error = error_of(answer);
	const json_t *done = json_object_get(answer, "ok");

	*result = json_object_get(answer, "result");
	if (json_is_true(done) && (!*result || json_is_object(*result)))
		return true;
	(void)snprintf(why, DIAG_MAX, "%s",
		       !json_is_false(done) ? "the answer is not one of hvrun's"
		       : error		    ? error
					    : "refused");
	return false;
}

/* JSON_ENSURE_ASCII leaves DEL as it is: the one control character that can stand in a dumped text. */
static char *without_del(const char *text, size_t len, size_t count)
{
	char *out = malloc(len + 5 * count + 2);
	char *at = out;

	for (size_t i = 0; out && i < len; i++) {
		if (text[i] == 0x7f) {
			memcpy(at, "\\u007f", 6);
			at += 6;
		} else {
			*at++ = text[i];
		}
	}
	if (out)
		memcpy(at, "\n", 2);
	return out;
}

char *ctl_text(const json_t *json, size_t flags)
{
	char *text = json_dumps(json, flags | JSON_ENSURE_ASCII);
	size_t len = text ? strlen(text) : 0;
	size_t count = 0;
	char *out;

	for (size_t i = 0; i < len; i++)
		count += text[i] == 0x7f;
	out = text ? without_del(text, len, count) : NULL;
	free(text);
	return out;
}
