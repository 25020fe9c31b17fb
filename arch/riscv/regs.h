/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbers of registers for KVM_GET_ONE_REG and KVM_SET_ONE_REG (Linux, api.rst 4.68, "riscv
 * registers"), and other numbers of KVM's interface on riscv that headers of 2022 lack.
 */
#ifndef ARCH_RISCV_REGS_H
#define ARCH_RISCV_REGS_H

#include <linux/kvm.h>
#include <stdint.h>

/* KVM_REG_RISCV_...: the kind of a register, and what it counts. All have 64 bits. */
enum {
	RISCV_KIND_CONFIG = 1,	/* RISCV_CONFIG_... */
	RISCV_KIND_CORE = 2,	/* 0: pc, 1 to 31: x1 to x31, 32: mode */
	RISCV_KIND_CSR = 3,	/* RISCV_CSR_... */
	RISCV_KIND_TIMER = 4,	/* 0: frequency */
	RISCV_KIND_ISA_EXT = 7, /* RISCV_ISA_... of isa.h: 1 is on */
	RISCV_KIND_SBI_EXT = 8, /* RISCV_SBI_EXT_... */
};

/* struct kvm_riscv_config */
enum {
	RISCV_CONFIG_ISA = 0, /* bit 0: extension A, ... as in misa */
	RISCV_CONFIG_CBOM_SIZE = 1,
	RISCV_CONFIG_CBOZ_SIZE = 5,
	RISCV_CONFIG_SATP_MODE = 6, /* as satp's field: 8 is Sv39 */
};

enum {
	RISCV_CORE_PC = 0,
	RISCV_CORE_A0 = 10,
	RISCV_CORE_A1 = 11,
	RISCV_CORE_MODE = 32, /* 1: supervisor, 0: user */
};

/* struct kvm_riscv_csr */
enum {
	RISCV_CSR_SSTATUS,
	RISCV_CSR_SIE,
	RISCV_CSR_STVEC,
	RISCV_CSR_SSCRATCH,
	RISCV_CSR_SEPC,
	RISCV_CSR_SCAUSE,
	RISCV_CSR_STVAL,
	RISCV_CSR_SIP,
	RISCV_CSR_SATP,
};

enum {
	RISCV_SBI_EXT_DBCN = 9, /* KVM_RISCV_SBI_EXT_DBCN */
};

/* Device control of the AIA (Linux, devices/... and uapi/asm/kvm.h). */
enum {
	RISCV_DEV_AIA = 11, /* KVM_DEV_TYPE_RISCV_AIA */
	RISCV_AIA_CONFIG = 0,
	RISCV_AIA_CONFIG_MODE = 0,
	RISCV_AIA_CONFIG_IDS = 1,
	RISCV_AIA_CONFIG_SRCS = 2,
	RISCV_AIA_CONFIG_HART_BITS = 5,
	RISCV_AIA_ADDR = 1,
	RISCV_AIA_ADDR_APLIC = 0,
	RISCV_AIA_ADDR_IMSIC = 1, /* of hart 0; the others follow */
	RISCV_AIA_CTRL = 2,
	RISCV_AIA_CTRL_INIT = 0,
};

/* linux/kvm.h hides it where the architecture had none in its day. */
enum { RISCV_CAP_SET_GUEST_DEBUG = 23 };

static inline uint64_t riscv_reg(unsigned kind, unsigned index)
{
	return KVM_REG_RISCV | KVM_REG_SIZE_U64 | (uint64_t)kind << 24 | index;
}

#endif
