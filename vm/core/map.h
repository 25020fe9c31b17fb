/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a guest's kernel sees its own text and all of memory, found out from its page tables. */
#ifndef VM_CORE_MAP_H
#define VM_CORE_MAP_H

#include "cpu/vcpu.h"
#include "vm/core/elf.h"

/*
 * Adds to @state the ranges of RAM that @vcpu's kernel has mapped around the addresses that its
 * registers give away (arch_kernel_hints); none where its page tables do not tell, for example while a
 * program runs. Ranges that are there already are not added again. Bounded by the RAM's size: one
 * look for every 2 MiB. The vCPU rests.
 */
void core_map_vcpu(const struct guest_mem *mem, const struct vcpu *vcpu, struct core_state *state);

/*
 * Adds to @state the pages of the stack that @vcpu's stack pointer @sp is in, from there on, as the kernel sees them: it may
 * lie in a range of its own (Linux, CONFIG_VMAP_STACK), without which no debugger can follow it. After
 * core_map_vcpu of all vCPUs. The vCPU rests.
 */
void core_map_stack(const struct vcpu *vcpu, uint64_t sp, struct core_state *state);

#endif
