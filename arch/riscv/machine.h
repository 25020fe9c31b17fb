/* SPDX-License-Identifier: BSD-2-Clause */
/* The riscv64 board's own state, shared by the files of arch/riscv. */
#ifndef ARCH_RISCV_MACHINE_H
#define ARCH_RISCV_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "arch/dt/image.h"
#include "arch/riscv/isa.h"

struct exit_device;
struct pvpanic;
struct goldfish_rtc;
struct plic;

struct arch {
	struct arch_config config;
	struct vcpu *vcpus;   /* from arch_vcpus_created on, as are the next two */
	struct riscv_isa isa; /* of every hart */
	uint64_t frequency;   /* of the timer, Hz */
	struct irq_line serial_irq;
	struct irq_line clock_irq;
	struct serial *serial;
	struct goldfish_rtc *clock;
	struct exit_device *exit_device;
	struct pvpanic *pvpanic;
	int aia_fd;	     /* KVM's interrupt controllers; -1: the PLIC below */
	uint32_t aia_ids;    /* interrupt identities of each IMSIC */
	struct plic *plic;   /* NULL with AIA */
	struct dt_boot boot; /* where the first hart begins; set by arch_load */
};

/* intc.c: the interrupt controller; before the vCPUs, and after them. 0 or -errno, said. */
int riscv_intc_create(struct arch *arch);
int riscv_intc_init(struct arch *arch);

/* A line driven by its level (irq_set) at @gsi. */
void riscv_irq_level(struct arch *arch, unsigned gsi, struct irq_line *line);

/* tree.c: the board as a device tree at arch->boot.tree. 0 or -errno, said. */
int riscv_write_tree(struct arch *arch, const struct arch_images *images);

/* vcpu.c: sets arch->isa and arch->frequency from the first hart. 0 or -errno, said. */
int riscv_read_isa(struct arch *arch);

/* sbi.c: a call of the guest's firmware interface that KVM left to us. VCPU_AGAIN or -ENOSYS. */
int riscv_sbi(struct vcpu *vcpu);

/* Makes KVM hand over calls of the debug console, where it can. */
void riscv_sbi_offer_console(const struct vcpu *vcpu);

/* The registers that are read or written one by one (regs.h). 0 or -errno. */
int riscv_get_reg(const struct vcpu *vcpu, uint64_t id, uint64_t *value);
int riscv_set_reg(const struct vcpu *vcpu, uint64_t id, uint64_t value);

#endif
