/* SPDX-License-Identifier: BSD-2-Clause */
/* The one list of virtio devices that a machine has, each put on the board in its order. */
#include "virtio/devices.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "vm/daemon/qcow2.h"
#include "vm/machine.h"
#include "vm/signed/signed.h"

enum { IO_THREADS = 2 }; /* per disk; more only helps a medium that is slow and parallel */

/* The host could not give what a device needs; nobody has said so yet. */
static int refused(const char *what, int err)
{
	diag_error("%s: the host refuses what the device needs: %s", what, strerror(-err));
	return err;
}

/* A descriptor for the disk that is made of @file; below 0 where there are none left, said. */
static int take_fd(const struct vm *vm, struct vm_file *file)
{
	int fd = vm_lend_file(vm, file);

	return fd < 0 ? refused(file->name, fd) : fd;
}

/* The disk @data, read through its tree of hashes. */
static int open_verified(struct vm *vm, unsigned index, struct disk *data, struct disk **out)
{
	const struct vm_disk_config *config = &vm->config->disks[index];
	struct disk_verity verity = {
		.data = data,
		.root = config->root,
		.root_len = config->root_len,
		.superblock = vm->signed_boot && vm->config->manifest
				      ? vm->signed_boot->superblocks[index]
				      : NULL,
	};
	int fd = take_fd(vm, &vm->disk_trees[index]);
	int r = fd < 0 ? fd : disk_open_raw(fd, config->verity, true, false, &verity.hashes);

	if (r < 0) {
		disk_close(data);
		return r;
	}
	return disk_open_verity(&verity, out);
}

/* The disk @base, whose writes go elsewhere. */
static int open_overlaid(struct vm *vm, unsigned index, struct disk *base, struct disk **out)
{
	struct vm_file *file = &vm->overlays[index];
	struct disk *overlay;
	int fd = take_fd(vm, file);
	int r = fd < 0 ? fd : disk_open_raw(fd, file->name, false, false, &overlay);

	if (r < 0) {
		disk_close(base);
		return r;
	}
	return disk_open_cow(base, overlay, &vm->cow_maps[index], out);
}

int vm_open_disk(struct vm *vm, unsigned index, struct disk **out)
{
	const struct vm_disk_config *config = &vm->config->disks[index];
	int fd = take_fd(vm, &vm->disks[index]);
	int r = fd < 0 ? fd
		       : disk_open_raw(fd, config->path, config->readonly, config->direct, out);

	if (!r && config->verity)
		r = open_verified(vm, index, *out, out);
	if (r < 0 || !config->cow || vm->only_verified)
		return r;
	return open_overlaid(vm, index, *out, out);
}

/* The back-end stays the machine's: the next boot has it too. */
static int create_net(struct vm *vm, unsigned index)
{
	struct vm_net *net = &vm->nets[index];
	struct virtio_net_config config = { .backend = net->backend, .mtu = net->mtu };
	struct virtio_dev *dev;

	memcpy(config.mac, net->mac, sizeof(config.mac));

	int r = virtio_net_create(&config, index, vm->mem, vm->loop, &dev);

	return r < 0 ? refused("virtio-net", r) : vm_place(vm, dev);
}

static int create_rng(struct vm *vm)
{
	struct virtio_dev *dev;
	int r = virtio_rng_create(vm->mem, vm->loop, &dev);

	if (r == 0)
		virtio_rng_limit(dev, vm->config->rng_bw);
	return r < 0 ? refused("virtio-rng", r) : vm_place(vm, dev);
}

static int create_vsock(struct vm *vm)
{
	struct virtio_vsock_config config = vm_vsock_device(&vm->vsock, vm->config->vsock_cid);
	struct virtio_dev *dev;
	int r = virtio_vsock_create(&config, vm->mem, vm->loop, &dev);

	if (r < 0)
		return refused("virtio-vsock", r);
	r = vm_place(vm, dev);
	if (r < 0)
		return r;
	r = vm_vsock_start(&vm->vsock, vm->loop, dev);
	return r < 0 ? refused("virtio-vsock", r) : 0;
}

static int create_balloon(struct vm *vm)
{
	struct virtio_dev *dev;
	int r = virtio_balloon_create(vm->mem, vm->loop, &dev);

	if (r < 0)
		return refused("virtio-balloon", r);
	r = vm_place(vm, dev);
	if (!r)
		vm->balloon = dev;
	return r;
}

static void backend_gone(void *opaque)
{
	daemon_talk(&((struct vm_backend *)opaque)->daemon);
}

/* Takes the connection from vm->backends. */
static int create_backend(struct vm *vm, struct vm_backend *backend)
{
	const struct vhost_user_config config = {
		.kind = backend->kind,
		.fd = backend->fd,
		.peer = backend->peer,
		.tag = backend->tag,
		.queues = backend->queues,
		.mac = backend->mac,
		.gone = backend_gone,
		.opaque = backend,
	};
	struct virtio_dev *dev;
	int r = daemon_listen(&backend->daemon, vm->loop);

	if (r < 0)
		return refused(backend->peer, r);
	backend->fd = -1;
	if (vm->config->verbosity > 0)
		daemon_talk(&backend->daemon);
	r = virtio_vhost_user_create(&config, backend->index, vm->mem, vm->loop, &dev);
	if (r < 0)
		daemon_talk(&backend->daemon);
	return r < 0 ? r : vm_place(vm, dev);
}

static int create_qcow2(struct vm *vm, unsigned index)
{
	int r = vm_judge_qcow2(vm, index);

	for (unsigned i = 0; !r && i < vm->backend_count; i++) {
		if (vm->backends[i].disk && vm->backends[i].index == index)
			return create_backend(vm, &vm->backends[i]);
	}
	return r;
}

int vm_make_disk(struct vm *vm, unsigned index, struct virtio_dev **out)
{
	const struct vm_disk_config *config = &vm->config->disks[index];
	struct virtio_blk_config blk = {
		.serial = config->serial,
		.threads = IO_THREADS,
		.queues = config->queues,
		.bytes_per_second = config->bytes_per_second,
		.requests_per_second = config->requests_per_second,
		.io_uring = vm->config->io_uring && !config->verity && !config->cow,
		.guard = &vm->sandbox.guard,
	};
	int r = vm_open_disk(vm, index, &blk.disk);

	return r < 0 ? r : virtio_blk_create(&blk, index, vm->mem, vm->loop, out);
}

static int create_disk(struct vm *vm, unsigned index)
{
	struct virtio_dev *dev;
	int r;

	if (vm->config->disks[index].qcow2)
		return create_qcow2(vm, index);
	r = vm_make_disk(vm, index, &dev);
	return r < 0 ? r : vm_place(vm, dev);
}

static size_t console_sink(void *opaque, const void *data, size_t len)
{
	return virtio_console_input(opaque, 0, data, len);
}

static size_t console_out(void *opaque, const void *data, size_t len)
{
	struct vm *vm = opaque;
	size_t done = 0, fits;

	while (done < len && (fits = vm_console_fits(&vm->console, len - done)) > 0) {
		vm_guest_output(vm, (const uint8_t *)data + done, fits);
		done += fits;
	}
	return done;
}

static void console_again(void *opaque)
{
	virtio_console_ask_room(opaque, 0);
}

static void console_writable(void *opaque)
{
	virtio_console_output_ready(opaque, 0);
}

static int connect_ports(struct vm *vm, struct virtio_dev *dev)
{
	int r = 0;

	vm->virtio_ports = dev;
	for (unsigned i = 0; !r && i < vm->config->port_count; i++) {
		vm->ports[i].moved = vm->config->exec ? exec_end_when_drained : NULL;
		vm->ports[i].moved_opaque = vm;
		r = vm_port_start(&vm->ports[i], vm->loop, dev, i + 1);
	}
	if (!r && vm->config->exec)
		r = loop_timer_add(vm->loop, exec_end_when_drained, vm, &vm->exec.again);
	if (!r && vm->config->exec)
		virtio_console_connect(dev, (unsigned)vm->config->port_count + 1, true);
	return r < 0 ? refused("virtio-console's ports", r) : 0;
}

static struct virtio_console_port port_host(struct vm_port *port,
					    const struct vm_port_config *config)
{
	port->name = config->name;
	port->in_fd = config->in_fd;
	port->out_fd = port->file_fd >= 0 ? port->file_fd : config->out_fd;
	return vm_port_host(port);
}

/* The console if it is wanted, and the named ports. */
static int create_console(struct vm *vm)
{
	struct virtio_console_port ports[VIRTIO_CONSOLE_PORTS] = { 0 };
	unsigned count = 1 + (unsigned)vm->config->port_count;
	bool console = vm->config->console == VM_CONSOLE_VIRTIO;
	struct virtio_dev *dev;

	if (console)
		ports[0] = (struct virtio_console_port){ .out = console_out,
							 .room = vm_input_room,
							 .opaque = vm };
	for (unsigned i = 0; i < vm->config->port_count; i++)
		ports[i + 1] = port_host(&vm->ports[i], &vm->config->ports[i]);

	if (vm->config->exec)
		ports[count++] = (struct virtio_console_port){ .name = "hvrun.status",
							       .out = exec_status_out,
							       .opaque = vm };

	int r = virtio_console_create(ports, count, vm->mem, vm->loop, &dev);

	if (r < 0)
		return refused("virtio-console", r);
	r = vm_place(vm, dev);
	if (!r && console) {
		vm->virtio_console = dev;
		vm->console.sink = console_sink;
		vm->console.sink_opaque = dev;
		vm->console.again = console_again;
		vm->console.again_opaque = dev;
		vm->console.writable = console_writable;
		vm->console.writable_opaque = dev;
	}
	return r ? r : connect_ports(vm, dev);
}

/* Disks come first, so that the first one is the first window on every machine. */
static int create_all(struct vm *vm)
{
	for (unsigned i = 0; i < vm->config->disk_count; i++) {
		int r = create_disk(vm, i);

		if (r < 0)
			return r;
	}

	int r = 0;

	for (unsigned i = 0; !r && i < vm->config->net_count; i++)
		r = create_net(vm, i);
	if (!r)
		r = create_rng(vm);
	for (unsigned i = 0; !r && i < vm->backend_count; i++)
		r = vm->backends[i].disk ? 0 : create_backend(vm, &vm->backends[i]);
	if (!r && (vm->config->console == VM_CONSOLE_VIRTIO || vm->config->port_count))
		r = create_console(vm);
	for (unsigned i = 0; !r && i < vm->config->pmem_count; i++)
		r = vm_create_pmem(vm, i);
	if (!r && vm->config->vsock_path)
		r = create_vsock(vm);
	if (!r && vm->config->balloon)
		r = create_balloon(vm);
	return r;
}

/* A disk that is not a disk is a bad input, one with another root hash not what was signed. */
int vm_create_devices(struct vm *vm)
{
	int r = create_all(vm);

	switch (r) {
	case 0:
		return 0;
	case -EINVAL:
		return VM_STATUS_BAD_IMAGE;
	case -EKEYREJECTED:
		return VM_STATUS_REFUSED;
	default:
		return VM_STATUS_SYSTEM;
	}
}

void vm_destroy_devices(struct vm *vm)
{
	for (unsigned i = 0; vm->loop && i < vm->config->port_count; i++)
		vm_port_stop(&vm->ports[i]);
	vm_vsock_stop(&vm->vsock);
	vm_unplace_all(vm);
	vm->virtio_console = NULL;
	vm->virtio_ports = NULL;
	vm->balloon = NULL;
}
