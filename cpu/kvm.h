/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel interface of one machine: /dev/kvm checked, the VM, its memory slots, interrupts and
 * doorbells. Follows the Linux KVM API document (Documentation/virt/kvm/api.rst).
 */
#ifndef CPU_KVM_H
#define CPU_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/irq.h"
#include "mm/memory.h"

/* A capability that hvrun cannot run without, or is glad of. */
struct kvm_need {
	int cap;	  /* KVM_CAP_... */
	const char *name; /* "KVM_CAP_IRQFD" */
	const char *why;  /* in words */
	bool required;
};

/* What every architecture needs, ended by an entry without name; arch_kvm_needs() has the rest. */
extern const struct kvm_need kvm_common_needs[];

struct kvm {
	int sys_fd;	 /* /dev/kvm, -1 once it is no longer needed */
	int vm_fd;	 /* -1 before kvm_create_vm */
	size_t run_size; /* bytes to map of a vCPU's descriptor */
	uint32_t next_slot;
	bool any_length;	/* kvm_doorbell_any: of any size; set by whoever calls that */
	uint32_t irq_line_base; /* what KVM_IRQ_LINE wants added to a gsi; arch_create sets it */
};

/*
 * Opens @path (/dev/kvm). 0, or -ENOENT, -EACCES, ... said in words. Nothing else is asked of it yet,
 * so this may run before the sandbox locks.
 */
int kvm_open(struct kvm *kvm, const char *path);

/* The API version that the open @kvm reports; 12 is the only one there ever was. -errno. */
int kvm_api_version(const struct kvm *kvm);

/* What KVM_CHECK_EXTENSION says of @cap: 0 is no. Of the VM when there is one, else of the system. */
int kvm_has(const struct kvm *kvm, int cap);

/* Checks the API version and the lists of needs. 0, or -ENOTSUP with each absence said in words. */
int kvm_check(const struct kvm *kvm, const struct kvm_need *arch_needs);

/* Creates the VM of machine type @type (0 is the default). 0 or -errno, said in words. */
int kvm_create_vm(struct kvm *kvm, unsigned long type);

/*
 * Its two halves: the request, of the open /dev/kvm @sys_fd, by any thread: the VM's descriptor, or -errno with
 * nothing said. And what came of it becomes @kvm's: 0 or -errno, said in words.
 */
int kvm_request_vm(int sys_fd, unsigned long type);
int kvm_adopt_vm(struct kvm *kvm, int answer);

/* Closes what is open: the VM, or all. Memory slots go with the VM. */
void kvm_close_vm(struct kvm *kvm);
void kvm_close(struct kvm *kvm);

/* Makes one memory slot of each region of @mem with RAM or read-only memory. 0 or -errno, said. */
int kvm_map_memory(struct kvm *kvm, const struct guest_mem *mem);

/*
 * A slot for the MEM_REGISTERS region that begins at @at: the guest's loads are served by memory, its
 * stores are MMIO exits, or doorbells, as without it. Needs KVM_CAP_READONLY_MEM. 0 or -errno, said.
 */
int kvm_map_registers(struct kvm *kvm, const struct guest_mem *mem, gpa_t at, uint64_t size);

/*
 * A line on the in-kernel interrupt controller at @gsi. Edge lines get an eventfd bound by irqfd and
 * answer irq_pulse; level lines answer irq_set by KVM_IRQ_LINE. Any thread. 0 or -errno, said.
 */
int kvm_irq_edge(struct kvm *kvm, unsigned gsi, struct irq_line *line);
void kvm_irq_level(struct kvm *kvm, unsigned gsi, struct irq_line *line);
void kvm_irq_close(struct irq_line *line);

/*
 * @line, of kvm_irq_edge, is pulsed by KVM_IRQ_LINE from now on; its eventfd stays bound. For
 * controllers into which KVM injects an irqfd by a worker thread only: the interrupt is in when
 * irq_pulse returns, instead of two changes of thread later.
 */
void kvm_irq_pulse_at_once(struct irq_line *line);

/*
 * A 32-bit store of @value at @addr signals @fd and never leaves the kernel. 0 or -errno, said.
 */
int kvm_doorbell(struct kvm *kvm, uint64_t addr, uint32_t value, int fd);

/*
 * A store of any value at @addr, of any size where this KVM knows such doorbells and else of two bytes,
 * signals @fd; or (@on false) no more. 0 or -errno; nothing is said.
 */
int kvm_doorbell_any(const struct kvm *kvm, uint64_t addr, int fd, bool on);

#endif
