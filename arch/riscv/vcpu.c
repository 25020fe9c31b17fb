/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hart can do, a hart at its first instruction, and the exits that only riscv has. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "arch/riscv/machine.h"
#include "arch/riscv/regs.h"
#include "base/diag.h"

enum {
	MODE_SUPERVISOR = 1,

	/* RISC-V Cryptography Extensions, "Entropy Source Extension" */
	CSR_SEED = 0x015,
};

/* The two highest of its 32 bits: no entropy yet, or here it is. */
#define SEED_WAIT  UINT32_C(1)
#define SEED_READY UINT32_C(2)

int riscv_get_reg(const struct vcpu *vcpu, uint64_t id, uint64_t *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	return ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) < 0 ? -errno : 0;
}

int riscv_set_reg(const struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) < 0 ? -errno : 0;
}

int riscv_read_isa(struct arch *arch)
{
	const struct vcpu *hart = &arch->vcpus[0];
	struct riscv_isa *isa = &arch->isa;
	uint64_t letters = 0;
	uint64_t on;
	int r = riscv_get_reg(hart, riscv_reg(RISCV_KIND_CONFIG, RISCV_CONFIG_ISA), &letters);

	if (!r)
		r = riscv_get_reg(hart, riscv_reg(RISCV_KIND_TIMER, 0), &arch->frequency);
	if (r < 0) {
		diag_error("vcpu 0: KVM does not tell its extensions and clock: %s", strerror(-r));
		return r;
	}
	isa->letters = (uint32_t)letters;
	/* Every hart that runs Linux has these; KVM tells of them since Linux 6.5. */
	isa->extensions = UINT64_C(1) << RISCV_ISA_ZICNTR | UINT64_C(1) << RISCV_ISA_ZICSR |
			  UINT64_C(1) << RISCV_ISA_ZIFENCEI;
	for (unsigned i = 0; i < RISCV_ISA_NAMED; i++) {
		if (!riscv_get_reg(hart, riscv_reg(RISCV_KIND_ISA_EXT, i), &on) && on)
			isa->extensions |= UINT64_C(1) << i;
	}
	if (arch->plic)
		isa->extensions &= ~(UINT64_C(1) << RISCV_ISA_SSAIA);
	/* What an older KVM does not tell stays zero. */
	(void)riscv_get_reg(hart, riscv_reg(RISCV_KIND_CONFIG, RISCV_CONFIG_CBOM_SIZE),
			    &isa->cbom_size);
	(void)riscv_get_reg(hart, riscv_reg(RISCV_KIND_CONFIG, RISCV_CONFIG_CBOZ_SIZE),
			    &isa->cboz_size);
	(void)riscv_get_reg(hart, riscv_reg(RISCV_KIND_CONFIG, RISCV_CONFIG_SATP_MODE),
			    &isa->satp_mode);
	return 0;
}

/*
 * The entry of Documentation/arch/riscv/boot.rst: a0 the hart's number, a1 the device tree, satp zero,
 * which KVM's reset left so. The other harts are stopped until the first one starts them by SBI.
 */
int arch_vcpu_setup(struct arch *arch, struct vcpu *vcpu)
{
	const struct {
		unsigned index;
		uint64_t value;
	} entry[] = {
		{ RISCV_CORE_MODE, MODE_SUPERVISOR },
		{ RISCV_CORE_PC, arch->boot.entry },
		{ RISCV_CORE_A0, vcpu->index },
		{ RISCV_CORE_A1, arch->boot.tree },
	};

	for (size_t i = 0; !vcpu->index && i < sizeof(entry) / sizeof(entry[0]); i++) {
		int r = riscv_set_reg(vcpu, riscv_reg(RISCV_KIND_CORE, entry[i].index),
				      entry[i].value);

		if (r < 0) {
			diag_error("vcpu %u: KVM refuses its entry: %s", vcpu->index, strerror(-r));
			return r;
		}
	}
	return 0;
}

/* On the loop's thread: a vCPU's has no call for it. */
static void read_seed(void *opaque)
{
	uint32_t *seed = opaque;
	uint16_t entropy = 0;

	if (getrandom(&entropy, sizeof(entropy), GRND_NONBLOCK) == (ssize_t)sizeof(entropy))
		*seed = SEED_READY << 30 | entropy;
	else
		*seed = SEED_WAIT << 30;
}

/* The only register that KVM leaves to us: seed, 16 bits of entropy for each read. */
static int handle_csr(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint32_t seed = 0;

	if (run->riscv_csr.csr_num != CSR_SEED) {
		diag_error("vcpu %u: KVM hands over register %#lx, which hvrun did not ask for",
			   vcpu->index, run->riscv_csr.csr_num);
		arch_vcpu_dump(vcpu);
		return (int)vcpu_tell_end(vcpu, VCPU_END_DEFECT);
	}
	loop_call(vcpu->env->arch->config.loop, read_seed, &seed);
	run->riscv_csr.ret_value = seed;
	return VCPU_AGAIN;
}

int arch_vcpu_exit(struct vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_RISCV_SBI:
		return riscv_sbi(vcpu);
	case KVM_EXIT_RISCV_CSR:
		return handle_csr(vcpu);
	default:
		return -ENOSYS;
	}
}

/* Linux, arch/riscv/kvm/vcpu_insn.c and vcpu_exit.c: what KVM does not emulate, it refuses so. */
const char *arch_vcpu_run_words(int err)
{
	switch (err) {
	case EIO:
		return "the guest reached a place where no memory is by an access that is not "
		       "aligned to its size, which cannot be emulated: a stray pointer, or a "
		       "device's register used as if it were memory";
	case EOPNOTSUPP:
		return "the guest jumped to a place where no memory is, or reached one by an "
		       "instruction that cannot be emulated";
	default:
		return NULL;
	}
}
