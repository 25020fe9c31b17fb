/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's registers and the bytes at its instruction pointer, for the person at the terminal. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "arch/x86/machine.h"
#include "base/diag.h"

enum { CODE_BYTES = 15 }; /* the longest x86 instruction */

static void dump_general(const struct vcpu *vcpu, const struct kvm_regs *r)
{
	diag_error("vcpu %u: rip %016llx rflags %08llx rsp %016llx rbp %016llx", vcpu->index,
		   r->rip, r->rflags, r->rsp, r->rbp);
	diag_error("vcpu %u: rax %016llx rbx %016llx rcx %016llx rdx %016llx", vcpu->index, r->rax,
		   r->rbx, r->rcx, r->rdx);
	diag_error("vcpu %u: rsi %016llx rdi %016llx r8  %016llx r9  %016llx", vcpu->index, r->rsi,
		   r->rdi, r->r8, r->r9);
	diag_error("vcpu %u: r10 %016llx r11 %016llx r12 %016llx r13 %016llx", vcpu->index, r->r10,
		   r->r11, r->r12, r->r13);
	diag_error("vcpu %u: r14 %016llx r15 %016llx", vcpu->index, r->r14, r->r15);
}

static void dump_system(const struct vcpu *vcpu, const struct kvm_sregs *s)
{
	diag_error("vcpu %u: cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx", vcpu->index, s->cr0,
		   s->cr2, s->cr3, s->cr4, s->efer);
	diag_error("vcpu %u: cs %04x base %llx %s, gdt %llx limit %x, idt %llx limit %x",
		   vcpu->index, s->cs.selector, s->cs.base,
		   s->cs.l ? "64-bit" : (s->cs.db ? "32-bit" : "16-bit"), s->gdt.base, s->gdt.limit,
		   s->idt.base, s->idt.limit);
}

/* The bytes at @linear one by one through the guest's page tables, as far as there are any. */
static void dump_code(const struct vcpu *vcpu, uint64_t linear)
{
	char text[3 * CODE_BYTES + 1] = "";
	size_t at = 0;

	for (unsigned i = 0; i < CODE_BYTES; i++) {
		struct kvm_translation tr = { .linear_address = linear + i };
		uint8_t byte;

		if (ioctl(vcpu->fd, KVM_TRANSLATE, &tr) < 0 || !tr.valid ||
		    mem_read(vcpu->env->mem, gpa(tr.physical_address), &byte, 1) < 0)
			break;
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %02x", byte);
	}
	if (at)
		diag_error("vcpu %u: instruction bytes:%s", vcpu->index, text);
	else
		diag_error("vcpu %u: no memory is mapped at its instruction pointer", vcpu->index);
}

int arch_vcpu_pc(const struct vcpu *vcpu, uint64_t *pc)
{
	struct kvm_regs regs;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
		return -errno;
	*pc = regs.rip;
	return 0;
}

void arch_vcpu_dump(struct vcpu *vcpu)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) {
		diag_error("vcpu %u: its registers cannot be read", vcpu->index);
		return;
	}
	dump_general(vcpu, &regs);
	dump_system(vcpu, &sregs);
	dump_code(vcpu, sregs.cs.base + regs.rip);
}
