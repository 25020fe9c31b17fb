/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoints, watchpoints and single steps by KVM's guest debugging, on arm64. */
#include "arch/debug.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arm64/machine.h"
#include "arch/arm64/regs.h"
#include "base/checked.h"
#include "base/le.h"

enum {
	EC_SHIFT = 26,
	EC_BREAKPOINT = 0x30,
	EC_STEP = 0x32,
	EC_WATCHPOINT = 0x34,
	EC_BRK = 0x3c,

	CONTROL_ENABLE = 1 << 0,
	CONTROL_EL01 = 3 << 1, /* EL1 and EL0 */
	CONTROL_BYTES = 5,     /* where the byte mask begins */
	BREAK_ALL_BYTES = 0xf,
	WATCH_LOAD = 1 << 3,
	WATCH_STORE = 1 << 4,
	WATCH_MASK = 24, /* where the number of address bits to ignore begins */

	PSTATE_IRQ_FIQ = 3 << 6,
	PSTATE_EL1H = 5,
	PSTATE_DAIF = 0xf << 6,
	PSTATE_EL = 3 << 2,
	PSTATE_SPSEL = 1 << 0,
	PSTATE_PAN = 1 << 22,
	SCTLR_SPAN = 1 << 23,
	VECTOR_SIZE = 0x80,
	VECTORS = 0x800, /* bytes of the table */
	VECTOR_SPX = 0x200,
	VECTOR_EL0 = 0x400,

};

#define PSTATE_KEPT UINT64_C(0xf1400000) /* NZCV, DIT, PAN */
#define BRK_0	    UINT32_C(0xd4200000)

void arch_debug_can(const struct kvm *kvm, struct arch_debug_can *can)
{
	int breaks = kvm_has(kvm, KVM_CAP_GUEST_DEBUG_HW_BPS);
	int watches = kvm_has(kvm, KVM_CAP_GUEST_DEBUG_HW_WPS);
	bool debug = kvm_has(kvm, KVM_CAP_SET_GUEST_DEBUG) > 0;

	*can = (struct arch_debug_can){
		.debug = debug,
		.step = debug,
		.breaks = debug && breaks > 0 ? (unsigned)breaks : 0,
		.watches = debug && watches > 0 ? (unsigned)watches : 0,
	};
}

/* Up to 8 bytes in an aligned doubleword, by a mask of bytes; or an aligned power of two. */
int arch_point_check(const struct arch_point *point)
{
	if (point->kind == ARCH_POINT_EXEC)
		return point->address % 4 ? -EINVAL : 0;
	if (point->len && point->address % 8 + point->len <= 8 && point->len <= 8)
		return 0;
	if (!u64_is_pow2(point->len) || point->len > UINT64_C(1) << 31 ||
	    point->address % point->len)
		return -EINVAL;
	return 0;
}

static void set_watch(struct kvm_guest_debug_arch *arch, unsigned n, const struct arch_point *point)
{
	uint64_t control = CONTROL_ENABLE | CONTROL_EL01;

	if (point->kind != ARCH_POINT_WRITE)
		control |= WATCH_LOAD;
	if (point->kind != ARCH_POINT_READ)
		control |= WATCH_STORE;
	if (point->len <= 8)
		control |= ((UINT64_C(1) << point->len) - 1) << point->address % 8 << CONTROL_BYTES;
	else
		control |= UINT64_C(0xff) << CONTROL_BYTES | (uint64_t)__builtin_ctzll(point->len)
								     << WATCH_MASK;
	arch->dbg_wcr[n] = control;
	arch->dbg_wvr[n] = point->address & ~UINT64_C(7);
}

static void set_points(struct kvm_guest_debug_arch *arch, const struct arch_debug *debug)
{
	unsigned breaks = 0;
	unsigned watches = 0;

	for (unsigned i = 0; i < debug->count; i++) {
		const struct arch_point *point = &debug->points[i];

		if (point->kind != ARCH_POINT_EXEC && watches < KVM_ARM_MAX_DBG_REGS)
			set_watch(arch, watches++, point);
		if (point->kind != ARCH_POINT_EXEC || breaks >= KVM_ARM_MAX_DBG_REGS)
			continue;
		arch->dbg_bcr[breaks] = CONTROL_ENABLE | CONTROL_EL01 |
					BREAK_ALL_BYTES << CONTROL_BYTES;
		/* The register holds 53 bits and the processor repeats the highest. */
		arch->dbg_bvr[breaks++] = (uint64_t)((int64_t)(point->address << 11) >> 11);
	}
}

/* Instructions for which interrupts must stay as they are, since they look at them or change them. */
static bool touches_masks(const struct vcpu *vcpu, uint64_t pc)
{
	struct arch_place place;
	uint8_t bytes[4];
	uint32_t insn;

	if (arch_translate(vcpu, pc, &place) < 0 ||
	    mem_read(vcpu->env->mem, place.at, bytes, sizeof(bytes)) < 0)
		return true;
	insn = le32_load(bytes);
	return (insn & 0xfffff0df) == 0xd50340df || /* MSR DAIFSet, DAIFClr */
	       (insn & 0xffdfffe0) == 0xd51b4220 || /* MSR, MRS DAIF */
	       (insn & 0xfffff3ff) == 0xd69f03e0 || /* ERET */
	       (insn & 0xfffff3ff) == 0xd69f03ff;   /* ERETAA, ERETAB */
}

/*
 * A step with an interrupt pending would go into the interrupt's handler, and after a pause one
 * always is: they are masked for the step's length.
 */
static void mask_for_step(struct vcpu *vcpu, struct arch_debug *debug)
{
	uint64_t pstate;
	uint64_t pc;

	if (arm64_get_reg(vcpu, ARM64_REG_PSTATE, &pstate) < 0 ||
	    arm64_get_reg(vcpu, ARM64_REG_PC, &pc) < 0 || touches_masks(vcpu, pc))
		return;
	debug->saved = pstate & PSTATE_IRQ_FIQ;
	debug->masked = !arm64_set_reg(vcpu, ARM64_REG_PSTATE, pstate | PSTATE_IRQ_FIQ);
}

void arch_debug_settle(struct vcpu *vcpu, struct arch_debug *debug)
{
	uint64_t id = ARM64_REG_PSTATE;
	uint64_t pc = 0;
	uint64_t vbar = 0;
	uint64_t state;

	if (!debug->masked)
		return;
	debug->masked = false;
	(void)arm64_get_reg(vcpu, ARM64_REG_PC, &pc);
	(void)arm64_get_reg(vcpu, ARM64_REG_VBAR_EL1, &vbar);
	/* The step ended in an exception: the state to put right has been saved already. */
	if (pc - vbar < VECTORS && pc % VECTOR_SIZE == 0)
		id = ARM64_REG_SPSR;
	if (arm64_get_reg(vcpu, id, &state) < 0)
		return;
	(void)arm64_set_reg(vcpu, id, (state & ~(uint64_t)PSTATE_IRQ_FIQ) | debug->saved);
}

int arch_debug_set(struct vcpu *vcpu, struct arch_debug *debug)
{
	struct kvm_guest_debug set = { 0 };

	if (debug->on)
		set.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	if (debug->on && debug->step) {
		set.control |= KVM_GUESTDBG_SINGLESTEP;
		mask_for_step(vcpu, debug);
	}
	if (debug->on && debug->count) {
		set.control |= KVM_GUESTDBG_USE_HW;
		set_points(&set.arch, debug);
	}
	return ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &set) < 0 ? -errno : 0;
}

/* The point that gdb knows: FAR may lie beside it within what one access touched. */
static uint64_t watched_address(const struct arch_debug *debug, uint64_t far)
{
	for (unsigned i = 0; i < debug->count; i++) {
		const struct arch_point *point = &debug->points[i];

		if (point->kind != ARCH_POINT_EXEC && far - point->address < point->len)
			return far;
	}
	for (unsigned i = 0; i < debug->count; i++) {
		const struct arch_point *point = &debug->points[i];

		/* An access of up to 64 bytes that began below. */
		if (point->kind != ARCH_POINT_EXEC && point->address - far < 64)
			return point->address;
	}
	return far;
}

bool arch_debug_exit(struct vcpu *vcpu, const struct arch_debug *debug, struct arch_stop *stop)
{
	const struct kvm_run *run = vcpu->run;

	if (run->exit_reason != KVM_EXIT_DEBUG)
		return false;
	*stop = (struct arch_stop){ ARCH_STOP_NONE, 0, 0 };
	(void)arm64_get_reg(vcpu, ARM64_REG_PC, &stop->pc);
	switch (run->debug.arch.hsr >> EC_SHIFT) {
	case EC_BRK:
		stop->kind = ARCH_STOP_TRAP;
		break;
	case EC_BREAKPOINT:
		stop->kind = ARCH_STOP_EXEC;
		stop->address = stop->pc;
		break;
	case EC_WATCHPOINT:
		stop->kind = ARCH_STOP_WATCH;
		stop->address = watched_address(debug, run->debug.arch.far);
		break;
	case EC_STEP:
		stop->kind = ARCH_STOP_STEP;
		break;
	default:
		break;
	}
	return true;
}

int arch_trap(unsigned kind, uint8_t trap[ARCH_TRAP_BYTES])
{
	le32_store(trap, BRK_0);
	return kind == 4 ? 0 : -EINVAL;
}

/* An exception to EL1 as the processor takes it (Arm ARM, D1.3 "Exceptions"). */
static int take_exception(const struct vcpu *vcpu, uint64_t esr)
{
	uint64_t pstate;
	uint64_t pc;
	uint64_t vbar;
	uint64_t sctlr;
	uint64_t vector = VECTOR_EL0;

	if (arm64_get_reg(vcpu, ARM64_REG_PSTATE, &pstate) < 0 ||
	    arm64_get_reg(vcpu, ARM64_REG_PC, &pc) < 0 ||
	    arm64_get_reg(vcpu, ARM64_REG_VBAR_EL1, &vbar) < 0 ||
	    arm64_get_reg(vcpu, ARM64_REG_SCTLR_EL1, &sctlr) < 0)
		return -EIO;
	if (pstate & PSTATE_EL)
		vector = pstate & PSTATE_SPSEL ? VECTOR_SPX : 0;
	if (arm64_set_reg(vcpu, ARM64_REG_ELR, pc) < 0 ||
	    arm64_set_reg(vcpu, ARM64_REG_SPSR, pstate) < 0 ||
	    arm64_set_reg(vcpu, ARM64_REG_ESR_EL1, esr) < 0)
		return -EIO;
	pstate = (pstate & PSTATE_KEPT) | PSTATE_DAIF | PSTATE_EL1H;
	if (!(sctlr & SCTLR_SPAN))
		pstate |= PSTATE_PAN;
	if (arm64_set_reg(vcpu, ARM64_REG_PSTATE, pstate) < 0)
		return -EIO;
	return arm64_set_reg(vcpu, ARM64_REG_PC, vbar + vector) < 0 ? -EIO : 0;
}

int arch_inject_trap(struct vcpu *vcpu, struct arch_debug *debug)
{
	(void)debug;
	return take_exception(vcpu, vcpu->run->debug.arch.hsr);
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
