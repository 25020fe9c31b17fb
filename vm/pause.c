/* SPDX-License-Identifier: BSD-2-Clause */
/* All vCPUs at rest, so that their state may be looked at, and running again; one that waits for a device. */
#include "vm/machine.h"

static bool at_rest(void *opaque)
{
	struct vm *vm = opaque;

	return vcpu_gate_empty(&vm->gate);
}

void vm_pause(struct vm *vm)
{
	vcpu_gate_close(&vm->gate, vm->vcpus, vm->config->cpus);
	/* poll has no way to fail that would not have ended the loop before. */
	(void)loop_serve_until(vm->loop, at_rest, vm);
}

void vm_resume(struct vm *vm)
{
	vcpu_gate_open(&vm->gate);
}

void vm_hold_caller(void *opaque, const atomic_bool *draining)
{
	struct vm *vm = opaque;
	pthread_t caller;

	if (!loop_caller(vm->loop, &caller))
		return;
	for (unsigned i = 0; i < vm->config->cpus; i++) {
		if (vm->vcpus[i].started && pthread_equal(vm->vcpus[i].thread, caller))
			vcpu_gate_await(&vm->vcpus[i], draining);
	}
}

void vm_let_go(void *opaque)
{
	struct vm *vm = opaque;

	vcpu_gate_look(&vm->gate);
}
