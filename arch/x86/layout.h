/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The x86 machine's map: every guest physical address, port, interrupt line and selector that
 * hvrun chose, in one place. docs/boot-x86.md tells the same to a reader of guests.
 *
 *	0x00006000  GDT of the boot CPU (X86_GDT), hvm_start_info and what it points to (X86_PVH_INFO)
 *	0x00007000  boot_params, the "zero page" (X86_ZERO_PAGE)
 *	0x00008000  left alone: guests put the first code of their other processors here
 *	0x00009000  page tables: PML4, PDPT, four page directories, to 0xefff
 *	0x00020000  command line, at most 64 KiB
 *	0x0009fc00  end of low RAM (e820); reserved to 0xe0000
 *	0x000e0000  ACPI tables, to 0xff000; then reserved, with the reset vector at 0xffff0
 *	0x00100000  RAM for the kernel and the initrd, to the end of RAM or 3 GiB
 *	0xc0000000  virtio-mmio windows, 16 of 4 KiB
 *	0xc1000000  BARs of PCI functions, 16 MiB; nothing else but the APICs up to 4 GiB
 *	0x100000000 the RAM that found no place below 3 GiB
 */
#ifndef ARCH_X86_LAYOUT_H
#define ARCH_X86_LAYOUT_H

#include <stdint.h>

/* RAM: from 0 to at most X86_RAM_LOW_END, the rest from X86_RAM_HIGH. Bytes. */
#define X86_RAM_LOW_END UINT64_C(0xc0000000)
#define X86_RAM_HIGH	UINT64_C(0x100000000)

/* What the loaders write below 1 MiB. Images may load at X86_IMAGE_MIN or above only. */
#define X86_GDT		 UINT64_C(0x6000)
#define X86_PVH_INFO	 UINT64_C(0x6100)
#define X86_PVH_INFO_END UINT64_C(0x7000)
#define X86_ZERO_PAGE	 UINT64_C(0x7000)
#define X86_PML4	 UINT64_C(0x9000)
#define X86_PDPT	 UINT64_C(0xa000)
#define X86_PAGE_DIRS	 UINT64_C(0xb000) /* four pages, one for each GiB */
#define X86_CMDLINE	 UINT64_C(0x20000)
#define X86_CMDLINE_MAX	 UINT64_C(0x10000) /* bytes, the NUL included */
#define X86_EBDA	 UINT64_C(0x9fc00) /* RAM that the guest may use ends here ... */
#define X86_ACPI	 UINT64_C(0xe0000)
#define X86_RESET_PAGE	 UINT64_C(0xff000) /* the tables end here at the latest */
#define X86_ACPI_END	 UINT64_C(0x100000)
#define X86_IMAGE_MIN	 UINT64_C(0x100000) /* ... and goes on here */

/* The GDT of the boot CPU (X86_GDT): flat segments from 0 to 4 GiB, and a TSS at 0. */
enum x86_selector {
	X86_SEL_CODE32 = 0x08, /* 32-bit code, for the PVH entry */
	X86_SEL_CODE64 = 0x10, /* 64-bit code: __BOOT_CS of the Linux boot protocol */
	X86_SEL_DATA = 0x18,   /* data: __BOOT_DS */
	X86_SEL_TSS = 0x20,    /* a busy TSS, 16 bytes; only there to be loaded */
	X86_GDT_LIMIT = 0x2f,  /* the last byte of the GDT */
	X86_TSS_LIMIT = 0x67,  /* the last byte of a TSS */
};

/* The virtio-mmio windows. */
#define X86_VIRTIO_BASE UINT64_C(0xc0000000)
enum {
	X86_VIRTIO_WINDOWS = 16,
	X86_VIRTIO_SIZE = 0x1000, /* bytes of each window */
};

/* Where BARs of PCI functions may lie. */
#define X86_PCI_WINDOW	    UINT64_C(0xc1000000)
#define X86_PCI_WINDOW_SIZE UINT32_C(0x1000000)

/* No memory from the end of the windows to X86_RAM_HIGH. */
#define X86_HOLE (X86_VIRTIO_BASE + X86_VIRTIO_WINDOWS * UINT64_C(0x1000))

/* Interrupt controllers, where KVM's own models have them. */
#define X86_IOAPIC UINT64_C(0xfec00000)
#define X86_LAPIC  UINT64_C(0xfee00000)
enum {
	X86_IOAPIC_ID = 0,
	X86_IOAPIC_PINS = 24,
};

/* Ports. */
enum x86_port {
	X86_PORT_I8042 = 0x64,		/* read: 0; write of X86_I8042_RESET: the guest resets */
	X86_PORT_COM1 = 0x3f8,		/* eight ports */
	X86_PORT_EXIT = 0x500,		/* write of S: the run ends with status S & 0xff */
	X86_PORT_PVPANIC = 0x505,	/* the guest's kernel tells of its panic (hw/pvpanic.h) */
	X86_PORT_SLEEP_CONTROL = 0x600, /* ACPI 4.8.3.7; write of X86_SLEEP_S5: power off */
	X86_PORT_SLEEP_STATUS = 0x601,
};

enum {
	X86_COM1_IRQ = 4,
	X86_I8042_RESET = 0xfe,
	X86_SLEEP_TYPE_S5 = 5,
	X86_SLEEP_ENABLE = 0x20,
	X86_SLEEP_S5 = X86_SLEEP_TYPE_S5 << 2 | X86_SLEEP_ENABLE,
};

/* The interrupt line (GSI, an IOAPIC pin) of virtio-mmio window @index, 0..15. Edge, active high. */
static inline unsigned x86_virtio_gsi(unsigned index)
{
	static const uint8_t gsis[X86_VIRTIO_WINDOWS] = {
		5, 6, 7, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 12,
	};

	return gsis[index % X86_VIRTIO_WINDOWS];
}

/* The guest physical address of virtio-mmio window @index, 0..15. */
static inline uint64_t x86_virtio_base(unsigned index)
{
	return X86_VIRTIO_BASE + (uint64_t)(index % X86_VIRTIO_WINDOWS) * X86_VIRTIO_SIZE;
}

#endif
