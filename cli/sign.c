/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of `hvrun sign` and `hvrun verify`. Those that run has too are rows of its table. */
#include "cli/sign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "cli/command.h"
#include "cli/crash.h"
#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"
#include "cli/password.h"
#include "vm/signed/minisign.h"
#include "vm/signed/sign.h"

struct sign_options {
	struct options run; /* first: rows of run's table fill it */
	struct vm_sign_config sign;
	const char *password_file;
	char password[PASSWORD_MAX];
};

static struct sign_options *target(struct parser *parser)
{
	return parser->target;
}

static int apply_comment(struct parser *parser, char *value)
{
	size_t len = strlen(value);

	if (len > MINISIGN_COMMENT_MADE_MAX)
		return parse_fail(parser, "--trusted-comment: longer than %d bytes",
				  MINISIGN_COMMENT_MADE_MAX);
	if (strpbrk(value, "\r\n"))
		return parse_fail(parser, "--trusted-comment: one line is needed");
	target(parser)->sign.comment = value;
	return 0;
}

/* A disk that is to be trusted. */
static int apply_trusted_disk(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	int err = apply_disk(parser, value);

	if (!err && !config->disks[config->disk_count - 1].root_len)
		err = parse_fail(parser,
				 "--disk %s: to be trusted it needs ro,verity=HASHFILE,"
				 "root-hash=HEX; one that is not is an --untrusted-disk",
				 config->disks[config->disk_count - 1].path);
	return err;
}

static int apply_untrusted_disk(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	int err = apply_disk(parser, value);

	if (!err && config->disks[config->disk_count - 1].verity)
		err = parse_fail(parser, "--untrusted-disk %s: with verity it is a --disk",
				 config->disks[config->disk_count - 1].path);
	return err;
}

static const struct option sign_rows[] = {
	{ .letter = 'd',
	  .repeats = true,
	  .name = "disk",
	  .value = "FILE,OPT",
	  .help = "a trusted disk: ro,verity=HASHFILE,root-hash=HEX",
	  .apply = apply_trusted_disk },
	{ .repeats = true,
	  .name = "untrusted-disk",
	  .value = "FILE[,ro]",
	  .help = "a disk that may hold anything",
	  .apply = apply_untrusted_disk },
	{ .name = "manifest",
	  .value = "FILE",
	  .help = "write the manifest there",
	  .field = offsetof(struct sign_options, sign.manifest) },
	{ .letter = 's',
	  .name = "secret-key",
	  .value = "FILE",
	  .help = "sign with this minisign key",
	  .field = offsetof(struct sign_options, sign.secret_key) },
	{ .name = "password-file",
	  .value = "FILE",
	  .help = "the key's password; else it is asked for",
	  .field = offsetof(struct sign_options, password_file) },
	{ .name = "trusted-comment",
	  .value = "TEXT",
	  .help = "instead of time and file name",
	  .apply = apply_comment },
	{ .repeats = true,
	  .name = "legacy",
	  .help = "sign without hashing first, as minisign -l",
	  .field = offsetof(struct sign_options, sign.legacy) },
};

static const char *const sign_shared[] = { "kernel",  "initrd", "append", "append-only",
					   "console", "virtio", "help" };
static const char sign_head[] =
	"hvrun sign makes what hvrun run --verify-key believes (man hvrun, SIGNED BOOT)\n"
	"  hvrun sign -k KERNEL [options] --manifest FILE [-s KEY]   a manifest, signed\n"
	"  hvrun sign -k KERNEL [-i INITRD] -s KEY                   FILE.minisig for each\n\n";

static const char *const verify_shared[] = { "verify-key", "manifest",	  "kernel",  "initrd",
					     "append",	   "append-only", "console", "virtio",
					     "disk",	   "help" };
static const char verify_head[] =
	"hvrun verify checks what hvrun run would boot with the same words, and prints it\n"
	"  hvrun verify --verify-key KEY --manifest FILE [options]\n"
	"  hvrun verify --verify-key KEY -k KERNEL [options]\n\n";

static const char operand_hint[] = "a kernel is named by -k FILE, a disk by -d FILE";

static int usage(const char *what)
{
	diag_error("%s", what);
	return VM_STATUS_USAGE;
}

static const char *find_password(void *opaque, const char *name)
{
	struct sign_options *options = opaque;
	int err = options->password_file ? password_read(options->password_file, options->password)
					 : password_ask(name, options->password);

	return err < 0 ? NULL : options->password;
}

int sign_main(int argc, char **argv)
{
	struct command command = { .grammar.help_words = "hvrun sign --help",
				   .grammar.operand_hint = operand_hint,
				   .head = sign_head };
	struct sign_options options = { .sign.secret_key = NULL };
	const struct vm_config *config = &options.run.config;
	int status;

	command_make(&command, sign_shared, ARRAY_SIZE(sign_shared), sign_rows,
		     ARRAY_SIZE(sign_rows));
	if (command_parse(&command, argc, argv, &options, &options.run) < 0)
		return usage(options.run.error);
	if (options.run.wish == OPTIONS_HELP)
		return command_help(&command);
	if (!config->kernel)
		return usage("sign: no kernel; name one with -k FILE, or see hvrun sign --help");
	if (!options.sign.manifest && !options.sign.secret_key)
		return usage("sign: nothing to make; --manifest FILE makes a manifest, "
			     "-s KEY signs");
	if (!options.sign.manifest && (config->disk_count || *config->append))
		return usage("sign: disks and command lines are signed by a --manifest only");
	crash_prepare();
	options.sign.boot = config;
	options.sign.password = find_password;
	options.sign.opaque = &options;
	status = vm_sign(&options.sign);
	explicit_bzero(options.password, sizeof(options.password));
	return status;
}

int verify_main(int argc, char **argv)
{
	struct command command = { .grammar.help_words = "hvrun verify --help",
				   .grammar.operand_hint = operand_hint,
				   .head = verify_head };
	struct sign_options options = { .sign.secret_key = NULL };
	struct vm_config *config = &options.run.config;

	command_make(&command, verify_shared, ARRAY_SIZE(verify_shared), NULL, 0);
	if (command_parse(&command, argc, argv, &options, &options.run) < 0)
		return usage(options.run.error);
	if (options.run.wish == OPTIONS_HELP)
		return command_help(&command);
	if (!config->verify_key)
		return usage("verify: by which key? --verify-key FILE names a minisign public key");
	if (!config->manifest && !config->kernel)
		return usage("verify: nothing to verify; name a --manifest, or a kernel with -k");
	for (size_t i = 0; i < config->disk_count; i++) {
		if (config->disks[i].verity && !config->disks[i].root_len && !config->manifest)
			return usage("verify: a disk with verity needs root-hash=HEX, or a "
				     "--manifest that has it");
	}
	config->memory = VM_MEMORY_MAX; /* how much the guest will have is not known */
	crash_prepare();
	return vm_check(config);
}
