/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where virtio devices lie on the board: in windows of registers (virtio-mmio), each with an interrupt line
 * and doorbells, or in slots of the PCI bus.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "virtio/devices.h"
#include "vm/control/machine.h"
#include "vm/machine.h"

static int refused(const char *what, int err)
{
	diag_error("%s: the host refuses what the device needs: %s", what, strerror(-err));
	return err;
}

static void tell_broken(void *opaque, const struct virtio_dev *dev, const char *why)
{
	char words[160];

	(void)snprintf(words, sizeof(words), "%s: guest driver error: %s", dev->name, why);
	vm_control_tell(opaque, "device-error", words);
}

/* The window, interrupt and doorbells of @place, number @index. */
static int place_mmio(struct vm *vm, struct vm_device *place, const struct arch_slot *slot)
{
	struct virtio_dev *dev = place->dev;
	int r = arch_irq_edge(vm->arch, slot->gsi, &place->irq);

	if (r < 0)
		return r;
	dev->irq = &place->irq;
	r = virtio_mmio_create(dev, vm->bus, slot->base, &place->mmio);
	if (r < 0)
		return refused(dev->name, r);
	if (mem_registers(vm->mem, gpa(slot->base)))
		virtio_mmio_show(place->mmio, mem_registers(vm->mem, gpa(slot->base)));
	for (unsigned q = 0; !r && q < dev->queue_count; q++)
		r = kvm_doorbell(&vm->kvm, slot->base + VIRTIO_MMIO_QUEUE_NOTIFY, q,
				 dev->kick_fd[q]);
	return r;
}

/* Without a doorbell of KVM's, stores come through the bus. */
static void doorbell(void *opaque, uint64_t addr, int fd, bool on)
{
	struct vm *vm = opaque;

	(void)kvm_doorbell_any(&vm->kvm, addr, fd, on);
}

static int place_pci(struct vm *vm, struct vm_device *place)
{
	int r;

	vm->pci_board = (struct virtio_pci_board){
		.bus = arch_pci_bus(vm->arch),
		.msi = arch_msi_port(vm->arch),
		.doorbell = doorbell,
		.opaque = vm,
	};
	vm->kvm.any_length = kvm_has(&vm->kvm, KVM_CAP_IOEVENTFD_ANY_LENGTH);
	r = virtio_pci_create(place->dev, &vm->pci_board, &place->pci);
	return r < 0 ? refused(place->dev->name, r) : 0;
}

int vm_place(struct vm *vm, struct virtio_dev *dev)
{
	struct arch_slot slot;
	struct vm_device *place = &vm->devices[vm->device_count];
	int r = vm->device_count < VM_MAX_DEVICES ? arch_virtio_slot(vm->device_count, &slot)
						  : -ENOSPC;

	if (r < 0) {
		diag_error("%s: no room on the board: it has %u places for virtio devices",
			   dev->name, vm->device_count);
		virtio_dev_destroy(dev);
		return r;
	}
	*place = (struct vm_device){ .dev = dev, .irq.eventfd = -1 };
	dev->on_broken = tell_broken;
	dev->broken_opaque = vm;
	dev->hold = vm_hold_caller;
	dev->let_go = vm_let_go;
	dev->hold_opaque = vm;
	vm->device_count++;
	return arch_pci_bus(vm->arch) ? place_pci(vm, place) : place_mmio(vm, place, &slot);
}

/*
 * The registers of all windows in one slot of memory that the guest reads without an exit. Where the
 * host has no such slots, or the architecture no use for them, reads go through the bus. The slot comes before the
 * first doorbell: behind one, KVM waits some milliseconds for a grace period before it takes another slot.
 */
int vm_map_windows(struct vm *vm)
{
	struct arch_slot first, next;
	unsigned count = 0;

	if (!arch_register_memory || vm->config->discovery == VM_DISCOVERY_PCI ||
	    !kvm_has(&vm->kvm, KVM_CAP_READONLY_MEM))
		return 0;
	while (count < VM_MAX_DEVICES && arch_virtio_slot(count, &next) == 0)
		count++;

	uint64_t size = (uint64_t)count * VIRTIO_MMIO_SIZE;
	int r = arch_virtio_slot(0, &first);

	if (!r)
		r = mem_add(vm->mem, gpa(first.base), size, MEM_REGISTERS);
	if (r < 0)
		return refused("the virtio windows", r);
	return kvm_map_registers(&vm->kvm, vm->mem, gpa(first.base), size);
}

void vm_unplace_all(struct vm *vm)
{
	while (vm->device_count) {
		struct vm_device *place = &vm->devices[--vm->device_count];

		virtio_mmio_destroy(place->mmio);
		virtio_pci_destroy(place->pci);
		virtio_dev_destroy(place->dev);
		kvm_irq_close(&place->irq);
	}
}
