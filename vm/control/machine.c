/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket's life in a machine: made before the door, served by the loop, removed. */
#include "vm/control/machine.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "vm/control/control.h"
#include "vm/json_text.h"
#include "vm/machine.h"
#include "vm/unix_socket.h"
#include "vm/user.h"

static size_t console_input(void *opaque, const void *data, size_t len)
{
	struct vm *vm = opaque;

	return vm->console.sink ? vm->console.sink(vm->console.sink_opaque, data, len) : len;
}

/* With --user the machine is that user's, and so is its socket. */
static int give_to_user(struct vm *vm, const char *path)
{
	struct sandbox_user user;
	int status = user_find(vm->config->user, &user);

	if (status)
		return status;
	if (lchown(path, user.uid, user.gid) < 0) {
		diag_error("control: %s: cannot be given to user %s: %s", path, vm->config->user,
			   strerror(errno));
		return VM_STATUS_SYSTEM;
	}
	vm->control.uid = user.uid;
	return 0;
}

int vm_control_open(struct vm *vm)
{
	static const struct control_ops ops = { .run = vm_control_run, .input = console_input };
	const char *path = vm->config->control;
	int status;

	control_init(&vm->control, &ops, vm);
	vm->control_core_fd = -1;
	if (!path)
		return 0;
	report_prepare(&vm->report);
	vm->control_pid = vm->config->pid_namespace ? vm->config->outer_pid : getpid();
	status = vm_unix_listen("control", path, &vm->remover, &vm->control.listen_fd);
	if (!status && vm->config->user)
		status = give_to_user(vm, path);
	return status;
}

int vm_control_start(struct vm *vm)
{
	int r = control_attach(&vm->control, vm->loop);

	if (!r)
		vm_control_tell(vm, "started", NULL);
	return r;
}

void vm_control_stop(struct vm *vm)
{
	control_detach(&vm->control);
	vm->control_paused = false;
}

void vm_control_tell(struct vm *vm, const char *event, const char *words)
{
	json_t *json;

	if (!control_has_client(&vm->control))
		return;
	json = json_object();
	json_object_set_new(json, "event", json_string(event));
	json_object_set_new(json, "time_us",
			    json_integer((json_int_t)(vm_since_launch(vm) / 1000)));
	if (words)
		json_object_set_new(json, "words", json_text(words));
	control_event(&vm->control, json);
}

static void tell_stopped(struct vm *vm, int status)
{
	json_t *json = json_object();

	json_object_set_new(json, "event", json_string("stopped"));
	json_object_set_new(json, "time_us",
			    json_integer((json_int_t)(vm_since_launch(vm) / 1000)));
	json_object_set_new(json, "why", json_string(vm_end_name(vm_how_it_ended(vm))));
	json_object_set_new(json, "status", json_integer(status));
	if (vm->words[0])
		json_object_set_new(json, "words", json_text(vm->words));
	control_event(&vm->control, json);
}

void vm_control_close(struct vm *vm, int status)
{
	if (vm->control.listen_fd < 0)
		return;
	tell_stopped(vm, status);
	control_end(&vm->control);
	close(vm->control.listen_fd);
	vm->control.listen_fd = -1;
}
