/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exit device: by it a guest ends the run with an exit status of its own.
 *
 * One register of 4 bytes, at a port or in memory. A write at its start of 1, 2 or 4 bytes (little
 * endian) ends the run; the status is the value's low byte. Other writes are ignored. A read
 * returns the bytes of EXIT_DEVICE_ID, so that a guest can tell that the device is there (nothing
 * there reads as all ones) and in which version. The device has no state and needs no lock.
 */
#ifndef HW_EXIT_DEVICE_H
#define HW_EXIT_DEVICE_H

#include "hw/bus.h"

enum {
	EXIT_DEVICE_SIZE = 4,
	EXIT_DEVICE_ID = 0x01545845, /* the bytes 'E' 'X' 'T', then version 1 */
};

struct exit_device;

/*
 * A device in *@out, owned by the caller (exit_device_destroy, after the bus), on @bus at @base of
 * @space. @fn is called with the status, 0 to 255, on the vCPU's thread, perhaps on several at
 * once and more than once. 0 or -errno.
 */
int exit_device_create(struct bus *bus, enum bus_space space, uint64_t base,
		       void (*fn)(void *opaque, unsigned int status), void *opaque,
		       struct exit_device **out);
void exit_device_destroy(struct exit_device *exit_device);

#endif
