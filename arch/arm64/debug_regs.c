/* SPDX-License-Identifier: BSD-2-Clause */
/* arm64's registers in gdb's order, each by its number of KVM's. */
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arm64/machine.h"
#include "arch/arm64/regs.h"
#include "arch/arm64/walk.h"
#include "arch/debug.h"
#include "base/checked.h"
#include "base/le.h"

enum {
	FROM_CORE,   /* `at`: the place in struct kvm_regs, in 32-bit words */
	FROM_CORE32, /* the same, 32 bits wide */
	FROM_SP,     /* SP_EL0 or SP_EL1, as PSTATE says */
	FROM_VECTOR, /* `at`: the number */
	FROM_SYSTEM, /* `at`: the encoding */
};

enum {
	PSTATE_SPSEL = 1 << 0,
	PSTATE_EL = 3 << 2,
	ZREG_BYTES = 256, /* what KVM reads of an SVE register at once */
};

#define PLACE(field) ((uint32_t)(offsetof(struct kvm_regs, field) / sizeof(uint32_t)))
#define ENCODING(op0, op1, crn, crm, op2) \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

#define X(n)                                                        \
	{                                                           \
		"x" #n, "int64", 64, FROM_CORE, PLACE(regs.regs[n]) \
	}
#define V(n)                                            \
	{                                               \
		"v" #n, "aarch64v", 128, FROM_VECTOR, n \
	}
#define SYSTEM(name, op0, op1, crn, crm, op2)                                      \
	{                                                                          \
		name, "uint64", 64, FROM_SYSTEM, ENCODING(op0, op1, crn, crm, op2) \
	}

static const struct arch_reg core[] = {
	X(0),
	X(1),
	X(2),
	X(3),
	X(4),
	X(5),
	X(6),
	X(7),
	X(8),
	X(9),
	X(10),
	X(11),
	X(12),
	X(13),
	X(14),
	X(15),
	X(16),
	X(17),
	X(18),
	X(19),
	X(20),
	X(21),
	X(22),
	X(23),
	X(24),
	X(25),
	X(26),
	X(27),
	X(28),
	X(29),
	X(30),
	{ "sp", "data_ptr", 64, FROM_SP, 0 },
	{ "pc", "code_ptr", 64, FROM_CORE, PLACE(regs.pc) },
	{ "cpsr", "cpsr_flags", 32, FROM_CORE, PLACE(regs.pstate) },
};

static const struct arch_reg fpu[] = {
	V(0),
	V(1),
	V(2),
	V(3),
	V(4),
	V(5),
	V(6),
	V(7),
	V(8),
	V(9),
	V(10),
	V(11),
	V(12),
	V(13),
	V(14),
	V(15),
	V(16),
	V(17),
	V(18),
	V(19),
	V(20),
	V(21),
	V(22),
	V(23),
	V(24),
	V(25),
	V(26),
	V(27),
	V(28),
	V(29),
	V(30),
	V(31),
	{ "fpsr", "int", 32, FROM_CORE32, PLACE(fp_regs.fpsr) },
	{ "fpcr", "int", 32, FROM_CORE32, PLACE(fp_regs.fpcr) },
};

static const struct arch_reg system_regs[] = {
	SYSTEM("SCTLR_EL1", 3, 0, 1, 0, 0),
	SYSTEM("CPACR_EL1", 3, 0, 1, 0, 2),
	SYSTEM("TTBR0_EL1", 3, 0, 2, 0, 0),
	SYSTEM("TTBR1_EL1", 3, 0, 2, 0, 1),
	SYSTEM("TCR_EL1", 3, 0, 2, 0, 2),
	SYSTEM("MAIR_EL1", 3, 0, 10, 2, 0),
	SYSTEM("ESR_EL1", 3, 0, 5, 2, 0),
	SYSTEM("FAR_EL1", 3, 0, 6, 0, 0),
	{ "ELR_EL1", "code_ptr", 64, FROM_CORE, PLACE(elr_el1) },
	{ "SPSR_EL1", "uint64", 64, FROM_CORE, PLACE(spsr[0]) },
	{ "SP_EL0", "data_ptr", 64, FROM_CORE, PLACE(regs.sp) },
	{ "SP_EL1", "data_ptr", 64, FROM_CORE, PLACE(sp_el1) },
	SYSTEM("VBAR_EL1", 3, 0, 12, 0, 0),
	SYSTEM("CONTEXTIDR_EL1", 3, 0, 13, 0, 1),
	SYSTEM("TPIDR_EL0", 3, 3, 13, 0, 2),
	SYSTEM("TPIDRRO_EL0", 3, 3, 13, 0, 3),
	SYSTEM("TPIDR_EL1", 3, 0, 13, 0, 4),
	SYSTEM("MPIDR_EL1", 3, 0, 0, 0, 5),
};

const char arch_gdb_name[] = "aarch64";

const struct arch_feature arch_features[] = {
	{ "org.gnu.gdb.aarch64.core",
	  "<flags id=\"cpsr_flags\" size=\"4\"><field name=\"SP\" start=\"0\" end=\"0\"/>"
	  "<field name=\"EL\" start=\"2\" end=\"3\"/><field name=\"nRW\" start=\"4\" end=\"4\"/>"
	  "<field name=\"F\" start=\"6\" end=\"6\"/><field name=\"I\" start=\"7\" end=\"7\"/>"
	  "<field name=\"A\" start=\"8\" end=\"8\"/><field name=\"D\" start=\"9\" end=\"9\"/>"
	  "<field name=\"IL\" start=\"20\" end=\"20\"/><field name=\"SS\" start=\"21\" end=\"21\"/>"
	  "<field name=\"PAN\" start=\"22\" end=\"22\"/><field name=\"V\" start=\"28\" end=\"28\"/>"
	  "<field name=\"C\" start=\"29\" end=\"29\"/><field name=\"Z\" start=\"30\" end=\"30\"/>"
	  "<field name=\"N\" start=\"31\" end=\"31\"/></flags>",
	  core, ARRAY_SIZE(core) },
	{ "org.gnu.gdb.aarch64.fpu",
	  "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	  "<vector id=\"v2u\" type=\"uint64\" count=\"2\"/>"
	  "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	  "<vector id=\"v4u\" type=\"uint32\" count=\"4\"/>"
	  "<vector id=\"v8u\" type=\"uint16\" count=\"8\"/>"
	  "<vector id=\"v16u\" type=\"uint8\" count=\"16\"/>"
	  "<vector id=\"v1q\" type=\"uint128\" count=\"1\"/>"
	  "<union id=\"vnd\"><field name=\"f\" type=\"v2d\"/><field name=\"u\" type=\"v2u\"/></union>"
	  "<union id=\"vns\"><field name=\"f\" type=\"v4f\"/><field name=\"u\" type=\"v4u\"/></union>"
	  "<union id=\"vnh\"><field name=\"u\" type=\"v8u\"/></union>"
	  "<union id=\"vnb\"><field name=\"u\" type=\"v16u\"/></union>"
	  "<union id=\"vnq\"><field name=\"u\" type=\"v1q\"/></union>"
	  "<union id=\"aarch64v\"><field name=\"d\" type=\"vnd\"/><field name=\"s\" type=\"vns\"/>"
	  "<field name=\"h\" type=\"vnh\"/><field name=\"b\" type=\"vnb\"/>"
	  "<field name=\"q\" type=\"vnq\"/></union>",
	  fpu, ARRAY_SIZE(fpu) },
	{ "org.hvrun.arm64.system", NULL, system_regs, ARRAY_SIZE(system_regs) },
	{ 0 },
};

const unsigned arch_reg_pc = 32;
const unsigned arch_reg_sp = 31;
const unsigned arch_reg_fp = 29;

static uint64_t core_id(uint32_t place, uint64_t size)
{
	return KVM_REG_ARM64 | size | (uint64_t)KVM_REG_ARM_CORE | place;
}

static int access_bytes(const struct vcpu *vcpu, unsigned long request, uint64_t id, void *bytes)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)bytes };

	return ioctl(vcpu->fd, request, &reg) < 0 ? -EIO : 0;
}

/* A vector register is the low part of SVE's where the vCPU has that; KVM then refuses its own name. */
static int access_vector(const struct vcpu *vcpu, unsigned long request, unsigned n,
			 uint8_t value[ARCH_REG_BYTES])
{
	uint64_t zreg = KVM_REG_ARM64_SVE_ZREG(n, 0);
	uint8_t wide[ZREG_BYTES];

	if (!access_bytes(vcpu, request,
			  core_id(PLACE(fp_regs.vregs[0]) + 4 * n, KVM_REG_SIZE_U128), value))
		return 0;
	if (access_bytes(vcpu, KVM_GET_ONE_REG, zreg, wide) < 0)
		return -EIO;
	if (request == KVM_GET_ONE_REG) {
		memcpy(value, wide, ARCH_REG_BYTES);
		return 0;
	}
	memcpy(wide, value, ARCH_REG_BYTES);
	return access_bytes(vcpu, request, zreg, wide);
}

static int access_sp(const struct vcpu *vcpu, unsigned long request, uint8_t *value)
{
	uint64_t pstate;

	if (arm64_get_reg(vcpu, ARM64_REG_PSTATE, &pstate) < 0)
		return -EIO;
	return access_bytes(vcpu, request,
			    pstate & PSTATE_EL && pstate & PSTATE_SPSEL ? ARM64_REG_SP_EL1
									: ARM64_REG_SP_EL0,
			    value);
}

static int access_reg(const struct vcpu *vcpu, unsigned long request, unsigned number,
		      uint8_t *value)
{
	const struct arch_reg *reg = arch_reg(number);

	if (!reg)
		return -EIO;
	switch (reg->from) {
	case FROM_CORE:
		return access_bytes(vcpu, request, core_id(reg->at, KVM_REG_SIZE_U64), value);
	case FROM_CORE32:
		return access_bytes(vcpu, request, core_id(reg->at, KVM_REG_SIZE_U32), value);
	case FROM_SP:
		return access_sp(vcpu, request, value);
	case FROM_VECTOR:
		return access_vector(vcpu, request, reg->at, value);
	default:
		return access_bytes(vcpu, request,
				    KVM_REG_ARM64 | KVM_REG_SIZE_U64 |
					    (uint64_t)KVM_REG_ARM64_SYSREG | reg->at,
				    value);
	}
}

int arch_reg_get(const struct vcpu *vcpu, unsigned number, uint8_t value[ARCH_REG_BYTES])
{
	memset(value, 0, ARCH_REG_BYTES);
	return access_reg(vcpu, KVM_GET_ONE_REG, number, value);
}

int arch_reg_set(const struct vcpu *vcpu, unsigned number, const uint8_t value[ARCH_REG_BYTES])
{
	uint8_t copy[ARCH_REG_BYTES] = { 0 };
	const struct arch_reg *reg = arch_reg(number);

	if (!reg)
		return -EIO;
	memcpy(copy, value, reg->bits / 8U);
	return access_reg(vcpu, KVM_SET_ONE_REG, number, copy);
}

const uint16_t arch_elf_machine = EM_AARCH64;

/* struct user_pt_regs of Linux: x0 to x30, sp, pc, pstate. */
const size_t arch_core_sp = 31 * sizeof(uint64_t);

int arch_core_regs(const struct vcpu *vcpu, uint8_t *regs)
{
	int r = 0;

	for (unsigned i = 0; !r && i < ARRAY_SIZE(core); i++) {
		uint8_t value[ARCH_REG_BYTES];

		r = arch_reg_get(vcpu, i, value);
		memcpy(regs + 8 * i, value, 8);
	}
	return r < 0 ? r : 8 * (int)ARRAY_SIZE(core);
}

int arch_translate(const struct vcpu *vcpu, uint64_t address, struct arch_place *place)
{
	struct arm64_paging p;

	if (arm64_get_reg(vcpu, ARM64_REG_SCTLR_EL1, &p.sctlr) < 0 ||
	    arm64_get_reg(vcpu, ARM64_REG_TCR_EL1, &p.tcr) < 0 ||
	    arm64_get_reg(vcpu, ARM64_REG_TTBR0_EL1, &p.ttbr0) < 0 ||
	    arm64_get_reg(vcpu, ARM64_REG_TTBR1_EL1, &p.ttbr1) < 0)
		return -EFAULT;
	return arm64_walk(vcpu->env->mem, &p, address, place);
}

/* Exception vectors are text; in the kernel SP_EL0 is the current task, in the map of all memory. */
unsigned arch_kernel_hints(const struct vcpu *vcpu, uint64_t hints[ARCH_HINTS_MAX])
{
	if (arm64_get_reg(vcpu, ARM64_REG_VBAR_EL1, &hints[0]) < 0 ||
	    arm64_get_reg(vcpu, ARM64_REG_SP_EL0, &hints[1]) < 0)
		return 0;
	return 2;
}
