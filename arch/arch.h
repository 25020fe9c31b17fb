/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each architecture provides: the functions that arch/x86, arm64 and riscv each write their own
 * way. vm/ calls them in the order in which they stand here. The Makefile chooses the folder; nothing
 * outside arch/ asks which architecture it is.
 *
 * All run on the main thread before the first vCPU runs, except where said. Each says its errors in
 * words and returns a negative errno: -ENOEXEC for an image that is not what it should be.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/kvm.h"
#include "cpu/vcpu.h"
#include "hw/bus.h"
#include "hw/irq.h"
#include "hw/loop.h"
#include "hw/pci.h"
#include "hw/serial.h"
#include "mm/memory.h"

/* "x86-64", "arm64", "riscv64": for messages. */
extern const char arch_name[];

/*
 * What the command line may ask of this architecture: the board is described by a device tree
 * (--dump-dtb), else by ACPI (--virtio); vCPUs can have performance monitors (--pmu).
 */
extern const bool arch_has_tree;
extern const bool arch_has_acpi;
extern const bool arch_has_pmu;

/* The capabilities of KVM that only this architecture needs; ended by an entry without name. */
extern const struct kvm_need arch_kvm_needs[];

/* When a request of ioctl is made: which threads' lists of the sandbox it is on. */
enum {
	ARCH_AT_BUILD = 1,    /* main thread, before the first vCPU runs */
	ARCH_ON_OWN_VCPU = 2, /* vCPU threads, each with its own descriptor */
	ARCH_ON_ANY_VCPU = 4, /* vCPU threads, with others' too */
	ARCH_ON_LOOP = 8,     /* main thread, from then on */
	ARCH_FOR_GDB = 16,    /* only where there is a debugger */
};

struct arch_ioctl {
	unsigned long request;
	unsigned when; /* ARCH_ bits */
	const char *name;
	const char *why;
};

/* The requests of ioctl that only this architecture makes, for the sandbox. */
extern const struct arch_ioctl arch_ioctls[];
extern const size_t arch_ioctl_count;

/* AUDIT_ARCH_...: how the kernel calls this architecture to filters of system calls. */
extern const uint32_t arch_audit;

/*
 * The machine type to give to KVM_CREATE_VM for a guest with @ram bytes. 0, or -ENOTSUP if this host
 * cannot address that much, said.
 */
int arch_vm_type(const struct kvm *kvm, uint64_t ram, unsigned long *type);

/* KVM_CREATE_VM may sleep for some milliseconds on this architecture's hosts: worth a thread (cpu/creator.h). */
extern const bool arch_vm_takes_long;

/* Adds @ram bytes of RAM and the board's holes to @mem. 0 or -errno. */
int arch_add_memory(struct guest_mem *mem, uint64_t ram);

/* What the board's devices tell the machine. Any thread. */
struct arch_events {
	void (*poweroff)(void *opaque);
	void (*reset)(void *opaque);
	void (*exit)(void *opaque, unsigned status);  /* the guest handed back a status, 0 to 255 */
	void (*panic)(void *opaque, unsigned events); /* it panicked: hw/pvpanic.h's bits */
	void *opaque;
};

struct arch_config {
	struct kvm *kvm; /* with a VM and its memory slots */
	struct guest_mem *mem;
	struct bus *bus;
	struct loop *loop;
	unsigned cpus;
	bool pmu;		  /* vCPUs with performance monitors; only where arch_has_pmu */
	bool pci;		  /* a PCI bus; only where arch_has_acpi */
	serial_out_fn serial_out; /* NULL: the board has no serial port */
	void *serial_opaque;
	struct arch_events events;
};

struct arch;

/*
 * Builds the board: interrupt controller, clocks, serial port, the ways to power off, reset and hand
 * back a status. *@out is owned by the caller (arch_destroy). Before vcpu_create. Interrupt lines may
 * be made (arch_irq_edge) once arch_vcpus_created has been called.
 */
int arch_create(const struct arch_config *config, struct arch **out);

/*
 * All vCPUs of the config have been created, @vcpus[0] to [cpus - 1], and none has run: gives them
 * their features and finishes what KVM builds only around vCPUs (the interrupt controllers of arm64
 * and riscv, without which it takes no irqfd). 0 or -errno.
 */
int arch_vcpus_created(struct arch *arch, struct vcpu *vcpus);

/* Frees the board. No vCPU, no loop runs any more. NULL is allowed. */
void arch_destroy(struct arch *arch);

/* The board's serial port, for its input; NULL if it has none. */
struct serial *arch_serial(struct arch *arch);

/*
 * A line for pulses (irq_pulse) into the board's interrupt controller at @gsi, for kvm_irq_close:
 * kvm_irq_edge where the controller is the kernel's. After arch_vcpus_created. 0 or -errno, said.
 */
int arch_irq_edge(struct arch *arch, unsigned gsi, struct irq_line *line);

/*
 * The board's PCI bus and where its interrupts by message go; NULL if arch_config had no PCI. They are the
 * board's.
 */
struct pci_bus *arch_pci_bus(struct arch *arch);
struct msi_port *arch_msi_port(struct arch *arch);

/* Where virtio device @index lies and which interrupt it has. -ENOSPC past the last window. */
struct arch_slot {
	uint64_t base; /* gpa of the window */
	unsigned gsi;
};
int arch_virtio_slot(unsigned index, struct arch_slot *slot);

/*
 * Registers of virtio windows may lie in memory that the guest only reads: what we store there by
 * ordinary stores is what its loads of device memory see. Not so where a guest can map memory
 * uncached past the caches that we write to.
 */
extern const bool arch_register_memory;

/* Words for the command line of a kernel on this board. */
struct arch_words {
	const char *serial_console; /* makes the board's serial port its console */
	const char *always;	    /* or "" */
	const char *no_pci;	    /* only without a PCI bus; or "" */
};
extern const struct arch_words arch_words;

/*
 * Where a kernel file of @size bytes that begins with @head should lie in @mem so that the kernel in it
 * is in its place: true with *@at, or false if that cannot be told. Only a hint that saves a copy:
 * the bytes are read after it, and arch_load judges those anew. Says nothing.
 */
bool arch_kernel_hint(const struct guest_mem *mem, const uint8_t *head, size_t head_len,
		      uint64_t size, gpa_t *at);

/* Everything that is loaded, and the words that the guest's kernel gets. */
struct arch_images {
	/* The whole file, an enemy's bytes, read once: into private memory, or to the place that
	 * arch_kernel_hint told (no vCPU runs yet, so nobody else changes it). */
	const uint8_t *kernel;
	size_t kernel_size;
	const char *kernel_name;
	int initrd_fd;	       /* -1: none */
	const uint8_t *initrd; /* its bytes where they were read already; NULL: from the descriptor */
	uint64_t initrd_size;
	const char *initrd_name;
	int tree_fd; /* a copy of the device tree goes there; -1: none */
	const char *tree_name;
	const char *cmdline;   /* virtio_mmio.device= words are added here when @virtio_cmdline */
	unsigned virtio_count; /* windows 0 .. count-1 hold devices; none do if there is PCI */
	bool virtio_cmdline;   /* tell the guest of them on its command line only */
};

/*
 * arch/initrd.c, for the architectures: puts the initrd of @images into @mem at @at. 0 or -errno, said.
 */
int arch_put_initrd(struct guest_mem *mem, gpa_t at, const struct arch_images *images);

/* Loads kernel and initrd and writes tables that describe the board. */
int arch_load(struct arch *arch, const struct arch_images *images);

/*
 * Where arch_load put the device tree, and its bytes: true. False if ACPI describes the board. Any
 * thread, after arch_load.
 */
bool arch_tree_place(const struct arch *arch, gpa_t *at, uint64_t *size);

/* Registers of @vcpu as its kernel expects them; the first vCPU starts, the others wait. */
int arch_vcpu_setup(struct arch *arch, struct vcpu *vcpu);

/* struct vcpu_env's arch_exit, arch_run_words and arch_dump. The vCPU's thread. */
int arch_vcpu_exit(struct vcpu *vcpu);
const char *arch_vcpu_run_words(int err);

/*
 * Interrupts every vCPU so that it cannot be masked. 0, -ENOTSUP where the architecture has no such
 * thing, or -errno of the host. The loop's thread, while vCPUs run.
 */
int arch_nmi(struct arch *arch);

/* The address of the instruction that @vcpu, which does not run, is at. 0 or -errno. */
int arch_vcpu_pc(const struct vcpu *vcpu, uint64_t *pc);
void arch_vcpu_dump(struct vcpu *vcpu);

#endif
