/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/kvm opened and checked, the VM, its memory slots, interrupt lines and doorbells. */
#include "cpu/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/diag.h"

const struct kvm_need kvm_common_needs[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "guest RAM in user memory", true },
	{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD", "doorbells by eventfd", true },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "stopping a vCPU without a race",
	  true },
	{ KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE", "secondary vCPUs that wait to be started", true },
	{ KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM", "read-only guest memory", false },
	{ 0, NULL, NULL, false },
};

int kvm_open(struct kvm *kvm, const char *path)
{
	*kvm = (struct kvm){ .sys_fd = -1, .vm_fd = -1 };
	kvm->sys_fd = open(path, O_RDWR | O_CLOEXEC);
	if (kvm->sys_fd >= 0)
		return 0;

	int err = -errno;

	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		diag_error("%s: not there: this host has no KVM, or its module is not loaded "
			   "(see `hvrun doctor`)",
			   path);
	else if (err == -EACCES || err == -EPERM)
		diag_error("%s: permission denied: you may have to be in group kvm", path);
	else
		diag_error("%s: cannot open: %s", path, strerror(-err));
	return err;
}

int kvm_api_version(const struct kvm *kvm)
{
	int version = ioctl(kvm->sys_fd, KVM_GET_API_VERSION, 0);

	return version < 0 ? -errno : version;
}

int kvm_has(const struct kvm *kvm, int cap)
{
	int fd = kvm->vm_fd >= 0 ? kvm->vm_fd : kvm->sys_fd;
	int r = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return r < 0 ? 0 : r;
}

static bool needs_met(const struct kvm *kvm, const struct kvm_need *need)
{
	bool met = true;

	for (; need->name; need++) {
		if (need->required && !kvm_has(kvm, need->cap)) {
			diag_error("/dev/kvm: this host's KVM lacks %s (%s)", need->name,
				   need->why);
			met = false;
		}
	}
	return met;
}

int kvm_check(const struct kvm *kvm, const struct kvm_need *arch_needs)
{
	int version = kvm_api_version(kvm);

	if (version != KVM_API_VERSION) {
		if (version < 0)
			diag_error("/dev/kvm: does not answer as KVM does: %s", strerror(-version));
		else
			diag_error("/dev/kvm: API version is %d, %d is needed", version,
				   KVM_API_VERSION);
		return -ENOTSUP;
	}

	bool common = needs_met(kvm, kvm_common_needs);
	bool own = needs_met(kvm, arch_needs);

	return common && own ? 0 : -ENOTSUP;
}

int kvm_request_vm(int sys_fd, unsigned long type)
{
	int fd;

	do
		fd = ioctl(sys_fd, KVM_CREATE_VM, type);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int kvm_adopt_vm(struct kvm *kvm, int answer)
{
	int size;

	if (answer < 0) {
		diag_error("/dev/kvm: cannot create a machine: %s", strerror(-answer));
		return answer;
	}
	kvm->vm_fd = answer;
	size = ioctl(kvm->sys_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return -errno;
	kvm->run_size = (size_t)size;
	return 0;
}

int kvm_create_vm(struct kvm *kvm, unsigned long type)
{
	return kvm_adopt_vm(kvm, kvm_request_vm(kvm->sys_fd, type));
}

void kvm_close_vm(struct kvm *kvm)
{
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	kvm->vm_fd = -1;
	kvm->next_slot = 0;
}

void kvm_close(struct kvm *kvm)
{
	kvm_close_vm(kvm);
	if (kvm->sys_fd >= 0)
		close(kvm->sys_fd);
	kvm->sys_fd = -1;
}

static int map_slot(struct kvm *kvm, const struct kvm_userspace_memory_region *slot)
{
	if (ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, slot) < 0) {
		int err = -errno;

		diag_error("guest memory: KVM refuses %llu bytes at %#llx: %s",
			   (unsigned long long)slot->memory_size,
			   (unsigned long long)slot->guest_phys_addr, strerror(-err));
		return err;
	}
	kvm->next_slot++;
	return 0;
}

int kvm_map_memory(struct kvm *kvm, const struct guest_mem *mem)
{
	size_t count;
	const struct mem_region *region = mem_regions(mem, &count);
	int r = 0;

	for (size_t i = 0; !r && i < count; i++, region++) {
		struct kvm_userspace_memory_region slot = {
			.slot = kvm->next_slot,
			.flags = region->kind == MEM_RAM ? 0 : KVM_MEM_READONLY,
			.guest_phys_addr = region->start.v,
			.memory_size = region->size,
			.userspace_addr = (uintptr_t)region->host,
		};

		if (region->kind == MEM_RAM || region->kind == MEM_READONLY ||
		    region->kind == MEM_FILE)
			r = map_slot(kvm, &slot);
	}
	return r;
}

int kvm_map_registers(struct kvm *kvm, const struct guest_mem *mem, gpa_t at, uint64_t size)
{
	struct kvm_userspace_memory_region slot = {
		.slot = kvm->next_slot,
		.flags = KVM_MEM_READONLY,
		.guest_phys_addr = at.v,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem_registers(mem, at),
	};

	return map_slot(kvm, &slot);
}

static void pulse_eventfd(struct irq_line *line)
{
	uint64_t one = 1;

	/* The counter saturating is fine: an edge is then pending anyway. */
	while (write(line->eventfd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* An edge line has no level to drive. */
static void set_nothing(struct irq_line *line, bool level)
{
	(void)line;
	(void)level;
}

int kvm_irq_edge(struct kvm *kvm, unsigned gsi, struct irq_line *line)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0) {
		int err = -errno;

		diag_error("interrupt %u: cannot make an eventfd: %s", gsi, strerror(-err));
		return err;
	}

	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = gsi };

	if (ioctl(kvm->vm_fd, KVM_IRQFD, &irqfd) < 0) {
		int err = -errno;

		diag_error("interrupt %u: KVM refuses an irqfd: %s", gsi, strerror(-err));
		close(fd);
		return err;
	}
	*line = (struct irq_line){
		.set = set_nothing,
		.pulse = pulse_eventfd,
		.opaque = kvm,
		.eventfd = fd,
		.gsi = gsi,
	};
	return 0;
}

static void set_level(struct irq_line *line, bool level)
{
	struct kvm *kvm = line->opaque;
	struct kvm_irq_level arg = { .irq = kvm->irq_line_base + line->gsi, .level = level };

	(void)ioctl(kvm->vm_fd, KVM_IRQ_LINE, &arg);
}

static void pulse_level(struct irq_line *line)
{
	set_level(line, true);
	set_level(line, false);
}

void kvm_irq_pulse_at_once(struct irq_line *line)
{
	line->pulse = pulse_level;
}

void kvm_irq_level(struct kvm *kvm, unsigned gsi, struct irq_line *line)
{
	*line = (struct irq_line){
		.set = set_level,
		.pulse = pulse_level,
		.opaque = kvm,
		.eventfd = -1,
		.gsi = gsi,
	};
}

void kvm_irq_close(struct irq_line *line)
{
	if (line->eventfd >= 0)
		close(line->eventfd);
	line->eventfd = -1;
}

int kvm_doorbell(struct kvm *kvm, uint64_t addr, uint32_t value, int fd)
{
	struct kvm_ioeventfd arg = {
		.datamatch = value,
		.addr = addr,
		.len = 4,
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(kvm->vm_fd, KVM_IOEVENTFD, &arg) < 0) {
		int err = -errno;

		diag_error("doorbell at %#llx: KVM refuses an ioeventfd: %s",
			   (unsigned long long)addr, strerror(-err));
		return err;
	}
	return 0;
}

int kvm_doorbell_any(const struct kvm *kvm, uint64_t addr, int fd, bool on)
{
	struct kvm_ioeventfd arg = {
		.addr = addr,
		.len = kvm->any_length ? 0 : 2,
		.fd = fd,
		.flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	return ioctl(kvm->vm_fd, KVM_IOEVENTFD, &arg) < 0 ? -errno : 0;
}
