/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pattern of the user (--until, --fail-on) against lines of the guest: an extended regular
 * expression (POSIX.1-2017, XBD 9.4), in the C locale, case matters.
 *
 * The lines are an enemy's, so nothing may make a match slow or large: back-references, which need a
 * search that can take for ever, are refused, as are repetitions of repetitions, which glibc would copy
 * until memory ends; and the automaton that it builds as it goes is thrown away and built anew after
 * MATCH_BUDGET bytes of text.
 */
#ifndef VM_CONSOLE_MATCH_H
#define VM_CONSOLE_MATCH_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	MATCH_PATTERN_MAX = 1024,  /* bytes of a pattern */
	MATCH_BUDGET = 128 * 1024, /* bytes of lines between two compilations */
};

struct match {
	const char *pattern; /* NULL: matches nothing; the caller's */
	regex_t regex;
	bool compiled;
	size_t spent;
};

/* Whether @pattern can be used: 0, or -EINVAL with the reason in @why (@size bytes). */
int match_judge(const char *pattern, char *why, size_t size);

/* Prepares @match for @pattern, judged before, or NULL. It is compiled at the first line. */
void match_init(struct match *match, const char *pattern);

/* Whether the pattern is found in @line. A host without memory finds nothing. */
bool match_line(struct match *match, const char *line);

/* Frees what the automaton holds. */
void match_release(struct match *match);

#endif
