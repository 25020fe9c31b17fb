/* SPDX-License-Identifier: BSD-2-Clause */
/* A hart's registers, for the person at the terminal. */
#include <inttypes.h>
#include <stdio.h>

#include "arch/riscv/machine.h"
#include "arch/riscv/regs.h"
#include "base/checked.h"
#include "base/diag.h"

enum { PER_LINE = 4 };

struct named {
	const char *name;
	unsigned kind;
	unsigned index;
};

/* " name value" into @text, or a question mark where KVM does not tell. */
static int add_reg(char *text, size_t size, const struct vcpu *vcpu, const struct named *reg)
{
	uint64_t value = 0;

	if (riscv_get_reg(vcpu, riscv_reg(reg->kind, reg->index), &value) < 0)
		return snprintf(text, size, " %s ?", reg->name);
	return snprintf(text, size, " %s %016" PRIx64, reg->name, value);
}

static void dump(const struct vcpu *vcpu, const struct named *regs, size_t count)
{
	for (size_t first = 0; first < count; first += PER_LINE) {
		char text[PER_LINE * 40];
		size_t used = 0;

		for (size_t i = first; i < size_min(count, first + PER_LINE); i++)
			used += (size_t)add_reg(text + used, sizeof(text) - used, vcpu, &regs[i]);
		diag_error("vcpu %u:%s", vcpu->index, text);
	}
}

/* Core register 0 is pc's (arch/riscv/regs.h). */
int arch_vcpu_pc(const struct vcpu *vcpu, uint64_t *pc)
{
	return riscv_get_reg(vcpu, riscv_reg(RISCV_KIND_CORE, 0), pc);
}

void arch_vcpu_dump(struct vcpu *vcpu)
{
	/* x0 is zero always: its place is pc's. */
	static const char *const names[] = {
		"pc", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
		"a1", "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
		"s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6", "mode",
	};
	static const struct named csrs[] = {
		{ "scause", RISCV_KIND_CSR, RISCV_CSR_SCAUSE },
		{ "sepc", RISCV_KIND_CSR, RISCV_CSR_SEPC },
		{ "stval", RISCV_KIND_CSR, RISCV_CSR_STVAL },
		{ "sstatus", RISCV_KIND_CSR, RISCV_CSR_SSTATUS },
		{ "stvec", RISCV_KIND_CSR, RISCV_CSR_STVEC },
		{ "satp", RISCV_KIND_CSR, RISCV_CSR_SATP },
		{ "sie", RISCV_KIND_CSR, RISCV_CSR_SIE },
		{ "sip", RISCV_KIND_CSR, RISCV_CSR_SIP },
	};
	struct named core[ARRAY_SIZE(names)];

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		core[i] = (struct named){ names[i], RISCV_KIND_CORE, i };
	dump(vcpu, core, ARRAY_SIZE(core));
	dump(vcpu, csrs, ARRAY_SIZE(csrs));
}
