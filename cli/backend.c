/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of `hvrun backend`: which device, for whom, and the rows of run's table that are about such a device. */
#include "cli/backend.h"

#include <string.h>

#include "base/checked.h"
#include "base/diag.h"
#include "cli/command.h"
#include "cli/crash.h"
#include "cli/pid_namespace.h"
#include "vm/serve.h"

struct backend_options {
	struct options run; /* first: rows of run's table fill it */
	const char *device;
	const char *socket;
};

static int apply_device(struct parser *parser, char *word)
{
	struct backend_options *options = parser->target;

	if (options->device)
		return parse_fail(parser, "\"%s\" is one word too many; a back-end is one device",
				  word);
	options->device = word;
	return 0;
}

static const struct option own[] = {
	{ .name = "socket",
	  .value = "PATH",
	  .help = "where the other VMM comes to (vhost-user)",
	  .field = offsetof(struct backend_options, socket) },
};

static const char *const shared[] = { "disk",	       "io-uring", "rng",   "user", "sandbox",
				      "pid-namespace", "verbose",  "quiet", "help" };

static const char head[] =
	"hvrun backend serves a device to the guest of another VMM (man hvrun-backend)\n"
	"  hvrun backend blk --socket PATH -d FILE[,OPT]...   a disk\n"
	"  hvrun backend rng --socket PATH [--rng bw=SIZE]    a source of random numbers\n\n";

static int usage(const char *what)
{
	diag_error("%s", what);
	return VM_STATUS_USAGE;
}

static int serve(struct vm_config *config, enum vm_serve_device device)
{
	int status;

	if (!pid_namespace_enter(config, &status))
		return status;
	crash_prepare();
	return vm_serve(config, device);
}

static int serve_disk(struct vm_config *config)
{
	if (config->disk_count != 1)
		return usage("backend blk: one disk is served; name it with -d FILE");
	if (config->disks[0].qcow2)
		return usage("backend blk: format=qcow2 is served by qemu-storage-daemon itself; "
			     "hvrun serves raw disks");
	if (config->disks[0].verity && !config->disks[0].root_len)
		return usage("backend blk: a disk with verity needs root-hash=HEX");
	return serve(config, VM_SERVE_BLK);
}

static int serve_rng(struct vm_config *config)
{
	if (config->disk_count)
		return usage("backend rng: a disk is served by hvrun backend blk");
	return serve(config, VM_SERVE_RNG);
}

int backend_main(int argc, char **argv)
{
	struct command command = { .grammar.help_words = "hvrun backend --help",
				   .grammar.operand = apply_device,
				   .head = head };
	struct backend_options options = { .device = NULL };
	struct vm_config *config = &options.run.config;

	command_make(&command, shared, ARRAY_SIZE(shared), own, ARRAY_SIZE(own));
	if (command_parse(&command, argc, argv, &options, &options.run) < 0)
		return usage(options.run.error);
	if (options.run.wish == OPTIONS_HELP)
		return command_help(&command);
	if (!options.device)
		return usage(
			"backend: which device? hvrun backend blk or rng, or see hvrun backend "
			"--help");
	if (!options.socket)
		return usage("backend: for whom? --socket PATH names where the other VMM comes to");
	config->serve = options.socket;
	if (strcmp(options.device, "blk") == 0)
		return serve_disk(config);
	if (strcmp(options.device, "rng") == 0)
		return serve_rng(config);
	diag_error("backend: there is no device \"%s\"; there are blk and rng", options.device);
	return VM_STATUS_USAGE;
}
