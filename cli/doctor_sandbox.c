/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the sandbox's table for people. */
#include "cli/doctor_sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/diag.h"
#include "vm/config.h"
#include "vm/sandbox/stages.h"
#include "vm/sandbox/table.h"

/* What a feature is called by the user; one bit. */
static const char *feature_option(unsigned feature)
{
	switch ((enum sandbox_feature)feature) {
	case SANDBOX_IO_URING:
		return "--io-uring";
	case SANDBOX_AGAIN:
		return "--reboot";
	case SANDBOX_ACCEPT:
		return "--port NAME,socket=";
	case SANDBOX_VSOCK:
		return "--vsock";
	case SANDBOX_BALLOON:
		return "--balloon";
	case SANDBOX_CORE:
		return "--core";
	case SANDBOX_GDB:
		return "--gdb";
	case SANDBOX_TAP:
		return "--net tap";
	case SANDBOX_BACKEND:
		return "--share, --vhost-user or qcow2";
	case SANDBOX_REPORT:
		return "--report";
	case SANDBOX_CONTROL:
		return "--control";
	case SANDBOX_PCI:
		return "--virtio pci";
	case SANDBOX_SERVE:
		return "hvrun backend";
	}
	return "?";
}

/* "with --io-uring: ", a word for each option. */
static void print_features(unsigned features)
{
	const char *between = "with ";

	for (unsigned bit = 1; bit && bit <= features; bit <<= 1) {
		if (!(features & bit))
			continue;
		printf("%s%s", between, feature_option(bit));
		between = " or ";
	}
	if (features)
		printf(": ");
}

static void print_row(const struct sandbox_row *row)
{
	static const char letters[] = "BLVIH";
	char what[80];

	for (unsigned which = 0; which < SANDBOX_CLASSES; which++)
		putchar(row->in & 1U << which ? letters[which] : '-');
	(void)snprintf(what, sizeof(what), "%s%s%s", row->name, row->only ? " " : "",
		       row->only ? row->only : "");
	printf(" %-38s ", what);
	print_features(row->features);
	printf("%s\n", row->why);
}

static void print_table(void)
{
	struct sandbox_row row;
	bool ours = false;

	printf("B building, and a thread's first steps; L device loop; V vCPU; I disk threads; "
	       "H helpers\n");
	for (size_t i = 0; sandbox_row(i, &row); i++) {
		if (!ours && sandbox_row_is_arch(i)) {
			printf("on %s also:\n", arch_name);
			ours = true;
		}
		print_row(&row);
	}
}

/* In a child, which is given up with all that the stages took from it. */
static void try_stages(void)
{
	struct sandbox_state state = { 0 };
	const struct sandbox_stage *stage;

	for (size_t i = 0; (stage = sandbox_stage(i)) != NULL; i++) {
		int r = stage->apply(&state);

		if (r < 0)
			printf("%s: missing: %s\n", stage->name, strerror(-r));
		else
			printf("%s: %s\n", stage->name, stage->gives);
	}
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		printf("system calls: missing: the kernel has no seccomp\n");
	else
		printf("system calls: the lists below\n");
	(void)fflush(stdout);
}

static void print_stages(void)
{
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		try_stages();
		_exit(0); /* check-layers: allowed: the child's end */
	}
	if (child > 0)
		(void)waitpid(child, NULL, 0);
}

int doctor_sandbox(void)
{
	print_stages();
	print_table();
	if (fflush(stdout) != 0 || ferror(stdout)) {
		diag_error("standard output: cannot write: %s", strerror(errno));
		return VM_STATUS_SYSTEM;
	}
	return VM_STATUS_OK;
}
