/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each architecture provides to the guests, under the same names. A guest that includes only
 * lib/ headers runs on every architecture. Status numbers that code of lib/ and of the platform itself ends
 * with: 119 a device whose reset does not end, 120 an unexpected exception, 121 a broken description of the
 * machine by the host.
 */
#ifndef GUESTS_LIB_PLATFORM_H
#define GUESTS_LIB_PLATFORM_H

#include "lib/types.h"

/* The guest itself: what it returns becomes the exit status of the run. */
u32 guest_main(void);

/* Console, by polling. plat_getc() returns -1 when nothing waits. */
void plat_putc(char c);
int plat_getc(void);
/* The console's number for plat_irq_on(); after that, its interrupts for received bytes on. */
u32 plat_console_irq(void);
void plat_console_irq_enable(void);

/* Ways out. The first three end the run; plat_crash() faults beyond repair. */
_Noreturn void plat_exit(u32 status);
_Noreturn void plat_poweroff(void);
_Noreturn void plat_reset(void);
_Noreturn void plat_crash(void);
/* Events to the pvpanic device: 1 panicked, 2 a crash kernel runs. */
void plat_pvpanic(u8 events);
/* Interrupts off and stop for ever, without telling anyone. */
_Noreturn void plat_hang(void);
/* The same, but asleep in the processor's wait instruction. */
_Noreturn void plat_sleep_for_ever(void);

/* What the host told us. */
const char *plat_cmdline(void);
u32 plat_cpu_count(void);
/* Region number I of RAM in the host's map; false when there is no such region. */
bool plat_ram_region(u32 i, u64 *start, u64 *size);
/* Make a physical address that lies outside the first mapping touchable; returns the pointer. */
void *plat_map(u64 gpa);

/* The virtio-mmio windows: their count, address and interrupt number. */
u32 plat_virtio_windows(void);
uptr plat_virtio_window(u32 i);
u32 plat_virtio_irq(u32 i);

/* Other processors: run ENTRY(cpu) on processor CPU (1..); returns at once, 0 or -1. */
int plat_cpu_start(u32 cpu, void (*entry)(u32 cpu));

/* Time and waiting. plat_cycles() counts up at a constant rate, unknown to us, around 1-5 GHz. */
u64 plat_cycles(void);
/*
 * Cycles after which a guest gives up what never comes: more than a minute on any processor, for a host
 * that has other things to do.
 */
#define PATIENCE 500000000000ULL
void plat_relax(void);
/* With interrupts off: wait until an interrupt came and was handled; off again after it. */
void plat_wait_irq(void);

/* Interrupts: route line IRQ to HANDLER on this processor. Edge triggered unless LEVEL. */
void plat_irq_on(u32 irq, bool level, void (*handler)(void));
/* A timer of this processor, calling HANDLER once, or again and again, each TICKS of the timer. */
void plat_timer_start(u32 ticks, bool periodic, void (*handler)(void));
void plat_timer_stop(void);

/*
 * Read a word of SIZE 1, 2, 4 or 8 bytes at an address; true when the processor took a fault
 * instead. Other faults stay fatal.
 */
bool plat_probe_read(uptr address, u32 size, u64 *value);

/* Whether a device may be reached by an access that is not aligned to its size. */
bool plat_odd_accesses(void);

/* Quick copies: one instruction each where the processor has such. */
void plat_fill(void *to, u8 byte, uptr size);
void plat_copy(void *to, const void *from, uptr size);

/* Order of memory accesses seen by a device: all, and (cheaper) writes among themselves. */
void plat_mb(void);
static inline void barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline u32 mmio_read32(uptr address)
{
	u32 v = *(volatile u32 *)address;

	barrier();
	return v;
}

static inline void mmio_write32(uptr address, u32 value)
{
	barrier();
	*(volatile u32 *)address = value;
}

#endif
