/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtual CPU and its thread: runs the guest, decodes each exit in one table and hands accesses to
 * the bus. What only one architecture knows comes in through struct vcpu_env.
 */
#ifndef CPU_VCPU_H
#define CPU_VCPU_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu/gate.h"
#include "cpu/kvm.h"
#include "hw/bus.h"
#include "mm/memory.h"

/* Why a vCPU stopped running for good. */
enum vcpu_end {
	VCPU_END_CRASH,	   /* triple fault or the like: the guest's own doing */
	VCPU_END_POWEROFF, /* the kernel's firmware interface asked (PSCI, SBI) */
	VCPU_END_RESET,
	VCPU_END_HOST,	 /* KVM or the host could not go on; said in words already */
	VCPU_END_DEFECT, /* an exit that hvrun should have known; said already */
};

/* What an exit handler wants next. */
enum vcpu_next {
	VCPU_AGAIN,
	VCPU_STOP, /* the end was told by vcpu_tell_end */
};

struct vcpu;
struct arch;

/* The world of all vCPUs of a machine; set up before the first starts, constant then. */
struct vcpu_env {
	const struct kvm *kvm;
	const struct bus *bus;
	const struct guest_mem *mem;
	struct vcpu_gate *gate;

	/* The board, for the calls that follow; nothing below arch/ looks into it. */
	struct arch *arch;
	/* Exits that cpu/exits.c does not know: VCPU_AGAIN or VCPU_STOP, or -ENOSYS. */
	int (*arch_exit)(struct vcpu *vcpu);
	/* The words for errno @err of KVM_RUN if that is the guest's own doing, else NULL. */
	const char *(*arch_run_words)(int err);
	/* Registers and instruction bytes as lines on standard error. */
	void (*arch_dump)(struct vcpu *vcpu);
	/* Any vCPU thread: the machine is over. May be called by several. */
	void (*ended)(void *opaque, struct vcpu *vcpu, enum vcpu_end why);
	/*
	 * The thread of @vcpu is about to enter the guest for the first time. 0, or -errno, said: then it
	 * does not, and @ended has been told.
	 */
	int (*entering)(void *opaque, struct vcpu *vcpu);
	/*
	 * A vCPU's thread, with a debug exit or an internal error: true if it was a debugger's, and
	 * all is done but to go on. NULL: there is no debugger.
	 */
	bool (*debug_exit)(void *opaque, struct vcpu *vcpu);
	void *opaque;
};

enum { VCPU_EXIT_KINDS = 64 };

struct vcpu {
	const struct vcpu_env *env;
	unsigned index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	atomic_bool stop;
	atomic_bool asked_out; /* pass the gate before the guest is entered again */
	bool held;	       /* under the gate's lock: waits there even when it is open */
	/* The same: so it does as long as this is true; NULL: nothing to wait for. */
	const atomic_bool *awaits;

	/* Exits to user space by KVM_EXIT_ number; of the thread, read after vcpu_join. */
	uint64_t exits[VCPU_EXIT_KINDS];
};

/* Creates vCPU @index of the VM in @vcpu. 0 or -errno, said. vcpu_destroy also after a failure. */
int vcpu_create(struct vcpu *vcpu, const struct vcpu_env *env, unsigned index);

/* Starts the thread. 0 or -errno, said. */
int vcpu_start(struct vcpu *vcpu);

/* Makes the thread leave the guest and end, soon. Any thread; more than once is fine. */
void vcpu_stop(struct vcpu *vcpu);

/*
 * Makes the thread leave the guest, complete what the guest had begun, and come to the gate. With the
 * gate's lock held (cpu/gate.c), on the thread that calls vcpu_start.
 */
void vcpu_ask_out(struct vcpu *vcpu);

/* Waits for the thread, if it was started. */
void vcpu_join(struct vcpu *vcpu);

/*
 * The guest never started @vcpu, whose instruction pointer is @pc: it waits as it was made. False also if KVM
 * does not tell. The thread has been joined.
 */
bool vcpu_never_started(const struct vcpu *vcpu, uint64_t pc);

/* Closes what is open; the thread has been joined. */
void vcpu_destroy(struct vcpu *vcpu);

/*
 * Prepares the process for vcpu_stop: the signal that interrupts KVM_RUN gets a handler that does
 * nothing. Once, on the main thread, before the first vcpu_start. 0 or -errno.
 */
int vcpu_prepare_process(void);

/* Handles the exit in @vcpu->run (cpu/exits.c). The vCPU's thread. */
enum vcpu_next vcpu_handle_exit(struct vcpu *vcpu);

/* Tells the machine that it is over. The vCPU's thread. */
enum vcpu_next vcpu_tell_end(struct vcpu *vcpu, enum vcpu_end why);

/* The name of exit @reason without KVM_EXIT_, or "unknown". */
const char *vcpu_exit_name(uint32_t reason);

#endif
