/* SPDX-License-Identifier: BSD-2-Clause */
/* riscv64's registers in gdb's order, each by its number of KVM's. */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/debug.h"
#include "arch/riscv/machine.h"
#include "arch/riscv/regs.h"
#include "arch/riscv/walk.h"
#include "base/checked.h"
#include "base/le.h"

enum {
	FROM_CORE, /* `at`: KVM's number; 0 is pc */
	FROM_ZERO,
	FROM_FP,
	FROM_FCSR, /* `at`: the shift of the field in fcsr */
	FROM_CSR,
};

enum {
	KIND_FP_D = 6, /* KVM_REG_RISCV_FP_D; fcsr is 32 bits, after f0 to f31 */
	FCSR = 32,
	FFLAGS_BITS = 5,
	FRM_BITS = 3,
};

#define X(name, n)                            \
	{                                     \
		name, "int", 64, FROM_CORE, n \
	}
#define F(name, n)                                   \
	{                                            \
		name, "riscv_double", 64, FROM_FP, n \
	}
#define CSR(name, n)                            \
	{                                       \
		name, "uint64", 64, FROM_CSR, n \
	}

static const struct arch_reg cpu[] = {
	{ "zero", "int", 64, FROM_ZERO, 0 },
	{ "ra", "code_ptr", 64, FROM_CORE, 1 },
	{ "sp", "data_ptr", 64, FROM_CORE, 2 },
	{ "gp", "data_ptr", 64, FROM_CORE, 3 },
	{ "tp", "data_ptr", 64, FROM_CORE, 4 },
	X("t0", 5),
	X("t1", 6),
	X("t2", 7),
	{ "fp", "data_ptr", 64, FROM_CORE, 8 },
	X("s1", 9),
	X("a0", 10),
	X("a1", 11),
	X("a2", 12),
	X("a3", 13),
	X("a4", 14),
	X("a5", 15),
	X("a6", 16),
	X("a7", 17),
	X("s2", 18),
	X("s3", 19),
	X("s4", 20),
	X("s5", 21),
	X("s6", 22),
	X("s7", 23),
	X("s8", 24),
	X("s9", 25),
	X("s10", 26),
	X("s11", 27),
	X("t3", 28),
	X("t4", 29),
	X("t5", 30),
	X("t6", 31),
	{ "pc", "code_ptr", 64, FROM_CORE, RISCV_CORE_PC },
};

static const struct arch_reg fpu[] = {
	F("ft0", 0),
	F("ft1", 1),
	F("ft2", 2),
	F("ft3", 3),
	F("ft4", 4),
	F("ft5", 5),
	F("ft6", 6),
	F("ft7", 7),
	F("fs0", 8),
	F("fs1", 9),
	F("fa0", 10),
	F("fa1", 11),
	F("fa2", 12),
	F("fa3", 13),
	F("fa4", 14),
	F("fa5", 15),
	F("fa6", 16),
	F("fa7", 17),
	F("fs2", 18),
	F("fs3", 19),
	F("fs4", 20),
	F("fs5", 21),
	F("fs6", 22),
	F("fs7", 23),
	F("fs8", 24),
	F("fs9", 25),
	F("fs10", 26),
	F("fs11", 27),
	F("ft8", 28),
	F("ft9", 29),
	F("ft10", 30),
	F("ft11", 31),
	{ "fflags", "int", 32, FROM_FCSR, 0 },
	{ "frm", "int", 32, FROM_FCSR, FFLAGS_BITS },
	{ "fcsr", "int", 32, FROM_FCSR, 0 },
};

static const struct arch_reg csrs[] = {
	CSR("sstatus", RISCV_CSR_SSTATUS), CSR("sie", RISCV_CSR_SIE),
	CSR("stvec", RISCV_CSR_STVEC),	   CSR("sscratch", RISCV_CSR_SSCRATCH),
	CSR("sepc", RISCV_CSR_SEPC),	   CSR("scause", RISCV_CSR_SCAUSE),
	CSR("stval", RISCV_CSR_STVAL),	   CSR("sip", RISCV_CSR_SIP),
	CSR("satp", RISCV_CSR_SATP),
};

static const struct arch_reg virtual_regs[] = {
	{ "priv", "int", 64, FROM_CORE, RISCV_CORE_MODE },
};

const char arch_gdb_name[] = "riscv:rv64";

const struct arch_feature arch_features[] = {
	{ "org.gnu.gdb.riscv.cpu", NULL, cpu, ARRAY_SIZE(cpu) },
	{ "org.gnu.gdb.riscv.fpu",
	  "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>"
	  "<field name=\"double\" type=\"ieee_double\"/></union>",
	  fpu, ARRAY_SIZE(fpu) },
	{ "org.gnu.gdb.riscv.csr", NULL, csrs, ARRAY_SIZE(csrs) },
	{ "org.gnu.gdb.riscv.virtual", NULL, virtual_regs, ARRAY_SIZE(virtual_regs) },
	{ 0 },
};

const unsigned arch_reg_pc = 32;
const unsigned arch_reg_sp = 2;
const unsigned arch_reg_fp = 8;

static int access_fcsr(const struct vcpu *vcpu, unsigned long request, uint32_t *fcsr)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_RISCV | KVM_REG_SIZE_U32 | (uint64_t)KIND_FP_D << 24 | FCSR,
		.addr = (uintptr_t)fcsr,
	};

	return ioctl(vcpu->fd, request, &reg) < 0 ? -EIO : 0;
}

/* The bits of fcsr that the register shows. */
static uint32_t fcsr_mask(const struct arch_reg *reg)
{
	if (reg->at)
		return ((1U << FRM_BITS) - 1) << reg->at;
	return reg->name[1] == 'f' ? (1U << FFLAGS_BITS) - 1 : (1U << (FFLAGS_BITS + FRM_BITS)) - 1;
}

static uint64_t one_reg(const struct arch_reg *reg)
{
	if (reg->from == FROM_FP)
		return riscv_reg(KIND_FP_D, reg->at);
	return riscv_reg(reg->from == FROM_CSR ? RISCV_KIND_CSR : RISCV_KIND_CORE, reg->at);
}

int arch_reg_get(const struct vcpu *vcpu, unsigned number, uint8_t value[ARCH_REG_BYTES])
{
	const struct arch_reg *reg = arch_reg(number);
	uint64_t word = 0;
	uint32_t fcsr = 0;
	int r = 0;

	if (reg && reg->from == FROM_FCSR) {
		r = access_fcsr(vcpu, KVM_GET_ONE_REG, &fcsr);
		word = (fcsr & fcsr_mask(reg)) >> reg->at;
	} else if (reg && reg->from != FROM_ZERO) {
		r = riscv_get_reg(vcpu, one_reg(reg), &word);
	}
	memset(value, 0, ARCH_REG_BYTES);
	le64_store(value, word);
	return !reg || r < 0 ? -EIO : 0;
}

int arch_reg_set(const struct vcpu *vcpu, unsigned number, const uint8_t value[ARCH_REG_BYTES])
{
	const struct arch_reg *reg = arch_reg(number);
	uint32_t fcsr = 0;

	if (!reg)
		return -EIO;
	if (reg->from == FROM_ZERO)
		return 0;
	if (reg->from != FROM_FCSR)
		return riscv_set_reg(vcpu, one_reg(reg), le64_load(value)) < 0 ? -EIO : 0;
	if (access_fcsr(vcpu, KVM_GET_ONE_REG, &fcsr) < 0)
		return -EIO;
	fcsr = (fcsr & ~fcsr_mask(reg)) | (le32_load(value) << reg->at & fcsr_mask(reg));
	return access_fcsr(vcpu, KVM_SET_ONE_REG, &fcsr);
}

const uint16_t arch_elf_machine = EM_RISCV;

/* struct user_regs_struct of Linux: pc, then x1 to x31. */
const size_t arch_core_sp = 2 * sizeof(uint64_t);

int arch_core_regs(const struct vcpu *vcpu, uint8_t *regs)
{
	for (unsigned i = 0; i < 32; i++) {
		uint64_t word;

		if (riscv_get_reg(vcpu, riscv_reg(RISCV_KIND_CORE, i), &word) < 0)
			return -EIO;
		le64_store(regs + 8 * (size_t)i, word);
	}
	return 32 * 8;
}

int arch_translate(const struct vcpu *vcpu, uint64_t address, struct arch_place *place)
{
	uint64_t satp;

	if (riscv_get_reg(vcpu, riscv_reg(RISCV_KIND_CSR, RISCV_CSR_SATP), &satp) < 0)
		return -EFAULT;
	return riscv_walk(vcpu->env->mem, satp, address, place);
}

/*
 * The trap vector is text; the current task, in the map of all memory, is tp in the kernel, and in
 * sscratch while a program runs.
 */
unsigned arch_kernel_hints(const struct vcpu *vcpu, uint64_t hints[ARCH_HINTS_MAX])
{
	if (riscv_get_reg(vcpu, riscv_reg(RISCV_KIND_CSR, RISCV_CSR_STVEC), &hints[0]) < 0 ||
	    riscv_get_reg(vcpu, riscv_reg(RISCV_KIND_CORE, 4), &hints[1]) < 0 ||
	    riscv_get_reg(vcpu, riscv_reg(RISCV_KIND_CSR, RISCV_CSR_SSCRATCH), &hints[2]) < 0)
		return 0;
	return 3;
}
