/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The riscv64 machine's map: every guest physical address and interrupt number that hvrun chose, in
 * one place. docs/boot-riscv.md tells the same to a reader of guests.
 *
 *	0x00100000  exit device
 *	0x00101000  clock, a Goldfish RTC
 *	0x00102000  pvpanic device
 *	0x0c000000  PLIC, where KVM has no interrupt controller
 *	0x0d000000  APLIC, where it has one (AIA)
 *	0x10000000  serial port, a 16550A with its 8 registers one byte apart
 *	0x10001000  virtio-mmio windows, 32 of 4 KiB
 *	0x28000000  IMSICs, one of 4 KiB for each hart, with AIA
 *	0x80000000  RAM, without a gap
 *
 * A gsi here is the number of a source at the PLIC or APLIC: what a device tree says, and, with AIA,
 * what KVM_IRQ_LINE takes with KVM's default routing.
 */
#ifndef ARCH_RISCV_LAYOUT_H
#define ARCH_RISCV_LAYOUT_H

#include <stdint.h>

#define RISCV_RAM UINT64_C(0x80000000)

#define RISCV_EXIT    UINT64_C(0x00100000)
#define RISCV_CLOCK   UINT64_C(0x00101000)
#define RISCV_PVPANIC UINT64_C(0x00102000)
#define RISCV_PLIC    UINT64_C(0x0c000000)
#define RISCV_APLIC   UINT64_C(0x0d000000)
#define RISCV_SERIAL  UINT64_C(0x10000000)
#define RISCV_VIRTIO  UINT64_C(0x10001000)
#define RISCV_IMSIC   UINT64_C(0x28000000)

#define RISCV_APLIC_SIZE  UINT64_C(0x4000)
#define RISCV_IMSIC_SIZE  UINT64_C(0x1000) /* for each hart */
#define RISCV_SERIAL_SIZE UINT64_C(8)

enum {
	RISCV_VIRTIO_WINDOWS = 32,
	RISCV_VIRTIO_SIZE = 0x1000, /* bytes of each window */
};

/* Where window @index begins. */
static inline uint64_t riscv_virtio_window(unsigned index)
{
	return RISCV_VIRTIO + (uint64_t)index * RISCV_VIRTIO_SIZE;
}

/* Sources; 0 is none. */
enum {
	RISCV_SERIAL_GSI = 1,
	RISCV_CLOCK_GSI = 2,
	RISCV_VIRTIO_GSI = 16, /* of window 0; the others follow */
	RISCV_SOURCES = 63,
};

enum {
	RISCV_IRQ_EXTERNAL = 9, /* supervisor external interrupt at a hart's own controller */
};

#endif
