/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table of vCPU exits: what each means, who handles it, and what to tell a person. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/diag.h"
#include "cpu/vcpu.h"

struct exit_kind {
	const char *name;
	enum vcpu_next (*handle)(struct vcpu *vcpu);
	const char *hint; /* for exits without a handler: what it means, in words */
};

static enum vcpu_next handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	size_t len = size_min(run->mmio.len, sizeof(run->mmio.data));

	if (run->mmio.is_write)
		bus_write(vcpu->env->bus, BUS_MMIO, run->mmio.phys_addr, run->mmio.data, len);
	else
		bus_read(vcpu->env->bus, BUS_MMIO, run->mmio.phys_addr, run->mmio.data, len);
	return VCPU_AGAIN;
}

/* Nothing to do: the next KVM_RUN goes on (a signal, a window, a wake-up). */
static enum vcpu_next handle_nothing(struct vcpu *vcpu)
{
	(void)vcpu;
	return VCPU_AGAIN;
}

static enum vcpu_next handle_shutdown(struct vcpu *vcpu)
{
	return vcpu_tell_end(vcpu, VCPU_END_CRASH);
}

static enum vcpu_next handle_fail_entry(struct vcpu *vcpu)
{
	diag_error("vcpu %u: the host's processor refused to enter the guest "
		   "(hardware reason %#" PRIx64
		   "): the guest's registers do not make a valid state",
		   vcpu->index, (uint64_t)vcpu->run->fail_entry.hardware_entry_failure_reason);
	vcpu->env->arch_dump(vcpu);
	return vcpu_tell_end(vcpu, VCPU_END_CRASH);
}

static const char *internal_error_words(uint32_t suberror)
{
	switch (suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		return "KVM could not emulate an instruction of the guest: it jumped to a place "
		       "without memory, or used an instruction that this host runs only in hardware";
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		return "two exceptions met while KVM delivered one";
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		return "an exit came while KVM delivered an event to the guest: its stack or "
		       "interrupt table lies where no memory is";
	default:
		return "KVM gave up";
	}
}

static enum vcpu_next handle_internal_error(struct vcpu *vcpu)
{
	uint32_t suberror = vcpu->run->internal.suberror;

	diag_error("vcpu %u: %s (internal error %u)", vcpu->index, internal_error_words(suberror),
		   suberror);
	vcpu->env->arch_dump(vcpu);
	return vcpu_tell_end(vcpu, VCPU_END_CRASH);
}

static enum vcpu_next handle_system_event(struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		return vcpu_tell_end(vcpu, VCPU_END_POWEROFF);
	case KVM_SYSTEM_EVENT_RESET:
		return vcpu_tell_end(vcpu, VCPU_END_RESET);
	default:
		return vcpu_tell_end(vcpu, VCPU_END_CRASH);
	}
}

static const struct exit_kind exit_kinds[] = {
	[KVM_EXIT_UNKNOWN] = { "UNKNOWN", NULL,
			       "the processor left the guest for a reason that "
			       "KVM does not know" },
	[KVM_EXIT_EXCEPTION] = { "EXCEPTION", NULL, "an exception of the guest came out of KVM" },
	[KVM_EXIT_IO] = { "IO", NULL, "port access on an architecture without ports" },
	[KVM_EXIT_HYPERCALL] = { "HYPERCALL", NULL, "a hypercall that hvrun did not offer" },
	[KVM_EXIT_DEBUG] = { "DEBUG", NULL, "a breakpoint that nobody set" },
	[KVM_EXIT_HLT] = { "HLT", NULL,
			   "a halt that the kernel's interrupt controller should have "
			   "kept" },
	[KVM_EXIT_MMIO] = { "MMIO", handle_mmio, NULL },
	[KVM_EXIT_IRQ_WINDOW_OPEN] = { "IRQ_WINDOW_OPEN", handle_nothing, NULL },
	[KVM_EXIT_SHUTDOWN] = { "SHUTDOWN", handle_shutdown, NULL },
	[KVM_EXIT_FAIL_ENTRY] = { "FAIL_ENTRY", handle_fail_entry, NULL },
	[KVM_EXIT_INTR] = { "INTR", handle_nothing, NULL },
	[KVM_EXIT_SET_TPR] = { "SET_TPR", handle_nothing, NULL },
	[KVM_EXIT_NMI] = { "NMI", handle_nothing, NULL },
	[KVM_EXIT_INTERNAL_ERROR] = { "INTERNAL_ERROR", handle_internal_error, NULL },
	[KVM_EXIT_SYSTEM_EVENT] = { "SYSTEM_EVENT", handle_system_event, NULL },
	[KVM_EXIT_RISCV_SBI] = { "RISCV_SBI", NULL, "a firmware call of another architecture" },
	[KVM_EXIT_RISCV_CSR] = { "RISCV_CSR", NULL, "a register of another architecture" },
};

const char *vcpu_exit_name(uint32_t reason)
{
	if (reason >= ARRAY_SIZE(exit_kinds) || !exit_kinds[reason].name)
		return "unknown";
	return exit_kinds[reason].name;
}

static enum vcpu_next handle_unknown(struct vcpu *vcpu, uint32_t reason)
{
	const char *hint = NULL;

	if (reason < ARRAY_SIZE(exit_kinds))
		hint = exit_kinds[reason].hint;
	diag_error("vcpu %u: exit %u (%s) that hvrun cannot handle: %s", vcpu->index, reason,
		   vcpu_exit_name(reason), hint ? hint : "newer than this hvrun");
	vcpu->env->arch_dump(vcpu);
	return vcpu_tell_end(vcpu, VCPU_END_DEFECT);
}

enum vcpu_next vcpu_handle_exit(struct vcpu *vcpu)
{
	uint32_t reason = vcpu->run->exit_reason;

	if (reason < VCPU_EXIT_KINDS)
		vcpu->exits[reason]++;
	if ((reason == KVM_EXIT_DEBUG || reason == KVM_EXIT_INTERNAL_ERROR) &&
	    vcpu->env->debug_exit && vcpu->env->debug_exit(vcpu->env->opaque, vcpu))
		return VCPU_AGAIN;
	if (reason < ARRAY_SIZE(exit_kinds) && exit_kinds[reason].handle)
		return exit_kinds[reason].handle(vcpu);

	int r = vcpu->env->arch_exit(vcpu);

	if (r >= 0)
		return (enum vcpu_next)r;
	return handle_unknown(vcpu, reason);
}
