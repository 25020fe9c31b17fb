/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one thing a PC's keyboard controller is still used for: resetting the machine.
 *
 * Ports 0x60 (data) and 0x64 (status and command). Status reads 0: neither buffer is full, so a
 * driver that waits for the controller goes on, and one that probes for a keyboard finds none.
 * Command 0xfe pulses the reset line; everything else is ignored. The device has no state and
 * needs no lock.
 */
#ifndef HW_I8042_H
#define HW_I8042_H

#include "hw/bus.h"

enum {
	I8042_DATA_PORT = 0x60,
	I8042_COMMAND_PORT = 0x64,
	I8042_RESET = 0xfe, /* the command; also the value of the ACPI reset register */
};

struct i8042;

/*
 * A controller in *@out, owned by the caller (i8042_destroy, after the bus), on @bus. @reset is
 * called on the vCPU's thread, perhaps on several at once and more than once. 0 or -errno.
 */
int i8042_create(struct bus *bus, void (*reset)(void *opaque), void *opaque, struct i8042 **out);
void i8042_destroy(struct i8042 *i8042);

#endif
