/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the kernel, once: to its place in the guest's memory if its head tells that, else apart. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "vm/machine.h"
#include "vm/signed/signed.h"
#include "vm/unpack.h"

enum { HEAD = 4096 }; /* bytes of a kernel that tell where it wants to lie */

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
static bool changed_meanwhile(const struct vm *vm, const struct vm_image *kernel)
{
	return !kernel->ours &&
	       wanted_place(vm, kernel->data, size_min(kernel->size, HEAD)) != kernel->data;
}

static int place_apart(const struct vm_file *file, struct vm_image *kernel)
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

/* What was read and verified already: the mapping changes hands, or is kept for the next boot. */
static int take_verified(const struct vm *vm, struct vm_image *kernel)
{
	struct signed_boot *boot = vm->signed_boot;

	if (vm_may_restart(vm->config)) {
		*kernel = (struct vm_image){ .size = boot->kernel.size };

		int status = place_apart(&vm->kernel, kernel);

		if (!status)
			memcpy(kernel->data, boot->kernel.data, kernel->size);
		return status;
	}
	*kernel = (struct vm_image){ boot->kernel.data, boot->kernel.size, .ours = true };
	boot->kernel.data = NULL;
	return 0;
}

/*
 * All of it, once: @size bytes of @file or how many there were, or -errno. While KVM makes the machine, in
 * pieces, so that it can.
 */
static ssize_t read_all(const struct vm *vm, const struct vm_file *file, uint8_t *to, size_t size)
{
	size_t at = 0;

	while (at < size) {
		bool alone = kvm_create_done(&vm->creator);
		size_t want = alone ? size - at : size_min(VM_READ_PIECE, size - at);
		ssize_t n = pread_full(file->fd, to + at, want, at);

		if (n < 0)
			return n;
		at += (size_t)n;
		if (n < (ssize_t)want)
			break;
		if (!alone)
			kvm_create_give_way();
	}
	return (ssize_t)at;
}

/* The bytes that are judged later are the ones read here. */
int vm_read_kernel(struct vm *vm)
{
	const struct vm_file *file = &vm->kernel;
	struct vm_image *kernel = &vm->image;
	int status;

	if (vm->signed_boot)
		return take_verified(vm, kernel);
	status = judge_size(file);

	if (status)
		return status;
	*kernel = (struct vm_image){ .size = (size_t)file->size, .data = place_in_guest(vm) };
	if (!kernel->data)
		status = place_apart(file, kernel);
	if (status)
		return status;

	ssize_t n = read_all(vm, file, kernel->data, kernel->size);

	if (n == (ssize_t)kernel->size && !changed_meanwhile(vm, kernel))
		return 0;
	if (n < 0)
		diag_error("kernel %s: cannot read: %s", file->name, strerror((int)-n));
	else
		diag_error("kernel %s: it was changed while it was read", file->name);
	return VM_STATUS_NO_INPUT;
}

void vm_forget_kernel(struct vm *vm)
{
	if (vm->image.ours)
		munmap(vm->image.data, vm->image.size);
	vm->image = (struct vm_image){ .data = NULL };
}
