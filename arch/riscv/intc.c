/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controller: KVM's AIA (an APLIC that sends messages to one IMSIC for each hart) where
 * it has that, else a PLIC of ours whose pins are KVM_INTERRUPT.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/riscv/layout.h"
#include "arch/riscv/machine.h"
#include "arch/riscv/regs.h"
#include "base/diag.h"
#include "hw/plic.h"

enum {
	IDS = 255, /* of an IMSIC: a multiple of 64, less 1; more than there are sources */
};

static int refused(const char *what, int err)
{
	diag_error("/dev/kvm: cannot create the interrupt controller: %s: %s", what,
		   strerror(-err));
	return err;
}

static int aia_set(const struct arch *arch, uint32_t group, uint64_t attr, const void *value)
{
	struct kvm_device_attr arg = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return ioctl(arch->aia_fd, KVM_SET_DEVICE_ATTR, &arg) < 0 ? -errno : 0;
}

static int aia_get(const struct arch *arch, uint32_t group, uint64_t attr, void *value)
{
	struct kvm_device_attr arg = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return ioctl(arch->aia_fd, KVM_GET_DEVICE_ATTR, &arg) < 0 ? -errno : 0;
}

static int aia_set_config(const struct arch *arch, uint64_t attr, uint32_t value)
{
	return aia_set(arch, RISCV_AIA_CONFIG, attr, &value);
}

/* As many bits as tell @cpus harts apart. */
static uint32_t hart_bits(unsigned cpus)
{
	uint32_t bits = 0;

	while (bits < 31 && (cpus - 1) >> bits)
		bits++;
	return bits;
}

/* What KVM wants to know before there are vCPUs. Its mode stays as it is: hardware if there is any. */
static int configure_aia(struct arch *arch)
{
	int r = aia_get(arch, RISCV_AIA_CONFIG, RISCV_AIA_CONFIG_IDS, &arch->aia_ids);

	if (!r && arch->aia_ids > IDS) {
		arch->aia_ids = IDS;
		r = aia_set_config(arch, RISCV_AIA_CONFIG_IDS, IDS);
	}
	if (!r)
		r = aia_set_config(arch, RISCV_AIA_CONFIG_SRCS, RISCV_SOURCES);
	return r ? r
		 : aia_set_config(arch, RISCV_AIA_CONFIG_HART_BITS, hart_bits(arch->config.cpus));
}

/* Sets the pin of a hart: its supervisor external interrupt. A hart that waits is woken by KVM. */
static void drive_hart(void *opaque, unsigned hart, bool level)
{
	const struct arch *arch = opaque;
	struct kvm_interrupt arg = { .irq = level ? KVM_INTERRUPT_SET : KVM_INTERRUPT_UNSET };

	(void)ioctl(arch->vcpus[hart].fd, KVM_INTERRUPT, &arg);
}

static int create_plic(struct arch *arch)
{
	int r = plic_create(arch->config.bus, RISCV_PLIC, RISCV_SOURCES, arch->config.cpus,
			    drive_hart, arch, &arch->plic);

	return r ? refused("PLIC", r) : 0;
}

int riscv_intc_create(struct arch *arch)
{
	struct kvm_create_device device = { .type = RISCV_DEV_AIA };
	int r;

	if (!kvm_has(arch->config.kvm, KVM_CAP_IRQCHIP))
		return create_plic(arch);
	if (ioctl(arch->config.kvm->vm_fd, KVM_CREATE_DEVICE, &device) < 0)
		return refused("AIA", -errno);
	arch->aia_fd = (int)device.fd;
	r = configure_aia(arch);
	return r ? refused("AIA", r) : 0;
}

int riscv_intc_init(struct arch *arch)
{
	uint64_t addr = RISCV_APLIC;
	int r;

	if (arch->plic)
		return 0;
	r = aia_set(arch, RISCV_AIA_ADDR, RISCV_AIA_ADDR_APLIC, &addr);
	for (unsigned i = 0; !r && i < arch->config.cpus; i++) {
		addr = RISCV_IMSIC + i * RISCV_IMSIC_SIZE;
		r = aia_set(arch, RISCV_AIA_ADDR, RISCV_AIA_ADDR_IMSIC + i, &addr);
	}
	if (!r)
		r = aia_set(arch, RISCV_AIA_CTRL, RISCV_AIA_CTRL_INIT, NULL);
	return r ? refused("its addresses", r) : 0;
}

void riscv_irq_level(struct arch *arch, unsigned gsi, struct irq_line *line)
{
	if (arch->plic)
		plic_line(arch->plic, gsi, line);
	else
		kvm_irq_level(arch->config.kvm, gsi, line);
}

/*
 * Down, then up: whatever other threads do meanwhile, the line rises once after we began, so after
 * the device wrote what the interrupt tells of.
 */
static void pulse_aplic(struct irq_line *line)
{
	irq_set(line, false);
	irq_set(line, true);
}

/*
 * Not by irqfd: KVM (Linux 6.12, kvm_arch_set_irq_inatomic) raises an APLIC's line for it and never
 * lowers it again, so a guest would see the first edge only.
 */
int arch_irq_edge(struct arch *arch, unsigned gsi, struct irq_line *line)
{
	riscv_irq_level(arch, gsi, line);
	if (!arch->plic)
		line->pulse = pulse_aplic;
	return 0;
}
