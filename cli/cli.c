/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds out which command is meant, does it, and turns what happened into an exit status. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/io.h"
#include "cli/backend.h"
#include "cli/crash.h"
#include "cli/ctl.h"
#include "cli/doctor.h"
#include "cli/doctor_sandbox.h"
#include "cli/exec.h"
#include "cli/options.h"
#include "cli/pid_namespace.h"
#include "cli/report.h"
#include "cli/sign.h"
#include "cli/terminal.h"
#include "vm/config.h"
#include "vm/vm.h"

/* Writes words that were asked for to standard output. An exit status. */
static int print(const char *text, size_t len)
{
	int err = write_full(STDOUT_FILENO, text, len);

	if (!err)
		return VM_STATUS_OK;
	diag_error("standard output: cannot write: %s", strerror(-err));
	return VM_STATUS_SYSTEM;
}

/* hvrun --help fits a screen; hvrun run --help says everything. */
static int print_help(bool all)
{
	char text[8192];

	return print(text, options_help(text, sizeof(text), all));
}

static int print_version(void)
{
	static const char text[] = "hvrun " HVRUN_VERSION "\n";

	return print(text, sizeof(text) - 1);
}

/*
 * Descriptors 0, 1 and 2 that the caller closed become /dev/null: else a disk opened later could get
 * number 2 and receive our messages. Returns whether standard input was open.
 */
static bool fill_standard_descriptors(void)
{
	bool input = fcntl(STDIN_FILENO, F_GETFD) >= 0;

	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)open("/dev/null", O_RDWR); /* the lowest free number: fd */
	}
	return input;
}

/* Where the console's input comes from; makes the terminal raw if that is where. */
static void prepare_input(struct vm_config *config, bool input_open, bool background)
{
	if (!input_open || config->console == VM_CONSOLE_NONE)
		return;
	if (background) {
		if (config->verbosity > 0)
			diag_note("the terminal belongs to another job: the guest gets no input");
		return;
	}
	config->in_fd = STDIN_FILENO;
	config->escapes = terminal_enter(STDIN_FILENO);
}

static int run(int argc, char **argv, bool named, bool input_open, uint64_t launched_ns)
{
	bool background =
		terminal_is_background(STDIN_FILENO); /* in a PID namespace nobody could tell */
	struct options options;
	int status;

	if (options_parse(argc, argv, &options) != 0) {
		diag_error("%s", options.error);
		return VM_STATUS_USAGE;
	}
	if (options.wish == OPTIONS_HELP)
		return print_help(named);
	if (options.wish == OPTIONS_VERSION)
		return print_version();

	options.config.launched_ns = launched_ns;
	if (!pid_namespace_enter(&options.config, &status))
		return status;
	crash_prepare();
	prepare_input(&options.config, input_open, background);
	status = vm_run(&options.config);
	terminal_leave();
	return status;
}

static int doctor(int argc, char **argv)
{
	if (argc == 0)
		return doctor_run();
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
		return print_help(false);
	if (argc == 1 && strcmp(argv[0], "--sandbox") == 0)
		return doctor_sandbox();
	diag_error("doctor takes --sandbox or nothing, and was given \"%s\"",
		   argv[argc == 1 ? 0 : 1]);
	return VM_STATUS_USAGE;
}

int cli_main(int argc, char **argv, uint64_t launched_ns)
{
	bool input_open = fill_standard_descriptors();

	/* Whoever started us may ignore what becomes of children; we do not. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (argc < 2) {
		diag_error(
			"nothing to do; boot a kernel with hvrun -k KERNEL, or see hvrun --help");
		return VM_STATUS_USAGE;
	}
	if (argv[1][0] == '-')
		return run(argc - 1, argv + 1, false, input_open, launched_ns);
	if (strcmp(argv[1], "run") == 0)
		return run(argc - 2, argv + 2, true, input_open, launched_ns);
	if (strcmp(argv[1], "exec") == 0)
		return exec_main(argc - 2, argv + 2, input_open, launched_ns);
	if (strcmp(argv[1], "backend") == 0)
		return backend_main(argc - 2, argv + 2);
	if (strcmp(argv[1], "doctor") == 0)
		return doctor(argc - 2, argv + 2);
	if (strcmp(argv[1], "sign") == 0)
		return sign_main(argc - 2, argv + 2);
	if (strcmp(argv[1], "ctl") == 0)
		return ctl_main(argc - 2, argv + 2);
	if (strcmp(argv[1], "report") == 0)
		return report_main(argc - 2, argv + 2);
	if (strcmp(argv[1], "verify") == 0)
		return verify_main(argc - 2, argv + 2);
	diag_error("unknown command \"%s\"; there are run, exec, sign, verify, report, ctl, "
		   "backend and doctor, and a kernel is booted with hvrun -k FILE",
		   argv[1]);
	return VM_STATUS_USAGE;
}
