/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of guests/x86/ share, and what x86-only guests may use. */
#ifndef GUESTS_X86_X86_H
#define GUESTS_X86_X86_H

#include "lib/types.h"

enum {
	PORT_COM1 = 0x3f8,
	PORT_I8042 = 0x64,
	PORT_EXIT = 0x500,
	PORT_PVPANIC = 0x505,
	PORT_SLEEP = 0x600,
	STATUS_EXCEPTION = 120,
	STATUS_BAD_HOST = 121,
	STATUS_BAD_GUEST = 122,
};

/* What the CPU and our entry code push for an exception. */
struct exception_frame {
	u64 vector, error, rip, cs, flags, rsp, ss;
};

/* First C code: BOOT_PARAMS is the address of the Linux zero page. */
_Noreturn void plat_start(const u8 *boot_params);
void plat_cpu_main(u32 cpu);
void exception(struct exception_frame *frame);
void interrupt(u32 vector);

/* Interrupt tables and the local APIC; x86_lapic_init() on each processor. */
void x86_idt_init(void);
void x86_idt_load(void);
void x86_lapic_init(void);
void x86_send_ipi(u32 apic_id, u32 command);
/* A local APIC register by its xAPIC offset, whatever mode the APIC is in. */
u32 x86_lapic_read(u32 reg);
void x86_lapic_write(u32 reg, u32 value);
/* Free vector whose interrupts call HANDLER. */
u32 x86_vector(void (*handler)(void));

/* ACPI. The MADT's processors, and the IOAPIC pin (GSI) of a legacy IRQ. */
void x86_acpi_init(u64 rsdp);
u32 x86_acpi_cpus(void);
u32 x86_acpi_cpu_id(u32 i);
u32 x86_acpi_gsi(u32 irq);
uptr x86_acpi_ioapic(void);
uptr x86_acpi_lapic(void);

#endif
