/* SPDX-License-Identifier: BSD-2-Clause */
/* One machine's life, read from top to bottom: open, lock the door, load, build, run, stop. */
#include "vm/vm.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "hw/pvpanic.h"
#include "vm/control/machine.h"
#include "vm/core/core.h"
#include "vm/gdb/gdb.h"
#include "vm/machine.h"
#include "vm/signed/signed.h"

/*
 * --timeout counts from launch, by a signal: it is seen wherever the others are, also by a console
 * that waits for its reader.
 */
static int start_clock(const struct vm *vm)
{
	uint64_t spent = vm_since_launch(vm) / 1000;
	uint64_t us = vm->config->timeout_ms * 1000;
	struct itimerval when = { .it_value.tv_usec = 1 };

	if (!us)
		return 0;
	if (us > spent) {
		when.it_value.tv_sec = (time_t)((us - spent) / 1000000);
		when.it_value.tv_usec = (suseconds_t)((us - spent) % 1000000);
	}
	if (setitimer(ITIMER_REAL, &when, NULL) == 0)
		return 0;
	diag_error("--timeout: cannot start the clock: %s", strerror(errno));
	return VM_STATUS_SYSTEM;
}

/* nohup(1): a terminal that is closed is not to end the machine. */
static bool hangup_is_ignored(void)
{
	struct sigaction hangup;

	return sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
}

void vm_ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	if (!hangup_is_ignored())
		sigaddset(set, SIGHUP);
}

/* Signals that end or concern the machine come as events of the loop, to the main thread. */
static int open_signals(struct vm *vm)
{
	sigset_t set, window;

	vm_ending_signals(&set);
	sigaddset(&set, SIGALRM);
	/* A reader of the console that goes away is an error of write, not our end. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error of the disk, not our end */
	sigemptyset(&window);
	sigaddset(&window, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &window, NULL);
	vm->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	vm->window_fd = signalfd(-1, &window, SFD_CLOEXEC | SFD_NONBLOCK);
	if (vm->signal_fd >= 0 && vm->window_fd >= 0)
		return start_clock(vm);
	diag_error("cannot receive signals: %s", strerror(errno));
	return VM_STATUS_SYSTEM;
}

static int lock_the_door(struct vm *vm)
{
	/* glibc reads /proc before it shrinks the memory of a thread's own: all share the first one's. */
	(void)mallopt(M_ARENA_MAX, 1);
	return sandbox_lock(&vm->sandbox, vm->config);
}

static void power_off(void *opaque)
{
	vm_end(opaque, VM_END_POWEROFF, 0);
}

static void reset(void *opaque)
{
	vm_end(opaque, VM_END_RESET, 0);
}

static void exit_status(void *opaque, unsigned status)
{
	vm_end(opaque, VM_END_GUEST_STATUS, status);
}

/* Of a kernel that loads its own crash kernel the run goes on: that one will end it. */
static void panicked(void *opaque, unsigned events)
{
	if (events & PVPANIC_PANICKED)
		vm_end(opaque, VM_END_PANIC, 0);
}

static int system_refused(const char *what, int err)
{
	diag_error("%s: %s", what, strerror(-err));
	return VM_STATUS_SYSTEM;
}

static int create_memory(struct vm *vm)
{
	int r = mem_create(&vm->mem);

	if (!r && vm->config->hugepages)
		mem_reserve_huge(vm->mem);
	if (!r && vm->config->prefault)
		mem_prefault(vm->mem);
	if (!r && vm_has_backends(vm->config))
		r = mem_share(vm->mem, vm->share_fd);
	if (!r)
		r = arch_add_memory(vm->mem, vm->config->memory);
	if (r < 0)
		diag_error(
			"guest memory: the host cannot give %llu MiB%s: %s; a smaller --memory may "
			"do",
			(unsigned long long)(vm->config->memory >> 20),
			vm->config->hugepages ? " in huge pages" : "", strerror(-r));
	else
		r = vm_map_pmems(vm);
	return r < 0 ? VM_STATUS_SYSTEM : 0;
}

/* Begins what KVM takes its time for; create_kvm() ends it. */
static int start_kvm(struct vm *vm)
{
	unsigned long type = 0;

	if (kvm_check(&vm->kvm, arch_kvm_needs) < 0)
		return VM_STATUS_NO_KVM;
	if (arch_vm_type(&vm->kvm, vm->config->memory + vm_pmem_size(vm), &type) < 0)
		return VM_STATUS_SYSTEM;
	kvm_create_begin(&vm->creator, &vm->kvm, type,
			 arch_vm_takes_long && vm->kernel.size > VM_READ_PIECE);
	return 0;
}

static int create_kvm(struct vm *vm)
{
	int r = kvm_create_end(&vm->creator, &vm->kvm);

	if (r < 0)
		return vm_is_shortage(r) ? VM_STATUS_SYSTEM : VM_STATUS_NO_KVM;
	vm->sandbox.vm_fd = vm->kvm.vm_fd;

	int most = kvm_has(&vm->kvm, KVM_CAP_MAX_VCPUS);

	if (most > 0 && vm->config->cpus > (unsigned)most) {
		diag_error("--cpus %u: this host's KVM runs at most %d in one machine",
			   vm->config->cpus, most);
		return VM_STATUS_SYSTEM;
	}
	r = kvm_map_memory(&vm->kvm, vm->mem);
	if (!r)
		r = vm_map_windows(vm);
	return r < 0 ? VM_STATUS_SYSTEM : 0;
}

/* What the guest prints, by serial port or virtio-console. */
void vm_guest_output(void *opaque, const void *data, size_t len)
{
	struct vm *vm = opaque;

	vm_mark(vm, VM_MOMENT_CONSOLE, NULL);
	bool panicked_before = vm->watch.panic.seen;

	watch_output(&vm->watch, data, len);
	if (vm->watch.panic.seen && !panicked_before)
		vm_control_tell(vm, "panic", vm->watch.panic.why);
	if (vm->watch.init_seen)
		vm_mark(vm, VM_MOMENT_INIT, NULL);
	vm_judge_console(vm);
	control_console(&vm->control, data, len);
	vm_console_output(&vm->console, data, len);
}

void vm_input_room(void *opaque)
{
	struct vm *vm = opaque;

	vm_console_room(&vm->console);
	control_room(&vm->control);
}

static size_t serial_sink(void *opaque, const void *data, size_t len)
{
	return serial_input(opaque, data, len);
}

static int create_board(struct vm *vm)
{
	struct arch_config config = {
		.kvm = &vm->kvm,
		.mem = vm->mem,
		.bus = vm->bus,
		.loop = vm->loop,
		.cpus = vm->config->cpus,
		.pmu = vm->config->pmu,
		.pci = vm->config->discovery == VM_DISCOVERY_PCI,
		.serial_out = vm->config->console == VM_CONSOLE_NONE ? NULL : vm_guest_output,
		.serial_opaque = vm,
		.events = { power_off, reset, exit_status, panicked, vm },
	};
	int r = arch_create(&config, &vm->arch);

	if (r < 0)
		return VM_STATUS_SYSTEM;

	struct serial *serial = arch_serial(vm->arch);

	if (serial && vm->config->console == VM_CONSOLE_SERIAL) {
		vm->console.sink = serial_sink;
		vm->console.sink_opaque = serial;
		serial_on_room(serial, vm_input_room, vm);
	}
	return 0;
}

/* What needs no VM. */
static int prepare(struct vm *vm)
{
	int r = bus_create(&vm->bus);

	if (!r)
		r = loop_create(&vm->loop);
	if (!r) {
		vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r = vm->end_fd < 0 ? -errno : 0;
	}
	if (r < 0)
		return system_refused("cannot build the machine", r);
	vm_console_init(&vm->console, vm->loop);
	vm->console.in_fd = vm->config->in_fd;
	vm->console.out_fd = vm->config->out_fd;
	vm->console.log_fd = vm->log_fd;
	vm->console.wake_fds[0] = vm->signal_fd;
	vm->console.wake_fds[1] = vm->end_fd;
	vm->console.escapes = vm->config->escapes;

	return create_memory(vm);
}

static int build(struct vm *vm)
{
	int status = create_kvm(vm);

	if (!status)
		status = create_board(vm);
	if (!status)
		status = vm_create_vcpus(vm);
	if (!status)
		status = vm_create_devices(vm);
	return status;
}

/* In the order of building, backwards. What was opened before the door was locked stays. */
static void unbuild(struct vm *vm)
{
	if (vm->loop)
		vm_console_stop(&vm->console);
	vm_core_finish(vm);
	vm_gdb_unbuild(vm);
	vm_destroy_devices(vm);
	vm_close_backends(vm); /* there is no next boot with one (cli/) */
	vm_destroy_vcpus(vm);
	arch_destroy(vm->arch);
	(void)kvm_create_end(&vm->creator, &vm->kvm); /* nobody came to its VM */
	kvm_close_vm(&vm->kvm);
	vm_forget_kernel(vm);
	loop_destroy(vm->loop);
	bus_destroy(vm->bus);
	mem_destroy(vm->mem);
	if (vm->end_fd >= 0)
		close(vm->end_fd);
	vm->end_fd = -1;
	vm->arch = NULL;
	vm->loop = NULL;
	vm->bus = NULL;
	vm->mem = NULL;
	vm->quiet_timer = NULL;
}

static void tear_down(struct vm *vm)
{
	unbuild(vm);
	vm_gdb_destroy(vm);
	kvm_close(&vm->kvm);
	vm_close_files(vm);
	if (vm->signal_fd >= 0)
		close(vm->signal_fd);
	if (vm->window_fd >= 0)
		close(vm->window_fd);
	signed_close(vm);
}

struct stair {
	int (*step)(struct vm *vm);
	enum vm_moment moment;
	const char *done; /* what -v says, with the time, when it is behind us */
};

static int climb(struct vm *vm, const struct stair *stair, size_t steps)
{
	int status = 0;

	for (size_t i = 0; !status && i < steps; i++) {
		status = stair[i].step(vm);
		if (!status)
			vm_mark(vm, stair[i].moment, stair[i].done);
	}
	return status;
}

/* A vCPU's thread: perhaps vm_pause waits for it. */
static void gate_emptied(void *opaque)
{
	struct vm *vm = opaque;

	loop_wake(vm->loop);
}

/*
 * The machine is to start again: away with all that was built; the door stays locked. False: it ends, by a signal that
 * came meanwhile.
 */
static bool prepare_next_boot(struct vm *vm)
{
	if (!vm_settle(vm, true)) {
		atomic_store(&vm->end, VM_END_NONE);
		vm_on_signal(vm, 0);
		return false;
	}
	if (vm->config->verbosity >= 0)
		diag_note("guest reset; it starts again");
	vm_report_collect(vm);
	unbuild(vm);
	vcpu_gate_destroy(&vm->gate);
	vcpu_gate_init(&vm->gate, gate_emptied, vm);
	atomic_store(&vm->end, VM_END_NONE);
	atomic_store(&vm->entered, false);
	vm->restart = false;
	vm->boots++;
	return true;
}

static bool starts_again(const struct vm *vm)
{
	return (vm->config->reboot || vm->restart) && vm_how_it_ended(vm) == VM_END_RESET;
}

static int climb_the_stair(struct vm *vm)
{
	static const struct stair door[] = {
		{ vm_open_files, VM_MOMENT_OPENED, "files opened" },
		{ open_signals, VM_MOMENT_OPENED, "signals blocked" },
		{ lock_the_door, VM_MOMENT_LOCKED, "door locked" },
	};
	static const struct stair machine[] = {
		{ start_kvm, VM_MOMENT_LOCKED, NULL },
		{ vm_verify, VM_MOMENT_VERIFIED, "images verified" },
		{ prepare, VM_MOMENT_VERIFIED, NULL },
		{ vm_read_kernel, VM_MOMENT_VERIFIED, "kernel read" },
		{ build, VM_MOMENT_BUILT, "machine built" },
		{ vm_load, VM_MOMENT_LOADED, "kernel loaded" },
		{ vm_run_vcpus, VM_MOMENT_END, "machine ended" },
	};
	int status = climb(vm, door, ARRAY_SIZE(door));

	if (!status)
		status = climb(vm, machine, ARRAY_SIZE(machine));
	while (!status && starts_again(vm) && prepare_next_boot(vm))
		status = climb(vm, machine, ARRAY_SIZE(machine));
	return status ? status : vm_say_end(vm);
}

static int run_machine(struct vm *vm)
{
	const struct vm_config *config = vm->config;
	struct vcpu *vcpus = calloc(config->cpus, sizeof(*vcpus));

	watch_init(&vm->watch, config->until, config->fail_on);
	vcpu_gate_init(&vm->gate, gate_emptied, vm);
	vm_name_nothing(vm);
	for (unsigned i = 0; vcpus && i < config->cpus; i++)
		vcpus[i].fd = -1;
	vm->vcpus = vcpus;

	int status = vcpus ? climb_the_stair(vm) : system_refused("vcpus", -ENOMEM);

	vm_report_collect(vm);
	vm_report_write(vm, status);
	vm_control_close(vm, status);
	remover_end(&vm->remover);
	if (vm->stuck || !vm_settle(vm, false))
		return status; /* the end of the process is the end of it all */
	tear_down(vm);
	vcpu_gate_destroy(&vm->gate);
	watch_release(&vm->watch);
	free(vcpus);
	return status;
}

/* Fresh pages and not the stack or calloc, which clear all of its 110 KiB: most runs touch a few of them. */
int vm_run(const struct vm_config *config)
{
	struct vm *vm =
		mmap(NULL, sizeof(*vm), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (vm == MAP_FAILED)
		return system_refused("the machine", -errno);
	vm->config = config;
	vm->signal_fd = -1;
	vm->window_fd = -1;
	vm->end_fd = -1;
	vm->share_fd = -1;
	vm->kvm.sys_fd = -1;
	vm->kvm.vm_fd = -1;

	int status = run_machine(vm);

	if (!vm->stuck)
		munmap(vm, sizeof(*vm));
	return status;
}
