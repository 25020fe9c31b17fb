/* SPDX-License-Identifier: BSD-2-Clause */
/* Has what is in the kernel, the initrd and tables put into the guest's memory. */
#include <errno.h>

#include "base/diag.h"
#include "vm/cmdline.h"
#include "vm/machine.h"
#include "vm/signed/signed.h"
#include "vm/unpack.h"

static int load_status(int err)
{
	/* Not what it should be, or larger than the guest's memory. */
	return err == -ENOEXEC || err == -ENOSPC ? VM_STATUS_BAD_IMAGE : VM_STATUS_SYSTEM;
}

/* A packed kernel gives way to what is in it; no other pays for that. */
static int unpack_kernel(struct vm *vm)
{
	const struct vm_image *kernel = &vm->image;
	struct unpacked plain;

	if (!kernel->ours || !unpack_wanted(kernel->data, kernel->size))
		return 0;

	int r = unpack(vm->kernel.name, kernel->data, kernel->size, vm->config->memory, &plain);

	vm_forget_kernel(vm);
	if (r < 0)
		return load_status(r);
	vm->image = (struct vm_image){ plain.data, plain.size, .ours = true };
	return 0;
}

/* The initrd goes straight to RAM: nobody parses it here. */
int vm_load(struct vm *vm)
{
	char cmdline[MANIFEST_CMDLINE_MAX];
	struct arch_images images = {
		.kernel_name = vm->kernel.name,
		.initrd_fd = vm->initrd.fd,
		.initrd_size = vm->initrd.fd >= 0 ? vm->initrd.size : 0,
		.initrd_name = vm->initrd.name,
		.cmdline = cmdline,
		.tree_fd = vm->tree_fd,
		.tree_name = vm->config->tree,
		.virtio_count = vm->device_count,
		.virtio_cmdline = vm->config->discovery == VM_DISCOVERY_CMDLINE,
	};

	if (vm->signed_boot)
		images.initrd = vm->signed_boot->initrd.data;
	if (vm->signed_boot && vm->config->manifest) {
		images.cmdline = vm->signed_boot->list.cmdline;
	} else if (vm_cmdline(vm->config, &arch_words, cmdline, sizeof(cmdline)) < 0) {
		diag_error("command line: longer than %zu bytes", sizeof(cmdline) - 1);
		return VM_STATUS_USAGE;
	}

	int status = unpack_kernel(vm);

	if (status)
		return status;
	images.kernel = vm->image.data;
	images.kernel_size = vm->image.size;

	int r = arch_load(vm->arch, &images);

	vm_forget_kernel(vm);
	if (vm->signed_boot && !vm_may_restart(vm->config))
		signed_release(&vm->signed_boot->initrd);
	return r < 0 ? load_status(r) : 0;
}
