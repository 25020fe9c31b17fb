/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines of `hvrun run` as tests write them, and what became of the last one. */
#ifndef TESTS_LIB_OPTIONS_WORDS_H
#define TESTS_LIB_OPTIONS_WORDS_H

#include "cli/options.h"

/* Of the last call; its strings live until the next. */
extern struct options options;

/* Parses words written with '|' between them. */
int options_try(const char *words);

/* They are taken; or refused, for a reason that contains @why. Else the running cmocka test fails. */
void accept_words(const char *words);
void refuse_words(const char *words, const char *why);

#endif
