/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoints by KVM's guest debugging, on riscv: by ebreak only, no steps and no watchpoints. */
#include "arch/debug.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/riscv/machine.h"
#include "arch/riscv/regs.h"
#include "arch/riscv/step.h"
#include "base/le.h"

enum {
	CAUSE_BREAKPOINT = 3,
	SSTATUS_SIE = 1 << 1,
	SSTATUS_SPIE = 1 << 5,
	SSTATUS_SPP = 1 << 8,
	MODE_SUPERVISOR = 1,
};

#define EBREAK	 UINT32_C(0x00100073)
#define C_EBREAK UINT16_C(0x9002)

void arch_debug_can(const struct kvm *kvm, struct arch_debug_can *can)
{
	*can = (struct arch_debug_can){ .debug = kvm_has(kvm, RISCV_CAP_SET_GUEST_DEBUG) > 0 };
}

int arch_point_check(const struct arch_point *point)
{
	(void)point;
	return -ENOTSUP;
}

int arch_debug_set(struct vcpu *vcpu, struct arch_debug *debug)
{
	struct kvm_guest_debug set = { .control = debug->on ? KVM_GUESTDBG_ENABLE : 0 };

	return ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &set) < 0 ? -errno : 0;
}

void arch_debug_settle(struct vcpu *vcpu, struct arch_debug *debug)
{
	(void)vcpu;
	(void)debug;
}

static uint64_t core(const struct vcpu *vcpu, unsigned index)
{
	uint64_t value = 0;

	(void)riscv_get_reg(vcpu, riscv_reg(RISCV_KIND_CORE, index), &value);
	return value;
}

static uint64_t csr(const struct vcpu *vcpu, unsigned index)
{
	uint64_t value = 0;

	(void)riscv_get_reg(vcpu, riscv_reg(RISCV_KIND_CSR, index), &value);
	return value;
}

bool arch_debug_exit(struct vcpu *vcpu, const struct arch_debug *debug, struct arch_stop *stop)
{
	(void)debug;
	if (vcpu->run->exit_reason != KVM_EXIT_DEBUG)
		return false;
	*stop = (struct arch_stop){ ARCH_STOP_TRAP, core(vcpu, RISCV_CORE_PC), 0 };
	return true;
}

int arch_trap(unsigned kind, uint8_t trap[ARCH_TRAP_BYTES])
{
	le32_store(trap, kind == 4 ? EBREAK : C_EBREAK);
	return kind == 4 || kind == 2 ? 0 : -EINVAL;
}

/* A trap into supervisor mode as the hart takes it (Privileged, "Supervisor Status Register"). */
int arch_inject_trap(struct vcpu *vcpu, struct arch_debug *debug)
{
	uint64_t pc = core(vcpu, RISCV_CORE_PC);
	uint64_t mode = core(vcpu, RISCV_CORE_MODE);
	uint64_t old = csr(vcpu, RISCV_CSR_SSTATUS);
	uint64_t status = old & ~(uint64_t)(SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP);
	int r = 0;

	if (old & SSTATUS_SIE)
		status |= SSTATUS_SPIE;
	if (mode == MODE_SUPERVISOR)
		status |= SSTATUS_SPP;

	const struct {
		unsigned kind;
		unsigned index;
		uint64_t value;
	} trap[] = {
		{ RISCV_KIND_CSR, RISCV_CSR_SSTATUS, status },
		{ RISCV_KIND_CSR, RISCV_CSR_SEPC, pc },
		{ RISCV_KIND_CSR, RISCV_CSR_SCAUSE, CAUSE_BREAKPOINT },
		{ RISCV_KIND_CSR, RISCV_CSR_STVAL, pc },
		{ RISCV_KIND_CORE, RISCV_CORE_MODE, MODE_SUPERVISOR },
		{ RISCV_KIND_CORE, RISCV_CORE_PC, csr(vcpu, RISCV_CSR_STVEC) & ~UINT64_C(3) },
	};

	(void)debug;
	for (size_t i = 0; !r && i < sizeof(trap) / sizeof(trap[0]); i++)
		r = riscv_set_reg(vcpu, riscv_reg(trap[i].kind, trap[i].index), trap[i].value);
	return r < 0 ? -EIO : 0;
}

int arch_step_target(const struct vcpu *vcpu,
		     int (*read)(void *opaque, uint64_t address, void *to, size_t len),
		     void *opaque, uint64_t *target)
{
	struct riscv_step step = {
		.pc = core(vcpu, RISCV_CORE_PC),
		.sepc = csr(vcpu, RISCV_CSR_SEPC),
		.stvec = csr(vcpu, RISCV_CSR_STVEC),
		.user = core(vcpu, RISCV_CORE_MODE) != MODE_SUPERVISOR,
	};
	uint8_t bytes[4] = { 0 };

	for (unsigned i = 1; i < 32; i++)
		step.x[i] = core(vcpu, i);
	if (read(opaque, step.pc, bytes, 2) < 0 ||
	    ((bytes[0] & 3) == 3 && read(opaque, step.pc + 2, bytes + 2, 2) < 0))
		return -EFAULT;
	*target = riscv_next_pc(&step, le32_load(bytes));
	return 0;
}
