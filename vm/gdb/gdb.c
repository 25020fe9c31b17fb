/* SPDX-License-Identifier: BSD-2-Clause */
/* The debugger's socket: opened before the door, served on the loop, one gdb at a time. */
#include "vm/gdb/gdb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "vm/gdb/stub.h"
#include "vm/unix_socket.h"

enum {
	INPUT_CHUNK = 4096,
	/* A peer that is there answers probes, also an idle one: one that vanished is gone after three minutes. */
	PROBE_AFTER_S = 60,
	PROBE_EVERY_S = 15,
	PROBES = 8,
	STUCK_S = 30, /* for which a gdb may read nothing of what it was sent */
};

#define STUCK_NS (STUCK_S * UINT64_C(1000000000))

/* --- before the door --- */

/* Connections inherit all of it. */
static void set_up_tcp(int fd)
{
	const struct {
		int level;
		int name;
		int value;
	} options[] = {
		{ SOL_SOCKET, SO_REUSEADDR, 1 },
		/* A debugger's packets are small and wait for each other. */
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, PROBE_AFTER_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, PROBES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				 sizeof(options[i].value));
}

/* --gdb [ADDR:]PORT. cli/ has judged the address: it is numeric. */
static int listen_tcp(const char *address, uint16_t port, int *out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	const struct sockaddr *name = is_v6 ? (const struct sockaddr *)&v6
					    : (const struct sockaddr *)&v4;
	socklen_t len = is_v6 ? sizeof(v6) : sizeof(v4);

	if (!is_v6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1)
		return -EINVAL;

	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	set_up_tcp(fd);
	if (bind(fd, name, len) < 0 || listen(fd, 1) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static int open_socket(const struct vm_config *config, struct remover *remover, int *fd)
{
	if (config->gdb_path)
		return vm_unix_listen("--gdb", config->gdb_path, remover, fd);

	int r = listen_tcp(config->gdb_address, config->gdb_port, fd);

	if (r < 0)
		diag_error("--gdb: cannot listen on %s port %u: %s", config->gdb_address,
			   config->gdb_port, strerror(-r));
	return r < 0 ? VM_STATUS_SYSTEM : 0;
}

int vm_gdb_open(struct vm *vm)
{
	struct vm_gdb *gdb;

	if (!vm->config->gdb)
		return 0;
	gdb = calloc(1, sizeof(*gdb));
	if (!gdb) {
		diag_error("--gdb: %s", strerror(ENOMEM));
		return VM_STATUS_SYSTEM;
	}
	gdb->vm = vm;
	gdb->listen_fd = -1;
	gdb->fd = -1;
	gdb->stop_fd = -1;
	/* Its KVM takes watchpoints, and they never fire: it emulates the guest's kernel. */
	gdb->unwatched = access("/sys/module/kvm_pvm", F_OK) == 0;
	vm->gdb = gdb;
	return open_socket(vm->config, &vm->remover, &gdb->listen_fd);
}

/* --- one gdb --- */

/* Whether something waits for gdb to read, and how long from now it may. */
static void await_reader(struct vm_gdb *gdb, bool wait)
{
	if (wait || gdb->slow)
		loop_timer_arm(gdb->slow_timer, wait ? STUCK_NS : 0);
	gdb->slow = wait;
}

static void hang_up(struct vm_gdb *gdb)
{
	if (gdb->fd < 0)
		return;
	await_reader(gdb, false);
	(void)loop_del(gdb->vm->loop, gdb->fd);
	close(gdb->fd);
	gdb->fd = -1;
	gdb->closing = false;
	gdb->unsent = 0;
	/* One that detached has let go already. */
	if (!gdb->server.over)
		gdb_run_release(gdb);
	gdb->server.over = true;
}

/* What the socket takes now; the rest waits for its room. False if the peer is gone. */
static bool flush(struct vm_gdb *gdb)
{
	while (gdb->unsent) {
		ssize_t n = write(gdb->fd, gdb->out, gdb->unsent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		gdb->unsent -= (size_t)n;
		memmove(gdb->out, gdb->out + n, gdb->unsent);
	}
	return true;
}

static void send_bytes(void *opaque, const void *bytes, size_t len)
{
	struct vm_gdb *gdb = opaque;

	/* A peer that asks on and on and does not read is no gdb. */
	if (len > sizeof(gdb->out) - gdb->unsent) {
		gdb->closing = true;
		return;
	}
	memcpy(gdb->out + gdb->unsent, bytes, len);
	gdb->unsent += len;
}

static void serve(void *opaque, uint32_t events);

/* After anything that may have made output. */
static void push(struct vm_gdb *gdb)
{
	size_t before = gdb->unsent;

	if (gdb->fd < 0)
		return;
	if (!flush(gdb) || (!gdb->unsent && (gdb->server.over || gdb->closing))) {
		hang_up(gdb);
		return;
	}
	(void)loop_mod(gdb->vm->loop, gdb->fd,
		       gdb->unsent ? EPOLLIN | EPOLLOUT : (uint32_t)EPOLLIN);
	if (!gdb->unsent || !gdb->slow || gdb->unsent < before)
		await_reader(gdb, gdb->unsent > 0);
}

/* There is one place for a gdb, and who keeps it like that is none. One that waits for us has nothing to read. */
static void on_stuck(void *opaque)
{
	struct vm_gdb *gdb = opaque;

	if (gdb->fd < 0)
		return;
	diag_warn("--gdb: the debugger has read nothing for %d s of what it asked for: hung up, "
		  "and the guest goes on",
		  STUCK_S);
	hang_up(gdb);
}

static void serve(void *opaque, uint32_t events)
{
	struct vm_gdb *gdb = opaque;
	char bytes[INPUT_CHUNK];
	ssize_t n = events & EPOLLOUT && !(events & EPOLLIN) ? -EAGAIN : 0;

	if (!n) {
		n = read(gdb->fd, bytes, sizeof(bytes));
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			hang_up(gdb);
			return;
		}
	}
	if (n > 0 && !gdb->closing)
		gdb_server_input(&gdb->server, bytes, (size_t)n);
	push(gdb);
}

static void on_connection(void *opaque, uint32_t events)
{
	struct vm_gdb *gdb = opaque;
	int fd = accept4(gdb->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (gdb->fd >= 0 || loop_add(gdb->vm->loop, fd, EPOLLIN, serve, gdb) < 0) {
		close(fd); /* one at a time */
		return;
	}
	gdb->fd = fd;
	gdb->closing = false;
	gdb->unsent = 0;
	gdb_server_begin(&gdb->server, &gdb->target);
	gdb_run_pause(gdb);
}

static void on_stop(void *opaque)
{
	struct vm_gdb *gdb = opaque;

	gdb_run_on_stop(gdb);
	push(gdb);
}

/* --- the machine's life --- */

static int refuse(const char *what, int err)
{
	diag_error("--gdb: %s: %s", what, strerror(-err));
	return err;
}

static void say_where(const struct vm_config *config)
{
	if (config->gdb_path)
		diag_note("waiting for gdb: target remote %s", config->gdb_path);
	else
		diag_note("waiting for gdb: target remote %s:%u", config->gdb_address,
			  config->gdb_port);
}

int vm_gdb_start(struct vm *vm)
{
	struct vm_gdb *gdb = vm->gdb;
	int r;

	if (!gdb)
		return 0;
	arch_debug_can(&vm->kvm, &gdb->can);
	if (!gdb->can.debug) {
		diag_error("--gdb: this host's KVM cannot debug guests (no "
			   "KVM_CAP_SET_GUEST_DEBUG)");
		return -ENOTSUP;
	}
	if (gdb->unwatched) {
		gdb->can.watches = 0;
		if (vm->config->verbosity >= 0 && !vm->boots)
			diag_note(
				"this host's KVM is kvm-pvm, which cannot watch memory: gdb's watch "
				"and rwatch will be refused");
	}
	gdb->xml = gdb_target_xml();
	gdb->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!gdb->xml || gdb->stop_fd < 0)
		return refuse("cannot prepare for a debugger", gdb->xml ? -errno : -ENOMEM);
	gdb_run_init(gdb);
	gdb->target.send = send_bytes;
	gdb->server.over = true;
	r = loop_add_eventfd(vm->loop, gdb->stop_fd, on_stop, gdb);
	if (!r)
		r = loop_timer_add(vm->loop, on_stuck, gdb, &gdb->slow_timer);
	if (!r)
		r = loop_add(vm->loop, gdb->listen_fd, EPOLLIN, on_connection, gdb);
	if (r < 0)
		return refuse("cannot wait for a debugger", r);
	if (vm->config->gdb_nowait || vm->boots)
		return 0;
	gdb_run_pause(gdb);
	if (vm->config->verbosity >= 0)
		say_where(vm->config);
	return 0;
}

void vm_gdb_end(struct vm *vm)
{
	unsigned end = atomic_load(&vm->end);
	struct vm_gdb *gdb = vm->gdb;

	if (!gdb || gdb->fd < 0)
		return;
	gdb_server_exited(&gdb->server, (end & 0xff) == VM_END_CRASH, end >> 8);
	(void)flush(gdb);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vm_gdb_unbuild(struct vm *vm)
{
	struct vm_gdb *gdb = vm->gdb;

	if (!gdb)
		return;
	close_fd(&gdb->fd);
	close_fd(&gdb->stop_fd);
	free(gdb->xml);
	gdb->xml = NULL;
	gdb->slow_timer = NULL; /* the loop's */
	gdb->slow = false;
	gdb->paused = false;
	memset(&gdb->points, 0, sizeof(gdb->points));
	memset(gdb->cpus, 0, sizeof(gdb->cpus));
}

void vm_gdb_destroy(struct vm *vm)
{
	if (!vm->gdb)
		return;
	close_fd(&vm->gdb->listen_fd);
	free(vm->gdb);
	vm->gdb = NULL;
}
