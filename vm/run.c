/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine runs: one thread per vCPU, the main thread in the loop, until somebody ends it. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/diag.h"
#include "virtio/devices.h"
#include "vm/control/machine.h"
#include "vm/core/core.h"
#include "vm/gdb/gdb.h"
#include "vm/machine.h"

#define QUIET_NS UINT64_C(250000000) /* of the console, until a line without end counts */

/* An end from outside: then nobody waits any longer for a slow reader of the console. */
static bool cuts_output(enum vm_end why)
{
	switch (why) {
	case VM_END_SIGNAL:
	case VM_END_USER:
	case VM_END_TIMEOUT:
	case VM_END_STOP:
	case VM_END_DEBUGGER:
	case VM_END_HOST:
	case VM_END_DEFECT:
		return true;
	default:
		return false;
	}
}

void vm_end(struct vm *vm, enum vm_end why, unsigned status)
{
	uint64_t one = 1;
	unsigned none = VM_END_NONE;
	unsigned value = (unsigned)why | status << 8;

	if (cuts_output(why)) {
		while (write(vm->end_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	}
	if (!atomic_compare_exchange_strong(&vm->end, &none, value))
		return;
	loop_stop(vm->loop);
}

static void vcpu_ended(void *opaque, struct vcpu *vcpu, enum vcpu_end why)
{
	static const enum vm_end ends[] = {
		[VCPU_END_CRASH] = VM_END_CRASH,   [VCPU_END_POWEROFF] = VM_END_POWEROFF,
		[VCPU_END_RESET] = VM_END_RESET,   [VCPU_END_HOST] = VM_END_HOST,
		[VCPU_END_DEFECT] = VM_END_DEFECT,
	};

	(void)vcpu;
	vm_end(opaque, ends[why], 0);
}

/* The clock first: where the vDSO cannot tell it, it is a call that the thread will not have. */
static int vcpu_entering(void *opaque, struct vcpu *vcpu)
{
	struct vm *vm = opaque;
	int r;

	if (!atomic_exchange(&vm->entered, true))
		vm_mark(vm, VM_MOMENT_ENTERED, "first vcpu entered");
	r = sandbox_enter(&vm->sandbox, SANDBOX_VCPU, vcpu->fd);
	if (r < 0)
		vm_end(vm, VM_END_HOST, 0);
	return r;
}

static void tell_window_size(struct vm *vm)
{
	struct winsize size;

	if (vm->virtio_console && vm->config->escapes &&
	    ioctl(vm->config->in_fd, TIOCGWINSZ, &size) == 0)
		virtio_console_resize(vm->virtio_console, size.ws_col, size.ws_row);
}

void vm_on_signal(void *opaque, uint32_t events)
{
	struct vm *vm = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(vm->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGALRM)
		vm_end(vm, VM_END_TIMEOUT, 0);
	else
		vm_end(vm, VM_END_SIGNAL, info.ssi_signo);
}

static void on_window(void *opaque, uint32_t events)
{
	struct vm *vm = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(vm->window_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		tell_window_size(vm);
}

void vm_judge_console(struct vm *vm)
{
	static const enum vm_end ends[] = {
		[WATCH_UNTIL] = VM_END_UNTIL,
		[WATCH_FAIL_ON] = VM_END_FAIL_ON,
		[WATCH_PANIC] = VM_END_PANIC,
	};

	if (vm->watch.verdict != WATCH_NONE)
		vm_end(vm, ends[vm->watch.verdict], 0);
	else if (vm->quiet_timer && vm->watch.lines.len)
		loop_timer_arm(vm->quiet_timer, QUIET_NS);
}

static void on_quiet(void *opaque)
{
	struct vm *vm = opaque;

	watch_quiet(&vm->watch);
	if (vm->watch.verdict != WATCH_NONE)
		vm_judge_console(vm);
}

/* Prompts have no line end: patterns look at what stands there when nothing more comes. */
static int start_watch(struct vm *vm)
{
	if (!vm->config->until && !vm->config->fail_on)
		return 0;
	return loop_timer_add(vm->loop, on_quiet, vm, &vm->quiet_timer);
}

static void on_key(void *opaque, enum vm_console_key key)
{
	if (key == VM_KEY_LEAVE)
		vm_end(opaque, VM_END_USER, 0);
}

/* The console's input waits until the guest's devices are there to take it. */
static int start_console(struct vm *vm)
{
	vm->console.on_key = on_key;
	vm->console.key_opaque = vm;
	if (vm->console.sink)
		vm_console_start(&vm->console);
	tell_window_size(vm);

	int r = loop_add(vm->loop, vm->window_fd, EPOLLIN, on_window, vm);

	return r ? r : loop_add(vm->loop, vm->signal_fd, EPOLLIN, vm_on_signal, vm);
}

int vm_create_vcpus(struct vm *vm)
{
	vm->vcpu_env = (struct vcpu_env){
		.kvm = &vm->kvm,
		.bus = vm->bus,
		.mem = vm->mem,
		.gate = &vm->gate,
		.arch = vm->arch,
		.arch_exit = arch_vcpu_exit,
		.arch_run_words = arch_vcpu_run_words,
		.arch_dump = arch_vcpu_dump,
		.ended = vcpu_ended,
		.entering = vcpu_entering,
		.debug_exit = vm->gdb ? vm_gdb_exit : NULL,
		.opaque = vm,
	};

	int r = 0;

	for (unsigned i = 0; !r && i < vm->config->cpus; i++)
		r = vcpu_create(&vm->vcpus[i], &vm->vcpu_env, i);
	if (!r)
		r = arch_vcpus_created(vm->arch, vm->vcpus);
	return r < 0 ? VM_STATUS_SYSTEM : 0;
}

void vm_destroy_vcpus(struct vm *vm)
{
	for (unsigned i = 0; vm->vcpus && i < vm->config->cpus; i++)
		vcpu_destroy(&vm->vcpus[i]);
}

/* @r; of what says nothing itself, a refusal of the host (a container's filter of system calls, too) is said. */
static int told(const char *what, int r)
{
	if (r < 0)
		diag_error("%s: the host refuses: %s", what, strerror(-r));
	return r;
}

static int start_vcpus(struct vm *vm)
{
	int r = told("vcpus: the signal that interrupts them", vcpu_prepare_process());

	for (unsigned i = 0; !r && i < vm->config->cpus; i++)
		r = arch_vcpu_setup(vm->arch, &vm->vcpus[i]);

	for (unsigned i = 0; !r && i < vm->config->cpus; i++)
		r = vcpu_start(&vm->vcpus[i]);
	return r;
}

/*
 * However far it came: every thread is told to stop and waited for. One may be waiting for the loop, for
 * what only the loop's thread may do: it is served until all are out.
 */
static void stop_vcpus(struct vm *vm)
{
	for (unsigned i = 0; i < vm->config->cpus; i++)
		vcpu_stop(&vm->vcpus[i]);
	vm_pause(vm);
	for (unsigned i = 0; i < vm->config->cpus; i++)
		vcpu_join(&vm->vcpus[i]);
}

static void say_exits(const struct vm *vm)
{
	uint64_t sums[VCPU_EXIT_KINDS] = { 0 };

	for (unsigned i = 0; i < vm->config->cpus; i++) {
		for (unsigned kind = 0; kind < VCPU_EXIT_KINDS; kind++)
			sums[kind] += vm->vcpus[i].exits[kind];
	}
	for (unsigned kind = 0; kind < VCPU_EXIT_KINDS; kind++) {
		if (sums[kind])
			diag_note("exits to hvrun: %s %" PRIu64, vcpu_exit_name(kind), sums[kind]);
	}
}

/*
 * What the guest printed last is still in its devices: of a console that it told of by a doorbell, in
 * the queue.
 */
static void end_console(struct vm *vm)
{
	vm->console.patient = true;
	if (vm->virtio_console) {
		virtio_console_output_ready(vm->virtio_console, 0);
		(void)virtio_console_drain(vm->virtio_console, 0);
		virtio_console_flush(vm->virtio_console);
	}
	if (arch_serial(vm->arch))
		serial_flush(arch_serial(vm->arch));
	watch_end(&vm->watch);
	vm_judge_console(vm);
}

static int run_here(struct vm *vm)
{
	int r;

	loop_hold(vm->loop);
	r = told("the console", start_console(vm));
	if (!r)
		r = told("the watch over the console", start_watch(vm));
	if (!r)
		r = told("the control socket", vm_control_start(vm));
	if (!r)
		r = vm_gdb_start(vm);
	if (!r)
		r = vm_core_prepare(vm);
	if (!r)
		r = start_vcpus(vm);
	if (!r)
		r = sandbox_enter(&vm->sandbox, SANDBOX_LOOP, -1);
	if (!r)
		r = told("waiting for what happens (epoll_wait)", loop_run(vm->loop));
	vm_gdb_end(vm);
	stop_vcpus(vm);
	end_console(vm);
	vm_core_at_end(vm);
	vm_control_stop(vm);
	loop_release(vm->loop);
	if (!r && vm->config->verbosity > 0)
		say_exits(vm);
	return r < 0 ? VM_STATUS_SYSTEM : 0;
}

/* A run on a thread of its own. */
struct apart {
	struct vm *vm;
	int status;
};

static void *run_thread(void *arg)
{
	struct apart *apart = arg;

	apart->status = run_here(apart->vm);
	return NULL;
}

/*
 * A machine that may start again is run by a thread that ends with it: what a thread has given up
 * (sandbox_enter) it cannot have back, and to build a machine takes more than to run one. The main
 * thread only waits meanwhile; nothing of the guest comes to it.
 */
static int run_apart(struct vm *vm)
{
	struct apart apart = { .vm = vm };
	pthread_t thread;
	int r = pthread_create(&thread, NULL, run_thread, &apart);

	if (r) {
		diag_error("the machine's thread cannot be started: %s", strerror(r));
		return VM_STATUS_SYSTEM;
	}
	pthread_join(thread, NULL);
	return apart.status;
}

int vm_run_vcpus(struct vm *vm)
{
	return vm_may_restart(vm->config) ? run_apart(vm) : run_here(vm);
}
