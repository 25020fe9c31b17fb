/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --pmem: files of the host in the guest's address space, behind its RAM, where it reads the host's page
 * cache itself. They are opened before the door and mapped, read-only, behind it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "virtio/devices.h"
#include "vm/machine.h"

static const uint64_t align = UINT64_C(1) << 30; /* of the first file's place */
static const uint64_t unit = UINT64_C(2) << 20;	 /* of a file's size there: what Linux wants */
static const uint64_t first_place = UINT64_C(4)
				    << 30; /* no device of any board lies from there on */

/* Bytes of the guest's address space that @file takes; 0: too many. */
static uint64_t span_of(const struct vm_file *file)
{
	uint64_t span;

	return u64_align_up(file->size, unit, &span) ? span : 0;
}

int vm_open_pmems(struct vm *vm)
{
	for (unsigned i = 0; i < vm->config->pmem_count; i++) {
		struct vm_file *file = &vm->pmems[i];
		int status = vm_open_image("pmem", vm->config->pmems[i], file);

		if (status)
			return status;
		if (!file->size || span_of(file) == 0 || span_of(file) > VM_MEMORY_MAX) {
			diag_error("pmem %s: a file of %" PRIu64
				   " bytes cannot be the guest's memory",
				   file->name, file->size);
			return VM_STATUS_BAD_IMAGE;
		}
	}
	return 0;
}

uint64_t vm_pmem_size(const struct vm *vm)
{
	uint64_t sum = vm->config->pmem_count ? first_place : 0;

	for (unsigned i = 0; i < vm->config->pmem_count; i++)
		sum += span_of(&vm->pmems[i]);
	return sum;
}

int vm_map_pmems(struct vm *vm)
{
	size_t count;
	const struct mem_region *regions = mem_regions(vm->mem, &count);
	uint64_t at = count ? regions[count - 1].start.v + regions[count - 1].size : 0;

	if (!u64_align_up(u64_max(at, first_place), align, &at))
		return -ENOMEM;
	for (unsigned i = 0; i < vm->config->pmem_count; i++) {
		const struct vm_file *file = &vm->pmems[i];
		int r = mem_add_file(vm->mem, gpa(at), span_of(file), file->fd, file->size);

		if (r < 0) {
			diag_error("pmem %s: cannot map it: %s", file->name, strerror(-r));
			return r;
		}
		vm->pmem_at[i] = at;
		at += span_of(file);
	}
	return 0;
}

int vm_create_pmem(struct vm *vm, unsigned index)
{
	struct virtio_dev *dev;
	int r = virtio_pmem_create(vm->pmem_at[index], span_of(&vm->pmems[index]), index, vm->mem,
				   vm->loop, &dev);

	if (r == 0)
		return vm_place(vm, dev);
	diag_error("virtio-pmem: the host refuses what the device needs: %s", strerror(-r));
	return r;
}
