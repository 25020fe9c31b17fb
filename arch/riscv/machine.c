/* SPDX-License-Identifier: BSD-2-Clause */
/* The riscv64 board: memory map, serial port, clock, exit device, and the boot. */
#include "arch/riscv/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/dt/load.h"
#include "arch/riscv/layout.h"
#include "base/checked.h"
#include "base/diag.h"
#include "hw/exit_device.h"
#include "hw/goldfish_rtc.h"
#include "hw/plic.h"
#include "hw/pvpanic.h"

enum { ELF_MACHINE_RISCV = 243 };

/* Linux, Documentation/arch/riscv/boot-image-header.rst: magic2. */
#define RISCV_IMAGE_MAGIC "RSC\x05"

const char arch_name[] = "riscv64";
const bool arch_has_tree = true;
const bool arch_has_acpi = false;
const bool arch_has_pmu = false;
const bool arch_register_memory = false; /* a guest with Svpbmt maps devices uncached */
const bool arch_vm_takes_long = false;
const struct arch_words arch_words = { .serial_console = "console=ttyS0",
				       .always = "",
				       .no_pci = "" };

const struct kvm_need arch_kvm_needs[] = {
	{ KVM_CAP_ONE_REG, "KVM_CAP_ONE_REG", "registers one by one", true },
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP", "AIA in the kernel; without it, a PLIC in hvrun",
	  false },
	{ KVM_CAP_VM_GPA_BITS, "KVM_CAP_VM_GPA_BITS", "how much memory a guest can address",
	  false },
	{ 0, NULL, NULL, false },
};

const uint32_t arch_audit = AUDIT_ARCH_RISCV64;

const struct arch_ioctl arch_ioctls[] = {
	{ KVM_INTERRUPT, ARCH_ON_ANY_VCPU | ARCH_ON_LOOP, "KVM_INTERRUPT", "pins of the PLIC" },
	{ KVM_CREATE_DEVICE, ARCH_AT_BUILD, "KVM_CREATE_DEVICE", "the interrupt controller" },
	{ KVM_SET_DEVICE_ATTR, ARCH_AT_BUILD, "KVM_SET_DEVICE_ATTR", "the interrupt controller" },
	{ KVM_GET_DEVICE_ATTR, ARCH_AT_BUILD, "KVM_GET_DEVICE_ATTR", "the interrupt controller" },
	{ KVM_SET_ONE_REG, ARCH_AT_BUILD, "KVM_SET_ONE_REG", "registers at the start" },
	{ KVM_GET_ONE_REG, ARCH_AT_BUILD | ARCH_ON_OWN_VCPU | ARCH_ON_LOOP, "KVM_GET_ONE_REG",
	  "registers at the start; the report of a crash" },
	{ KVM_SET_ONE_REG, ARCH_ON_LOOP | ARCH_FOR_GDB, "KVM_SET_ONE_REG", "a debugger" },
};
const size_t arch_ioctl_count = ARRAY_SIZE(arch_ioctls);

int arch_vm_type(const struct kvm *kvm, uint64_t ram, unsigned long *type)
{
	int bits = kvm_has(kvm, KVM_CAP_VM_GPA_BITS);

	*type = 0;
	if (bits <= 0 || bits >= 64 || !((RISCV_RAM + ram - 1) >> bits))
		return 0;
	diag_error("guest memory: %" PRIu64 " MiB do not fit into the %d bits of address that this "
		   "host's KVM gives a guest",
		   ram >> 20, bits);
	return -ENOTSUP;
}

int arch_add_memory(struct guest_mem *mem, uint64_t ram)
{
	int r = mem_add(mem, gpa(0), RISCV_RAM, MEM_HOLE);

	return r ? r : mem_add(mem, gpa(RISCV_RAM), ram, MEM_RAM);
}

int arch_virtio_slot(unsigned index, struct arch_slot *slot)
{
	if (index >= RISCV_VIRTIO_WINDOWS)
		return -ENOSPC;
	slot->base = riscv_virtio_window(index);
	slot->gsi = RISCV_VIRTIO_GSI + index;
	return 0;
}

static int create_devices(struct arch *arch)
{
	const struct arch_config *config = &arch->config;
	int r = exit_device_create(config->bus, BUS_MMIO, RISCV_EXIT, config->events.exit,
				   config->events.opaque, &arch->exit_device);
	if (!r)
		r = pvpanic_create(config->bus, BUS_MMIO, RISCV_PVPANIC, config->events.panic,
				   config->events.opaque, &arch->pvpanic);

	if (!r) {
		riscv_irq_level(arch, RISCV_CLOCK_GSI, &arch->clock_irq);
		r = goldfish_rtc_create(config->loop, config->bus, RISCV_CLOCK, &arch->clock_irq,
					goldfish_host_clock, NULL, &arch->clock);
	}
	if (r || !config->serial_out)
		return r;
	riscv_irq_level(arch, RISCV_SERIAL_GSI, &arch->serial_irq);
	r = serial_create(config->loop, &arch->serial_irq, config->serial_out,
			  config->serial_opaque, &arch->serial);
	return r ? r : serial_attach(arch->serial, config->bus, BUS_MMIO, RISCV_SERIAL, 0);
}

int arch_create(const struct arch_config *config, struct arch **out)
{
	struct arch *arch = calloc(1, sizeof(*arch));

	if (!arch) {
		diag_error("the board: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	arch->config = *config;
	arch->aia_fd = -1;

	int r = riscv_intc_create(arch);

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

int arch_vcpus_created(struct arch *arch, struct vcpu *vcpus)
{
	arch->vcpus = vcpus;
	for (unsigned i = 0; arch->config.serial_out && i < arch->config.cpus; i++)
		riscv_sbi_offer_console(&vcpus[i]);

	int r = riscv_read_isa(arch);

	return r ? r : riscv_intc_init(arch);
}

void arch_destroy(struct arch *arch)
{
	if (!arch)
		return;
	serial_destroy(arch->serial);
	goldfish_rtc_destroy(arch->clock);
	pvpanic_destroy(arch->pvpanic);
	exit_device_destroy(arch->exit_device);
	plic_destroy(arch->plic);
	if (arch->aia_fd >= 0)
		close(arch->aia_fd);
	free(arch);
}

int arch_nmi(struct arch *arch)
{
	(void)arch;
	return -ENOTSUP;
}

struct pci_bus *arch_pci_bus(struct arch *arch)
{
	(void)arch;
	return NULL;
}

struct msi_port *arch_msi_port(struct arch *arch)
{
	(void)arch;
	return NULL;
}

struct serial *arch_serial(struct arch *arch)
{
	return arch->serial;
}

static const struct dt_target target = { RISCV_RAM, RISCV_IMAGE_MAGIC, ELF_MACHINE_RISCV };

bool arch_kernel_hint(const struct guest_mem *mem, const uint8_t *head, size_t head_len,
		      uint64_t size, gpa_t *at)
{
	return dt_image_hint(mem, target.ram, target.magic, head, head_len, size, at);
}

int arch_load(struct arch *arch, const struct arch_images *images)
{
	int r = dt_load(&target, arch->config.mem, images, &arch->boot);

	return r ? r : riscv_write_tree(arch, images);
}

bool arch_tree_place(const struct arch *arch, gpa_t *at, uint64_t *size)
{
	*at = gpa(arch->boot.tree);
	*size = arch->boot.tree_size;
	return true;
}
