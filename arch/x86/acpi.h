/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACPI tables that tell a guest of its machine: RSDP, XSDT, FADT (hardware reduced), MADT, DSDT
 * (ACPI 6.3). They lie in X86_ACPI..X86_RESET_PAGE, which the e820 map marks as ACPI's.
 */
#ifndef ARCH_X86_ACPI_H
#define ARCH_X86_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/memory.h"

/* One virtio-mmio window, to be told as device LNRO0005. */
struct x86_acpi_virtio {
	uint64_t base; /* guest physical address; the window ends at 4 GiB or below */
	uint32_t size; /* bytes */
	unsigned gsi;  /* IOAPIC pin; edge, active high, not shared */
};

enum {
	X86_ACPI_MAX_CPUS = 1024,
	X86_ACPI_MAX_VIRTIO = 256,
};

struct x86_acpi_config {
	unsigned cpus;			      /* local APIC ids 0..cpus-1; 1..X86_ACPI_MAX_CPUS */
	const struct x86_acpi_virtio *virtio; /* NULL is allowed if there are none */
	size_t virtio_count;		      /* at most X86_ACPI_MAX_VIRTIO */
	bool serial;			      /* COM1 is there */
	/* A PCI bus whose BARs lie there; size 0: there is none. Both ends below 4 GiB. */
	uint64_t pci_window;
	uint32_t pci_window_size;
};

/*
 * Writes the tables; *@rsdp is where the root pointer lies (for boot_params and hvm_start_info).
 * 0, -EINVAL (@config outside of its limits), -ENOMEM, or -EFAULT (no RAM there). Says nothing: only
 * a defect of ours makes it fail, or a guest with less than 1 MiB.
 */
int x86_write_acpi(struct guest_mem *mem, const struct x86_acpi_config *config, gpa_t *rsdp);

#endif
