/* SPDX-License-Identifier: BSD-2-Clause */
/* Words into options by a table, values into numbers, and a table into a help text. */
#include "cli/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

int parse_fail(struct parser *parser, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(parser->error, parser->error_size, fmt, args);
	va_end(args);
	return -EINVAL;
}

bool parse_offers(const struct option *option)
{
	return !option->needs || *option->needs;
}

int parse_file(struct parser *parser, const char **field, char *value)
{
	if (!*value)
		return parse_fail(parser, "--%s: the file name is empty", parser->option->name);
	*field = value;
	return 0;
}

int parse_unknown_value(struct parser *parser, const char *value, const char *choices)
{
	return parse_fail(parser, "--%s: unknown value \"%s\"; it can be %s", parser->option->name,
			  value, choices);
}

bool parse_number(const char **text, uint64_t *number)
{
	const char *p = *text;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (!u64_mul(n, 10, &n) || !u64_add(n, (uint64_t)(*p - '0'), &n))
			return false;
	}
	if (p == *text)
		return false;
	*text = p;
	*number = n;
	return true;
}

bool parse_number_within(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	return parse_number(&text, number) && !*text && *number >= min && *number <= max;
}

/* log2 of what a size's last letter stands for; -1: no such letter. */
static int suffix_shift(const char *suffix)
{
	static const char letters[] = "KMG";

	if (!*suffix)
		return 0;
	if (suffix[1])
		return -1;
	for (int i = 0; letters[i]; i++) {
		if ((*suffix & ~0x20) == letters[i])
			return 10 * (i + 1);
	}
	return -1;
}

int parse_size(const char *text, uint64_t *size)
{
	int shift = parse_number(&text, size) ? suffix_shift(text) : -1;

	if (shift < 0)
		return -EINVAL;
	return u64_mul(*size, UINT64_C(1) << shift, size) ? 0 : -ERANGE;
}

char *parse_part(char **list)
{
	char *part = *list;
	char *to = part;
	char *from = part;

	*list = NULL;
	for (; *from; from++) {
		if (*from == ',') {
			if (from[1] != ',') {
				*list = from + 1;
				break;
			}
			from++;
		}
		*to++ = *from;
	}
	*to = '\0';
	return part;
}

const char *parse_key(const char *part, const char *key)
{
	size_t len = strlen(key);

	return strncmp(part, key, len) == 0 && part[len] == '=' ? part + len + 1 : NULL;
}

/* Fewest single-letter changes that turn @a into @b, at most 64 letters each; else a large number. */
static unsigned distance(const char *a, size_t a_len, const char *b)
{
	unsigned row[65];
	size_t b_len = strlen(b);

	if (a_len > 64 || b_len > 64)
		return UINT32_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change = corner + (a[i - 1] == b[j - 1] ? 0 : 1);

			corner = row[j];
			row[j] = u32_min(change, u32_min(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_len];
}

static int unknown_option(struct parser *parser, const char *name, size_t len)
{
	const struct grammar *grammar = parser->grammar;
	const struct option *best = NULL;
	unsigned best_distance = len < 5 ? 2 : 3; /* short words are all alike */

	for (size_t i = 0; i < grammar->count; i++) {
		const struct option *option = &grammar->options[i];
		unsigned d = distance(name, len, option->name);

		if (d < best_distance && parse_offers(option)) {
			best_distance = d;
			best = option;
		}
	}
	if (best)
		return parse_fail(parser, "unknown option --%.*s; did you mean --%s?", (int)len,
				  name, best->name);
	return parse_fail(parser, "unknown option --%.*s; %s lists what there is", (int)len, name,
			  grammar->help_words);
}

static int fill_field(struct parser *parser, void *field, char *value)
{
	if (parser->option->value)
		return parse_file(parser, field, value);
	*(bool *)field = true;
	return 0;
}

/* Applies @option with @value, which is NULL when the word held none; then it is the next word. */
static int apply(struct parser *parser, const struct option *option, char *value)
{
	uint64_t bit = UINT64_C(1) << (option - parser->grammar->options);

	parser->option = option;
	if (!option->value && value)
		return parse_fail(parser, "--%s takes no value", option->name);
	if (option->value && !value) {
		if (parser->next == parser->argc)
			return parse_fail(parser, "--%s needs a value: --%s %s", option->name,
					  option->name, option->value);
		value = parser->argv[parser->next++];
	}
	if ((parser->seen & bit) && !option->repeats)
		return parse_fail(parser, "--%s is given twice; one is enough", option->name);
	parser->seen |= bit;
	if (option->apply)
		return option->apply(parser, value);
	return fill_field(parser, (char *)parser->target + option->field, value);
}

/* --name, --name=value */
static int parse_long(struct parser *parser, char *word)
{
	const struct grammar *grammar = parser->grammar;
	char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	for (size_t i = 0; i < grammar->count; i++) {
		const struct option *option = &grammar->options[i];

		if (parse_offers(option) && strlen(option->name) == len &&
		    memcmp(option->name, word, len) == 0)
			return apply(parser, option, equals ? equals + 1 : NULL);
	}
	return unknown_option(parser, word, len);
}

static const struct option *find_letter(const struct grammar *grammar, char letter)
{
	for (size_t i = 0; i < grammar->count; i++) {
		const struct option *option = &grammar->options[i];

		if (option->letter && option->letter == letter && parse_offers(option))
			return option;
	}
	return NULL;
}

/* -v, -vq, -k FILE, -kFILE */
static int parse_letters(struct parser *parser, char *letters)
{
	for (; *letters && !parser->done; letters++) {
		const struct option *option = find_letter(parser->grammar, *letters);
		int err;

		if (!option)
			return parse_fail(parser, "unknown option -%c; %s lists what there is",
					  *letters, parser->grammar->help_words);
		if (option->value)
			return apply(parser, option, letters[1] ? letters + 1 : NULL);
		err = apply(parser, option, NULL);
		if (err)
			return err;
	}
	return 0;
}

static int parse_operand(struct parser *parser, char *word)
{
	if (parser->grammar->operand)
		return parser->grammar->operand(parser, word);
	return parse_fail(parser, "\"%s\" stands alone; %s", word, parser->grammar->operand_hint);
}

static int parse_word(struct parser *parser)
{
	char *word = parser->argv[parser->next++];

	if (word[0] != '-' || !word[1] || strcmp(word, "--") == 0)
		return parse_operand(parser, word);
	if (word[1] == '-')
		return parse_long(parser, word + 2);
	return parse_letters(parser, word + 1);
}

/* Whether the options end here; parser->next is then the first word of the command. */
static bool options_end(struct parser *parser)
{
	const char *word = parser->argv[parser->next];

	if (!parser->grammar->ends_at_operand || (word[0] == '-' && strcmp(word, "--") != 0))
		return false;
	if (word[0] == '-')
		parser->next++;
	return true;
}

int parse_words(struct parser *parser)
{
	while (parser->next < parser->argc && !parser->done && !options_end(parser)) {
		int err = parse_word(parser);

		if (err)
			return err;
	}
	return 0;
}

int parse_all(const struct grammar *grammar, int argc, char **argv, void *target, char *error,
	      size_t error_size)
{
	struct parser parser = {
		.grammar = grammar,
		.target = target,
		.argv = argv,
		.argc = argc,
		.error = error,
		.error_size = error_size,
	};
	int err = parse_words(&parser);

	return err ? err : parser.next;
}

void text_add(struct text *text, const char *fmt, ...)
{
	size_t room = text->size - text->used;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text->buf + text->used, room, fmt, args);
	va_end(args);
	if (n > 0 && room > 0)
		text->used += size_min((size_t)n, room - 1);
}

static void add_row(struct text *text, const struct option *option)
{
	char words[40];

	(void)snprintf(words, sizeof(words), "--%s%s%s", option->name, option->value ? " " : "",
		       option->value ? option->value : "");
	if (option->letter)
		text_add(text, "  -%c, %-18s %s\n", option->letter, words, option->help);
	else
		text_add(text, "      %-18s %s\n", words, option->help);
}

void parse_help(struct text *text, const struct grammar *grammar, bool all)
{
	for (size_t i = 0; i < grammar->count; i++) {
		const struct option *option = &grammar->options[i];

		if (parse_offers(option) && (all || !option->rare))
			add_row(text, option);
	}
}
