/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's registers, for the person at the terminal. */
#include <inttypes.h>
#include <stdio.h>

#include "arch/arm64/machine.h"
#include "arch/arm64/regs.h"
#include "base/checked.h"
#include "base/diag.h"

enum {
	GENERAL = 31,
	PER_LINE = 4,
};

struct named {
	const char *name;
	uint64_t id;
};

/* " name value" into @text, or question marks where KVM does not tell. */
static int add_reg(char *text, size_t size, const struct vcpu *vcpu, const char *name, uint64_t id)
{
	uint64_t value;

	if (arm64_get_reg(vcpu, id, &value) < 0)
		return snprintf(text, size, " %s ?", name);
	return snprintf(text, size, " %s %016" PRIx64, name, value);
}

static void dump_line(const struct vcpu *vcpu, const struct named *regs, size_t count)
{
	char text[PER_LINE * 40];
	size_t used = 0;

	for (size_t i = 0; i < count && used < sizeof(text); i++)
		used += (size_t)add_reg(text + used, sizeof(text) - used, vcpu, regs[i].name,
					regs[i].id);
	diag_error("vcpu %u:%s", vcpu->index, text);
}

static void dump_general(const struct vcpu *vcpu)
{
	for (unsigned first = 0; first < GENERAL; first += PER_LINE) {
		struct named regs[PER_LINE];
		char names[PER_LINE][8];
		size_t count = size_min(PER_LINE, GENERAL - first);

		for (unsigned i = 0; i < count; i++) {
			snprintf(names[i], sizeof(names[i]), "x%u", first + i);
			regs[i] = (struct named){ names[i], ARM64_REG_X(first + i) };
		}
		dump_line(vcpu, regs, count);
	}
}

int arch_vcpu_pc(const struct vcpu *vcpu, uint64_t *pc)
{
	return arm64_get_reg(vcpu, ARM64_REG_PC, pc);
}

void arch_vcpu_dump(struct vcpu *vcpu)
{
	const struct named first[] = {
		{ "pc", ARM64_REG_PC },
		{ "pstate", ARM64_REG_PSTATE },
		{ "sp_el1", ARM64_REG_SP_EL1 },
		{ "sp_el0", ARM64_REG_SP_EL0 },
	};
	const struct named fault[] = {
		{ "elr_el1", ARM64_REG_ELR },
		{ "spsr_el1", ARM64_REG_SPSR },
		{ "esr_el1", ARM64_REG_ESR_EL1 },
		{ "far_el1", ARM64_REG_FAR_EL1 },
	};
	const struct named system[] = {
		{ "vbar_el1", ARM64_REG_VBAR_EL1 },
		{ "sctlr_el1", ARM64_REG_SCTLR_EL1 },
		{ "ttbr0_el1", ARM64_REG_TTBR0_EL1 },
		{ "ttbr1_el1", ARM64_REG_TTBR1_EL1 },
	};

	dump_line(vcpu, first, ARRAY_SIZE(first));
	dump_general(vcpu);
	dump_line(vcpu, fault, ARRAY_SIZE(fault));
	dump_line(vcpu, system, ARRAY_SIZE(system));
}
