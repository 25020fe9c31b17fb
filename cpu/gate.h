/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gate that vCPU threads pass before they enter the guest: closed, it makes all of them wait
 * outside, where their registers may be read and written.
 */
#ifndef CPU_GATE_H
#define CPU_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/lock.h"

struct vcpu;

/*
 * One for all vCPUs of a machine. A thread is inside from vcpu_start to its end but while it waits
 * in the gate.
 */
struct vcpu_gate {
	struct lock lock RANKED(vcpu);
	struct cond opened;		   /* or a vCPU was released or stopped */
	unsigned closed GUARDED_BY(&lock); /* closes that were not undone */
	unsigned inside GUARDED_BY(&lock); /* threads that may be in the guest */

	/* Told, without a lock held, that a vCPU at the gate or at its end was the last inside. */
	void (*emptied)(void *opaque);
	void *opaque;
};

/* An open gate. Before the first vcpu_start. */
void vcpu_gate_init(struct vcpu_gate *gate, void (*emptied)(void *opaque), void *opaque);

/* All vCPUs were joined. */
void vcpu_gate_destroy(struct vcpu_gate *gate);

/*
 * Closes the gate once more (closes are counted) and makes @vcpus[0] to [@count - 1] leave the guest,
 * also one that runs with interrupts off. Does not wait: vcpu_gate_empty tells when they are out. On
 * the thread that starts the vCPUs.
 */
void vcpu_gate_close(struct vcpu_gate *gate, struct vcpu *vcpus, unsigned count);

/* Undoes one vcpu_gate_close; the last one lets the vCPUs go that are not held. Any thread. */
void vcpu_gate_open(struct vcpu_gate *gate);

/*
 * No thread is in the guest, nor comes there before the gate opens: each waits, or has ended, or was
 * not started. Accesses to devices that the guest had begun are complete, so registers are whole.
 */
bool vcpu_gate_empty(struct vcpu_gate *gate);

/*
 * @vcpu waits in the gate even when it is open, until it is released. While the gate is closed and
 * empty.
 */
void vcpu_gate_hold(struct vcpu_gate *gate, struct vcpu *vcpu, bool hold);

/* The vCPU's own thread. Counts it as inside, and as gone. */
void vcpu_gate_enter(struct vcpu_gate *gate);
void vcpu_gate_leave(struct vcpu_gate *gate);

/* The vCPU's own thread: holds itself, as vcpu_gate_hold, before the next vcpu_gate_pass. */
void vcpu_gate_hold_self(struct vcpu *vcpu);

/*
 * While the vCPU's thread waits for the caller: @vcpu goes to the gate before it runs on in the guest, and waits there
 * as long as *@busy is true, whatever else lets it go. Whoever makes it false says vcpu_gate_look afterwards.
 */
void vcpu_gate_await(struct vcpu *vcpu, const atomic_bool *busy);
void vcpu_gate_look(struct vcpu_gate *gate);

/*
 * The vCPU's own thread, with nothing left to complete by KVM_RUN: waits while the gate is closed or
 * the vCPU held, and not told to stop.
 */
void vcpu_gate_pass(struct vcpu *vcpu);

#endif
