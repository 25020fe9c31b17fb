/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID as KVM supports it, plus topology (Intel SDM volume 2, CPUID; AMD APM volume 3, E.4). */
#include "arch/x86/cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/diag.h"

enum { MAX_ENTRIES = 256 };

/*
 * KVM since 6.2 leaves the topology leaves to us and gives sub-leaf 0 alone: add the sub-leaf for
 * cores, and the empty one that ends the list, where the leaf exists.
 */
static void complete_topology(struct kvm_cpuid2 *list, uint32_t function)
{
	bool have[3] = { false, false, false };

	for (uint32_t i = 0; i < list->nent; i++)
		if (list->entries[i].function == function && list->entries[i].index < 3)
			have[list->entries[i].index] = true;
	for (uint32_t index = 1; index < 3 && have[0]; index++) {
		if (have[index] || list->nent >= MAX_ENTRIES)
			continue;
		list->entries[list->nent++] = (struct kvm_cpuid_entry2){
			.function = function,
			.index = index,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
	}
}

int x86_cpuid_supported(const struct kvm *kvm, struct kvm_cpuid2 **out)
{
	struct kvm_cpuid2 *list = calloc(1, sizeof(*list) + MAX_ENTRIES * sizeof(list->entries[0]));

	if (!list)
		return -ENOMEM;
	list->nent = MAX_ENTRIES;
	if (ioctl(kvm->sys_fd, KVM_GET_SUPPORTED_CPUID, list) < 0) {
		int err = -errno;

		diag_error("/dev/kvm: cannot tell which CPUID it supports: %s", strerror(-err));
		free(list);
		return err;
	}
	complete_topology(list, 0xb);
	complete_topology(list, 0x1f);
	*out = list;
	return 0;
}

/* The number of bits that number @cpus cores: the smallest n with 2^n >= cpus. */
static unsigned core_bits(unsigned cpus)
{
	unsigned bits = 0;

	while ((1U << bits) < cpus)
		bits++;
	return bits;
}

static uint32_t with_bits(uint32_t value, unsigned shift, unsigned width, uint32_t bits)
{
	uint32_t mask = ((1U << width) - 1) << shift;

	return (value & ~mask) | ((bits << shift) & mask);
}

/* Leaf 1: features and, in EBX, this vCPU's APIC id and the number of ids in the package. */
static void edit_features(struct kvm_cpuid_entry2 *e, unsigned index, unsigned cpus,
			  bool tsc_deadline)
{
	const uint32_t hypervisor = 1U << 31;
	const uint32_t deadline = 1U << 24;
	const uint32_t htt = 1U << 28;

	e->ebx = with_bits(e->ebx, 24, 8, index);
	e->ebx = with_bits(e->ebx, 16, 8, 1U << core_bits(cpus));
	e->ecx |= hypervisor;
	e->ecx = tsc_deadline ? e->ecx | deadline : e->ecx & ~deadline;
	e->edx = cpus > 1 ? e->edx | htt : e->edx & ~htt;
}

/* Leaf 4 (Intel) and 0x8000001d (AMD): each cache; the last level is shared by the package. */
static void edit_cache(struct kvm_cpuid_entry2 *e, unsigned cpus, bool intel)
{
	unsigned level = (e->eax >> 5) & 7;

	e->eax = with_bits(e->eax, 14, 12, level >= 3 ? (1U << core_bits(cpus)) - 1 : 0);
	if (intel)
		e->eax = with_bits(e->eax, 26, 6, (1U << core_bits(cpus)) - 1);
}

/* Leaves 0xb and 0x1f: one thread a core, @cpus cores. */
static void edit_topology(struct kvm_cpuid_entry2 *e, unsigned index, unsigned cpus)
{
	const uint32_t type_thread = 1;
	const uint32_t type_core = 2;

	e->eax = 0;
	e->ebx = 0;
	e->ecx = e->index;
	e->edx = index;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= type_thread << 8;
	} else if (e->index == 1) {
		e->eax = core_bits(cpus);
		e->ebx = cpus;
		e->ecx |= type_core << 8;
	}
}

/* Leaf 0x8000001e (AMD): extended APIC id, core id with one thread each, node 0. */
static void edit_amd_topology(struct kvm_cpuid_entry2 *e, unsigned index)
{
	e->eax = index;
	e->ebx = with_bits(e->ebx, 0, 16, index & 0xff);
	e->ecx = 0;
}

void x86_cpuid_edit(struct kvm_cpuid2 *list, unsigned index, unsigned cpus, bool tsc_deadline)
{
	for (uint32_t i = 0; i < list->nent; i++) {
		struct kvm_cpuid_entry2 *e = &list->entries[i];

		switch (e->function) {
		case 1:
			edit_features(e, index, cpus, tsc_deadline);
			break;
		case 4:
			if (e->eax & 0x1f)
				edit_cache(e, cpus, true);
			break;
		case 0x8000001d:
			if (e->eax & 0x1f)
				edit_cache(e, cpus, false);
			break;
		case 0xb:
		case 0x1f:
			edit_topology(e, index, cpus);
			break;
		case 0x80000008:
			e->ecx = with_bits(e->ecx, 0, 8, cpus - 1);
			e->ecx = with_bits(e->ecx, 12, 4, core_bits(cpus));
			break;
		case 0x8000001e:
			edit_amd_topology(e, index);
			break;
		default:
			break;
		}
	}
}
