/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550A serial port (National Semiconductor PC16550D data sheet), 8 registers of one byte.
 *
 * Registers are touched by vCPU threads and input comes on the loop's thread, so the port has a
 * lock of its own (LOCK_RANK_DEVICE). Output is gathered and handed to @out_fn on the loop's
 * thread: at latest 2 ms after the first byte, or when the buffer is half full; if it is full the
 * vCPU waits (loop_call), so nothing is lost.
 */
#ifndef HW_SERIAL_H
#define HW_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/bus.h"
#include "hw/irq.h"
#include "hw/loop.h"

struct serial;

/* Where output goes: takes all @len bytes. Runs on the loop's thread. */
typedef void (*serial_out_fn)(void *opaque, const void *data, size_t len);

/* Bytes since the port was made: taken by serial_input, written by the guest (not looped back). */
struct serial_counters {
	uint64_t in;
	uint64_t out;
};

/*
 * A port in *@out, owned by the caller (serial_destroy, before the loop is destroyed and with the
 * loop and the vCPUs at rest). @irq is level driven (irq_set) and called with the port's lock held.
 * 0 or -errno.
 */
int serial_create(struct loop *loop, struct irq_line *irq, serial_out_fn out_fn, void *opaque,
		  struct serial **out);
void serial_destroy(struct serial *serial);

/*
 * Puts the port on the bus: registers at @base, @shift apart as 1 << shift bytes (0 on x86). 0,
 * -EINVAL (@shift above 3), -EBUSY (attached before), or what bus_add says.
 */
int serial_attach(struct serial *serial, struct bus *bus, enum bus_space space, uint64_t base,
		  unsigned shift);

/*
 * Input from the terminal: takes at most @len bytes, returns how many fitted (4096 may wait for the
 * guest). When fewer did, @fn given to serial_on_room is called on the loop as soon as half of
 * the place is free. Loop thread.
 */
size_t serial_input(struct serial *serial, const void *data, size_t len);
void serial_on_room(struct serial *serial, loop_fn fn, void *opaque);

/*
 * A break condition on the line, behind the input that waits: the receiver gets a zero byte with the
 * break bit of LSR (data sheet, "Line Status Register"). False: no room, as for serial_input. Loop
 * thread.
 */
bool serial_break(struct serial *serial);

/* Hands out what is still gathered, now. Loop thread, or when neither loop nor vCPUs run. */
void serial_flush(struct serial *serial);

/* Any thread. */
struct serial_counters serial_counters(struct serial *serial);

#endif
