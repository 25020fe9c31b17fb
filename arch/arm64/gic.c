/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's interrupt controller: a GICv3, or a GICv2 where the host has only that (Linux,
 * Documentation/virt/kvm/devices/arm-vgic-v3.rst and arm-vgic.rst).
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arm64/layout.h"
#include "arch/arm64/machine.h"
#include "base/diag.h"

enum { GICV2_CPUS_MAX = 8 };

static int kvm_refuses(const char *what)
{
	int err = -errno;

	diag_error("/dev/kvm: the interrupt controller: KVM refuses %s: %s", what, strerror(-err));
	return err;
}

static int create_device(const struct kvm *kvm, uint32_t type)
{
	struct kvm_create_device device = { .type = type };

	return ioctl(kvm->vm_fd, KVM_CREATE_DEVICE, &device) < 0 ? -errno : (int)device.fd;
}

static int set_attr(const struct arch *arch, uint32_t group, uint64_t attr, const void *value)
{
	struct kvm_device_attr arg = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return ioctl(arch->gic_fd, KVM_SET_DEVICE_ATTR, &arg) < 0 ? -errno : 0;
}

static int set_addr(const struct arch *arch, uint64_t attr, uint64_t addr)
{
	return set_attr(arch, KVM_DEV_ARM_VGIC_GRP_ADDR, attr, &addr);
}

static int place_v3(const struct arch *arch)
{
	int r = set_addr(arch, KVM_VGIC_V3_ADDR_TYPE_DIST, ARM64_GIC_DIST);

	return r ? r : set_addr(arch, KVM_VGIC_V3_ADDR_TYPE_REDIST, ARM64_GIC_REDIST);
}

static int place_v2(const struct arch *arch)
{
	int r = set_addr(arch, KVM_VGIC_V2_ADDR_TYPE_DIST, ARM64_GIC_DIST);

	return r ? r : set_addr(arch, KVM_VGIC_V2_ADDR_TYPE_CPU, ARM64_GIC_CPU);
}

/* GICv3 first: it serves more vCPUs, and is quicker. */
int arm64_gic_create(struct arch *arch)
{
	const struct kvm *kvm = arch->config.kvm;

	arch->gic = ARM64_GIC_V3;
	arch->gic_fd = create_device(kvm, KVM_DEV_TYPE_ARM_VGIC_V3);
	if (arch->gic_fd == -ENODEV) {
		arch->gic = ARM64_GIC_V2;
		arch->gic_fd = create_device(kvm, KVM_DEV_TYPE_ARM_VGIC_V2);
	}
	if (arch->gic_fd < 0) {
		int err = arch->gic_fd;

		diag_error("/dev/kvm: cannot create an interrupt controller (GICv3 or GICv2): %s",
			   strerror(-err));
		return err;
	}
	if (arch->gic == ARM64_GIC_V2 && arch->config.cpus > GICV2_CPUS_MAX) {
		diag_error("--cpus %u: this host has a GICv2, which serves at most %d",
			   arch->config.cpus, GICV2_CPUS_MAX);
		return -EINVAL;
	}
	return 0;
}

int arm64_gic_init(struct arch *arch)
{
	uint32_t lines = ARM64_FIRST_SPI + ARM64_GSIS;

	errno = -(arch->gic == ARM64_GIC_V3 ? place_v3(arch) : place_v2(arch));
	if (errno)
		return kvm_refuses("its place");
	errno = -set_attr(arch, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &lines);
	if (errno)
		return kvm_refuses("its number of interrupts");
	errno = -set_attr(arch, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	return errno ? kvm_refuses("to start it") : 0;
}
