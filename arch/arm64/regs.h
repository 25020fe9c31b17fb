/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbers of registers for KVM_GET_ONE_REG and KVM_SET_ONE_REG (Linux, api.rst 4.68, "arm64
 * registers"): core registers by their place in struct kvm_regs, system registers by their encoding.
 */
#ifndef ARCH_ARM64_REGS_H
#define ARCH_ARM64_REGS_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#define ARM64_REG_CORE(field)                                            \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | (uint64_t)KVM_REG_ARM_CORE | \
	 (uint64_t)(offsetof(struct kvm_regs, field) / sizeof(uint32_t)))

#define ARM64_REG_PC	 ARM64_REG_CORE(regs.pc)
#define ARM64_REG_PSTATE ARM64_REG_CORE(regs.pstate)
#define ARM64_REG_SP_EL0 ARM64_REG_CORE(regs.sp)
#define ARM64_REG_SP_EL1 ARM64_REG_CORE(sp_el1)
#define ARM64_REG_ELR	 ARM64_REG_CORE(elr_el1)
#define ARM64_REG_SPSR	 ARM64_REG_CORE(spsr[0])

/* x0 to x30. */
#define ARM64_REG_X(n) (ARM64_REG_CORE(regs.regs[0]) + 2 * (uint64_t)(n))

static inline uint64_t arm64_sys_reg(unsigned op0, unsigned op1, unsigned crn, unsigned crm,
				     unsigned op2)
{
	return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | (uint64_t)KVM_REG_ARM64_SYSREG |
	       (uint64_t)op0 << KVM_REG_ARM64_SYSREG_OP0_SHIFT |
	       (uint64_t)op1 << KVM_REG_ARM64_SYSREG_OP1_SHIFT |
	       (uint64_t)crn << KVM_REG_ARM64_SYSREG_CRN_SHIFT |
	       (uint64_t)crm << KVM_REG_ARM64_SYSREG_CRM_SHIFT |
	       (uint64_t)op2 << KVM_REG_ARM64_SYSREG_OP2_SHIFT;
}

#define ARM64_REG_MPIDR_EL1 arm64_sys_reg(3, 0, 0, 0, 5)
#define ARM64_REG_SCTLR_EL1 arm64_sys_reg(3, 0, 1, 0, 0)
#define ARM64_REG_TTBR0_EL1 arm64_sys_reg(3, 0, 2, 0, 0)
#define ARM64_REG_TTBR1_EL1 arm64_sys_reg(3, 0, 2, 0, 1)
#define ARM64_REG_TCR_EL1   arm64_sys_reg(3, 0, 2, 0, 2)
#define ARM64_REG_ESR_EL1   arm64_sys_reg(3, 0, 5, 2, 0)
#define ARM64_REG_FAR_EL1   arm64_sys_reg(3, 0, 6, 0, 0)
#define ARM64_REG_VBAR_EL1  arm64_sys_reg(3, 0, 12, 0, 0)

#endif
