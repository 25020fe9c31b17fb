/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/debug: what goes into the debug registers, and what their reports mean; on this machine's own
 * processor too, with a child of ours in the place of a guest (ptrace), since few hosts without hardware
 * virtualisation watch memory for KVM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/x86/debug.h"
#include "cpu/vcpu.h"

static struct arch_debug points(unsigned count, ...)
{
	struct arch_debug debug = { .on = true, .count = count };
	va_list list;

	va_start(list, count);
	for (unsigned i = 0; i < count; i++)
		debug.points[i] = va_arg(list, struct arch_point);
	va_end(list);
	return debug;
}

static void registers_hold_the_points(void **state)
{
	const struct arch_point exec = { ARCH_POINT_EXEC, 0x1000, 0 };
	const struct arch_point byte = { ARCH_POINT_WRITE, 0x2001, 1 };
	const struct arch_point two = { ARCH_POINT_ACCESS, 0x3002, 2 };
	const struct arch_point four = { ARCH_POINT_WRITE, 0x4004, 4 };
	const struct arch_point eight = { ARCH_POINT_WRITE, 0x5008, 8 };
	struct arch_debug debug = points(4, exec, byte, two, four);
	uint64_t dr[8];

	(void)state;
	x86_debug_registers(&debug, dr);
	assert_int_equal(dr[0], 0x1000);
	assert_int_equal(dr[1], 0x2001);
	assert_int_equal(dr[2], 0x3002);
	assert_int_equal(dr[3], 0x4004);
	/* Four times global enable, exact; 4 bytes written, 2 accessed, 1 written, executed. */
	assert_int_equal(dr[7], 0xd71006aa);
	debug = points(1, eight);
	x86_debug_registers(&debug, dr);
	assert_int_equal(dr[7], 0x90602);
	debug = points(0);
	x86_debug_registers(&debug, dr);
	for (int i = 0; i < 8; i++)
		assert_int_equal(dr[i], 0);
}

/* --- the processor itself --- */

static struct {
	volatile uint64_t other;
	volatile uint64_t watched;
} words __attribute__((aligned(64)));

/* What the child does between two stops: something else, then what is watched. */
__attribute__((noreturn)) static void child(void)
{
	uint64_t seen;

	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	(void)raise(SIGSTOP);
	words.other = 1;
	seen = words.watched;
	words.other = seen;
	words.watched = 7;
	words.other = 2;
	(void)raise(SIGSTOP);
	_exit(0);
}

static long poke(pid_t pid, unsigned reg, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg) + 8 * (size_t)reg,
		      value);
}

/* The child stopped at the points of @debug: what hvrun makes of the report, as if it were KVM's. */
static struct arch_stop next_stop(pid_t pid, const struct arch_debug *debug, uint64_t *watched)
{
	struct kvm_run run = { .exit_reason = KVM_EXIT_DEBUG };
	struct vcpu vcpu = { .run = &run };
	struct arch_stop stop = { ARCH_STOP_NONE, 0, 0 };
	int status;

	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	if (WSTOPSIG(status) != SIGTRAP)
		return stop;
	errno = 0;
	run.debug.arch.dr6 = (uint64_t)ptrace(
		PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg) + 8 * (size_t)6, NULL);
	assert_int_equal(errno, 0);
	(void)poke(pid, 6, 0);
	run.debug.arch.exception = 1;
	*watched = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, &words.watched, NULL);
	assert_true(arch_debug_exit(&vcpu, debug, &stop));
	return stop;
}

static void watch(enum arch_point_kind kind, unsigned reg, uint64_t len)
{
	/* Registers before @reg are taken by what is never touched. */
	const uint64_t at = (uintptr_t)&words.watched;
	struct arch_debug debug = { .on = true, .count = reg + 1 };
	struct arch_stop stop;
	uint64_t value = 0;
	uint64_t dr[8];
	int status;
	pid_t pid;

	for (unsigned i = 0; i < reg; i++)
		debug.points[i] = (struct arch_point){ ARCH_POINT_WRITE, 0x1000 + 8 * i, 8 };
	debug.points[reg] = (struct arch_point){ kind, at, len };
	assert_int_equal(arch_point_check(&debug.points[reg]), 0);
	x86_debug_registers(&debug, dr);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	for (unsigned i = 0; i <= reg; i++)
		assert_int_equal(poke(pid, i, dr[i]), 0);
	if (poke(pid, 7, dr[7]) < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		skip(); /* this kernel lends nobody the debug registers */
	}
	if (kind == ARCH_POINT_ACCESS) {
		stop = next_stop(pid, &debug, &value);
		assert_int_equal(stop.kind, ARCH_STOP_WATCH);
		assert_int_equal(stop.address, at);
		assert_int_equal(value, 0); /* read, and not written yet */
	}
	stop = next_stop(pid, &debug, &value);
	assert_int_equal(stop.kind, ARCH_STOP_WATCH);
	assert_int_equal(stop.address, at);
	assert_int_equal(value, 7);
	stop = next_stop(pid, &debug, &value);
	assert_int_equal(stop.kind, ARCH_STOP_NONE);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void the_processor_watches_writes(void **state)
{
	(void)state;
	for (unsigned reg = 0; reg < 4; reg++)
		for (uint64_t len = 1; len <= 8; len *= 2)
			watch(ARCH_POINT_WRITE, reg, len);
}

static void the_processor_watches_accesses(void **state)
{
	(void)state;
	for (unsigned reg = 0; reg < 4; reg++)
		watch(ARCH_POINT_ACCESS, reg, 8);
}

static void points_are_judged(void **state)
{
	const struct arch_point odd = { ARCH_POINT_WRITE, 0x1001, 2 };
	const struct arch_point long_one = { ARCH_POINT_WRITE, 0x1000, 16 };
	const struct arch_point read = { ARCH_POINT_READ, 0x1000, 8 };
	const struct arch_point exec = { ARCH_POINT_EXEC, 0x1001, 1 };

	(void)state;
	assert_int_equal(arch_point_check(&odd), -EINVAL);
	assert_int_equal(arch_point_check(&long_one), -EINVAL);
	assert_int_equal(arch_point_check(&read), -ENOTSUP);
	assert_int_equal(arch_point_check(&exec), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_hold_the_points),
		cmocka_unit_test(points_are_judged),
		cmocka_unit_test(the_processor_watches_writes),
		cmocka_unit_test(the_processor_watches_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
