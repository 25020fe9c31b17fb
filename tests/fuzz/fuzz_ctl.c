/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as what a machine sends to `hvrun ctl`, cut anyhow: a greeting, an answer, then events. The first byte
 * of each piece is its length in 8 bytes. What is printed is the same JSON, holds no byte that steers a terminal, and is
 * not much longer than what came.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_answer.h"

/* A number becomes at most a line of its own behind 16 indents; a character of 2 bytes an escape of 6. */
enum { LONGER = 24, SMALL = 4096 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const json_t *json, size_t came, size_t flags)
{
	char *text = ctl_text(json, flags);
	json_t *again;
	size_t len;

	require(text != NULL);
	len = strlen(text);
	require(len > 0 && text[len - 1] == '\n' && len <= LONGER * came + SMALL);
	for (size_t i = 0; i < len; i++)
		require(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
	again = json_loadb(text, len, 0, NULL);
	require(again && json_equal(again, json));
	json_decref(again);
	free(text);
}

static void check_words(const char *why)
{
	const char *end = memchr(why, '\0', DIAG_MAX);

	require(end && end != why);
}

/* The @number-th line: as hvrun ctl looks at it. False: it hangs up. */
static bool take(const json_t *json, size_t came, unsigned number)
{
	char why[DIAG_MAX];
	json_t *result = NULL;

	require(json_is_object(json));
	if (number == 0) {
		if (ctl_greets(json, why))
			return true;
		check_words(why);
		return false;
	}
	if (number > 1) {
		check_text(json, came, JSON_COMPACT);
		return true;
	}
	if (!ctl_answers(json, &result, why)) {
		check_words(why);
		return false;
	}
	require(!result || json_is_object(result));
	if (result)
		check_text(result, came, JSON_INDENT(2));
	return true;
}

/* What has come, line by line. False: it hangs up. */
static bool take_lines(struct ctl_input *input, unsigned *number)
{
	json_t *json = NULL;
	int r;

	for (;;) {
		size_t before = input->len;

		r = ctl_input_next(input, &json);
		require(input->start + input->len <= sizeof(input->bytes));
		if (r < 0)
			break;
		require(input->len < before);
		r = take(json, before - input->len, (*number)++) ? 0 : -EBADMSG;
		json_decref(json);
		if (r)
			break;
	}
	require(r == -EAGAIN || r == -EBADMSG);
	return r == -EAGAIN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_input *input = malloc(sizeof(*input)); /* what did not come is not initialised */
	unsigned number = 0;

	require(input != NULL);
	input->start = input->len = 0;
	for (size_t at = 0; at < size;) {
		size_t room, len = data[at++] * 8U;
		char *to = ctl_input_room(input, &room);

		if (len > size - at)
			len = size - at;
		if (len > room)
			len = room;
		require(room > 0 && to + room == input->bytes + sizeof(input->bytes));
		memcpy(to, data + at, len);
		input->len += len;
		at += len;
		if (!take_lines(input, &number))
			break;
	}
	free(input);
	return 0;
}
