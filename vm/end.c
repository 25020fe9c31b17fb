/* SPDX-License-Identifier: BSD-2-Clause */
/* The last word: how the run ended, in words, as an exit status, and with what explains a bad end. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "vm/machine.h"
#include "vm/symbols.h"

const char *vm_end_name(enum vm_end end)
{
	static const char *const names[] = {
		[VM_END_NONE] = "failed",	[VM_END_POWEROFF] = "poweroff",
		[VM_END_RESET] = "reset",	[VM_END_GUEST_STATUS] = "exit",
		[VM_END_CRASH] = "crash",	[VM_END_HOST] = "host",
		[VM_END_DEFECT] = "defect",	[VM_END_SIGNAL] = "signal",
		[VM_END_USER] = "user",		[VM_END_PANIC] = "panic",
		[VM_END_TIMEOUT] = "timeout",	[VM_END_UNTIL] = "until",
		[VM_END_FAIL_ON] = "fail-on",	[VM_END_STOP] = "stop",
		[VM_END_DEBUGGER] = "debugger",
	};

	return names[end];
}

/* The guest ended by itself, in order. */
static bool in_order(enum vm_end end)
{
	return end == VM_END_POWEROFF || end == VM_END_RESET || end == VM_END_GUEST_STATUS;
}

/*
 * What was printed before the guest ended by itself came to us after that, at times: the console's
 * word then goes before. A Linux kernel that panicked resets as if that had been wished.
 */
enum vm_end vm_how_it_ended(const struct vm *vm)
{
	enum vm_end end = (enum vm_end)(atomic_load(&vm->end) & 0xff);

	if (in_order(end) && vm->watch.verdict == WATCH_FAIL_ON)
		return VM_END_FAIL_ON;
	if (in_order(end) && vm->watch.verdict == WATCH_UNTIL)
		return VM_END_UNTIL;
	if (end == VM_END_RESET && vm->watch.panic.seen)
		return VM_END_PANIC;
	return end;
}

/* Keeps the words, and says them as an error. */
__attribute__((format(printf, 2, 3))) static void bad(struct vm *vm, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(vm->words, sizeof(vm->words), fmt, args);
	va_end(args);
	diag_error("%s", vm->words);
}

/* Keeps the words, and says them unless -q was given. */
__attribute__((format(printf, 2, 3))) static void good(struct vm *vm, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(vm->words, sizeof(vm->words), fmt, args);
	va_end(args);
	if (vm->config->verbosity >= 0)
		diag_note("%s", vm->words);
}

static void say_line(void *opaque, const char *line)
{
	(void)opaque;
	diag_error("| %s", line);
}

/* The last lines of the console, with what could steer a terminal made harmless. */
static void say_tail(const struct vm *vm)
{
	lines_each(&vm->watch.lines, say_line, NULL);
}

static void say_place(const struct symbols *symbols, const struct vcpu *vcpu)
{
	struct symbols_place place;
	uint64_t pc;

	if (arch_vcpu_pc(vcpu, &pc) < 0)
		return;
	if (symbols_find(symbols, pc, &place) == 0)
		diag_error("vcpu %u: at %s+%#" PRIx64, vcpu->index, place.name, place.offset);
	else if (vcpu_never_started(vcpu, pc))
		diag_error("vcpu %u: the guest never started it", vcpu->index);
	else
		diag_error("vcpu %u: %#" PRIx64
			   " is in none of the kernel's symbols: a program's, a "
			   "module's, or the kernel lies at a random address (--append nokaslr)",
			   vcpu->index, pc);
}

static void say_places(const struct vm *vm)
{
	struct symbols symbols;
	const char *why = NULL;
	int r;

	if (vm->symbols.fd < 0)
		return;
	r = symbols_read(vm->symbols.fd, vm->symbols.size, &symbols, &why);
	if (r < 0) {
		diag_error("symbols %s: %s", vm->symbols.name, why ? why : strerror(-r));
		return;
	}
	for (unsigned i = 0; i < vm->config->cpus; i++)
		say_place(&symbols, &vm->vcpus[i]);
	symbols_release(&symbols);
}

/* Where each vCPU was when it was stopped. Their threads have ended. */
static void say_vcpus(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->config->cpus; i++)
		arch_vcpu_dump(&vm->vcpus[i]);
	say_places(vm);
}

static int say_panic(struct vm *vm)
{
	const struct panic_watch *panic = &vm->watch.panic;

	bad(vm, "the guest's kernel panicked%s%s", panic->seen && panic->why[0] ? ": " : "",
	    panic->seen ? panic->why : "");
	say_tail(vm);
	return VM_STATUS_PANIC;
}

static int say_timeout(struct vm *vm)
{
	bad(vm, "--timeout: the guest still ran after %" PRIu64 ".%03u s",
	    vm->config->timeout_ms / 1000, (unsigned)(vm->config->timeout_ms % 1000));
	say_vcpus(vm);
	say_tail(vm);
	return VM_STATUS_TIMEOUT;
}

static int say_crash(struct vm *vm)
{
	bad(vm, "the guest crashed (its processor shut down, as after a triple fault)");
	say_tail(vm);
	return VM_STATUS_PANIC;
}

/* What ends a machine in order leaves a command without a status: words for that, or NULL. */
static const char *words_without_status(enum vm_end end)
{
	switch (end) {
	case VM_END_POWEROFF:
	case VM_END_RESET:
		return "the guest ended before the command did";
	case VM_END_STOP:
		return "stopped by the control socket before the command ended";
	case VM_END_DEBUGGER:
		return "ended by the debugger before the command ended";
	default:
		return NULL;
	}
}

int vm_say_end(struct vm *vm)
{
	int status = (int)(atomic_load(&vm->end) >> 8);
	enum vm_end end = vm_how_it_ended(vm);
	const char *without = vm->config->exec ? words_without_status(end) : NULL;

	if (without) {
		bad(vm, "exec: %s", without);
		return VM_STATUS_SYSTEM;
	}
	switch (end) {
	case VM_END_POWEROFF:
		good(vm, "guest powered off");
		return VM_STATUS_OK;
	case VM_END_RESET:
		good(vm, "guest reset");
		return VM_STATUS_OK;
	case VM_END_GUEST_STATUS:
		/* Standard error is the command's. */
		if (!vm->config->exec || vm->config->verbosity > 0)
			good(vm, "guest ended with status %d", status);
		return status;
	case VM_END_UNTIL:
		good(vm, "--until: the console showed \"%s\"", vm->watch.verdict_line);
		return VM_STATUS_OK;
	case VM_END_FAIL_ON:
		bad(vm, "--fail-on: the console showed \"%s\"", vm->watch.verdict_line);
		return VM_STATUS_FAIL_ON;
	case VM_END_PANIC:
		return say_panic(vm);
	case VM_END_TIMEOUT:
		return say_timeout(vm);
	case VM_END_CRASH:
		return say_crash(vm);
	case VM_END_STOP:
		good(vm, "stopped by the control socket");
		return VM_STATUS_OK;
	case VM_END_HOST:
		return VM_STATUS_SYSTEM;
	case VM_END_SIGNAL:
		bad(vm, "ended by signal %d (%s)", status, strsignal(status));
		return 128 + status;
	case VM_END_USER:
		good(vm, "left by Ctrl-A x");
		return VM_STATUS_OK;
	case VM_END_DEBUGGER:
		good(vm, "ended by the debugger");
		return VM_STATUS_OK;
	case VM_END_NONE:
	case VM_END_DEFECT:
		break;
	}
	return VM_STATUS_DEFECT;
}
