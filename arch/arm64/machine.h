/* SPDX-License-Identifier: BSD-2-Clause */
/* The arm64 board's own state, shared by the files of arch/arm64. */
#ifndef ARCH_ARM64_MACHINE_H
#define ARCH_ARM64_MACHINE_H

#include <linux/kvm.h>

#include "arch/arch.h"
#include "arch/dt/image.h"

struct exit_device;
struct pvpanic;
struct pl031;

/* The GIC that KVM gave: which one decides what the tree says and how many vCPUs there can be. */
enum arm64_gic {
	ARM64_GIC_V3,
	ARM64_GIC_V2,
};

struct arch {
	struct arch_config config;
	struct irq_line serial_irq;
	struct irq_line clock_irq;
	struct serial *serial;
	struct pl031 *clock;
	struct exit_device *exit_device;
	struct pvpanic *pvpanic;
	enum arm64_gic gic;
	int gic_fd;	     /* the KVM device; -1: none yet */
	uint64_t *mpidr;     /* of each vCPU, from arch_vcpus_created on */
	struct dt_boot boot; /* where the first vCPU begins; set by arch_load */
};

/* gic.c: the interrupt controller; before the vCPUs, and after them. 0 or -errno, said. */
int arm64_gic_create(struct arch *arch);
int arm64_gic_init(struct arch *arch);

/* vcpu.c: features of @vcpu, and its MPIDR. 0 or -errno, said. */
int arm64_vcpu_init(struct arch *arch, struct vcpu *vcpu);

/* vcpu.c: the performance monitors of @vcpu, once the GIC is there. 0 or -errno, said. */
int arm64_pmu_init(const struct vcpu *vcpu);

/* tree.c: the board as a device tree at arch->boot.tree. 0 or -errno, said. */
int arm64_write_tree(struct arch *arch, const struct arch_images *images);

/* The registers that are read or written one by one (api.rst, KVM_GET_ONE_REG). 0 or -errno. */
int arm64_get_reg(const struct vcpu *vcpu, uint64_t id, uint64_t *value);
int arm64_set_reg(const struct vcpu *vcpu, uint64_t id, uint64_t value);

#endif
