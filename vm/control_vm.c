/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket's life in a machine: made before the door, served by the loop, removed. */
#include "vm/control_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "vm/control.h"
#include "vm/json_text.h"
#include "vm/machine.h"
#include "vm/unix_socket.h"

/* A child that removes the socket when hvrun is gone: behind the door nobody may. */
_Noreturn static void wait_and_remove(const char *path, int ended_fd, int gone_fd)
{
	sigset_t all;
	char byte;

	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	/* Nothing else stays open in here: above all no end of a pipe that others wait for. */
	for (int fd = 3; fd < 1024; fd++) {
		if (fd != ended_fd && fd != gone_fd)
			close(fd);
	}
	while (read(ended_fd, &byte, 1) < 0 && errno == EINTR)
		;
	(void)unlink(path);
	_exit(0); /* check-layers: allowed, the child is not hvrun */
}

/* Two pipes: the child sees our end by one, and we see the child's by the other. */
static int start_remover(struct vm *vm, const char *path)
{
	int ended[2];
	int gone[2];
	pid_t child;

	if (pipe2(ended, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(gone, O_CLOEXEC) < 0) {
		close(ended[0]);
		close(ended[1]);
		return -EMFILE;
	}
	child = fork();
	if (child == 0) {
		close(ended[1]);
		close(gone[0]);
		wait_and_remove(path, ended[0], gone[1]);
	}
	close(ended[0]);
	close(gone[1]);
	if (child < 0) {
		close(ended[1]);
		close(gone[0]);
		return -EAGAIN;
	}
	vm->control_ended_fd = ended[1];
	vm->control_gone_fd = gone[0];
	return 0;
}

static size_t console_input(void *opaque, const void *data, size_t len)
{
	struct vm *vm = opaque;

	return vm->console.sink ? vm->console.sink(vm->console.sink_opaque, data, len) : len;
}

int vm_control_open(struct vm *vm)
{
	static const struct control_ops ops = { .run = vm_control_run, .input = console_input };
	const char *path = vm->config->control;
	int status;
	int r;

	control_init(&vm->control, &ops, vm);
	vm->control_ended_fd = vm->control_gone_fd = vm->control_core_fd = -1;
	if (!path)
		return 0;
	report_prepare(&vm->report);
	vm->control_pid = getpid();
	status = vm_unix_listen("control", path, &vm->control.listen_fd);
	if (status)
		return status;
	r = start_remover(vm, path);
	if (r < 0) {
		diag_error("control: %s: cannot start what removes it in the end: %s", path,
			   strerror(-r));
		(void)unlink(path);
		return VM_STATUS_SYSTEM;
	}
	return 0;
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
	char byte;

	if (vm->control.listen_fd < 0)
		return;
	tell_stopped(vm, status);
	control_end(&vm->control);
	close(vm->control.listen_fd);
	vm->control.listen_fd = -1;
	if (vm->control_ended_fd < 0)
		return;
	close(vm->control_ended_fd);
	while (read(vm->control_gone_fd, &byte, 1) < 0 && errno == EINTR)
		;
	close(vm->control_gone_fd);
	vm->control_ended_fd = vm->control_gone_fd = -1;
}
