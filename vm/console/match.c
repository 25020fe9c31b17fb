/* SPDX-License-Identifier: BSD-2-Clause */
/* A pattern of the user against lines of the guest, within bounds of time and memory. */
#include "vm/console/match.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FLAGS = REG_EXTENDED | REG_NOSUB,
	DEPTH_MAX = 64,	   /* groups in groups */
	WEIGHT_MAX = 4096, /* copies of operands in all */
};

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

/* The character behind the bracket expression that begins at @p ("[^]a-z[:digit:]]"). */
static const char *behind_bracket(const char *p)
{
	p++;
	if (*p == '^')
		p++;
	if (*p == ']')
		p++;
	for (; *p && *p != ']'; p++) {
		char kind = p[1];
		const char *end;
		char close[3] = { kind, ']', '\0' };

		if (*p != '[' || (kind != ':' && kind != '.' && kind != '='))
			continue;
		end = strstr(p + 2, close);
		if (!end)
			return p + strlen(p);
		p = end + 1;
	}
	return *p ? p + 1 : p;
}

/* How many copies of its operand the repetition at *@p makes, and *@p behind it; 0: it is none. */
static unsigned long copies(const char **p)
{
	unsigned long most = 0;

	if (**p == '*' || **p == '?' || **p == '+') {
		(*p)++;
		return 2;
	}
	if (**p != '{')
		return 0;
	for (; **p && **p != '}'; (*p)++) {
		if (**p >= '0' && **p <= '9') {
			char *end;
			unsigned long n = strtoul(*p, &end, 10);

			most = n > most ? n : most;
			*p = end - 1;
		}
	}
	*p += **p == '}';
	return most < WEIGHT_MAX ? most + 1 : WEIGHT_MAX + 1;
}

/*
 * Whether what glibc makes of @pattern stays small. It copies what is repeated, so that repetitions of
 * repetitions double with each: "a++++" and "((a+)+)+" grow like 2^n. Weighs each operand by its copies.
 */
static bool is_light(const char *pattern)
{
	unsigned long before[DEPTH_MAX]; /* the weight of what is in front of an open group */
	unsigned long sum = 0, last = 0;
	unsigned depth = 0;

	for (const char *p = pattern; *p;) {
		unsigned long times = copies(&p);

		if (times) {
			last *= times;
		} else if (*p == '(') {
			if (depth == DEPTH_MAX)
				return false;
			before[depth++] = sum + last;
			sum = last = 0;
			p++;
		} else if (*p == ')' && depth > 0) {
			last += sum;
			sum = before[--depth];
			p++;
		} else {
			sum += last;
			last = 1;
			if (*p == '[')
				p = behind_bracket(p);
			else
				p += *p == '\\' && p[1] ? 2 : 1;
		}
		if (sum + last > WEIGHT_MAX)
			return false;
	}
	return true;
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
	if (!is_light(pattern)) {
		(void)snprintf(why, size, "repetitions of repetitions make it too large");
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
