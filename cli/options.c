/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of options and the parser that walks it.
 *
 * Not getopt_long(3): it accepts abbreviations, which a later option would break in scripts, it
 * keeps global state, and it cannot say what would be right.
 */
#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "base/checked.h"

struct parser;

/* Takes the option's value (NULL for one without). 0, or -EINVAL after fail(). */
typedef int (*apply_fn)(struct parser *parser, char *value);

struct option {
	char letter; /* 0: none */
	bool repeats;
	const char *name;
	const char *value; /* what --help calls the value; NULL: takes none */
	const char *help;
	apply_fn apply;
};

/* One walk over the words. */
struct parser {
	char **argv;
	int argc;
	int next; /* the first word not yet looked at */
	struct options *options;
	const struct option *option; /* being applied */
	uint32_t seen;		     /* a bit for each row of the table */
	bool done;		     /* --help or --version has decided */
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *parser, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(parser->options->error, sizeof(parser->options->error), fmt, args);
	va_end(args);
	return -EINVAL;
}

/* A file name for the option at hand; empty names are a script's unset variable. */
static int take_file(struct parser *parser, const char **field, char *value)
{
	if (!*value)
		return fail(parser, "--%s: the file name is empty", parser->option->name);
	*field = value;
	return 0;
}

static int apply_kernel(struct parser *parser, char *value)
{
	return take_file(parser, &parser->options->config.kernel, value);
}

static int apply_initrd(struct parser *parser, char *value)
{
	return take_file(parser, &parser->options->config.initrd, value);
}

static int apply_log(struct parser *parser, char *value)
{
	return take_file(parser, &parser->options->config.log, value);
}

static int apply_dump_dtb(struct parser *parser, char *value)
{
	return take_file(parser, &parser->options->config.tree, value);
}

static int apply_append(struct parser *parser, char *value)
{
	struct vm_config *config = &parser->options->config;
	size_t used = strlen(config->append);
	size_t space = used ? 1 : 0;
	size_t len = strlen(value);

	if (len + space >= sizeof(config->append) - used)
		return fail(parser, "--append: the kernel command line is longer than %zu bytes",
			    sizeof(config->append) - 1);
	if (space)
		config->append[used++] = ' ';
	memcpy(config->append + used, value, len + 1);
	return 0;
}

static int apply_append_only(struct parser *parser, char *value)
{
	(void)value;
	parser->options->config.append_only = true;
	return 0;
}

/* The unsigned decimal number at *text, which moves behind it. False: no digit, or over 64 bits. */
static bool take_number(const char **text, uint64_t *number)
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

static int apply_memory(struct parser *parser, char *value)
{
	const char *rest = value;
	uint64_t size;
	bool number = take_number(&rest, &size);
	int shift = number ? suffix_shift(rest) : -1;

	if (shift < 0)
		return fail(parser,
			    "--memory: %s is not a size; give bytes, or a number with K, M or G, "
			    "such as 512M",
			    value);
	if (!u64_mul(size, UINT64_C(1) << shift, &size) || size > VM_MEMORY_MAX)
		return fail(parser, "--memory: %s is more than 1024G", value);
	if (size < VM_MEMORY_MIN)
		return fail(parser, "--memory: %s is less than 2M", value);
	if (size % 4096)
		return fail(parser, "--memory: %s is not a multiple of 4096 bytes", value);
	parser->options->config.memory = size;
	return 0;
}

static int apply_cpus(struct parser *parser, char *value)
{
	const char *rest = value;
	uint64_t count;

	if (!take_number(&rest, &count) || *rest || count < 1 || count > VM_MAX_CPUS)
		return fail(parser, "--cpus: %s is not a number from 1 to %d", value, VM_MAX_CPUS);
	parser->options->config.cpus = (unsigned)count;
	return 0;
}

/*
 * Cuts the next part off *list, which is parted by commas; two commas are one that belongs to the
 * part. The part is unescaped in place. *list becomes NULL after the last part.
 */
static char *take_part(char **list)
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

static int apply_disk_serial(struct parser *parser, struct vm_disk_config *disk, const char *serial)
{
	size_t len = strlen(serial);

	if (disk->serial)
		return fail(parser, "--disk %s: serial is given twice", disk->path);
	if (len < 1 || len > VM_SERIAL_MAX)
		return fail(parser, "--disk %s: the serial %s is not 1 to %d characters long",
			    disk->path, serial, VM_SERIAL_MAX);
	for (size_t i = 0; i < len; i++) {
		if (serial[i] <= ' ' || serial[i] > '~')
			return fail(parser,
				    "--disk %s: the serial %s has a character that is not "
				    "printable ASCII",
				    disk->path, serial);
	}
	disk->serial = serial;
	return 0;
}

static int apply_disk_part(struct parser *parser, struct vm_disk_config *disk, const char *part)
{
	if (strcmp(part, "ro") == 0) {
		disk->readonly = true;
		return 0;
	}
	if (strcmp(part, "direct") == 0) {
		disk->direct = true;
		return 0;
	}
	if (strncmp(part, "serial=", 7) == 0)
		return apply_disk_serial(parser, disk, part + 7);
	if (strncmp(part, "format=", 7) == 0) {
		if (strcmp(part + 7, "raw") == 0)
			return 0;
		return fail(parser, "--disk %s: unknown format %s; it can be raw", disk->path,
			    part + 7);
	}
	return fail(
		parser,
		"--disk %s: unknown word \"%s\"; there are ro, format=raw, direct and serial=ID, and "
		"a comma in a file name is written twice",
		disk->path, part);
}

static int apply_disk(struct parser *parser, char *value)
{
	struct vm_config *config = &parser->options->config;
	struct vm_disk_config *disk = &config->disks[config->disk_count];
	char *list = value;
	int err;

	if (config->disk_count == VM_MAX_DISKS)
		return fail(parser, "--disk: there can be at most %d", VM_MAX_DISKS);
	*disk = (struct vm_disk_config){ 0 };
	err = take_file(parser, &disk->path, take_part(&list));
	while (!err && list)
		err = apply_disk_part(parser, disk, take_part(&list));
	if (!err)
		config->disk_count++;
	return err;
}

static int unknown_value(struct parser *parser, const char *value, const char *choices)
{
	return fail(parser, "--%s: unknown value \"%s\"; it can be %s", parser->option->name, value,
		    choices);
}

static int apply_console(struct parser *parser, char *value)
{
	enum vm_console *console = &parser->options->config.console;

	if (strcmp(value, "serial") == 0)
		*console = VM_CONSOLE_SERIAL;
	else if (strcmp(value, "virtio") == 0)
		*console = VM_CONSOLE_VIRTIO;
	else if (strcmp(value, "none") == 0)
		*console = VM_CONSOLE_NONE;
	else
		return unknown_value(parser, value, "serial, virtio or none");
	return 0;
}

static int apply_virtio(struct parser *parser, char *value)
{
	enum vm_discovery *discovery = &parser->options->config.discovery;

	if (strcmp(value, "acpi") == 0)
		*discovery = VM_DISCOVERY_ACPI;
	else if (strcmp(value, "cmdline") == 0)
		*discovery = VM_DISCOVERY_CMDLINE;
	else
		return unknown_value(parser, value, "acpi or cmdline");
	return 0;
}

static int apply_sandbox(struct parser *parser, char *value)
{
	enum vm_sandbox *sandbox = &parser->options->config.sandbox;

	if (strcmp(value, "on") == 0)
		*sandbox = VM_SANDBOX_ON;
	else if (strcmp(value, "off") == 0)
		*sandbox = VM_SANDBOX_OFF;
	else
		return unknown_value(parser, value, "on or off");
	return 0;
}

static int apply_io_uring(struct parser *parser, char *value)
{
	(void)value;
	parser->options->config.io_uring = true;
	return 0;
}

static int apply_verbosity(struct parser *parser, int verbosity)
{
	struct vm_config *config = &parser->options->config;

	if (config->verbosity == -verbosity)
		return fail(parser, "--verbose and --quiet do not go together");
	config->verbosity = verbosity;
	return 0;
}

static int apply_verbose(struct parser *parser, char *value)
{
	(void)value;
	return apply_verbosity(parser, 1);
}

static int apply_quiet(struct parser *parser, char *value)
{
	(void)value;
	return apply_verbosity(parser, -1);
}

static int apply_help(struct parser *parser, char *value)
{
	(void)value;
	parser->options->wish = OPTIONS_HELP;
	parser->done = true;
	return 0;
}

static int apply_version(struct parser *parser, char *value)
{
	(void)value;
	parser->options->wish = OPTIONS_VERSION;
	parser->done = true;
	return 0;
}

/* Every option there is, in the order of --help. At most 32 rows (parser.seen). */
static const struct option table[] = {
	{ 'k', false, "kernel", "FILE", "bzImage, Image or ELF; also gzip, zstd, EFI zboot",
	  apply_kernel },
	{ 'i', false, "initrd", "FILE", "initial ramdisk", apply_initrd },
	{ 'a', true, "append", "STRING", "add to the kernel command line", apply_append },
	{ 0, true, "append-only", NULL, "hvrun adds nothing to that line itself",
	  apply_append_only },
	{ 'm', false, "memory", "SIZE", "bytes, or with K, M, G; default 512M", apply_memory },
	{ 'c', false, "cpus", "N", "number of vCPUs; default 1", apply_cpus },
	{ 'd', true, "disk", "FILE[,OPT]", "ro, format=raw, direct, serial=ID; repeat: vda, vdb",
	  apply_disk },
	{ 0, false, "console", "KIND", "serial (default), virtio or none", apply_console },
	{ 0, false, "log", "FILE", "a copy of the guest's console", apply_log },
	{ 0, false, "virtio", "HOW", "tell of devices by acpi (default) or cmdline", apply_virtio },
	{ 0, false, "dump-dtb", "FILE", "a copy of the board's device tree", apply_dump_dtb },
	{ 0, true, "io-uring", NULL, "disks by io_uring (a wider sandbox)", apply_io_uring },
	{ 0, false, "sandbox", "STATE", "on (default) or off", apply_sandbox },
	{ 'v', true, "verbose", NULL, "more on standard error", apply_verbose },
	{ 'q', true, "quiet", NULL, "only errors on standard error", apply_quiet },
	{ 'h', true, "help", NULL, "this text", apply_help },
	{ 0, true, "version", NULL, "which hvrun this is", apply_version },
};

_Static_assert(ARRAY_SIZE(table) <= 32, "struct parser has a bit for each option");

/* Whether this hvrun has the option at all: not every board is described by a device tree. */
static bool offered(const struct option *option)
{
	return arch_has_tree || option->apply != apply_dump_dtb;
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
	const struct option *best = NULL;
	unsigned best_distance = len < 5 ? 2 : 3; /* short words are all alike */

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned d = distance(name, len, table[i].name);

		if (d < best_distance && offered(&table[i])) {
			best_distance = d;
			best = &table[i];
		}
	}
	if (best)
		return fail(parser, "unknown option --%.*s; did you mean --%s?", (int)len, name,
			    best->name);
	return fail(parser, "unknown option --%.*s; hvrun --help lists what there is", (int)len,
		    name);
}

/* Applies @option with @value, which is NULL when the word held none; then it is the next word. */
static int apply(struct parser *parser, const struct option *option, char *value)
{
	uint32_t bit = UINT32_C(1) << (option - table);

	parser->option = option;
	if (!option->value && value)
		return fail(parser, "--%s takes no value", option->name);
	if (option->value && !value) {
		if (parser->next == parser->argc)
			return fail(parser, "--%s needs a value: --%s %s", option->name,
				    option->name, option->value);
		value = parser->argv[parser->next++];
	}
	if ((parser->seen & bit) && !option->repeats)
		return fail(parser, "--%s is given twice; one is enough", option->name);
	parser->seen |= bit;
	return option->apply(parser, value);
}

/* --name, --name=value */
static int parse_long(struct parser *parser, char *word)
{
	char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (offered(&table[i]) && strlen(table[i].name) == len &&
		    memcmp(table[i].name, word, len) == 0)
			return apply(parser, &table[i], equals ? equals + 1 : NULL);
	}
	return unknown_option(parser, word, len);
}

static const struct option *find_letter(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].letter && table[i].letter == letter)
			return &table[i];
	}
	return NULL;
}

/* -v, -vq, -k FILE, -kFILE */
static int parse_letters(struct parser *parser, char *letters)
{
	for (; *letters && !parser->done; letters++) {
		const struct option *option = find_letter(*letters);
		int err;

		if (!option)
			return fail(parser, "unknown option -%c; hvrun --help lists what there is",
				    *letters);
		if (option->value)
			return apply(parser, option, letters[1] ? letters + 1 : NULL);
		err = apply(parser, option, NULL);
		if (err)
			return err;
	}
	return 0;
}

static int parse_word(struct parser *parser)
{
	char *word = parser->argv[parser->next++];

	if (word[0] != '-' || !word[1] || strcmp(word, "--") == 0)
		return fail(parser,
			    "\"%s\" stands alone; a kernel is named by -k FILE, a disk by -d FILE",
			    word);
	if (word[1] == '-')
		return parse_long(parser, word + 2);
	return parse_letters(parser, word + 1);
}

int options_parse(int argc, char **argv, struct options *options)
{
	struct parser parser = { .argv = argv, .argc = argc, .options = options };

	*options = (struct options){
		.wish = OPTIONS_RUN,
		.config = {
			.memory = VM_MEMORY_DEFAULT,
			.cpus = 1,
			.console = VM_CONSOLE_SERIAL,
			.sandbox = VM_SANDBOX_ON,
			.discovery = VM_DISCOVERY_ACPI,
			.in_fd = -1,
			.out_fd = 1,
		},
	};
	while (parser.next < argc && !parser.done) {
		int err = parse_word(&parser);

		if (err)
			return err;
	}
	if (options->wish == OPTIONS_RUN && !options->config.kernel)
		return fail(&parser,
			    "no kernel to boot; name one with -k FILE, or see hvrun --help");
	return 0;
}

/* Text that grows at the end of a buffer and is cut at its end. */
struct text {
	char *buf;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *fmt, ...)
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
		add(text, "  -%c, %-18s %s\n", option->letter, words, option->help);
	else
		add(text, "      %-18s %s\n", words, option->help);
}

size_t options_help(char *buf, size_t size)
{
	struct text text = { .buf = buf, .size = size };

	add(&text, "hvrun %s boots a virtual machine on KVM\n", HVRUN_VERSION);
	add(&text, "  hvrun [run] -k KERNEL [options]   boot it\n");
	add(&text, "  hvrun doctor                      what this host can run, and why not\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (offered(&table[i]))
			add_row(&text, &table[i]);
	}
	add(&text,
	    "\nOn a terminal, Ctrl-A x leaves and Ctrl-A c asks for help. man hvrun has more.\n");
	return text.used;
}
