/* SPDX-License-Identifier: BSD-2-Clause */
/* A pattern of the user against lines of the guest, within bounds of time and memory. */
#include "vm/match.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FLAGS = REG_EXTENDED | REG_NOSUB };

/*
 * Whether @pattern has \1 to \9, a back-reference also in glibc's extended expressions. Inside of
 * brackets a backslash is a letter like others; a false alarm there costs the user a rewrite.
 */
static bool has_back_reference(const char *pattern)
{
	for (; *pattern; pattern++) {
		if (*pattern != '\\')
			continue;
		pattern++;
		if (*pattern >= '1' && *pattern <= '9')
			return true;
		if (!*pattern)
			return false;
	}
	return false;
}

int match_judge(const char *pattern, char *why, size_t size)
{
	regex_t regex;
	int r;

	if (!*pattern || strlen(pattern) > MATCH_PATTERN_MAX) {
		(void)snprintf(why, size, "a pattern has 1 to %d characters", MATCH_PATTERN_MAX);
		return -EINVAL;
	}
	if (has_back_reference(pattern)) {
		(void)snprintf(why, size,
			       "back-references (\\1) are not taken: a guest could make them slow");
		return -EINVAL;
	}
	r = regcomp(&regex, pattern, FLAGS);
	if (r == 0) {
		regfree(&regex);
		return 0;
	}
	(void)regerror(r, NULL, why, size);
	return -EINVAL;
}

void match_init(struct match *match, const char *pattern)
{
	*match = (struct match){ .pattern = pattern };
}

void match_release(struct match *match)
{
	if (match->compiled)
		regfree(&match->regex);
	match->compiled = false;
	match->spent = 0;
}

bool match_line(struct match *match, const char *line)
{
	if (!match->pattern)
		return false;
	match->spent += strlen(line) + 1;
	if (match->spent > MATCH_BUDGET)
		match_release(match);
	if (!match->compiled && regcomp(&match->regex, match->pattern, FLAGS) != 0)
		return false;
	match->compiled = true;
	return regexec(&match->regex, line, 0, NULL, 0) == 0;
}
