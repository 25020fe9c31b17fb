/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoints, watchpoints and single steps by KVM's guest debugging, on x86. */
#include "arch/debug.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/debug.h"
#include "base/le.h"

enum {
	POINTS = 4, /* DR0 to DR3 */
	EXCEPTION_DB = 1,
	EXCEPTION_BP = 3,
	DR6_STEP = 1 << 14,
	DR7_FIXED = 0x400, /* always one */
	DR7_GLOBAL_EXACT = 0x200,
	TRAP = 0xcc, /* int3 */
	EFER_LMA = 1 << 10,
};

void arch_debug_can(const struct kvm *kvm, struct arch_debug_can *can)
{
	bool debug = kvm_has(kvm, KVM_CAP_SET_GUEST_DEBUG) > 0;

	*can = (struct arch_debug_can){
		.debug = debug,
		.step = debug,
		.breaks = debug ? POINTS : 0,
		.watches = debug ? POINTS : 0,
		.shared = true,
		.block_irqs = kvm_has(kvm, KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ,
	};
}

/* Intel SDM, volume 3, 18.2.4: lengths 1, 2, 4 and 8, each aligned. */
int arch_point_check(const struct arch_point *point)
{
	if (point->kind == ARCH_POINT_EXEC)
		return 0;
	if (point->kind == ARCH_POINT_READ)
		return -ENOTSUP; /* reads alone cannot be watched, only accesses */
	if (point->len != 1 && point->len != 2 && point->len != 4 && point->len != 8)
		return -EINVAL;
	return point->address % point->len ? -EINVAL : 0;
}

/* The four bits of DR7 for a point: what is watched, and LEN's code. */
static uint64_t control_bits(const struct arch_point *point)
{
	static const uint8_t lengths[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };

	switch (point->kind) {
	case ARCH_POINT_WRITE:
		return 1 | (uint64_t)lengths[point->len] << 2;
	case ARCH_POINT_READ:
	case ARCH_POINT_ACCESS:
		return 3 | (uint64_t)lengths[point->len] << 2;
	case ARCH_POINT_EXEC:
		break;
	}
	return 0;
}

void x86_debug_registers(const struct arch_debug *debug, uint64_t dr[8])
{
	memset(dr, 0, 8 * sizeof(*dr));
	if (!debug->count)
		return;
	dr[7] = DR7_FIXED | DR7_GLOBAL_EXACT;
	for (unsigned i = 0; i < debug->count && i < POINTS; i++) {
		dr[i] = debug->points[i].address;
		dr[7] |= UINT64_C(2) << 2 * i;
		dr[7] |= control_bits(&debug->points[i]) << (16 + 4 * i);
	}
}

int arch_debug_set(struct vcpu *vcpu, struct arch_debug *debug)
{
	struct kvm_guest_debug set = { 0 };
	uint64_t dr[8];

	if (debug->on)
		set.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	if (debug->on && debug->step)
		set.control |= KVM_GUESTDBG_SINGLESTEP;
	if (debug->on && debug->step && debug->block_irqs)
		set.control |=
			KVM_GUESTDBG_BLOCKIRQ; /* a step is not into an interrupt's handler */
	if (debug->inject)
		set.control |= KVM_GUESTDBG_INJECT_BP;
	if (debug->on && debug->count) {
		set.control |= KVM_GUESTDBG_USE_HW_BP;
		x86_debug_registers(debug, dr);
		for (unsigned i = 0; i < 8; i++)
			set.arch.debugreg[i] = dr[i];
	}
	return ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &set) < 0 ? -errno : 0;
}

static void judge_db(const struct kvm_debug_exit_arch *exit, const struct arch_debug *debug,
		     struct arch_stop *stop)
{
	for (unsigned i = 0; i < debug->count && i < POINTS; i++) {
		if (!(exit->dr6 >> i & 1))
			continue;
		stop->address = debug->points[i].address;
		stop->kind = debug->points[i].kind == ARCH_POINT_EXEC ? ARCH_STOP_EXEC
								      : ARCH_STOP_WATCH;
		return;
	}
	if (debug->step || exit->dr6 & DR6_STEP)
		stop->kind = ARCH_STOP_STEP;
}

/*
 * Where KVM emulates what the guest's kernel does (a host without hardware virtualisation) it may not
 * know int3, and then says that it could not emulate it. The invalid opcode that it means to give
 * the guest for that is taken back.
 */
static bool emulated_trap(struct vcpu *vcpu, struct arch_stop *stop)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs;
	struct arch_place place;
	uint8_t byte;

	if (vcpu->run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION ||
	    ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ||
	    arch_translate(vcpu, regs.rip, &place) < 0 ||
	    mem_read(vcpu->env->mem, place.at, &byte, 1) < 0 || byte != TRAP ||
	    ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
		return false;
	memset(&events.exception, 0, sizeof(events.exception));
	events.flags = 0;
	if (ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) < 0)
		return false;
	*stop = (struct arch_stop){ ARCH_STOP_TRAP, regs.rip, 0 };
	return true;
}

bool arch_debug_exit(struct vcpu *vcpu, const struct arch_debug *debug, struct arch_stop *stop)
{
	const struct kvm_run *run = vcpu->run;
	const struct kvm_debug_exit_arch *exit = &run->debug.arch;

	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		return emulated_trap(vcpu, stop);
	if (run->exit_reason != KVM_EXIT_DEBUG)
		return false;
	*stop = (struct arch_stop){ ARCH_STOP_NONE, exit->pc, 0 };
	if (exit->exception == EXCEPTION_BP)
		stop->kind = ARCH_STOP_TRAP;
	else if (exit->exception == EXCEPTION_DB)
		judge_db(exit, debug, stop);
	return true;
}

int arch_trap(unsigned kind, uint8_t trap[ARCH_TRAP_BYTES])
{
	trap[0] = TRAP;
	return kind == 1 ? 0 : -EINVAL;
}

int arch_inject_trap(struct vcpu *vcpu, struct arch_debug *debug)
{
	(void)vcpu;
	debug->inject = true;
	return 0;
}

void arch_debug_settle(struct vcpu *vcpu, struct arch_debug *debug)
{
	(void)vcpu;
	(void)debug;
}

int arch_step_target(const struct vcpu *vcpu,
		     int (*read)(void *opaque, uint64_t address, void *to, size_t len),
		     void *opaque, uint64_t *target)
{
	(void)vcpu;
	(void)read;
	(void)opaque;
	(void)target;
	return -ENOSYS;
}
