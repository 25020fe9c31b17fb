/* SPDX-License-Identifier: BSD-2-Clause */
/* Before a machine is taken down: what its disks have in flight comes to an end, or hvrun leaves without it. */
#include <poll.h>

#include "base/diag.h"
#include "vm/machine.h"

enum {
	SLICE_MS = 100,	     /* between two looks for a signal */
	SAY_AFTER_MS = 1000, /* that somebody waits */
	PATIENCE_MS = 10000, /* at the end of all */
};

/* Disks come first (vm/devices.c). */
static const char *name_of(const struct vm *vm, unsigned index)
{
	return index < vm->config->disk_count ? vm->config->disks[index].path
					      : vm->devices[index].dev->name;
}

static bool is_remote(const struct vm *vm, unsigned index)
{
	return vm->devices[index].dev->type->remote;
}

/* What device @index is waited for, in words. */
static void say_wait(const struct vm *vm, unsigned index, bool again)
{
	if (is_remote(vm, index))
		diag_note("virtio-%s: waiting for its back-end to stop (12 s at most%s)",
			  vm->devices[index].dev->name, again ? "" : ", or until the next signal");
	else
		diag_note("disk %s: waiting for a read or write that its medium has not answered%s",
			  name_of(vm, index),
			  again ? "" : " (10 s at most, or until the next signal)");
}

static void say_left(const struct vm *vm, unsigned index)
{
	if (is_remote(vm, index))
		diag_warn("virtio-%s: its back-end does not stop: ending without it",
			  vm->devices[index].dev->name);
	else
		diag_warn("disk %s: its medium does not answer a read or write: ending without it",
			  name_of(vm, index));
}

/* Who has asked for an end, and then once more, means now. */
static bool is_signalled(const struct vm *vm)
{
	struct pollfd signal = { .fd = vm->signal_fd, .events = POLLIN };

	return poll(&signal, 1, 0) > 0;
}

/* Waits for device @index; *@waited is of all together. A back-end's time ends by itself (vhost_user_talk.c). */
static bool settle(const struct vm *vm, unsigned index, bool again, unsigned *waited)
{
	while (!virtio_dev_settle(vm->devices[index].dev, SLICE_MS)) {
		*waited += SLICE_MS;
		if (*waited == SAY_AFTER_MS && vm->config->verbosity >= 0)
			say_wait(vm, index, again);
		if (is_signalled(vm) || (!again && !is_remote(vm, index) && *waited >= PATIENCE_MS))
			return false;
	}
	return true;
}

bool vm_settle(struct vm *vm, bool again)
{
	unsigned waited = 0;

	for (unsigned i = 0; i < vm->device_count; i++)
		virtio_set_status(vm->devices[i].dev, 0);
	for (unsigned i = 0; i < vm->device_count; i++) {
		if (settle(vm, i, again, &waited))
			continue;
		say_left(vm, i);
		vm->stuck = true;
		return false;
	}
	return true;
}
