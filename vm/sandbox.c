/* SPDX-License-Identifier: BSD-2-Clause */
/* The locked door, first form: the list of system calls, and what happens to any other. */
#include "vm/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "base/diag.h"
#include "vm/config.h"

struct allowed_call {
	const char *name; /* calls that an architecture lacks are left out */
	const char *why;
};

static const struct allowed_call allowed_calls[] = {
	{ "read", "eventfds, timers, signals, console input" },
	{ "write", "eventfds, console output, messages" },
	{ "writev", "console output" },
	{ "pread64", "images and disks" },
	{ "preadv2", "disks, without waiting" },
	{ "pwritev2", "disks, durable" },
	{ "fdatasync", "a guest's flush" },
	{ "fallocate", "discard and write-zeroes" },
	{ "fstat", "size and kind of an opened file" },
	{ "fstatfs", "whether a disk's file lies in memory" },
	{ "newfstatat", "the same, as glibc asks it" },
	{ "lseek", "size of a block device" },
	{ "close", "the end" },
	{ "eventfd2", "doorbells and interrupts" },
	{ "epoll_create1", "the loop" },
	{ "epoll_ctl", "the loop" },
	{ "epoll_wait", "the loop" },
	{ "epoll_pwait", "the loop" },
	{ "timerfd_create", "timers" },
	{ "timerfd_settime", "timers" },
	{ "signalfd4", "signals as events" },
	{ "poll", "a slow reader of the console" },
	{ "ppoll", "a slow reader of the console" },
	{ "getrandom", "virtio-rng" },
	{ "munmap", "freeing" },
	{ "mremap", "malloc" },
	{ "brk", "malloc" },
	{ "madvise", "huge pages, thread stacks" },
	{ "futex", "locks" },
	{ "set_robust_list", "threads" },
	{ "rseq", "threads" },
	{ "exit", "threads" },
	{ "exit_group", "the end" },
	{ "sched_getaffinity", "glibc, thread attributes" },
	{ "sched_yield", "locks" },
	{ "gettid", "signals to a thread" },
	{ "getpid", "signals to a thread" },
	{ "tgkill", "stopping a vCPU; abort" },
	{ "rt_sigaction", "handlers" },
	{ "rt_sigprocmask", "threads" },
	{ "rt_sigreturn", "handlers" },
	{ "sigaltstack", "the handler of a crash" },
	{ "restart_syscall", "a wait that was interrupted" },
	{ "clock_gettime", "times, where the vDSO cannot tell them" },
	{ "clock_nanosleep", "waits" },
	{ "nanosleep", "waits" },
};

/* Only with --io-uring; each ring is restricted to its one file (virtio/io_uring.h). */
static const struct allowed_call io_uring_calls[] = {
	{ "io_uring_setup", "a ring for each disk" },
	{ "io_uring_register", "restricting it, and its eventfd" },
	{ "io_uring_enter", "disks" },
};

/* Requests of ioctl that every architecture needs; arch_ioctls has the rest. */
static const unsigned long allowed_ioctls[] = {
	KVM_GET_API_VERSION,
	KVM_CHECK_EXTENSION,
	KVM_CREATE_VM,
	KVM_GET_VCPU_MMAP_SIZE,
	KVM_SET_USER_MEMORY_REGION,
	KVM_CREATE_VCPU,
	KVM_IRQFD,
	KVM_IOEVENTFD,
	KVM_IRQ_LINE,
	KVM_RUN,
	TCGETS, /* the terminal: put back at the end */
	TCSETS,
	TCSETSW,
	TCSETSF,
	TIOCGWINSZ,
	TIOCGPGRP,
	0x80081272, /* BLKGETSIZE64 */
	0x127b,	    /* BLKPBSZGET */
};

static int allow_ioctl(scmp_filter_ctx ctx, unsigned long request)
{
	/* The kernel looks at the low 32 bits only; a caller may sign-extend them. */
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)request));
}

static int allow_ioctls(scmp_filter_ctx ctx)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(allowed_ioctls); i++)
		r = allow_ioctl(ctx, allowed_ioctls[i]);
	for (const unsigned long *request = arch_ioctls; !r && *request; request++)
		r = allow_ioctl(ctx, *request);
	return r;
}

static int allow_calls(scmp_filter_ctx ctx, const struct allowed_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int number = seccomp_syscall_resolve_name(calls[i].name);

		if (number < 0)
			continue;

		int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);

		if (r)
			return r;
	}
	return 0;
}

/* Memory: never executable. Locks on disks, status flags and nothing else by fcntl. */
static int allow_by_argument(scmp_filter_ctx ctx)
{
	static const uint64_t fcntls[] = { F_GETFL, F_GETFD, F_OFD_SETLK };
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	for (size_t i = 0; !r && i < ARRAY_SIZE(fcntls); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, fcntls[i]));
	/* A disk's O_DIRECT, once its file is judged; never appending, never signals. */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2,
				     SCMP_A1(SCMP_CMP_EQ, F_SETFL),
				     SCMP_A2(SCMP_CMP_MASKED_EQ, O_APPEND | O_ASYNC, 0));
	/* A thread, never a process. */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	/* glibc tries clone3 first and takes clone where it is unknown; clone's flags can be read. */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* Threads have names. malloc names its memory too, and does not mind a refusal. */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_NE, PR_SET_NAME));
	return r;
}

static int load_filter(bool io_uring)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);

	if (!ctx)
		return -ENOMEM;

	int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 1);

	if (!r)
		r = allow_calls(ctx, allowed_calls, ARRAY_SIZE(allowed_calls));
	if (!r && io_uring)
		r = allow_calls(ctx, io_uring_calls, ARRAY_SIZE(io_uring_calls));
	if (!r)
		r = allow_ioctls(ctx);
	if (!r)
		r = allow_by_argument(ctx);
	if (!r)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

int sandbox_lock(bool io_uring)
{
	int r = load_filter(io_uring);

	if (r < 0)
		diag_error("sandbox: the host refuses the list of system calls: %s; --sandbox off "
			   "runs without it",
			   strerror(-r));
	return r;
}

bool sandbox_possible(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(HVRUN_COVERAGE)
	return false;
#elif defined(__has_feature)
	/* NOLINTNEXTLINE(misc-redundant-expression): two questions that happen to have one answer */
	return !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
	return true;
#endif
}
