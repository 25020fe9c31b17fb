/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gate before the guest. A vCPU's `wanted` flag says without a lock that the way is not free;
 * everything else is judged under the gate's lock.
 */
#include "cpu/gate.h"

#include "cpu/vcpu.h"

void vcpu_gate_init(struct vcpu_gate *gate, void (*emptied)(void *opaque), void *opaque)
{
	lock_init(&gate->lock, LOCK_RANK_VCPU, "vcpu gate");
	cond_init(&gate->opened);
	lock_take(&gate->lock);
	gate->closed = 0;
	gate->inside = 0;
	lock_drop(&gate->lock);
	gate->emptied = emptied;
	gate->opaque = opaque;
}

void vcpu_gate_destroy(struct vcpu_gate *gate)
{
	cond_destroy(&gate->opened);
	lock_destroy(&gate->lock);
}

void vcpu_gate_close(struct vcpu_gate *gate, struct vcpu *vcpus, unsigned count)
{
	lock_take(&gate->lock);
	if (!gate->closed++) {
		for (unsigned i = 0; i < count; i++)
			vcpu_ask_out(&vcpus[i]);
	}
	lock_drop(&gate->lock);
}

void vcpu_gate_open(struct vcpu_gate *gate)
{
	lock_take(&gate->lock);
	if (!--gate->closed)
		cond_broadcast(&gate->opened);
	lock_drop(&gate->lock);
}

bool vcpu_gate_empty(struct vcpu_gate *gate)
{
	bool empty;

	lock_take(&gate->lock);
	empty = gate->closed && !gate->inside;
	lock_drop(&gate->lock);
	return empty;
}

void vcpu_gate_hold(struct vcpu_gate *gate, struct vcpu *vcpu, bool hold)
{
	lock_take(&gate->lock);
	vcpu->held = hold;
	lock_drop(&gate->lock);
}

/* @vcpu, which is not in the guest, comes to the gate before it is there. */
static void ask_to_pass(struct vcpu *vcpu)
{
	atomic_store(&vcpu->asked_out, true);
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELEASE);
}

void vcpu_gate_hold_self(struct vcpu *vcpu)
{
	struct vcpu_gate *gate = vcpu->env->gate;

	lock_take(&gate->lock);
	vcpu->held = true;
	ask_to_pass(vcpu);
	lock_drop(&gate->lock);
}

void vcpu_gate_await(struct vcpu *vcpu, const atomic_bool *busy)
{
	struct vcpu_gate *gate = vcpu->env->gate;

	lock_take(&gate->lock);
	vcpu->awaits = busy;
	ask_to_pass(vcpu);
	lock_drop(&gate->lock);
}

void vcpu_gate_look(struct vcpu_gate *gate)
{
	lock_take(&gate->lock);
	cond_broadcast(&gate->opened);
	lock_drop(&gate->lock);
}

void vcpu_gate_enter(struct vcpu_gate *gate)
{
	lock_take(&gate->lock);
	gate->inside++;
	lock_drop(&gate->lock);
}

void vcpu_gate_leave(struct vcpu_gate *gate)
{
	bool emptied;

	lock_take(&gate->lock);
	emptied = !--gate->inside;
	lock_drop(&gate->lock);
	if (emptied)
		gate->emptied(gate->opaque);
}

static bool must_wait(const struct vcpu_gate *gate, const struct vcpu *vcpu) REQUIRES(&gate->lock)
{
	bool awaits = vcpu->awaits && atomic_load(vcpu->awaits);

	return (gate->closed || vcpu->held || awaits) && !atomic_load(&vcpu->stop);
}

/* Outside until the way is free. The lock is let go to tell of it. */
static void wait_outside(struct vcpu_gate *gate, struct vcpu *vcpu) REQUIRES(&gate->lock)
{
	if (!--gate->inside) {
		lock_drop(&gate->lock);
		gate->emptied(gate->opaque);
		lock_take(&gate->lock);
	}
	while (must_wait(gate, vcpu))
		lock_wait(&gate->lock, &gate->opened);
	gate->inside++;
}

void vcpu_gate_pass(struct vcpu *vcpu)
{
	struct vcpu_gate *gate = vcpu->env->gate;

	lock_take(&gate->lock);
	if (must_wait(gate, vcpu))
		wait_outside(gate, vcpu);
	vcpu->awaits = NULL;
	/* Under the lock, so that it does not undo what the next close or a stop asks for. */
	atomic_store(&vcpu->asked_out, false);
	if (!atomic_load(&vcpu->stop))
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELEASE);
	lock_drop(&gate->lock);
}
