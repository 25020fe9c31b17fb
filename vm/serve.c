/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A back-end's life, read from top to bottom: open what is named, listen, lock the door, make the device, serve
 * one front end after another, stop. There is no machine here: guest memory is what a front end hands over.
 */
#include "vm/serve.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/diag.h"
#include "virtio/devices.h"
#include "virtio/vhost_serve.h"
#include "vm/daemon/remover.h"
#include "vm/machine.h"
#include "vm/unix_socket.h"

enum { COMPLAINTS_MAX = 16 }; /* lines about front ends */

struct server {
	struct vm vm; /* what a device is made from: config, disks, memory, loop, sandbox */
	enum vm_serve_device device;
	struct virtio_dev *dev;
	struct vhost_serve *serve;
	int listen_fd;
	int signal; /* that ended it */
	unsigned complaints;
};

static int refused(const char *what, int err)
{
	diag_error("backend %s: cannot begin: %s", what, strerror(-err));
	return VM_STATUS_SYSTEM;
}

/* Sessions. */

static void on_client(void *opaque, uint32_t events)
{
	struct server *server = opaque;
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (vhost_serve_begin(server->serve, fd) < 0)
		return;
	/* The next one waits in the socket's backlog. */
	(void)loop_mod(server->vm.loop, server->listen_fd, 0);
	if (server->vm.config->verbosity > 0)
		diag_note("backend %s: a front end is here", server->dev->name);
}

static void session_ended(void *opaque, const char *why)
{
	struct server *server = opaque;

	(void)loop_mod(server->vm.loop, server->listen_fd, EPOLLIN);
	if (!why && server->vm.config->verbosity > 0)
		diag_note("backend %s: the front end has gone", server->dev->name);
	if (!why || server->complaints == COMPLAINTS_MAX)
		return;
	server->complaints++;
	diag_error("backend %s: the front end at %s: %s; its connection is closed%s",
		   server->dev->name, server->vm.config->serve, why,
		   server->complaints == COMPLAINTS_MAX ? " (more are not told)" : "");
}

static void on_signal(void *opaque, uint32_t events)
{
	struct server *server = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(server->vm.signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	server->signal = (int)info.ssi_signo;
	loop_stop(server->vm.loop);
}

/* The stair. */

static int open_all(struct server *server)
{
	struct vm *vm = &server->vm;
	int status = vm_open_disks(vm);
	int r;

	if (!status)
		status = vm_unix_listen("backend", vm->config->serve, &vm->remover,
					&server->listen_fd);
	if (status)
		return status;
	r = remover_start(&vm->remover);
	return r < 0 ? refused(vm->config->serve, r) : 0;
}

static int lock_the_door(struct server *server)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	vm_ending_signals(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	server->vm.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (server->vm.signal_fd < 0)
		return refused(server->vm.config->serve, -errno);
	/* glibc reads /proc before it shrinks the memory of a thread's own: all share the first one's. */
	(void)mallopt(M_ARENA_MAX, 1);
	return sandbox_lock(&server->vm.sandbox, server->vm.config);
}

static int make_device(struct server *server)
{
	struct vm *vm = &server->vm;
	int r;

	if (server->device == VM_SERVE_BLK)
		return vm_make_disk(vm, 0, &server->dev);
	r = virtio_rng_create(vm->mem, vm->loop, &server->dev);
	if (r == 0)
		virtio_rng_limit(server->dev, vm->config->rng_bw);
	return r;
}

static int build(struct server *server)
{
	struct vm *vm = &server->vm;
	struct vhost_serve_config config = {
		.ended = session_ended,
		.opaque = server,
	};
	int r = mem_create(&vm->mem);

	if (!r)
		r = loop_create(&vm->loop);
	if (r < 0)
		return refused(vm->config->serve, r);
	r = make_device(server);
	if (r < 0)
		return r == -EINVAL ? VM_STATUS_BAD_IMAGE
				    : (r == -EKEYREJECTED ? VM_STATUS_REFUSED : VM_STATUS_SYSTEM);
	vm->devices[vm->device_count++].dev = server->dev; /* for vm_settle */
	config.dev = server->dev;
	config.mem = vm->mem;
	r = vhost_serve_create(&config, &server->serve);
	if (!r)
		r = loop_add(vm->loop, server->listen_fd, EPOLLIN, on_client, server);
	if (!r)
		r = loop_add(vm->loop, server->vm.signal_fd, EPOLLIN, on_signal, server);
	return r < 0 ? refused(vm->config->serve, r) : 0;
}

static int run(struct server *server)
{
	struct vm *vm = &server->vm;
	int r;

	if (sandbox_enter(&vm->sandbox, SANDBOX_LOOP, -1) < 0)
		return VM_STATUS_SYSTEM;
	if (vm->config->verbosity > 0)
		diag_note("backend %s: waiting at %s", server->dev->name, vm->config->serve);
	r = loop_run(vm->loop);
	return r < 0 ? refused(vm->config->serve, r) : 128 + server->signal;
}

static void tear_down(struct server *server)
{
	struct vm *vm = &server->vm;

	vhost_serve_destroy(server->serve);
	virtio_dev_destroy(server->dev);
	loop_destroy(vm->loop);
	mem_destroy(vm->mem);
	if (server->listen_fd >= 0)
		(void)close(server->listen_fd);
	if (server->vm.signal_fd >= 0)
		(void)close(server->vm.signal_fd);
	vm_close_files(vm);
}

int vm_serve(const struct vm_config *config, enum vm_serve_device device)
{
	static int (*const stair[])(struct server *) = { open_all, lock_the_door, build, run };
	struct server *server = calloc(1, sizeof(*server));
	int status = 0;

	if (!server)
		return refused(config->serve, -ENOMEM);
	server->vm.config = config;
	server->device = device;
	server->listen_fd = -1;
	vm_name_nothing(&server->vm);
	server->vm.signal_fd = -1;
	for (size_t i = 0; !status && i < sizeof(stair) / sizeof(stair[0]); i++)
		status = stair[i](server);
	remover_end(&server->vm.remover);
	/* A medium that does not answer is left to the end of the process, and all that it may touch with it. */
	if (!vm_settle(&server->vm, false))
		return status;
	tear_down(server);
	free(server);
	return status;
}
