/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vCPU says of itself: CPUID as KVM supports it, plus the machine's topology. */
#ifndef ARCH_X86_CPUID_H
#define ARCH_X86_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu/kvm.h"

/* One list as KVM gives and takes it; freed with free(). */
struct kvm_cpuid2;

/*
 * The list for all vCPUs of a machine, in *@out, without what differs from one to the next. 0 or
 * -errno, said in words.
 */
int x86_cpuid_supported(const struct kvm *kvm, struct kvm_cpuid2 **out);

/*
 * Edits @list for vCPU @index of @cpus (1 to 255): APIC ids, one package of @cpus cores with one
 * thread each, a hypervisor bit, and the TSC deadline timer where the in-kernel LAPIC has it
 * (@tsc_deadline). A pure function of its arguments; editing the same list again for another vCPU is fine.
 */
void x86_cpuid_edit(struct kvm_cpuid2 *list, unsigned index, unsigned cpus, bool tsc_deadline);

#endif
