/* SPDX-License-Identifier: BSD-2-Clause */
/* The arm64 board: memory map, GIC, serial port, clock, exit device, and the boot. */
#include "arch/arm64/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "arch/arm64/layout.h"
#include "arch/dt/load.h"
#include "base/checked.h"
#include "base/diag.h"
#include "hw/exit_device.h"
#include "hw/pl031.h"
#include "hw/pvpanic.h"

enum {
	IPA_BITS_OLD = 40, /* of a machine of type 0, before KVM_CAP_ARM_VM_IPA_SIZE */
	IPA_BITS_MIN = 32,
	ELF_MACHINE = 183, /* EM_AARCH64 */
};

const char arch_name[] = "arm64";
const bool arch_has_tree = true;
const bool arch_has_acpi = false;
const bool arch_has_pmu = true;
const bool arch_register_memory = false; /* but with FEAT_S2FWB, which KVM does not tell */
const bool arch_vm_takes_long = false;
const struct arch_words arch_words = { .serial_console = "console=ttyS0",
				       .always = "",
				       .no_pci = "" };

const struct kvm_need arch_kvm_needs[] = {
	{ KVM_CAP_ONE_REG, "KVM_CAP_ONE_REG", "registers one by one", true },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD", "interrupts by eventfd", true },
	{ KVM_CAP_DEVICE_CTRL, "KVM_CAP_DEVICE_CTRL", "the interrupt controller", true },
	{ KVM_CAP_ARM_PSCI_0_2, "KVM_CAP_ARM_PSCI_0_2", "power off, reset, CPUs on", true },
	{ KVM_CAP_ARM_VM_IPA_SIZE, "KVM_CAP_ARM_VM_IPA_SIZE", "guests of other than 40 bits",
	  false },
	{ KVM_CAP_ARM_SVE, "KVM_CAP_ARM_SVE", "vectors of any length", false },
	{ KVM_CAP_ARM_PTRAUTH_ADDRESS, "KVM_CAP_ARM_PTRAUTH_ADDRESS", "signed pointers", false },
	{ KVM_CAP_ARM_PMU_V3, "KVM_CAP_ARM_PMU_V3", "performance monitors (--pmu)", false },
	{ 0, NULL, NULL, false },
};

const uint32_t arch_audit = AUDIT_ARCH_AARCH64;

const struct arch_ioctl arch_ioctls[] = {
	{ KVM_ENABLE_CAP, ARCH_AT_BUILD, "KVM_ENABLE_CAP", "what the machine can" },
	{ KVM_CREATE_DEVICE, ARCH_AT_BUILD, "KVM_CREATE_DEVICE", "the interrupt controller" },
	{ KVM_SET_DEVICE_ATTR, ARCH_AT_BUILD, "KVM_SET_DEVICE_ATTR", "the interrupt controller" },
	{ KVM_ARM_PREFERRED_TARGET, ARCH_AT_BUILD, "KVM_ARM_PREFERRED_TARGET", "vCPUs are made" },
	{ KVM_ARM_VCPU_INIT, ARCH_AT_BUILD, "KVM_ARM_VCPU_INIT", "vCPUs are made" },
	{ KVM_ARM_VCPU_FINALIZE, ARCH_AT_BUILD, "KVM_ARM_VCPU_FINALIZE", "vCPUs are made" },
	{ KVM_SET_ONE_REG, ARCH_AT_BUILD, "KVM_SET_ONE_REG", "registers at the start" },
	{ KVM_GET_ONE_REG, ARCH_AT_BUILD | ARCH_ON_OWN_VCPU | ARCH_ON_LOOP, "KVM_GET_ONE_REG",
	  "registers at the start; the report of a crash" },
	{ KVM_SET_ONE_REG, ARCH_ON_LOOP | ARCH_FOR_GDB, "KVM_SET_ONE_REG", "a debugger" },
};
const size_t arch_ioctl_count = ARRAY_SIZE(arch_ioctls);

/* The type is the number of address bits: as few as the RAM needs, which makes short page tables. */
int arch_vm_type(const struct kvm *kvm, uint64_t ram, unsigned long *type)
{
	unsigned most = (unsigned)kvm_has(kvm, KVM_CAP_ARM_VM_IPA_SIZE);
	unsigned bits = IPA_BITS_MIN;

	while (bits < 63 && (ARM64_RAM + ram - 1) >> bits)
		bits++;
	*type = most ? KVM_VM_TYPE_ARM_IPA_SIZE(bits) : 0;
	if (!most)
		most = IPA_BITS_OLD;
	if (bits <= most)
		return 0;
	diag_error("guest memory: %" PRIu64 " MiB need guest addresses of %u bits; this host has "
		   "%u",
		   ram >> 20, bits, most);
	return -ENOTSUP;
}

int arch_add_memory(struct guest_mem *mem, uint64_t ram)
{
	int r = mem_add(mem, gpa(0), ARM64_RAM, MEM_HOLE);

	return r ? r : mem_add(mem, gpa(ARM64_RAM), ram, MEM_RAM);
}

int arch_virtio_slot(unsigned index, struct arch_slot *slot)
{
	if (index >= ARM64_VIRTIO_WINDOWS)
		return -ENOSPC;
	slot->base = arm64_virtio_window(index);
	slot->gsi = ARM64_VIRTIO_GSI + index;
	return 0;
}

static int create_devices(struct arch *arch)
{
	const struct arch_config *config = &arch->config;
	int r = exit_device_create(config->bus, BUS_MMIO, ARM64_EXIT, config->events.exit,
				   config->events.opaque, &arch->exit_device);
	if (!r)
		r = pvpanic_create(config->bus, BUS_MMIO, ARM64_PVPANIC, config->events.panic,
				   config->events.opaque, &arch->pvpanic);

	if (!r) {
		kvm_irq_level(config->kvm, ARM64_CLOCK_GSI, &arch->clock_irq);
		r = pl031_create(config->loop, config->bus, ARM64_CLOCK, &arch->clock_irq,
				 pl031_host_clock, NULL, &arch->clock);
	}
	if (r || !config->serial_out)
		return r;
	kvm_irq_level(config->kvm, ARM64_SERIAL_GSI, &arch->serial_irq);
	r = serial_create(config->loop, &arch->serial_irq, config->serial_out,
			  config->serial_opaque, &arch->serial);
	return r ? r : serial_attach(arch->serial, config->bus, BUS_MMIO, ARM64_SERIAL, 0);
}

/*
 * Accesses that KVM cannot decode come to us as exits of their own (handled in vcpu.c). Without
 * that, KVM_RUN would fail; a host that is too old for it does so.
 */
static void enable_no_syndrome_exits(const struct kvm *kvm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_NISV_TO_USER };

	(void)ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &cap);
}

static int check_pmu(const struct arch_config *config)
{
	if (!config->pmu || kvm_has(config->kvm, KVM_CAP_ARM_PMU_V3))
		return 0;
	diag_error("--pmu: this host has no performance monitors for guests (KVM_CAP_ARM_PMU_V3)");
	return -ENOTSUP;
}

int arch_create(const struct arch_config *config, struct arch **out)
{
	struct arch *arch = calloc(1, sizeof(*arch));

	if (!arch)
		return -ENOMEM;
	arch->config = *config;
	arch->gic_fd = -1;
	arch->mpidr = calloc(config->cpus, sizeof(*arch->mpidr));
	config->kvm->irq_line_base = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT |
				     ARM64_FIRST_SPI;

	enable_no_syndrome_exits(config->kvm);

	int r = arch->mpidr ? check_pmu(config) : -ENOMEM;

	if (!r)
		r = arm64_gic_create(arch);
	if (!r)
		r = create_devices(arch);
	if (r < 0) {
		arch_destroy(arch);
		return r;
	}
	*out = arch;
	return 0;
}

int arch_vcpus_created(struct arch *arch, struct vcpu *vcpus)
{
	int r = 0;

	for (unsigned i = 0; !r && i < arch->config.cpus; i++)
		r = arm64_vcpu_init(arch, &vcpus[i]);
	if (!r)
		r = arm64_gic_init(arch);
	for (unsigned i = 0; !r && arch->config.pmu && i < arch->config.cpus; i++)
		r = arm64_pmu_init(&vcpus[i]);
	return r;
}

int arch_irq_edge(struct arch *arch, unsigned gsi, struct irq_line *line)
{
	return kvm_irq_edge(arch->config.kvm, gsi, line);
}

void arch_destroy(struct arch *arch)
{
	if (!arch)
		return;
	serial_destroy(arch->serial);
	pl031_destroy(arch->clock);
	pvpanic_destroy(arch->pvpanic);
	exit_device_destroy(arch->exit_device);
	if (arch->gic_fd >= 0)
		close(arch->gic_fd);
	free(arch->mpidr);
	free(arch);
}

int arch_nmi(struct arch *arch)
{
	(void)arch;
	return -ENOTSUP;
}

struct pci_bus *arch_pci_bus(struct arch *arch)
{
	(void)arch;
	return NULL;
}

struct msi_port *arch_msi_port(struct arch *arch)
{
	(void)arch;
	return NULL;
}

struct serial *arch_serial(struct arch *arch)
{
	return arch->serial;
}

static const struct dt_target target = { ARM64_RAM, "ARM\x64", ELF_MACHINE };

bool arch_kernel_hint(const struct guest_mem *mem, const uint8_t *head, size_t head_len,
		      uint64_t size, gpa_t *at)
{
	return dt_image_hint(mem, target.ram, target.magic, head, head_len, size, at);
}

int arch_load(struct arch *arch, const struct arch_images *images)
{
	int r = dt_load(&target, arch->config.mem, images, &arch->boot);

	return r ? r : arm64_write_tree(arch, images);
}

bool arch_tree_place(const struct arch *arch, gpa_t *at, uint64_t *size)
{
	*at = gpa(arch->boot.tree);
	*size = arch->boot.tree_size;
	return true;
}
