/* SPDX-License-Identifier: BSD-2-Clause */
/* Listens to init in the guest of hvrun exec: a guest's words, so each is judged. */
#include "vm/exec/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "vm/machine.h"

enum { AGAIN_NS = 1000000 }; /* until output is looked at again that had no end */

/* "0" to "255" */
static bool take_status(const char *text, unsigned *status)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 3 || text[len])
		return false;
	*status = (unsigned)strtoul(text, NULL, 10);
	return *status <= 255;
}

/* What is printable, in place: the words come from the guest. */
static void make_harmless(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

bool exec_take_line(struct exec_watch *watch, const char *line)
{
	if (watch->ended)
		return false;
	if (strncmp(line, "exit ", 5) == 0)
		watch->ended = take_status(line + 5, &watch->status);
	if (strncmp(line, "error ", 6) == 0) {
		char text[EXEC_LINE];

		(void)snprintf(text, sizeof(text), "%s", line + 6);
		make_harmless(text);
		diag_error("exec: the guest cannot run the command: %s", text);
		watch->failed = true;
		watch->ended = true;
	}
	return watch->ended;
}

void exec_end_when_drained(void *opaque)
{
	struct vm *vm = opaque;

	if (!vm->exec.ended)
		return;
	for (unsigned i = 0; i < vm->config->port_count; i++) {
		if (virtio_console_drain(vm->virtio_ports, i + 1))
			continue;
		/* A slow reader calls us; for a guest that has more and more to say others get a turn. */
		if (!vm->ports[i].want_out)
			loop_timer_arm(vm->exec.again, AGAIN_NS);
		return;
	}
	if (vm->exec.failed)
		vm_end(vm, VM_END_HOST, 0);
	else
		vm_end(vm, VM_END_GUEST_STATUS, vm->exec.status);
}

size_t exec_status_out(void *opaque, const void *data, size_t len)
{
	struct vm *vm = opaque;
	struct exec_watch *watch = &vm->exec;
	const char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			if (watch->len + 1 < sizeof(watch->line))
				watch->line[watch->len++] = bytes[i];
			continue;
		}
		watch->line[watch->len] = '\0';
		watch->len = 0;
		if (exec_take_line(watch, watch->line))
			exec_end_when_drained(vm);
	}
	return len;
}
