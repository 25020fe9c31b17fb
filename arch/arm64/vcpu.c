/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU at its first instruction: features, registers; and the exits that only arm64 has. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arm64/layout.h"
#include "arch/arm64/machine.h"
#include "arch/arm64/regs.h"
#include "base/diag.h"

static int failed(const struct vcpu *vcpu, const char *what)
{
	int err = -errno;

	diag_error("vcpu %u: KVM refuses its %s: %s", vcpu->index, what, strerror(-err));
	return err;
}

int arm64_get_reg(const struct vcpu *vcpu, uint64_t id, uint64_t *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	*value = 0; /* some are narrower than 64 bits */
	return ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) < 0 ? -errno : 0;
}

int arm64_set_reg(const struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) < 0 ? -errno : 0;
}

static void add_feature(struct kvm_vcpu_init *init, unsigned feature)
{
	init->features[feature / 32] |= UINT32_C(1) << feature % 32;
}

/*
 * All that the host's processor has for guests; performance monitors, which slow the host's own switches,
 * only when asked for.
 */
static bool add_features(const struct arch_config *config, unsigned index,
			 struct kvm_vcpu_init *init)
{
	const struct kvm *kvm = config->kvm;
	bool sve = kvm_has(kvm, KVM_CAP_ARM_SVE);

	add_feature(init, KVM_ARM_VCPU_PSCI_0_2);
	if (index)
		add_feature(init, KVM_ARM_VCPU_POWER_OFF); /* until PSCI's CPU_ON */
	if (kvm_has(kvm, KVM_CAP_ARM_PTRAUTH_ADDRESS) &&
	    kvm_has(kvm, KVM_CAP_ARM_PTRAUTH_GENERIC)) {
		add_feature(init, KVM_ARM_VCPU_PTRAUTH_ADDRESS);
		add_feature(init, KVM_ARM_VCPU_PTRAUTH_GENERIC);
	}
	if (sve)
		add_feature(init, KVM_ARM_VCPU_SVE);
	if (config->pmu)
		add_feature(init, KVM_ARM_VCPU_PMU_V3);
	return sve;
}

int arm64_vcpu_init(struct arch *arch, struct vcpu *vcpu)
{
	const struct kvm *kvm = arch->config.kvm;
	struct kvm_vcpu_init init = { 0 };
	int sve_feature = KVM_ARM_VCPU_SVE;

	if (ioctl(kvm->vm_fd, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		return failed(vcpu, "kind of processor");

	bool sve = add_features(&arch->config, vcpu->index, &init);

	if (ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init) < 0)
		return failed(vcpu, "features");
	if (sve && ioctl(vcpu->fd, KVM_ARM_VCPU_FINALIZE, &sve_feature) < 0)
		return failed(vcpu, "vector length");
	errno = -arm64_get_reg(vcpu, ARM64_REG_MPIDR_EL1, &arch->mpidr[vcpu->index]);
	return errno ? failed(vcpu, "reading of MPIDR_EL1") : 0;
}

static int set_pmu(const struct vcpu *vcpu, uint64_t attr, const int *value)
{
	struct kvm_device_attr arg = {
		.group = KVM_ARM_VCPU_PMU_V3_CTRL,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &arg);
}

/* Linux, Documentation/virt/kvm/devices/vcpu.rst, 1. */
int arm64_pmu_init(const struct vcpu *vcpu)
{
	int irq = ARM64_FIRST_PPI + ARM64_PPI_PMU;

	if (set_pmu(vcpu, KVM_ARM_VCPU_PMU_V3_IRQ, &irq) < 0 ||
	    set_pmu(vcpu, KVM_ARM_VCPU_PMU_V3_INIT, NULL) < 0)
		return failed(vcpu, "performance monitors");
	return 0;
}

/*
 * The entry of Documentation/arch/arm64/booting.rst: x0 the device tree, x1 to x3 zero, EL1 with
 * interrupts masked. KVM_ARM_VCPU_INIT left all of it so but for two registers (api.rst). The other
 * vCPUs are off until the first one starts them by PSCI.
 */
int arch_vcpu_setup(struct arch *arch, struct vcpu *vcpu)
{
	if (vcpu->index)
		return 0;
	errno = -arm64_set_reg(vcpu, ARM64_REG_PC, arch->boot.entry);
	if (!errno)
		errno = -arm64_set_reg(vcpu, ARM64_REG_X(0), arch->boot.tree);
	return errno ? failed(vcpu, "entry") : 0;
}

/*
 * A load or store of the guest outside its memory by an instruction that the processor does not
 * describe (a pair, with write-back, by vectors): drivers use none, stray pointers do.
 */
static int handle_no_syndrome(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	diag_error("vcpu %u: the guest reached address %#" PRIx64
		   ", where no memory is, by an instruction that cannot be emulated (ESR %#" PRIx64
		   "): a stray pointer, or a device's register used as if it were memory",
		   vcpu->index, (uint64_t)run->arm_nisv.fault_ipa, (uint64_t)run->arm_nisv.esr_iss);
	arch_vcpu_dump(vcpu);
	return (int)vcpu_tell_end(vcpu, VCPU_END_CRASH);
}

int arch_vcpu_exit(struct vcpu *vcpu)
{
	return vcpu->run->exit_reason == KVM_EXIT_ARM_NISV ? handle_no_syndrome(vcpu) : -ENOSYS;
}

/* No errno of KVM_RUN is the guest's doing here: KVM tells of that by an exit. */
const char *arch_vcpu_run_words(int err)
{
	(void)err;
	return NULL;
}
