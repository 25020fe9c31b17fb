/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines as tests write them. */
#include "tests/lib/options_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

enum { MAX_WORDS = 40, MAX_TEXT = 8192 };

struct options options;
static char text[MAX_TEXT];

int options_try(const char *words)
{
	char *argv[MAX_WORDS];
	char *rest = text;
	int argc = 0;

	assert_true(strlen(words) < sizeof(text));
	memcpy(text, words, strlen(words) + 1);
	if (!*words)
		rest = NULL;
	while (rest) {
		assert_true(argc < MAX_WORDS);
		argv[argc++] = strsep(&rest, "|");
	}
	memset(&options, 0x5a, sizeof(options)); /* the parser must set every field */
	return options_parse(argc, argv, &options);
}

void accept_words(const char *words)
{
	if (options_try(words) != 0)
		fail_msg("\"%s\" was refused: %s", words, options.error);
}

void refuse_words(const char *words, const char *why)
{
	assert_int_equal(options_try(words), -EINVAL);
	if (!strstr(options.error, why))
		fail_msg("\"%s\" was refused with \"%s\", without \"%s\"", words, options.error,
			 why);
}
