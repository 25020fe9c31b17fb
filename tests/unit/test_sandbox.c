/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox's table against the programs made from it: every call, with arguments near each check, is
 * judged alike by an interpreter of the program and by the table in plain words; and what the table
 * must say whoever edits it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "vm/sandbox/bpf.h"
#include "vm/sandbox/syscall_name.h"
#include "vm/sandbox/syscalls.h"
#include "vm/sandbox/table.h"

enum { NUMBER_MAX = 600, VCPU_FD = 13, VM_FD = 9, OUR_PID = 4711, OUR_TID = 4712 };

/* What the kernel's interpreter does with the instructions that the compiler uses. */
static uint32_t interpret(const struct sandbox_program *program, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned at = 0; at < program->len; at++) {
		const struct sock_filter *insn = &program->code[at];

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(insn->k <= sizeof(*data) - 4 && insn->k % 4 == 0);
			memcpy(&a, (const uint8_t *)data + insn->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= insn->k;
			break;
		case BPF_JMP | BPF_JA:
			at += insn->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == insn->k ? insn->jt : insn->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += a >= insn->k ? insn->jt : insn->jf;
			break;
		case BPF_RET | BPF_K:
			return insn->k;
		default:
			fail_msg("instruction %#x at %u", insn->code, at);
		}
	}
	fail_msg("the program ran over its end");
	return 0;
}

static struct sandbox_who who_is(enum sandbox_class which)
{
	return (struct sandbox_who){
		.classes = 1U << which,
		.pid = OUR_PID,
		.tid = OUR_TID,
		.vcpu_fd = which == SANDBOX_VCPU ? VCPU_FD : -1,
		.vm_fd = VM_FD,
	};
}

static struct sandbox_who process(void)
{
	return (struct sandbox_who){
		.classes = SANDBOX_ALL, .pid = OUR_PID, .tid = -1, .vcpu_fd = -1, .vm_fd = -1
	};
}

static uint32_t action(int judged)
{
	if (judged > 0)
		return SECCOMP_RET_TRAP;
	return judged == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (uint32_t)-judged;
}

static void compare(const struct sandbox_program *program, const struct sandbox_who *who, int nr,
		    const uint64_t args[6])
{
	struct seccomp_data data = { .nr = nr, .arch = arch_audit };
	uint32_t want = action(sandbox_judge(who, nr, args));
	uint32_t got;

	memcpy(data.args, args, sizeof(data.args));
	got = interpret(program, &data);
	if (got != want)
		fail_msg("call %d (%s) (%#llx, %#llx, %#llx): program %#x, table %#x", nr,
			 syscall_name(nr), (unsigned long long)args[0], (unsigned long long)args[1],
			 (unsigned long long)args[2], got, want);
}

/* Each of three arguments from a list of everything that any check names, and its neighbours. */
static void compare_arguments(const struct sandbox_program *program, const struct sandbox_who *who,
			      int nr)
{
	static const uint64_t fds[] = { 0, VM_FD, VCPU_FD, OUR_PID, OUR_TID, UINT64_MAX };
	static const uint64_t thirds[] = { 0, PROT_EXEC, PROT_READ | PROT_WRITE, O_APPEND,
					   O_DIRECT };
	uint64_t args[6] = { 0 };
	struct sandbox_row row;

	compare(program, who, nr, args);
	for (size_t i = 0; sandbox_row(i, &row); i++) {
		for (size_t k = 0; k < SANDBOX_CHECKS; k++) {
			for (size_t m = 0; m < ARRAY_SIZE(fds); m++) {
				args[0] = row.checks[k].arg == 0 ? row.checks[k].value + m % 3
								 : fds[m];
				args[1] = row.checks[k].arg == 1 ? row.checks[k].value + m / 3
								 : fds[m];
				args[2] = thirds[m % ARRAY_SIZE(thirds)];
				compare(program, who, nr, args);
				args[1] |= UINT64_C(0xdeadbeef) << 32;
				compare(program, who, nr, args);
			}
		}
	}
}

/* Only calls with checks are worth all arguments. */
static bool has_checks(int nr)
{
	struct sandbox_row row;

	for (size_t i = 0; sandbox_row(i, &row); i++)
		if (row.number == nr && row.checks[0].mask)
			return true;
	return false;
}

static void compare_all(const struct sandbox_who *who, unsigned reach)
{
	struct sandbox_program program;
	const uint64_t none[6] = { 0 };

	assert_int_equal(sandbox_compile_near(who, SECCOMP_RET_TRAP, reach, &program), 0);
	assert_true(program.len > 4 && program.len < SANDBOX_PROGRAM_MAX / 2);
	for (int nr = 0; nr < NUMBER_MAX; nr++) {
		if (has_checks(nr))
			compare_arguments(&program, who, nr);
		else
			compare(&program, who, nr, none);
	}
	/* x32's numbers, and none at all */
	compare(&program, who, 0x40000000 + 1, none);
	compare(&program, who, -1, none);
}

static void test_programs_do_what_the_table_says(void **state)
{
	(void)state;
	for (unsigned features = 0; features <= 1; features++) {
		struct sandbox_who who = process();

		who.features = features ? ~0U : 0;
		compare_all(&who, SANDBOX_REACH);
		for (unsigned which = 0; which < SANDBOX_CLASSES; which++) {
			who = who_is(which);
			who.features = features ? ~0U : 0;
			compare_all(&who, SANDBOX_REACH);
		}
	}
}

/* No list of today's needs longer jumps than there are; those of tomorrow may. */
static void test_programs_longer_than_a_jump(void **state)
{
	struct sandbox_who who = process();

	(void)state;
	who.features = ~0U;
	for (unsigned reach = 1; reach < 40; reach += 6)
		compare_all(&who, reach);
}

static void test_another_architecture_is_killed(void **state)
{
	struct sandbox_who who = process();
	struct seccomp_data data = { .nr = SYS_write, .arch = arch_audit ^ 1 };
	struct sandbox_program program;

	(void)state;
	assert_int_equal(sandbox_compile(&who, SECCOMP_RET_TRAP, &program), 0);
	assert_int_equal(interpret(&program, &data), SECCOMP_RET_KILL_PROCESS);
	data.arch = arch_audit;
	assert_int_equal(interpret(&program, &data), SECCOMP_RET_ALLOW);
}

static bool may(const struct sandbox_who *who, int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const uint64_t args[6] = { a0, a1, a2 };

	return sandbox_judge(who, nr, args) == 0;
}

/* Issue 4: a vCPU's thread has 12 calls at most, whatever is asked for. */
static void test_a_vcpu_has_few_calls(void **state)
{
	struct sandbox_who who = who_is(SANDBOX_VCPU);
	unsigned calls = 0;

	(void)state;
	for (unsigned features = 0; features <= 1; features++) {
		who.features = features ? ~0U : 0;
		calls = 0;
		for (int nr = 0; nr < NUMBER_MAX; nr++) {
			struct sandbox_row row;
			bool allowed = false;

			for (size_t i = 0; sandbox_row(i, &row); i++)
				allowed = allowed || (row.number == nr && !row.refusal &&
						      sandbox_row_applies(&row, &who));
			calls += allowed;
		}
		assert_in_range(calls, 4, 12);
	}
	print_message("a vCPU's thread may make %u calls\n", calls);
}

static void test_a_vcpu_keeps_to_its_own(void **state)
{
	struct sandbox_who who = who_is(SANDBOX_VCPU);

	(void)state;
	assert_true(may(&who, SYS_ioctl, VCPU_FD, KVM_RUN, 0));
	assert_false(may(&who, SYS_ioctl, VCPU_FD + 1, KVM_RUN, 0));
	assert_true(may(&who, SYS_ioctl, VM_FD, KVM_IRQ_LINE, 0));
	assert_false(may(&who, SYS_ioctl, VCPU_FD, KVM_IRQ_LINE, 0));
	assert_false(may(&who, SYS_ioctl, VM_FD, KVM_SET_USER_MEMORY_REGION, 0));
	assert_false(may(&who, SYS_ioctl, VM_FD, KVM_CREATE_DEVICE, 0));
	assert_false(may(&who, SYS_ioctl, VM_FD, KVM_CREATE_VCPU, 0));
	assert_true(may(&who, SYS_tgkill, OUR_PID, OUR_TID, 6));
	assert_false(may(&who, SYS_tgkill, OUR_PID, OUR_TID + 1, 6));
	assert_false(may(&who, SYS_tgkill, OUR_PID + 1, OUR_TID, 6));
	assert_false(may(&who, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0));
}

/* Nobody, whatever is asked for, at any time. */
static void test_nobody_may(void **state)
{
	static const int never[] = {
		SYS_openat,
		SYS_openat2,
		SYS_open_by_handle_at,
		SYS_execve,
		SYS_execveat,
		SYS_ptrace,
		SYS_process_vm_readv,
		SYS_process_vm_writev,
		SYS_kill,
		SYS_tkill,
		SYS_rt_sigqueueinfo,
		SYS_pidfd_send_signal,
		SYS_bpf,
		SYS_userfaultfd,
		SYS_mount,
		SYS_setns,
		SYS_unshare,
		SYS_pidfd_getfd,
		SYS_memfd_create,
		SYS_init_module,
		SYS_keyctl,
		SYS_add_key,
		SYS_perf_event_open,
		SYS_setuid,
		SYS_setresuid,
		SYS_unlinkat,
		SYS_renameat2,
		SYS_mkdirat,
		SYS_fchmod,
		SYS_fchown,
		SYS_ftruncate,
		SYS_dup3,
		SYS_pivot_root,
		SYS_chroot,
		SYS_kexec_load,
		SYS_reboot,
	};

	(void)state;
	for (unsigned which = 0; which <= SANDBOX_CLASSES; which++) {
		struct sandbox_who who = which < SANDBOX_CLASSES ? who_is(which) : process();

		who.features = ~0U;
		for (size_t i = 0; i < ARRAY_SIZE(never); i++)
			if (may(&who, never[i], 0, 0, 0))
				fail_msg("%s may %s",
					 which < SANDBOX_CLASSES ? sandbox_class_name(which)
								 : "the process",
					 syscall_name(never[i]));
		assert_false(may(&who, SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC));
		assert_false(may(&who, SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC));
		assert_false(may(&who, SYS_clone, 17 /* SIGCHLD */, 0, 0));
		assert_false(may(&who, SYS_clone, CLONE_NEWUSER, 0, 0));
		assert_false(may(&who, SYS_ioctl, 0, 0x5412 /* TIOCSTI */, 0));
		assert_false(may(&who, SYS_ioctl, 0, 0x541c /* TIOCLINUX */, 0));
		assert_false(may(&who, SYS_tgkill, OUR_PID + 1, OUR_TID, 9));
	}
}

static void test_after_the_start_no_more_memory(void **state)
{
	(void)state;
	for (unsigned which = SANDBOX_LOOP; which < SANDBOX_CLASSES; which++) {
		struct sandbox_who who = who_is(which);

		who.features = ~0U;
		assert_false(may(&who, SYS_ioctl, VM_FD, KVM_SET_USER_MEMORY_REGION, 0));
		assert_false(may(&who, SYS_ioctl, VM_FD, KVM_CREATE_VM, 0));
		assert_false(may(&who, SYS_clone, CLONE_THREAD, 0, 0));
		assert_false(may(&who, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0));
		assert_false(may(&who, SYS_rt_sigaction, 0, 0, 0));
	}
}

static void test_rows_are_whole(void **state)
{
	struct sandbox_row row;

	(void)state;
	for (size_t i = 0; sandbox_row(i, &row); i++) {
		assert_non_null(row.name);
		assert_non_null(row.why);
		assert_true(row.in != 0 && row.in <= SANDBOX_ALL);
		assert_int_equal(row.only != NULL, row.checks[0].mask != 0);
		if (row.number >= 0)
			assert_string_equal(syscall_name(row.number), row.name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs_do_what_the_table_says),
		cmocka_unit_test(test_programs_longer_than_a_jump),
		cmocka_unit_test(test_another_architecture_is_killed),
		cmocka_unit_test(test_a_vcpu_has_few_calls),
		cmocka_unit_test(test_a_vcpu_keeps_to_its_own),
		cmocka_unit_test(test_nobody_may),
		cmocka_unit_test(test_after_the_start_no_more_memory),
		cmocka_unit_test(test_rows_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
