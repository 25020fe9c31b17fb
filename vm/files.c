/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens everything that the command line names, and reads none of it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "vm/control/machine.h"
#include "vm/gdb/gdb.h"
#include "vm/machine.h"
#include "vm/overlay.h"
#include "vm/signed/signed.h"
#include "vm/unix_socket.h"

void vm_name_nothing(struct vm *vm)
{
	vm->kernel.fd = -1;
	vm->initrd.fd = -1;
	vm->log_fd = -1;
	vm->core_fd = -1;
	vm->tree_fd = -1;
	vm->report.fd = -1;
	vm->control.listen_fd = -1;
	remover_init(&vm->remover);
	vm->symbols.fd = -1;
	for (size_t i = 0; i < VM_MAX_DISKS; i++)
		vm->disks[i].fd = vm->disk_trees[i].fd = vm->overlays[i].fd = -1;
	vm_vsock_init(&vm->vsock);
	for (size_t i = 0; i < VM_MAX_PMEMS; i++)
		vm->pmems[i].fd = -1;
	for (size_t i = 0; i < VM_MAX_PORTS; i++)
		vm_port_init(&vm->ports[i]);
}

static const char *file_kind(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a directory";
	if (S_ISFIFO(mode))
		return "a FIFO";
	if (S_ISSOCK(mode))
		return "a socket";
	if (S_ISCHR(mode))
		return "a character device";
	if (S_ISBLK(mode))
		return "a block device";
	return "no regular file";
}

bool vm_is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

/* 66 for what is not there or may not be read, 65 for a directory, 71 for what the system lacks. */
static int open_failed(const char *what, const char *name, int err)
{
	diag_error("%s %s: cannot open: %s", what, name, strerror(err));
	if (vm_is_shortage(-err))
		return VM_STATUS_SYSTEM;
	return err == EISDIR ? VM_STATUS_BAD_IMAGE : VM_STATUS_NO_INPUT;
}

/* O_NONBLOCK: a FIFO in a file's place must not make us wait for its other end. */
static int open_file(const char *what, const char *name, int flags, struct vm_file *file)
{
	struct stat st;

	file->name = name;
	if (file->fd < 0)
		file->fd = open(name, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file->fd < 0)
		return open_failed(what, name, errno);
	if (fstat(file->fd, &st) < 0)
		return open_failed(what, name, errno);
	file->size = (uint64_t)st.st_size;
	return 0;
}

int vm_open_image(const char *what, const char *name, struct vm_file *file)
{
	struct stat st;
	int status = open_file(what, name, O_RDONLY, file);

	if (status)
		return status;
	if (fstat(file->fd, &st) < 0)
		return open_failed(what, name, errno);
	if (S_ISREG(st.st_mode))
		return 0;
	diag_error("%s %s: this is %s; a regular file is needed", what, name,
		   file_kind(st.st_mode));
	return VM_STATUS_BAD_IMAGE;
}

/* Room for what the guest writes; of the size of the disk, which a block device tells by its end. */
static int open_overlay(struct vm *vm, size_t i)
{
	const struct vm_disk_config *disk = &vm->config->disks[i];
	off_t size = lseek(vm->disks[i].fd, 0, SEEK_END);
	int fd;

	vm->overlays[i].name = disk->path;
	/* What has no size is refused later, in better words. */
	fd = overlay_open(disk->cow_memory, size > 0 ? (uint64_t)size : 0);
	if (fd < 0) {
		diag_error("disk %s: cannot make a file for what the guest writes: %s", disk->path,
			   strerror(-fd));
		return VM_STATUS_SYSTEM;
	}
	vm->overlays[i].fd = fd;
	return 0;
}

int vm_open_disks(struct vm *vm)
{
	for (size_t i = 0; i < vm->config->disk_count; i++) {
		const struct vm_disk_config *disk = &vm->config->disks[i];
		int flags = disk->readonly ? O_RDONLY : O_RDWR;

		if (vm->only_verified && !disk->verity)
			continue;
		if (disk->direct)
			flags |= O_DIRECT;

		int status = open_file("disk", disk->path, flags, &vm->disks[i]);

		if (!status && disk->verity)
			status = open_file("verity tree", disk->verity, O_RDONLY,
					   &vm->disk_trees[i]);
		if (!status && disk->cow && !vm->only_verified)
			status = open_overlay(vm, i);
		if (status)
			return status;
	}
	return 0;
}

static int open_nets(struct vm *vm)
{
	for (unsigned i = 0; i < vm->config->net_count; i++) {
		if (vm_net_open(&vm->config->nets[i], i, vm->config->verbosity > 0, &vm->nets[i]) <
		    0)
			return VM_STATUS_SYSTEM;
	}
	return 0;
}

/* Whether @fd is the file that @file has open. */
static bool same_file(int fd, const struct vm_file *file)
{
	struct stat a, b;

	return file->fd >= 0 && fstat(fd, &a) == 0 && fstat(file->fd, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * A file that we write, @what it is, in *@fd. It is emptied only when it is known to be none of the
 * machine's own files.
 */
static int open_output(const struct vm *vm, const char *what, const char *name, int *fd)
{
	bool taken;

	if (!name)
		return 0;
	*fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (*fd < 0)
		return open_failed(what, name, errno);
	taken = same_file(*fd, &vm->kernel) || same_file(*fd, &vm->initrd);
	for (size_t i = 0; i < vm->config->disk_count; i++)
		taken = taken || same_file(*fd, &vm->disks[i]) ||
			same_file(*fd, &vm->disk_trees[i]);
	if (taken) {
		diag_error("%s %s: this is also the kernel, the initrd or a disk; the %s would "
			   "overwrite it",
			   what, name, what);
		return VM_STATUS_USAGE;
	}
	/* EINVAL: a terminal, pipe or device has no length to cut. */
	if (ftruncate(*fd, 0) < 0 && errno != EINVAL)
		return open_failed(what, name, errno);
	return 0;
}

/* An initrd that cli/ made: it has a name for messages, and is open. */
static int take_initrd(struct vm *vm)
{
	struct stat st;

	vm->initrd.name = vm->config->initrd;
	vm->initrd.fd = fcntl(vm->config->initrd_fd, F_DUPFD_CLOEXEC, 3);
	if (vm->initrd.fd < 0 || fstat(vm->initrd.fd, &st) < 0)
		return open_failed("initrd", vm->initrd.name, errno);
	vm->initrd.size = (uint64_t)st.st_size;
	return 0;
}

int vm_open_inputs(struct vm *vm)
{
	int status = signed_open(vm);

	if (!status)
		status = vm_open_image("kernel", vm->config->kernel, &vm->kernel);
	if (!status && vm->config->initrd_fd >= 0)
		status = take_initrd(vm);
	else if (!status && vm->config->initrd)
		status = vm_open_image("initrd", vm->config->initrd, &vm->initrd);
	return status ? status : vm_open_disks(vm);
}

static int open_ports(struct vm *vm)
{
	int status = 0;

	for (unsigned i = 0; !status && i < vm->config->port_count; i++) {
		const struct vm_port_config *config = &vm->config->ports[i];
		struct vm_port *port = &vm->ports[i];

		if (config->socket)
			status = vm_unix_listen("port", config->socket, &vm->remover,
						&port->listen_fd);
		else if (config->file)
			status = open_output(vm, "port", config->file, &port->file_fd);
	}
	return status;
}

static int start_remover(struct vm *vm)
{
	int r = remover_start(&vm->remover);

	if (r < 0)
		diag_error("cannot start what removes the sockets in the end: %s", strerror(-r));
	return r < 0 ? VM_STATUS_SYSTEM : 0;
}

int vm_open_files(struct vm *vm)
{
	int status = vm_report_open(vm);

	if (!status)
		status = vm_open_inputs(vm);
	if (!status)
		status = open_ports(vm);
	if (!status)
		status = vm_open_pmems(vm);
	if (!status)
		status = vm_vsock_open(&vm->vsock, vm->config, &vm->remover);
	if (!status)
		status = open_output(vm, "log", vm->config->log, &vm->log_fd);
	if (!status)
		status = open_output(vm, "core", vm->config->core, &vm->core_fd);
	if (!status)
		status = open_output(vm, "device tree", vm->config->tree, &vm->tree_fd);
	if (!status && vm->config->symbols)
		status = vm_open_image("symbols", vm->config->symbols, &vm->symbols);
	if (!status)
		status = vm_open_backends(vm);
	if (status)
		return status;

	status = vm_gdb_open(vm);
	if (!status)
		status = vm_control_open(vm);
	if (!status)
		status = start_remover(vm);
	if (status)
		return status;

	status = vm_open_memory(vm);
	if (status)
		return status;

	int r = kvm_open(&vm->kvm, "/dev/kvm");

	if (r < 0)
		return vm_is_shortage(r) ? VM_STATUS_SYSTEM : VM_STATUS_NO_KVM;
	/* Last: this starts a program, which need not be when something else is missing. */
	return open_nets(vm);
}

int vm_lend_file(const struct vm *vm, struct vm_file *file)
{
	int fd = file->fd;

	if (vm_may_restart(vm->config)) {
		fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? -errno : fd;
	}
	file->fd = -1;
	return fd;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vm_close_files(struct vm *vm)
{
	close_fd(&vm->kernel.fd);
	close_fd(&vm->initrd.fd);
	close_fd(&vm->symbols.fd);
	close_fd(&vm->report.fd);
	for (size_t i = 0; i < ARRAY_SIZE(vm->disks); i++)
		close_fd(&vm->disks[i].fd);
	for (size_t i = 0; i < ARRAY_SIZE(vm->disk_trees); i++)
		close_fd(&vm->disk_trees[i].fd);
	for (size_t i = 0; i < ARRAY_SIZE(vm->overlays); i++) {
		close_fd(&vm->overlays[i].fd);
		cow_map_destroy(vm->cow_maps[i]);
		vm->cow_maps[i] = NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(vm->ports); i++) {
		close_fd(&vm->ports[i].listen_fd);
		close_fd(&vm->ports[i].file_fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(vm->nets); i++) {
		net_backend_destroy(vm->nets[i].backend);
		vm->nets[i].backend = NULL;
	}
	vm_vsock_close(&vm->vsock);
	for (size_t i = 0; i < ARRAY_SIZE(vm->pmems); i++)
		close_fd(&vm->pmems[i].fd);
	close_fd(&vm->log_fd);
	close_fd(&vm->core_fd);
	close_fd(&vm->tree_fd);
}
