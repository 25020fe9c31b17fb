/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket of a machine: what its commands do. The protocol is vm/control/control.h's. */
#ifndef VM_CONTROL_MACHINE_H
#define VM_CONTROL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "vm/control/control.h"

struct vm;

/* Commands by number, with their words for `hvrun ctl --help`; false behind the last. */
struct control_command_info {
	const char *name;
	/*
	 * The members of "args" that take the words behind the name, parted by blanks; NULL: none. If the last
	 * is called "size", it takes bytes, as a number.
	 */
	const char *arg;
	const char *what; /* what these words are called, parted by blanks too */
	const char *help;
};

bool control_command_info(size_t index, struct control_command_info *info);

/*
 * Makes the socket that --control names, before the door is locked. 0, or an exit status, said. */
int vm_control_open(struct vm *vm);

/* vm/control/commands.c: control_ops.run. */
int vm_control_run(void *opaque, struct control_client *client, const char *command,
		   const json_t *args, json_t **result, char *why);

/* The machine is there: clients are served on its loop. 0 or -errno. */
int vm_control_start(struct vm *vm);

/* Its loop goes: clients wait for the next machine. */
void vm_control_stop(struct vm *vm);

/* The run is over with @status: clients are told and dropped. */
void vm_control_close(struct vm *vm, int status);

/* Tells of @event ("panic", "paused", ...), with words about it or NULL, to those who listen. */
void vm_control_tell(struct vm *vm, const char *event, const char *words);

#endif
