/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How words of the command line become options: the mechanism that every subcommand shares. A
 * subcommand is a table of options (struct grammar); parsing, --help, the man page's test and the
 * shells' completions come from it. Keeps no global state and prints nothing.
 *
 * Not getopt_long(3): it accepts abbreviations, which a later option would break in scripts, it
 * keeps global state, and it cannot say what would be right.
 */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parser;

/*
 * Takes an option's value (NULL for an option without) or a word that stands alone, and fills
 * parser->target. Values lie in argv, may be cut up in place and outlive the parser. 0, or -EINVAL
 * after parse_fail().
 */
typedef int (*apply_fn)(struct parser *parser, char *value);

struct option {
	char letter;	   /* 0: none */
	bool repeats;	   /* may be given more than once */
	bool rare;	   /* left out of the short help */
	const char *name;  /* without the dashes */
	const char *value; /* what the help calls the value; NULL: takes none */
	const char *help;
	apply_fn apply; /* NULL: the option does what @field says */
	/* Where in parser->target the value goes, a file name (const char *); or the bool that becomes true. */
	size_t field;
	const bool *needs; /* only where this is true; NULL: everywhere */
};

/* The words of one subcommand. Constant. */
struct grammar {
	const char *help_words; /* "hvrun --help": where to look, said in errors */
	const struct option *options;
	size_t count;		  /* at most 64 */
	apply_fn operand;	  /* a word that stands alone; NULL: refused with @operand_hint */
	const char *operand_hint; /* "a kernel is named by -k FILE" */
	bool ends_at_operand;	  /* "--" or the first lone word ends the options (exec) */
};

/* One walk over the words. */
struct parser {
	const struct grammar *grammar;
	void *target; /* what the apply functions fill */
	char **argv;
	int argc;
	int next;		     /* the first word not yet looked at */
	const struct option *option; /* being applied */
	uint64_t seen;		     /* a bit for each row of the table */
	bool done;		     /* an apply function wants no more words looked at (--help) */
	char *error;
	size_t error_size;
};

/*
 * Walks over parser->argv from parser->next; grammar, target, argv, argc and error are set by the
 * caller. 0, or -EINVAL with the reason in parser->error. With ends_at_operand, parser->next is the
 * first word of the command afterwards.
 */
int parse_words(struct parser *parser);

/*
 * parse_words over all of @argv: the number of words taken, or -EINVAL with the reason in @error
 * (@error_size bytes).
 */
int parse_all(const struct grammar *grammar, int argc, char **argv, void *target, char *error,
	      size_t error_size);

/* Writes what is wrong, in words without the program's name. -EINVAL. */
__attribute__((format(printf, 2, 3))) int parse_fail(struct parser *parser, const char *fmt, ...);

/* Whether this hvrun has @option at all. */
bool parse_offers(const struct option *option);

/* A file name for the option at hand into *@field; an empty one is refused (a script's unset variable). */
int parse_file(struct parser *parser, const char **field, char *value);

/* Refuses @value of the option at hand, which can be one of @choices ("serial, virtio or none"). */
int parse_unknown_value(struct parser *parser, const char *value, const char *choices);

/* The unsigned decimal number at *@text, which moves behind it. False: no digit, or over 64 bits. */
bool parse_number(const char **text, uint64_t *number);

/* A whole @text that is a number from @min to @max. */
bool parse_number_within(const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* A whole @text that is a size: bytes, or a number with K, M or G. 0, -EINVAL, -ERANGE over 64 bits. */
int parse_size(const char *text, uint64_t *size);

/*
 * Cuts the next part off *@list, which is parted by commas; two commas are one that belongs to the
 * part. The part is unescaped in place. *@list becomes NULL after the last part.
 */
char *parse_part(char **list);

/* The text behind "@key=" if @part begins so, else NULL. */
const char *parse_key(const char *part, const char *key);

/* Text that grows at the end of a buffer and is cut at its end; zero-ended if size > 0. */
struct text {
	char *buf;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3))) void text_add(struct text *text, const char *fmt, ...);

/* The rows of a help text, all or without the rare ones. */
void parse_help(struct text *text, const struct grammar *grammar, bool all);

#endif
