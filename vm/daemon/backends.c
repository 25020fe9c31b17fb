/* SPDX-License-Identifier: BSD-2-Clause */
/* The back-ends of a machine: sockets that the user names, and daemons that serve shares. */
#include "vm/daemon/backends.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/diag.h"
#include "vm/daemon/qcow2.h"
#include "vm/machine.h"

bool vm_has_backends(const struct vm_config *config)
{
	for (size_t i = 0; i < config->disk_count; i++) {
		if (config->disks[i].qcow2)
			return true;
	}
	return config->share_count || config->vhost_user_count;
}

bool vm_may_restart(const struct vm_config *config)
{
	return (config->reboot || config->control) && !vm_has_backends(config);
}

struct vm_backend *vm_add_backend(struct vm *vm, enum vhost_user_kind kind, const char *peer)
{
	struct vm_backend *backend = &vm->backends[vm->backend_count];
	unsigned index = 0;

	for (unsigned i = 0; i < vm->backend_count; i++)
		index += vm->backends[i].kind == kind;
	*backend = (struct vm_backend){
		.kind = kind,
		.fd = -1,
		.peer = peer,
		.queues = VIRTIO_MAX_QUEUES,
		.index = index,
		.daemon = { .name = peer, .keeper = -1, .words = -1 },
	};
	vm->backend_count++;
	return backend;
}

/* An address of our own making: local, and for one machine (IEEE 802, the U/L and I/G bits). */
static void make_mac(uint8_t mac[6])
{
	if (getrandom(mac, 6, 0) != 6)
		memset(mac, 0, 6);
	mac[0] = (uint8_t)((mac[0] & ~3U) | 2U);
}

static int connect_socket(struct vm *vm, const struct vm_vhost_user_config *config)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(config->socket);
	struct vm_backend *backend;
	int fd;

	if (len >= sizeof(addr.sun_path)) {
		diag_error("socket %s: its name is longer than %zu bytes", config->socket,
			   sizeof(addr.sun_path) - 1);
		return VM_STATUS_USAGE;
	}
	memcpy(addr.sun_path, config->socket, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		diag_error("socket %s: cannot connect: %s%s", config->socket, strerror(errno),
			   errno == ECONNREFUSED ? "; is the back-end running?" : "");
		if (fd >= 0)
			close(fd);
		return VM_STATUS_NO_INPUT;
	}
	backend = vm_add_backend(vm, config->kind, config->socket);
	backend->fd = fd;
	backend->tag = config->tag;
	make_mac(backend->mac);
	return 0;
}

static int make_shared_memory(struct vm *vm)
{
	vm->share_fd = mem_share_create(vm->config->memory, vm->config->hugepages);
	if (vm->share_fd < 0) {
		diag_error("guest memory: the host gives none that can be shared: %s",
			   strerror(-vm->share_fd));
		vm->share_fd = -1;
		return VM_STATUS_SYSTEM;
	}
	if (vm->config->verbosity > 0)
		diag_note("guest memory is shared with other processes: %s",
			  vm->config->hugepages ? "all of it huge pages"
			  : mem_share_huge()
				  ? "the host may give it huge pages"
				  : "small pages only, as the host has no huge ones for "
				    "shared memory (transparent_hugepage/shmem_enabled)");
	return 0;
}

int vm_open_backends(struct vm *vm)
{
	int status;

	if (!vm_has_backends(vm->config))
		return 0;
	status = make_shared_memory(vm);
	for (unsigned i = 0; !status && i < vm->config->disk_count; i++) {
		if (vm->config->disks[i].qcow2)
			status = vm_start_qcow2(vm, i);
	}
	for (unsigned i = 0; !status && i < vm->config->share_count; i++)
		status = vm_start_share(vm, &vm->config->shares[i]);
	for (unsigned i = 0; !status && i < vm->config->vhost_user_count; i++)
		status = connect_socket(vm, &vm->config->vhost_user[i]);
	return status;
}

void vm_close_backends(struct vm *vm)
{
	while (vm->backend_count) {
		struct vm_backend *backend = &vm->backends[--vm->backend_count];

		if (backend->fd >= 0)
			close(backend->fd);
		daemon_end(&backend->daemon);
	}
	if (vm->share_fd >= 0)
		close(vm->share_fd);
	vm->share_fd = -1;
}
