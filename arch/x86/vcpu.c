/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU at its first instruction: CPUID, registers, MSRs, local APIC; and its port exits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/layout.h"
#include "arch/x86/machine.h"
#include "base/checked.h"
#include "base/diag.h"
#include "base/le.h"

enum {
	CR0_PE = 1 << 0,
	CR0_ET = 1 << 4,
	CR0_NE = 1 << 5,
	CR4_PAE = 1 << 5,
	EFER_LME = 1 << 8,
	EFER_LMA = 1 << 10,
	RFLAGS_ALWAYS_ONE = 1 << 1,
	MSR_IA32_MISC_ENABLE = 0x1a0,
	MSR_MTRR_DEF_TYPE = 0x2ff,
	MISC_ENABLE_FAST_STRING = 1 << 0,
	MTRR_ENABLE = 1 << 11,
	MTRR_WRITE_BACK = 6,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_MODE_NMI = 4,
	APIC_MODE_EXTINT = 7,
};

#define CR0_PG (UINT64_C(1) << 31)

static int failed(const struct vcpu *vcpu, const char *what)
{
	int err = -errno;

	diag_error("vcpu %u: KVM refuses its %s: %s", vcpu->index, what, strerror(-err));
	return err;
}

/* Flat, 4 GiB, present, privilege 0; 64-bit code if @long_mode. */
static struct kvm_segment flat_segment(uint16_t selector, bool code, bool long_mode)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = 0xffffffff,
		.selector = selector,
		.type = code ? 0xb : 0x3, /* execute/read or read/write, accessed */
		.present = 1,
		.db = !(code && long_mode),
		.s = 1,
		.l = code && long_mode,
		.g = 1,
	};
}

static void set_flat_segments(struct kvm_sregs *sregs, bool long_mode)
{
	struct kvm_segment data = flat_segment(X86_SEL_DATA, false, long_mode);

	sregs->cs = flat_segment(long_mode ? X86_SEL_CODE64 : X86_SEL_CODE32, true, long_mode);
	sregs->ds = data;
	sregs->es = data;
	sregs->fs = data;
	sregs->gs = data;
	sregs->ss = data;
	/* A busy TSS, as the processor's checks on entry demand. */
	sregs->tr = (struct kvm_segment){
		.selector = X86_SEL_TSS, .limit = X86_TSS_LIMIT, .type = 0xb, .present = 1
	};
	sregs->gdt.base = X86_GDT;
	sregs->gdt.limit = X86_GDT_LIMIT;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
}

/* 64-bit boot protocol (Documentation/arch/x86/boot.rst) or PVH (Xen's pvh.txt). */
static int set_entry(struct vcpu *vcpu, const struct x86_boot *boot)
{
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return failed(vcpu, "reading of system registers");

	bool long_mode = boot->entry == X86_ENTRY_LINUX64;

	set_flat_segments(&sregs, long_mode);
	sregs.cr0 = CR0_PE | CR0_ET | CR0_NE;
	if (long_mode) {
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = X86_PML4;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
	}
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0)
		return failed(vcpu, "system registers");

	struct kvm_regs regs = {
		.rip = boot->rip,
		.rsi = boot->rsi,
		.rbx = boot->rbx,
		.rflags = RFLAGS_ALWAYS_ONE,
	};

	return ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 ? failed(vcpu, "registers") : 0;
}

static int set_msrs(struct vcpu *vcpu)
{
	static const struct kvm_msr_entry boot_msrs[] = {
		{ .index = MSR_IA32_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE | MTRR_WRITE_BACK },
	};

	/* One at a time: a processor or KVM without one of them is as good without it. */
	for (size_t i = 0; i < ARRAY_SIZE(boot_msrs); i++) {
		struct {
			struct kvm_msrs head;
			struct kvm_msr_entry entry;
		} msrs = { .head = { .nmsrs = 1 }, .entry = boot_msrs[i] };

		if (ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) < 0)
			return failed(vcpu, "model specific registers");
	}
	return 0;
}

static void set_lvt(struct kvm_lapic_state *lapic, unsigned reg, uint32_t mode)
{
	uint32_t old = le32_load(lapic->regs + reg);

	le32_store(lapic->regs + reg, (old & ~0x700U) | mode << 8);
}

/* LINT0 takes the legacy controller, LINT1 is the NMI, as a PC's firmware leaves them. */
static int set_lapic(struct vcpu *vcpu)
{
	struct kvm_lapic_state lapic;

	if (ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic) < 0)
		return failed(vcpu, "reading of the local APIC");
	set_lvt(&lapic, APIC_LVT_LINT0, APIC_MODE_EXTINT);
	set_lvt(&lapic, APIC_LVT_LINT1, APIC_MODE_NMI);
	return ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic) < 0 ? failed(vcpu, "local APIC") : 0;
}

int arch_vcpu_setup(struct arch *arch, struct vcpu *vcpu)
{
	x86_cpuid_edit(arch->cpuid, vcpu->index, arch->config.cpus, arch->tsc_deadline);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, arch->cpuid) < 0)
		return failed(vcpu, "CPUID");

	int r = set_msrs(vcpu);

	if (!r)
		r = set_lapic(vcpu);
	/* The others wait for INIT and SIPI, as KVM makes them. */
	if (!r && vcpu->index == 0)
		r = set_entry(vcpu, &arch->boot);
	return r;
}

/* A port access: @count items of @size bytes, one after the other, from the run page. */
static int handle_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	size_t size = run->io.size;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(vcpu->env->bus, BUS_PIO, run->io.port, data, size);
		else
			bus_read(vcpu->env->bus, BUS_PIO, run->io.port, data, size);
	}
	return VCPU_AGAIN;
}

int arch_vcpu_exit(struct vcpu *vcpu)
{
	return vcpu->run->exit_reason == KVM_EXIT_IO ? handle_io(vcpu) : -ENOSYS;
}

/* No errno of KVM_RUN is the guest's doing here: KVM tells of that by an exit. */
const char *arch_vcpu_run_words(int err)
{
	(void)err;
	return NULL;
}
