/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvrun exec: words into a machine whose init runs one command with a directory of the host as its
 * root. The kernel's modules and init travel in an initramfs made here.
 */
#include "cli/exec.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "cli/command.h"
#include "cli/crash.h"
#include "cli/exec_image.h"
#include "cli/pid_namespace.h"
#include "vm/vm.h"

enum {
	ENV_MAX = 256,
	WORDS_MAX = 8000, /* of the command; init has room for 8192 */
	GROUPS_MAX = 64,  /* that init has room for */
};

struct exec_options {
	struct options run; /* first: rows of run's table fill it */
	char *root;
	bool root_rw, root_copy;
	const char *modules;
	const char *cwd;
	const char *env[ENV_MAX];
	size_t env_count;
};

static struct exec_options *target(struct parser *parser)
{
	return parser->target;
}

static int apply_root(struct parser *parser, char *value)
{
	struct exec_options *exec = target(parser);
	char *list = value;
	const char *dir = parse_part(&list);

	while (list) {
		char *word = parse_part(&list);

		if (strcmp(word, "rw") == 0)
			exec->root_rw = true;
		else if (strcmp(word, "copy") == 0)
			exec->root_copy = true;
		else
			return parse_fail(parser,
					  "--root %s: unknown word \"%s\"; there are rw, without "
					  "which what is written vanishes, and copy",
					  dir, word);
	}
	if (exec->root_rw && exec->root_copy)
		return parse_fail(parser,
				  "--root %s: rw and copy do not go together: what is "
				  "written to a copy vanishes",
				  dir);
	exec->root = realpath(dir, NULL);
	if (!exec->root)
		return parse_fail(parser, "--root %s: %s", dir, strerror(errno));
	return 0;
}

static int apply_cwd(struct parser *parser, char *value)
{
	if (*value != '/')
		return parse_fail(parser, "--cwd %s: this is no absolute path", value);
	target(parser)->cwd = value;
	return 0;
}

static int apply_env(struct parser *parser, char *value)
{
	struct exec_options *exec = target(parser);
	size_t name = strcspn(value, "=");

	if (exec->env_count == ENV_MAX)
		return parse_fail(parser, "--env: there can be at most %d", ENV_MAX);
	if (name == 0)
		return parse_fail(parser, "--env %s: the variable has no name", value);
	if (value[name]) {
		exec->env[exec->env_count++] = value;
		return 0;
	}
	/* NAME alone: as it is here. The environment's strings begin with the name, too. */
	const char *here = getenv(value);

	if (!here)
		return parse_fail(parser,
				  "--env %s: it has no value here; --env %s=VALUE gives one", value,
				  value);
	exec->env[exec->env_count++] = here - name - 1;
	return 0;
}

static const struct option own_rows[] = {
	{ .name = "root",
	  .value = "DIR[,OPT]",
	  .help = "the command's root; default /; rw: what is written stays",
	  .apply = apply_root },
	{ .name = "modules",
	  .value = "DIR",
	  .help = "the kernel's modules; default /lib/modules/RELEASE",
	  .field = offsetof(struct exec_options, modules) },
	{ .name = "cwd",
	  .value = "DIR",
	  .help = "directory; default this one with --root /, else /",
	  .apply = apply_cwd },
	{ .repeats = true,
	  .name = "env",
	  .value = "NAME[=V]",
	  .help = "a variable of its environment; NAME: as here",
	  .apply = apply_env },
};

/* The rows of run that make sense for a command. */
static const char *const shared_rows[] = {
	"kernel",  "append",  "memory",	       "cpus",	  "disk",    "net",   "share",	 "virtio",
	"log",	   "core",    "gdb",	       "sandbox", "timeout", "until", "fail-on", "report",
	"control", "symbols", "pid-namespace", "verbose", "quiet",   "help"
};

static const char head[] =
	"hvrun exec runs a command in a guest and returns its status (man hvrun-exec)\n"
	"  hvrun exec -k KERNEL [options] -- COMMAND [ARG...]\n\n";

static int usage(const char *what)
{
	diag_error("%s", what);
	return VM_STATUS_USAGE;
}

/* What a program needs of its environment; --env has the last word. */
static void add_environment(struct exec_image *image, const struct exec_options *exec)
{
	static const char *const kept[] = { "HOME", "TERM", "USER", "LOGNAME", "LANG", "TZ" };
	char text[PATH_MAX + 16];

	exec_spec_add(&image->spec, 'e',
		      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const char *value = getenv(kept[i]);

		if (value &&
		    snprintf(text, sizeof(text), "%s=%s", kept[i], value) < (int)sizeof(text))
			exec_spec_add(&image->spec, 'e', text);
	}
	for (size_t i = 0; i < exec->env_count; i++)
		exec_spec_add(&image->spec, 'e', exec->env[i]);
}

/* The caller, as the guest is to know them: the same user and groups. */
static void add_user(struct exec_image *image)
{
	gid_t groups[GROUPS_MAX];
	int count = getgroups(ARRAY_SIZE(groups), groups);

	if (count < 0)
		diag_warn(
			"exec: you are in more than %d groups; the command has only the first one",
			GROUPS_MAX);
	exec_spec_add_number(&image->spec, 'u', getuid());
	exec_spec_add_number(&image->spec, 'g', getgid());
	for (int i = 0; i < count; i++)
		exec_spec_add_number(&image->spec, 'G', groups[i]);
}

/* The directory to begin in; the memory for it is @here. */
static const char *directory(const struct exec_options *exec, char here[PATH_MAX])
{
	if (exec->cwd)
		return exec->cwd;
	if (strcmp(exec->root, "/") != 0 || !getcwd(here, PATH_MAX))
		return "/";
	return here;
}

static int make_image(struct exec_options *exec, char **argv, int argc, struct exec_image *image)
{
	struct utsname host;
	char here[PATH_MAX];

	for (int i = 0; i < argc; i++)
		exec_spec_add(&image->spec, 'a', argv[i]);
	add_environment(image, exec);
	add_user(image);
	exec_spec_add(&image->spec, 'c', directory(exec, here));
	if (uname(&host) == 0)
		exec_spec_add(&image->spec, 'h', host.nodename);
	return exec_image_make(image, &exec->run.config,
			       &(struct exec_root){ exec->root, exec->root_rw, exec->root_copy },
			       exec->modules);
}

/* The command's streams are ports of the machine; the console is for people who asked for it. */
static void connect_streams(struct vm_config *config, bool input_open)
{
	const struct vm_port_config ports[] = {
		{ .name = "hvrun.stdin", .in_fd = input_open ? STDIN_FILENO : -1, .out_fd = -1 },
		{ .name = "hvrun.stdout", .in_fd = -1, .out_fd = STDOUT_FILENO },
		{ .name = "hvrun.stderr", .in_fd = -1, .out_fd = STDERR_FILENO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		config->ports[i] = ports[i];
	config->port_count = ARRAY_SIZE(ports);
	config->exec = true;
	config->in_fd = -1;
	config->out_fd = config->verbosity > 0 ? STDERR_FILENO : -1;
}

static int boot(struct exec_options *exec, char **argv, int argc, bool input_open)
{
	struct exec_image image = { .fs.fd = -1, .copy.fd = -1 };
	struct vm_config *config = &exec->run.config;
	int status = make_image(exec, argv, argc, &image);

	if (!status) {
		config->initrd = "the initramfs of exec";
		config->initrd_fd = image.fs.fd;
		connect_streams(config, input_open);
		if (pid_namespace_enter(config, &status))
			status = vm_run(config);
	}
	exec_image_free(&image);
	return status;
}

static int run(struct exec_options *exec, int argc, char **argv, bool input_open,
	       uint64_t launched_ns)
{
	struct command command = { .grammar = { .help_words = "hvrun exec --help",
						.ends_at_operand = true },
				   .head = head };
	int taken;

	command_make(&command, shared_rows, ARRAY_SIZE(shared_rows), own_rows,
		     ARRAY_SIZE(own_rows));
	taken = command_parse(&command, argc, argv, exec, &exec->run);
	if (taken < 0)
		return usage(exec->run.error);
	if (exec->run.wish == OPTIONS_HELP)
		return command_help(&command);
	if (!exec->run.config.kernel)
		return usage("exec: no kernel; name one with -k FILE, or see hvrun exec --help");
	if (options_judge(&exec->run) < 0)
		return usage(exec->run.error);
	if (argc - taken > WORDS_MAX)
		return usage("exec: the command has more than 8000 words");
	if (taken == argc)
		return usage("exec: no command; it comes after --, as in hvrun exec -k KERNEL -- "
			     "uname -a");
	if (!exec->root && !(exec->root = strdup("/")))
		return usage("exec: out of memory");
	exec->run.config.launched_ns = launched_ns;
	crash_prepare();
	return boot(exec, argv + taken, argc - taken, input_open);
}

int exec_main(int argc, char **argv, bool input_open, uint64_t launched_ns)
{
	struct exec_options exec = { .root = NULL };
	int status = run(&exec, argc, argv, input_open, launched_ns);

	free(exec.root);
	return status;
}
