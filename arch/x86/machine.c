/* SPDX-License-Identifier: BSD-2-Clause */
/* The x86 board: memory map, KVM's interrupt controllers, serial port, ways to end, the boot. */
#include "arch/x86/machine.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/acpi.h"
#include "arch/x86/layout.h"
#include "base/checked.h"
#include "base/diag.h"
#include "hw/acpi_pm.h"
#include "hw/exit_device.h"
#include "hw/i8042.h"
#include "hw/pvpanic.h"

/* Three pages for Intel's real mode and one for its page table; KVM's own, above the windows. */
#define IDENTITY_MAP UINT64_C(0xfffbc000)
#define TSS_ADDR     UINT64_C(0xfffbd000)

const char arch_name[] = "x86-64";
const bool arch_has_tree = false;
const bool arch_has_acpi = true;
const bool arch_has_pmu = false;
const bool arch_register_memory = true; /* caches are coherent whatever the guest maps how */
/* Linux 6.1's KVM starts a worker there, and waits for a grace period. */
const bool arch_vm_takes_long = true;
/* Where there is no PCI, to look for it at ports costs a Linux kernel 150 exits. */
const struct arch_words arch_words = { .serial_console = "console=ttyS0",
				       .always = "",
				       .no_pci = "pci=off" };

const struct kvm_need arch_kvm_needs[] = {
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP", "APICs in the kernel", true },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD", "interrupts by eventfd", true },
	{ KVM_CAP_PIT2, "KVM_CAP_PIT2", "the timer of old kernels", true },
	{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR", "real mode on Intel", true },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", "CPUID of the guest", true },
	{ KVM_CAP_TSC_DEADLINE_TIMER, "KVM_CAP_TSC_DEADLINE_TIMER", "a cheap timer", false },
	{ KVM_CAP_ADJUST_CLOCK, "KVM_CAP_ADJUST_CLOCK", "the guest's wall clock", false },
	{ 0, NULL, NULL, false },
};

const uint32_t arch_audit = AUDIT_ARCH_X86_64;

const struct arch_ioctl arch_ioctls[] = {
	{ KVM_SET_TSS_ADDR, ARCH_AT_BUILD, "KVM_SET_TSS_ADDR", "the machine is made" },
	{ KVM_SET_IDENTITY_MAP_ADDR, ARCH_AT_BUILD, "KVM_SET_IDENTITY_MAP_ADDR",
	  "the machine is made" },
	{ KVM_CREATE_IRQCHIP, ARCH_AT_BUILD, "KVM_CREATE_IRQCHIP", "interrupt controllers" },
	{ KVM_CREATE_PIT2, ARCH_AT_BUILD, "KVM_CREATE_PIT2", "the timer of old kernels" },
	{ KVM_GET_SUPPORTED_CPUID, ARCH_AT_BUILD, "KVM_GET_SUPPORTED_CPUID", "CPUID of the guest" },
	{ KVM_SET_CPUID2, ARCH_AT_BUILD, "KVM_SET_CPUID2", "CPUID of the guest" },
	{ KVM_SET_SREGS, ARCH_AT_BUILD, "KVM_SET_SREGS", "registers at the start" },
	{ KVM_SET_REGS, ARCH_AT_BUILD, "KVM_SET_REGS", "registers at the start" },
	{ KVM_SET_MSRS, ARCH_AT_BUILD, "KVM_SET_MSRS", "registers at the start" },
	{ KVM_GET_LAPIC, ARCH_AT_BUILD, "KVM_GET_LAPIC", "registers at the start" },
	{ KVM_SET_LAPIC, ARCH_AT_BUILD, "KVM_SET_LAPIC", "registers at the start" },
	{ KVM_GET_SREGS, ARCH_AT_BUILD | ARCH_ON_OWN_VCPU | ARCH_ON_LOOP, "KVM_GET_SREGS",
	  "registers at the start; the report of a crash" },
	{ KVM_GET_REGS, ARCH_ON_OWN_VCPU | ARCH_ON_LOOP, "KVM_GET_REGS", "the report of a crash" },
	{ KVM_SIGNAL_MSI, ARCH_ON_LOOP, "KVM_SIGNAL_MSI",
	  "an NMI that a client asked for; interrupts of PCI devices" },
	{ KVM_TRANSLATE, ARCH_ON_OWN_VCPU | ARCH_ON_LOOP, "KVM_TRANSLATE",
	  "the report of a crash" },
	{ KVM_GET_FPU, ARCH_ON_LOOP | ARCH_FOR_GDB, "KVM_GET_FPU", "a debugger" },
	{ KVM_GET_MSRS, ARCH_ON_LOOP | ARCH_FOR_GDB, "KVM_GET_MSRS", "a debugger" },
	{ KVM_SET_REGS, ARCH_ON_LOOP | ARCH_FOR_GDB, "KVM_SET_REGS", "a debugger" },
	{ KVM_SET_SREGS, ARCH_ON_LOOP | ARCH_FOR_GDB, "KVM_SET_SREGS", "a debugger" },
	{ KVM_SET_FPU, ARCH_ON_LOOP | ARCH_FOR_GDB, "KVM_SET_FPU", "a debugger" },
	{ KVM_SET_MSRS, ARCH_ON_LOOP | ARCH_FOR_GDB, "KVM_SET_MSRS", "a debugger" },
	{ KVM_GET_VCPU_EVENTS, ARCH_ON_OWN_VCPU | ARCH_FOR_GDB, "KVM_GET_VCPU_EVENTS",
	  "a breakpoint that this host only knows as an invalid instruction" },
	{ KVM_SET_VCPU_EVENTS, ARCH_ON_OWN_VCPU | ARCH_FOR_GDB, "KVM_SET_VCPU_EVENTS",
	  "a breakpoint that this host only knows as an invalid instruction" },
};
const size_t arch_ioctl_count = ARRAY_SIZE(arch_ioctls);

int arch_vm_type(const struct kvm *kvm, uint64_t ram, unsigned long *type)
{
	(void)kvm;
	(void)ram;
	*type = 0;
	return 0;
}

int arch_add_memory(struct guest_mem *mem, uint64_t ram)
{
	uint64_t low = u64_min(ram, X86_RAM_LOW_END);
	int r = mem_add(mem, gpa(0), low, MEM_RAM);

	if (!r)
		r = mem_add(mem, gpa(X86_HOLE), X86_RAM_HIGH - X86_HOLE, MEM_HOLE);
	if (!r && ram > low)
		r = mem_add(mem, gpa(X86_RAM_HIGH), ram - low, MEM_RAM);
	return r;
}

bool arch_tree_place(const struct arch *arch, gpa_t *at, uint64_t *size)
{
	(void)arch;
	(void)at;
	(void)size;
	return false;
}

int arch_virtio_slot(unsigned index, struct arch_slot *slot)
{
	if (index >= X86_VIRTIO_WINDOWS)
		return -ENOSPC;
	slot->base = x86_virtio_base(index);
	slot->gsi = x86_virtio_gsi(index);
	return 0;
}

static int kvm_refuses(const char *what)
{
	int err = -errno;

	diag_error("/dev/kvm: cannot create %s: %s", what, strerror(-err));
	return err;
}

/* KVM's own models: PIC, IOAPIC, local APICs, PIT with the speaker's port. */
static int create_irqchip(const struct kvm *kvm)
{
	uint64_t identity = IDENTITY_MAP;
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return kvm_refuses("its identity map");
	if (ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDR) < 0)
		return kvm_refuses("its task state");
	if (ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return kvm_refuses("the interrupt controllers");
	return ioctl(kvm->vm_fd, KVM_CREATE_PIT2, &pit) < 0 ? kvm_refuses("the timer") : 0;
}

/*
 * A message of a PCI function, address and data by the guest (Intel SDM 3, "Message Signalled Interrupts").
 * Only what goes to local APICs and is an ordinary interrupt is one: fixed or lowest priority, with a
 * vector that may be used. The upper half of the address would be a store to memory.
 */
static void send_message(struct msi_port *port, uint64_t address, uint32_t data)
{
	struct arch *arch = port->opaque;
	struct kvm_msi msi = { .address_lo = (uint32_t)address, .data = data & 0xffff };
	unsigned mode = data >> 8 & 7, vector = data & 0xff;

	if (address >> 20 == X86_LAPIC >> 20 && mode <= 1 && vector >= 16)
		(void)ioctl(arch->config.kvm->vm_fd, KVM_SIGNAL_MSI, &msi);
}

static int create_pci(struct arch *arch)
{
	const struct arch_config *config = &arch->config;

	arch->msi = (struct msi_port){ .send = send_message, .opaque = arch };
	return pci_bus_create(config->bus, config->loop, X86_PCI_WINDOW, X86_PCI_WINDOW_SIZE,
			      &arch->pci);
}

static int create_devices(struct arch *arch)
{
	const struct arch_config *config = &arch->config;
	int r = i8042_create(config->bus, config->events.reset, config->events.opaque,
			     &arch->i8042);

	if (!r)
		r = acpi_pm_create(config->bus, X86_PORT_SLEEP_CONTROL, config->events.poweroff,
				   config->events.opaque, &arch->acpi_pm);
	if (!r)
		r = exit_device_create(config->bus, BUS_PIO, X86_PORT_EXIT, config->events.exit,
				       config->events.opaque, &arch->exit_device);
	if (!r)
		r = pvpanic_create(config->bus, BUS_PIO, X86_PORT_PVPANIC, config->events.panic,
				   config->events.opaque, &arch->pvpanic);
	if (!r && config->pci)
		r = create_pci(arch);
	if (r || !config->serial_out)
		return r;
	kvm_irq_level(config->kvm, X86_COM1_IRQ, &arch->serial_irq);
	r = serial_create(config->loop, &arch->serial_irq, config->serial_out,
			  config->serial_opaque, &arch->serial);
	return r ? r : serial_attach(arch->serial, config->bus, BUS_PIO, X86_PORT_COM1, 0);
}

int arch_create(const struct arch_config *config, struct arch **out)
{
	struct arch *arch = calloc(1, sizeof(*arch));

	if (!arch)
		return -ENOMEM;
	arch->config = *config;
	arch->tsc_deadline = kvm_has(config->kvm, KVM_CAP_TSC_DEADLINE_TIMER);

	int r = create_irqchip(config->kvm);

	if (!r)
		r = x86_cpuid_supported(config->kvm, &arch->cpuid);
	if (!r) {
		r = create_devices(arch);
		if (r < 0)
			diag_error("the board: the host refuses what its devices need: %s",
				   strerror(-r));
	}
	if (r < 0) {
		arch_destroy(arch);
		return r;
	}
	*out = arch;
	return 0;
}

/* Local APICs come with the vCPUs by themselves. */
int arch_vcpus_created(struct arch *arch, struct vcpu *vcpus)
{
	(void)arch;
	(void)vcpus;
	return 0;
}

int arch_irq_edge(struct arch *arch, unsigned gsi, struct irq_line *line)
{
	int r = kvm_irq_edge(arch->config.kvm, gsi, line);

	if (!r)
		kvm_irq_pulse_at_once(line);
	return r;
}

void arch_destroy(struct arch *arch)
{
	if (!arch)
		return;
	pci_bus_destroy(arch->pci);
	serial_destroy(arch->serial);
	pvpanic_destroy(arch->pvpanic);
	exit_device_destroy(arch->exit_device);
	acpi_pm_destroy(arch->acpi_pm);
	i8042_destroy(arch->i8042);
	free(arch->cpuid);
	free(arch);
}

/* A message to all local APICs, of delivery mode NMI (Intel SDM 3, "Message Signalled Interrupts"). */
int arch_nmi(struct arch *arch)
{
	struct kvm_msi msi = { .address_lo = X86_LAPIC | 0xff << 12, .data = 4 << 8 };

	return ioctl(arch->config.kvm->vm_fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}

struct pci_bus *arch_pci_bus(struct arch *arch)
{
	return arch->pci;
}

struct msi_port *arch_msi_port(struct arch *arch)
{
	return arch->pci ? &arch->msi : NULL;
}

struct serial *arch_serial(struct arch *arch)
{
	return arch->serial;
}

bool arch_kernel_hint(const struct guest_mem *mem, const uint8_t *head, size_t head_len,
		      uint64_t size, gpa_t *at)
{
	return x86_kernel_hint(mem, head, head_len, size, at);
}

/* The words by which a kernel without ACPI finds the windows (Linux, virtio_mmio.c). */
static int add_virtio_words(const struct arch_images *images, char *line, size_t size)
{
	size_t used = (size_t)snprintf(line, size, "%s", images->cmdline);

	for (unsigned i = 0; used < size && i < images->virtio_count; i++)
		used += (size_t)snprintf(line + used, size - used,
					 "%svirtio_mmio.device=%uK@%#llx:%u", used ? " " : "",
					 X86_VIRTIO_SIZE >> 10,
					 (unsigned long long)x86_virtio_base(i), x86_virtio_gsi(i));
	if (used < size)
		return 0;
	diag_error("command line: no room for the virtio devices in its %zu bytes", size);
	return -ENOSPC;
}

static int load_initrd(struct arch *arch, const struct arch_images *images,
		       const struct kernel_file *kernel, gpa_t *at)
{
	int r = x86_place_initrd(arch->config.mem, kernel, &arch->boot, images->initrd_size, at);

	return r < 0 ? r : arch_put_initrd(arch->config.mem, *at, images);
}

static int write_acpi(struct arch *arch, const struct arch_images *images, gpa_t *rsdp)
{
	struct x86_acpi_virtio virtio[X86_VIRTIO_WINDOWS];
	struct x86_acpi_config config = {
		.cpus = arch->config.cpus,
		.virtio = virtio,
		.virtio_count = images->virtio_cmdline || arch->pci ? 0 : images->virtio_count,
		.pci_window = X86_PCI_WINDOW,
		.pci_window_size = arch->pci ? X86_PCI_WINDOW_SIZE : 0,
		.serial = arch->serial,
	};

	for (unsigned i = 0; i < config.virtio_count; i++)
		virtio[i] = (struct x86_acpi_virtio){
			.base = x86_virtio_base(i),
			.size = X86_VIRTIO_SIZE,
			.gsi = x86_virtio_gsi(i),
		};
	return x86_write_acpi(arch->config.mem, &config, rsdp);
}

/*
 * The machine's firmware, all of it: the code at the reset vector of real mode (F000:FFF0), which
 * pulses the reset line. Linux goes there to reboot when the FADT says that the hardware is
 * reduced and there is no EFI (arch/x86/kernel/reboot.c: neither the FADT's reset register nor the
 * keyboard controller is then tried). The ACPI tables end far below.
 */
static int write_reset_vector(struct guest_mem *mem)
{
	static const uint8_t code[] = {
		0xb0, X86_I8042_RESET, /* mov al, 0xfe */
		0xe6, X86_PORT_I8042,  /* out 0x64, al */
		0xf4,		       /* hlt */
		0xeb, 0xfd,	       /* jmp to the hlt */
	};

	return mem_load(mem, gpa(X86_ACPI_END - 16), code, sizeof(code));
}

int arch_load(struct arch *arch, const struct arch_images *images)
{
	struct guest_mem *mem = arch->config.mem;
	struct kernel_file kernel = {
		.data = images->kernel,
		.size = images->kernel_size,
		.name = images->kernel_name,
	};
	char *virtio_line = NULL; /* 64 KiB: not on the stack, which would keep the pages below */
	const char *cmdline = images->cmdline;
	gpa_t initrd = gpa(0);
	gpa_t rsdp = gpa(0);
	int r = x86_load_kernel(mem, &kernel, &arch->boot);

	if (!r && images->initrd_fd >= 0)
		r = load_initrd(arch, images, &kernel, &initrd);
	if (!r && images->virtio_cmdline) {
		virtio_line = malloc(X86_CMDLINE_MAX);
		r = virtio_line ? add_virtio_words(images, virtio_line, X86_CMDLINE_MAX) : -ENOMEM;
		cmdline = virtio_line;
	}
	if (!r)
		r = write_acpi(arch, images, &rsdp);
	if (!r)
		r = write_reset_vector(mem);
	if (!r)
		r = x86_write_page_tables(mem);
	if (!r)
		r = x86_write_gdt(mem);
	if (!r)
		r = x86_write_boot_data(mem, &kernel, &arch->boot, cmdline, initrd,
					images->initrd_size, rsdp);
	free(virtio_line);
	return r;
}
