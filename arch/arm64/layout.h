/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arm64 machine's map: every guest physical address and interrupt number that hvrun chose, in
 * one place. docs/boot-arm64.md tells the same to a reader of guests.
 *
 *	0x08000000  GIC: distributor, then redistributors (GICv3) or the CPU interface (GICv2)
 *	0x09000000  serial port, a 16550A with its 8 registers one byte apart
 *	0x09010000  clock, a PL031
 *	0x09020000  exit device
 *	0x09030000  pvpanic device
 *	0x0a000000  virtio-mmio windows, 32 of 4 KiB
 *	0x80000000  RAM, without a gap
 *
 * A gsi here is the number of a shared peripheral interrupt (SPI), counted from 0: what a device
 * tree says, and what KVM_IRQFD takes with KVM's default routing. The GIC's own number is 32 more.
 */
#ifndef ARCH_ARM64_LAYOUT_H
#define ARCH_ARM64_LAYOUT_H

#include <stdint.h>

#define ARM64_RAM UINT64_C(0x80000000)

/* Sizes as the GIC architecture has them (GICv3, IHI 0069; GICv2, IHI 0048). Bytes. */
#define ARM64_GIC_DIST	      UINT64_C(0x08000000)
#define ARM64_GIC_DIST_SIZE   UINT64_C(0x10000) /* of a GICv3; KVM's GICv2 has 4 KiB */
#define ARM64_GIC_CPU	      UINT64_C(0x08010000)
#define ARM64_GIC_CPU_SIZE    UINT64_C(0x2000)
#define ARM64_GIC_REDIST      UINT64_C(0x080a0000)
#define ARM64_GIC_REDIST_SIZE UINT64_C(0x20000) /* for each vCPU */

#define ARM64_SERIAL	  UINT64_C(0x09000000)
#define ARM64_SERIAL_SIZE UINT64_C(8)
#define ARM64_CLOCK	  UINT64_C(0x09010000)
#define ARM64_EXIT	  UINT64_C(0x09020000)
#define ARM64_PVPANIC	  UINT64_C(0x09030000)
#define ARM64_VIRTIO	  UINT64_C(0x0a000000)

enum {
	ARM64_VIRTIO_WINDOWS = 32,
	ARM64_VIRTIO_SIZE = 0x1000, /* bytes of each window */
};

/* Where window @index begins. */
static inline uint64_t arm64_virtio_window(unsigned index)
{
	return ARM64_VIRTIO + (uint64_t)index * ARM64_VIRTIO_SIZE;
}

/* Shared peripheral interrupts: gsi 0 and up. */
enum {
	ARM64_SERIAL_GSI = 0,
	ARM64_CLOCK_GSI = 1,
	ARM64_VIRTIO_GSI = 16, /* of window 0; the others follow */
	ARM64_GSIS = 64,
	ARM64_FIRST_SPI = 32, /* the GIC's number of gsi 0 */
};

/* Private peripheral interrupts of the architected timer, as a device tree counts them. */
enum {
	ARM64_PPI_TIMER_SECURE = 13,
	ARM64_PPI_TIMER_PHYSICAL = 14,
	ARM64_PPI_TIMER_VIRTUAL = 11,
	ARM64_PPI_TIMER_HYPERVISOR = 10,
};

/* And of the performance monitors, which KVM wants by the GIC's own number: 16 more. */
enum {
	ARM64_PPI_PMU = 7,
	ARM64_FIRST_PPI = 16,
};

#endif
