/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the kernel, once, and has what is in it, the initrd and tables put into the guest's memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "vm/cmdline.h"
#include "vm/machine.h"
#include "vm/signed.h"
#include "vm/unpack.h"

enum { HEAD = 4096 }; /* bytes of a kernel that tell where it wants to lie */

/* A kernel file in memory: in the guest's RAM, or in a mapping of our own. */
struct kernel {
	uint8_t *data;
	size_t size;
	bool ours; /* to be unmapped */
};

static int judge_size(const struct vm_file *file)
{
	if (file->size == 0) {
		diag_error("kernel %s: the file is empty", file->name);
		return VM_STATUS_BAD_IMAGE;
	}
	if (file->size > UNPACK_MAX) {
		diag_error("kernel %s: %" PRIu64
			   " bytes are more than any kernel has (the limit is "
			   "%" PRIu64 ")",
			   file->name, file->size, UNPACK_MAX);
		return VM_STATUS_BAD_IMAGE;
	}
	return 0;
}

/* The place in guest memory, in one piece, that a file beginning with @head wants; NULL: any. */
static uint8_t *wanted_place(const struct vm *vm, const uint8_t *head, size_t len)
{
	struct iovec iov;
	gpa_t at;

	if (!arch_kernel_hint(vm->mem, head, len, vm->kernel.size, &at) ||
	    mem_segments(vm->mem, at, vm->kernel.size, MEM_WRITE, &iov, 1) != 1)
		return NULL;
	return iov.iov_base;
}

/*
 * Where the kernel lies in the guest's RAM if it is read straight to its place; NULL if its head does
 * not tell. No vCPU runs yet, so the bytes are as private there as anywhere.
 */
static uint8_t *place_in_guest(const struct vm *vm)
{
	uint8_t head[HEAD];
	ssize_t n = pread_full(vm->kernel.fd, head, sizeof(head), 0);

	return n > 0 ? wanted_place(vm, head, (size_t)n) : NULL;
}

/*
 * The place was chosen by a first look at the head. If the bytes that were read in the end want
 * another one, somebody changed the file meanwhile: the guest must not start among remains.
 */
static bool changed_meanwhile(const struct vm *vm, const struct kernel *kernel)
{
	return !kernel->ours &&
	       wanted_place(vm, kernel->data, size_min(kernel->size, HEAD)) != kernel->data;
}

static int place_apart(const struct vm_file *file, struct kernel *kernel)
{
	void *map = mmap(NULL, kernel->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (map == MAP_FAILED) {
		diag_error("kernel %s: no memory for its %zu bytes: %s", file->name, kernel->size,
			   strerror(errno));
		return VM_STATUS_SYSTEM;
	}
	(void)madvise(map, kernel->size, MADV_HUGEPAGE);
	kernel->data = map;
	kernel->ours = true;
	return 0;
}

static void release(struct kernel *kernel)
{
	if (kernel->ours)
		munmap(kernel->data, kernel->size);
}

static int load_status(int err)
{
	/* Not what it should be, or larger than the guest's memory. */
	return err == -ENOEXEC || err == -ENOSPC ? VM_STATUS_BAD_IMAGE : VM_STATUS_SYSTEM;
}

/* A packed kernel gives way to what is in it; no other pays for that. */
static int unpack_kernel(const struct vm *vm, struct kernel *kernel)
{
	struct unpacked plain;

	if (!kernel->ours || !unpack_wanted(kernel->data, kernel->size))
		return 0;

	int r = unpack(vm->kernel.name, kernel->data, kernel->size, vm->config->memory, &plain);

	release(kernel);
	if (r < 0)
		return load_status(r);
	kernel->data = plain.data;
	kernel->size = plain.size;
	return 0;
}

/* What was read and verified already: the mapping changes hands, or is kept for the next boot. */
static int take_verified(const struct vm *vm, struct kernel *kernel)
{
	struct signed_boot *boot = vm->signed_boot;

	if (vm_may_restart(vm->config)) {
		*kernel = (struct kernel){ .size = boot->kernel.size };

		int status = place_apart(&vm->kernel, kernel);

		if (!status)
			memcpy(kernel->data, boot->kernel.data, kernel->size);
		return status;
	}
	*kernel = (struct kernel){ boot->kernel.data, boot->kernel.size, .ours = true };
	boot->kernel.data = NULL;
	return 0;
}

/* The bytes that are judged later are the ones read here: all of them, once. */
static int read_kernel(const struct vm *vm, struct kernel *kernel)
{
	const struct vm_file *file = &vm->kernel;
	int status;

	if (vm->signed_boot)
		return take_verified(vm, kernel);
	status = judge_size(file);

	if (status)
		return status;
	*kernel = (struct kernel){ .size = (size_t)file->size, .data = place_in_guest(vm) };
	if (!kernel->data)
		status = place_apart(file, kernel);
	if (status)
		return status;

	ssize_t n = pread_full(file->fd, kernel->data, kernel->size, 0);

	if (n == (ssize_t)kernel->size && !changed_meanwhile(vm, kernel))
		return 0;
	if (n < 0)
		diag_error("kernel %s: cannot read: %s", file->name, strerror((int)-n));
	else
		diag_error("kernel %s: it was changed while it was read", file->name);
	release(kernel);
	return VM_STATUS_NO_INPUT;
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
	struct kernel kernel;

	if (vm->signed_boot)
		images.initrd = vm->signed_boot->initrd.data;
	if (vm->signed_boot && vm->config->manifest) {
		images.cmdline = vm->signed_boot->list.cmdline;
	} else if (vm_cmdline(vm->config, &arch_words, cmdline, sizeof(cmdline)) < 0) {
		diag_error("command line: longer than %zu bytes", sizeof(cmdline) - 1);
		return VM_STATUS_USAGE;
	}

	int status = read_kernel(vm, &kernel);

	if (!status)
		status = unpack_kernel(vm, &kernel);
	if (status)
		return status;
	images.kernel = kernel.data;
	images.kernel_size = kernel.size;

	int r = arch_load(vm->arch, &images);

	release(&kernel);
	if (vm->signed_boot && !vm_may_restart(vm->config))
		signed_release(&vm->signed_boot->initrd);
	return r < 0 ? load_status(r) : 0;
}
