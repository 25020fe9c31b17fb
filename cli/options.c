/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the options of `hvrun run`, and what each does to the config. */
#include "cli/options.h"

#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "cli/options_apply.h"
#include "cli/parse.h"
#include "vm/daemon/backends.h"

struct vm_config *options_config(struct parser *parser)
{
	struct options *options = parser->target;

	return &options->config;
}

static int apply_append(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	size_t used = strlen(config->append);
	size_t space = used ? 1 : 0;
	size_t len = strlen(value);

	if (len + space >= sizeof(config->append) - used)
		return parse_fail(parser,
				  "--append: the kernel command line is longer than %zu bytes",
				  sizeof(config->append) - 1);
	if (space)
		config->append[used++] = ' ';
	memcpy(config->append + used, value, len + 1);
	return 0;
}

static int apply_memory(struct parser *parser, char *value)
{
	uint64_t size;
	int err = parse_size(value, &size);

	if (err == -EINVAL)
		return parse_fail(
			parser,
			"--memory: %s is not a size; give bytes, or a number with K, M or "
			"G, such as 512M",
			value);
	if (err || size > VM_MEMORY_MAX)
		return parse_fail(parser, "--memory: %s is more than 1024G", value);
	if (size < VM_MEMORY_MIN)
		return parse_fail(parser, "--memory: %s is less than 2M", value);
	if (size % 4096)
		return parse_fail(parser, "--memory: %s is not a multiple of 4096 bytes", value);
	options_config(parser)->memory = size;
	return 0;
}

static int apply_cpus(struct parser *parser, char *value)
{
	uint64_t count;

	if (!parse_number_within(value, 1, VM_MAX_CPUS, &count))
		return parse_fail(parser, "--cpus: %s is not a number from 1 to %d", value,
				  VM_MAX_CPUS);
	options_config(parser)->cpus = (unsigned)count;
	return 0;
}

static int apply_console(struct parser *parser, char *value)
{
	enum vm_console *console = &options_config(parser)->console;

	if (strcmp(value, "serial") == 0)
		*console = VM_CONSOLE_SERIAL;
	else if (strcmp(value, "virtio") == 0)
		*console = VM_CONSOLE_VIRTIO;
	else if (strcmp(value, "none") == 0)
		*console = VM_CONSOLE_NONE;
	else
		return parse_unknown_value(parser, value, "serial, virtio or none");
	return 0;
}

static int apply_virtio(struct parser *parser, char *value)
{
	enum vm_discovery *discovery = &options_config(parser)->discovery;

	if (strcmp(value, "acpi") == 0)
		*discovery = VM_DISCOVERY_ACPI;
	else if (strcmp(value, "cmdline") == 0)
		*discovery = VM_DISCOVERY_CMDLINE;
	else if (strcmp(value, "pci") == 0)
		*discovery = VM_DISCOVERY_PCI;
	else
		return parse_unknown_value(parser, value, "acpi, cmdline or pci");
	return 0;
}

static int apply_sandbox(struct parser *parser, char *value)
{
	enum vm_sandbox *sandbox = &options_config(parser)->sandbox;

	if (strcmp(value, "on") == 0)
		*sandbox = VM_SANDBOX_ON;
	else if (strcmp(value, "log") == 0)
		*sandbox = VM_SANDBOX_LOG;
	else if (strcmp(value, "off") == 0)
		*sandbox = VM_SANDBOX_OFF;
	else
		return parse_unknown_value(parser, value, "on, log or off");
	return 0;
}

static int apply_verbosity(struct parser *parser, int verbosity)
{
	struct vm_config *config = options_config(parser);

	if (config->verbosity == -verbosity)
		return parse_fail(parser, "--verbose and --quiet do not go together");
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
	((struct options *)parser->target)->wish = OPTIONS_HELP;
	parser->done = true;
	return 0;
}

static int apply_version(struct parser *parser, char *value)
{
	(void)value;
	((struct options *)parser->target)->wish = OPTIONS_VERSION;
	parser->done = true;
	return 0;
}

/* Every option there is, in the order of --help. */
static const struct option table[] = {
	{ .letter = 'k',
	  .name = "kernel",
	  .value = "FILE",
	  .help = "bzImage, Image or ELF; also gzip, zstd, EFI zboot",
	  .field = offsetof(struct options, config.kernel) },
	{ .letter = 'i',
	  .name = "initrd",
	  .value = "FILE",
	  .help = "initial ramdisk",
	  .field = offsetof(struct options, config.initrd) },
	{ .letter = 'a',
	  .repeats = true,
	  .name = "append",
	  .value = "STRING",
	  .help = "add to the kernel command line",
	  .apply = apply_append },
	{ .repeats = true,
	  .rare = true,
	  .name = "append-only",
	  .help = "hvrun adds nothing to that line itself",
	  .field = offsetof(struct options, config.append_only) },
	{ .letter = 'm',
	  .name = "memory",
	  .value = "SIZE",
	  .help = "bytes, or with K, M, G; default 512M",
	  .apply = apply_memory },
	{ .repeats = true,
	  .rare = true,
	  .name = "hugepages",
	  .help = "memory of huge pages that the host has reserved",
	  .field = offsetof(struct options, config.hugepages) },
	{ .repeats = true,
	  .rare = true,
	  .name = "prefault",
	  .help = "all memory is taken at the start",
	  .field = offsetof(struct options, config.prefault) },
	{ .rare = true,
	  .name = "numa",
	  .value = "NODE",
	  .help = "memory from this node of the host, while it has some",
	  .apply = apply_numa },
	{ .letter = 'c',
	  .name = "cpus",
	  .value = "N",
	  .help = "number of vCPUs; default 1",
	  .apply = apply_cpus },
	{ .repeats = true,
	  .rare = true,
	  .name = "pmu",
	  .help = "vCPUs with performance monitors",
	  .field = offsetof(struct options, config.pmu),
	  .needs = &arch_has_pmu },
	{ .letter = 'd',
	  .repeats = true,
	  .name = "disk",
	  .value = "FILE[,OPT]",
	  .help = "ro, cow, format=raw|qcow2, direct, ...; repeat",
	  .apply = apply_disk },
	{ .letter = 'n',
	  .repeats = true,
	  .name = "net",
	  .value = "KIND[,OPT]",
	  .help = "none (default), user or tap=NAME; mac=, mtu=, fwd=",
	  .apply = apply_net },
	{ .letter = 's',
	  .repeats = true,
	  .name = "share",
	  .value = "DIR[,OPT]",
	  .help = "a host directory (virtio-fs): tag=TAG, ro",
	  .apply = apply_share },
	{ .repeats = true,
	  .rare = true,
	  .name = "vhost-user",
	  .value = "KIND[,OPT]",
	  .help = "fs, blk or net, socket=PATH, tag=TAG",
	  .apply = apply_vhost_user },
	{ .rare = true,
	  .name = "vsock",
	  .value = "CID,OPT",
	  .help = "guest sockets as unix sockets: path=SOCKET",
	  .apply = apply_vsock },
	{ .name = "console",
	  .value = "KIND",
	  .help = "serial (default), virtio or none",
	  .apply = apply_console },
	{ .repeats = true,
	  .rare = true,
	  .name = "port",
	  .value = "NAME,TO",
	  .help = "a console port; TO is socket=PATH or file=FILE",
	  .apply = apply_port },
	{ .name = "log",
	  .value = "FILE",
	  .help = "a copy of the guest's console",
	  .field = offsetof(struct options, config.log) },
	{ .rare = true,
	  .name = "virtio",
	  .value = "HOW",
	  .help = "devices by acpi (default), cmdline, or as pci",
	  .apply = apply_virtio,
	  .needs = &arch_has_acpi },
	{ .rare = true,
	  .name = "dump-dtb",
	  .value = "FILE",
	  .help = "a copy of the board's device tree",
	  .field = offsetof(struct options, config.tree),
	  .needs = &arch_has_tree },
	{ .repeats = true,
	  .rare = true,
	  .name = "io-uring",
	  .help = "disks by io_uring (a wider sandbox)",
	  .field = offsetof(struct options, config.io_uring) },
	{ .repeats = true,
	  .rare = true,
	  .name = "pmem",
	  .value = "FILE",
	  .help = "a read-only file as memory, one copy for all guests",
	  .apply = apply_pmem },
	{ .rare = true,
	  .name = "rng",
	  .value = "OPT",
	  .help = "bw=SIZE: random bytes a second at most; default 4M",
	  .apply = apply_rng },
	{ .repeats = true,
	  .rare = true,
	  .name = "balloon",
	  .help = "memory goes back to the host",
	  .field = offsetof(struct options, config.balloon) },
	{ .rare = true,
	  .name = "verify-key",
	  .value = "FILE",
	  .help = "boot only what this minisign key signed",
	  .field = offsetof(struct options, config.verify_key) },
	{ .rare = true,
	  .name = "manifest",
	  .value = "FILE",
	  .help = "boot exactly what this signed list says",
	  .field = offsetof(struct options, config.manifest) },
	{ .rare = true,
	  .name = "core",
	  .value = "FILE",
	  .help = "if the guest panics: its memory and registers, for gdb",
	  .field = offsetof(struct options, config.core) },
	{ .rare = true,
	  .name = "gdb",
	  .value = "WHERE",
	  .help = "wait for gdb at unix:PATH or [ADDRESS:]PORT[,nowait]",
	  .apply = apply_gdb },
	{ .name = "sandbox",
	  .value = "STATE",
	  .help = "on (default), log or off",
	  .apply = apply_sandbox },
	{ .name = "timeout",
	  .value = "SECONDS",
	  .help = "then stop with status 124 and say where it was",
	  .apply = apply_timeout },
	{ .rare = true,
	  .name = "until",
	  .value = "REGEX",
	  .help = "end with 0 when the console shows such a line",
	  .apply = apply_until },
	{ .rare = true,
	  .name = "fail-on",
	  .value = "REGEX",
	  .help = "end with 1 when the console shows such a line",
	  .apply = apply_fail_on },
	{ .repeats = true,
	  .rare = true,
	  .name = "reboot",
	  .help = "a guest that resets starts again",
	  .field = offsetof(struct options, config.reboot) },
	{ .rare = true,
	  .name = "report",
	  .value = "FILE",
	  .help = "one JSON object at the end: why, times, counters",
	  .field = offsetof(struct options, config.report) },
	{ .rare = true,
	  .name = "control",
	  .value = "PATH",
	  .help = "a socket for hvrun ctl",
	  .field = offsetof(struct options, config.control) },
	{ .rare = true,
	  .name = "symbols",
	  .value = "FILE",
	  .help = "System.map or vmlinux, to name places in the guest",
	  .field = offsetof(struct options, config.symbols) },
	{ .repeats = true,
	  .rare = true,
	  .name = "pid-namespace",
	  .help = "no process but hvrun's own can be named",
	  .field = offsetof(struct options, config.pid_namespace) },
	{ .rare = true,
	  .name = "user",
	  .value = "USER[:GROUP]",
	  .help = "started by root: become this user behind the door",
	  .field = offsetof(struct options, config.user) },
	{ .letter = 'v',
	  .repeats = true,
	  .name = "verbose",
	  .help = "more on standard error",
	  .apply = apply_verbose },
	{ .letter = 'q',
	  .repeats = true,
	  .name = "quiet",
	  .help = "only errors on standard error",
	  .apply = apply_quiet },
	{ .letter = 'h',
	  .repeats = true,
	  .name = "help",
	  .help = "this text; hvrun run --help has every option",
	  .apply = apply_help },
	{ .repeats = true,
	  .name = "version",
	  .help = "which hvrun this is",
	  .apply = apply_version },
};

_Static_assert(ARRAY_SIZE(table) <= 64, "struct parser has a bit for each option");

const struct grammar options_grammar = {
	.help_words = "hvrun run --help",
	.options = table,
	.count = ARRAY_SIZE(table),
	.operand_hint = "a kernel is named by -k FILE, a disk by -d FILE",
};

void options_default(struct options *options)
{
	*options = (struct options){
		.wish = OPTIONS_RUN,
		.config = {
			.memory = VM_MEMORY_DEFAULT,
			.rng_bw = VM_RNG_BW,
			.cpus = 1,
			.console = VM_CONSOLE_SERIAL,
			.sandbox = VM_SANDBOX_ON,
			.discovery = VM_DISCOVERY_ACPI,
			.initrd_fd = -1,
			.in_fd = -1,
			.out_fd = 1,
		},
	};
}

int options_judge(struct options *options)
{
	const struct vm_config *config = &options->config;
	struct parser judge = { .error = options->error, .error_size = sizeof(options->error) };
	struct parser *parser = &judge;

	if (config->user && config->sandbox == VM_SANDBOX_OFF)
		return parse_fail(parser, "--user and --sandbox off do not go together: it is the "
					  "sandbox that changes the user");
	if (config->hugepages && config->memory % (UINT64_C(2) << 20))
		return parse_fail(parser, "--hugepages: --memory has to be a multiple of 2M");
	if (config->pmem_count && config->verify_key)
		return parse_fail(parser,
				  "--pmem does not go with --verify-key: nobody has verified "
				  "such a file; a disk with verity can be");
	if (config->manifest && !config->verify_key)
		return parse_fail(parser, "--manifest needs --verify-key: the key that signs it");
	if (!config->kernel && !config->manifest)
		return parse_fail(parser,
				  "no kernel to boot; name one with -k FILE, or see hvrun --help");
	if (config->reboot && vm_has_backends(config))
		return parse_fail(parser,
				  "--reboot does not go with --share, --vhost-user or disks "
				  "of format qcow2: who serves them does so for one boot");
	for (size_t i = 0; i < config->disk_count; i++) {
		const struct vm_disk_config *disk = &config->disks[i];

		if (disk->verity && !disk->root_len && !config->manifest)
			return parse_fail(parser,
					  "--disk %s: verity needs root-hash=HEX, or a --manifest "
					  "that has it",
					  disk->path);
	}
	return 0;
}

int options_parse(int argc, char **argv, struct options *options)
{
	options_default(options);

	int err = parse_all(&options_grammar, argc, argv, options, options->error,
			    sizeof(options->error));

	if (err < 0)
		return err;
	return options->wish == OPTIONS_RUN ? options_judge(options) : 0;
}

size_t options_help(char *buf, size_t size, bool all)
{
	struct text text = { .buf = buf, .size = size };

	text_add(&text, "hvrun %s boots a virtual machine on KVM\n", HVRUN_VERSION);
	text_add(&text, "  hvrun [run] -k KERNEL [options]   boot it\n");
	if (!all)
		text_add(
			&text,
			"  hvrun exec -k KERNEL -- COMMAND   run a command in a guest\n"
			"  hvrun COMMAND --help              sign, verify, ctl, report, backend, doctor\n");
	text_add(&text, "\n");
	parse_help(&text, &options_grammar, all);
	text_add(
		&text,
		"\nOn a terminal, Ctrl-A x leaves and Ctrl-A c asks for help. man hvrun has more.\n");
	return text.used;
}
