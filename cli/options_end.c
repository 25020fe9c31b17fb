/* SPDX-License-Identifier: BSD-2-Clause */
/* The options about how a run ends and what is told of it: values judged here, patterns in vm/match. */
#include <errno.h>
#include <string.h>

#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"
#include "vm/console/match.h"

#define TIMEOUT_MAX UINT64_C(31536000) /* seconds: a year */

/* "90", "0.5", "1.25": seconds with at most three digits after the point, in milliseconds. */
static bool take_seconds(const char *text, uint64_t *ms)
{
	uint64_t seconds;
	uint64_t weight = 100;

	if (!parse_number(&text, &seconds) || seconds > TIMEOUT_MAX)
		return false;
	*ms = seconds * 1000;
	if (*text != '.')
		return !*text;
	text++;
	if (!*text)
		return false;
	for (; *text >= '0' && *text <= '9' && weight; text++, weight /= 10)
		*ms += (uint64_t)(*text - '0') * weight;
	return !*text;
}

int apply_timeout(struct parser *parser, char *value)
{
	uint64_t ms;

	if (!take_seconds(value, &ms) || ms == 0)
		return parse_fail(parser,
				  "--timeout: %s is not a time; give seconds, such as 90 or 0.5",
				  value);
	options_config(parser)->timeout_ms = ms;
	return 0;
}

static int take_pattern(struct parser *parser, const char **field, const char *value)
{
	char why[128];

	if (match_judge(value, why, sizeof(why)) < 0)
		return parse_fail(parser, "--%s: \"%s\" cannot be looked for: %s",
				  parser->option->name, value, why);
	*field = value;
	return 0;
}

int apply_until(struct parser *parser, char *value)
{
	return take_pattern(parser, &options_config(parser)->until, value);
}

int apply_fail_on(struct parser *parser, char *value)
{
	return take_pattern(parser, &options_config(parser)->fail_on, value);
}
