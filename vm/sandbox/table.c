/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of the sandbox's table. A new feature adds its calls here and nowhere else. */
#include "vm/sandbox/table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "vm/sandbox/syscalls.h"

enum {
	BUILD = 1 << SANDBOX_BUILD,
	LOOP = 1 << SANDBOX_LOOP,
	VCPU = 1 << SANDBOX_VCPU,
	IO = 1 << SANDBOX_IO,
	HELPER = 1 << SANDBOX_HELPER,
	MAIN = BUILD | LOOP,
	ALL = SANDBOX_ALL,
};

#define CALL(call) .number = SYS_##call, .name = #call
#define IS(a, v)                                                       \
	{                                                              \
		.arg = (a), .mask = UINT32_MAX, .value = (uint32_t)(v) \
	}
#define NONE_OF(a, bits)                                         \
	{                                                        \
		.arg = (a), .mask = (uint32_t)(bits), .value = 0 \
	}
#define ALL_OF(a, bits)                                                         \
	{                                                                       \
		.arg = (a), .mask = (uint32_t)(bits), .value = (uint32_t)(bits) \
	}
#define OUR(a, what)                                                        \
	{                                                                   \
		.arg = (a), .mask = UINT32_MAX, .than = SANDBOX_THAN_##what \
	}
#define REQUEST(r)	     CALL(ioctl), .only = #r, .checks = { IS(1, r) }
#define REQUEST_ON(r, fd, w) CALL(ioctl), .only = #r w, .checks = { IS(1, r), OUR(0, fd) }

/* Rows of one call stand in the order in which the filter tries them: the frequent ones first. */
static const struct sandbox_row rows[] = {
	/* the guest */
	{ REQUEST_ON(KVM_RUN, VCPU, " on its own vCPU"), .in = VCPU, .why = "the guest runs" },
	{ REQUEST_ON(KVM_IRQ_LINE, VM, " on the machine"), .in = MAIN | VCPU,
	  .why = "interrupts by level" },
	{ REQUEST(KVM_GET_API_VERSION), .in = BUILD, .why = "the host's KVM is looked at" },
	{ REQUEST(KVM_CHECK_EXTENSION), .in = BUILD, .why = "the host's KVM is looked at" },
	{ REQUEST(KVM_GET_VCPU_MMAP_SIZE), .in = BUILD, .why = "vCPUs are made" },
	{ REQUEST(KVM_CREATE_VM), .in = BUILD, .why = "the machine is made" },
	{ REQUEST(KVM_SET_USER_MEMORY_REGION), .in = BUILD,
	  .why = "guest memory is given to the machine; no slot is made later" },
	{ REQUEST(KVM_CREATE_VCPU), .in = BUILD, .why = "vCPUs are made" },
	{ REQUEST(KVM_GET_MP_STATE), .in = LOOP, .why = "whether a vCPU was ever started" },
	{ REQUEST(KVM_IRQFD), .in = BUILD, .why = "interrupts by eventfd" },
	{ REQUEST(KVM_IOEVENTFD), .in = BUILD, .why = "doorbells" },
	{ REQUEST_ON(KVM_IOEVENTFD, VM, " on the machine"), .features = SANDBOX_PCI, .in = LOOP,
	  .why = "doorbells of PCI devices that the guest moves" },

	/* the terminal and block devices */
	{ REQUEST(TCGETS), .in = MAIN, .why = "the terminal's mode" },
	{ REQUEST(TCGETS), .refusal = EPERM, .in = VCPU | IO | HELPER,
	  .why = "refused: the C library looks whether TCSETS was done, or not" },
	{ REQUEST(TCSETS), .in = ALL, .why = "the terminal is put back, whoever crashes" },
	{ REQUEST(TCSETSW), .in = MAIN, .why = "the terminal is put back" },
	{ REQUEST(TCSETSF), .in = MAIN, .why = "the terminal is put back" },
	{ REQUEST(TIOCGWINSZ), .in = MAIN, .why = "the console's size" },
	{ REQUEST(TIOCGPGRP), .in = MAIN, .why = "whose turn it is on the terminal" },
	{ CALL(ioctl), .only = "BLKGETSIZE64", .checks = { IS(1, 0x80081272) }, .in = BUILD,
	  .why = "size of a block device" },
	{ CALL(ioctl), .only = "BLKGETSIZE64", .checks = { IS(1, 0x80081272) },
	  .features = SANDBOX_CONTROL, .in = LOOP, .why = "a block device that has grown" },
	{ CALL(ioctl), .only = "BLKPBSZGET", .checks = { IS(1, 0x127b) }, .in = BUILD,
	  .why = "its blocks" },
	{ CALL(ioctl), .only = "BLKSSZGET", .checks = { IS(1, 0x1268) }, .in = BUILD,
	  .why = "its sectors" },

	/* files, disks, console */
	{ CALL(read), .in = MAIN | HELPER, .why = "eventfds, timers, signals, console input" },
	{ CALL(write), .in = ALL, .why = "eventfds, console output, messages" },
	{ CALL(writev), .in = ALL, .why = "the C library's last words when it aborts" },
	{ CALL(pread64), .in = MAIN | IO, .why = "images, disks" },
	{ CALL(preadv2), .in = MAIN | IO, .why = "disks, without waiting on the loop" },
	{ CALL(pwritev2), .in = MAIN | IO, .why = "disks, durable" },
	{ CALL(fdatasync), .in = MAIN | IO, .why = "a guest's flush" },
	{ CALL(fallocate), .in = MAIN | IO, .why = "discard and write-zeroes" },
	{ CALL(fstat), .in = BUILD, .why = "size and kind of an opened file" },
	{ CALL(fstat), .features = SANDBOX_CONTROL, .in = LOOP, .why = "a disk that is resized" },
	{ CALL(fstatfs), .in = BUILD, .why = "whether a disk's file lies in memory" },
	{ CALL(newfstatat), .in = BUILD, .why = "fstat, as glibc asks it" },
	{ CALL(newfstatat), .features = SANDBOX_CONTROL, .in = LOOP,
	  .why = "fstat, as glibc asks it" },
	{ CALL(lseek), .in = BUILD, .why = "size of a block device" },
	{ CALL(fcntl), .only = "F_OFD_SETLK", .checks = { IS(1, F_OFD_SETLK) }, .in = MAIN,
	  .why = "a disk's lock" },
	{ CALL(fcntl), .only = "F_GETFL", .checks = { IS(1, F_GETFL) }, .in = MAIN,
	  .why = "a disk's flags" },
	{ CALL(fcntl), .only = "F_GETFD", .checks = { IS(1, F_GETFD) }, .in = MAIN,
	  .why = "whether a descriptor is open" },
	{ CALL(fcntl), .only = "F_DUPFD_CLOEXEC", .checks = { IS(1, F_DUPFD_CLOEXEC) },
	  .features = SANDBOX_AGAIN, .in = BUILD, .why = "each boot has descriptors of its own" },
	{ CALL(fcntl), .only = "F_SETFL, not O_APPEND, not O_ASYNC",
	  .checks = { IS(1, F_SETFL), NONE_OF(2, O_APPEND | O_ASYNC) }, .in = BUILD,
	  .why = "a disk's O_DIRECT, once its file is judged" },
	{ CALL(close), .in = MAIN, .why = "the end" },
	{ CALL(getrandom), .in = MAIN, .why = "virtio-rng" },

	{ CALL(getrusage), .features = SANDBOX_REPORT | SANDBOX_CONTROL, .in = MAIN,
	  .why = "memory at its peak" },

	/* the loop */
	{ CALL(epoll_pwait), .in = MAIN, .why = "the loop" },
	{ CALL(epoll_wait), .in = MAIN, .why = "the loop" },
	{ CALL(epoll_ctl), .in = MAIN, .why = "the loop" },
	{ CALL(epoll_create1), .in = BUILD, .why = "the loop" },
	{ CALL(eventfd2), .in = BUILD, .why = "doorbells and interrupts" },
	{ CALL(timerfd_create), .in = BUILD, .why = "timers" },
	{ CALL(timerfd_settime), .in = MAIN | VCPU, .why = "timers; the serial port's from vCPUs" },
	{ CALL(signalfd4), .in = BUILD, .why = "signals as events" },
	{ CALL(poll), .in = MAIN, .why = "a slow reader of the console" },
	{ CALL(ppoll), .in = MAIN, .why = "a slow reader of the console" },
	{ CALL(restart_syscall), .in = MAIN | IO | HELPER,
	  .why = "a wait that a stop interrupted" },

	/* memory */
	{ CALL(mmap), .only = "without PROT_EXEC", .checks = { NONE_OF(2, PROT_EXEC) },
	  .in = MAIN | HELPER, .why = "memory, never executable" },
	{ CALL(mmap), .refusal = ENOMEM, .in = VCPU | IO,
	  .why = "refused: abort keeps its words somewhere, or not" },
	{ CALL(mprotect), .only = "without PROT_EXEC", .checks = { NONE_OF(2, PROT_EXEC) },
	  .in = MAIN | HELPER, .why = "malloc, thread stacks" },
	{ CALL(munmap), .in = MAIN | HELPER, .why = "freeing" },
	{ CALL(mremap), .in = MAIN | HELPER, .why = "malloc" },
	{ CALL(brk), .in = MAIN | HELPER, .why = "malloc" },
	{ CALL(madvise), .only = "MADV_DONTNEED", .checks = { IS(2, MADV_DONTNEED) },
	  .in = MAIN | HELPER, .why = "malloc, thread stacks; memory that a balloon gives back" },
	{ CALL(madvise), .only = "MADV_REMOVE", .checks = { IS(2, MADV_REMOVE) },
	  .features = SANDBOX_BALLOON, .in = LOOP,
	  .why = "the same where RAM is shared with other processes" },
	{ CALL(madvise), .in = BUILD, .why = "huge pages; guest memory is not for children" },
	{ CALL(madvise), .refusal = EINVAL, .in = LOOP | HELPER,
	  .why = "refused: other advice of malloc, which goes on without" },
	{ CALL(madvise), .refusal = EPERM, .in = VCPU | IO,
	  .why = "refused: a thread that ends gives its stack back, or not" },

	/* threads and locks */
	{ CALL(futex), .in = ALL, .why = "locks" },
	{ CALL(clone), .only = "CLONE_THREAD", .checks = { ALL_OF(0, CLONE_THREAD) }, .in = BUILD,
	  .why = "threads, never a process" },
	{ CALL(clone3), .refusal = ENOSYS, .in = BUILD,
	  .why = "refused: glibc then takes clone, whose flags can be read" },
	{ CALL(set_robust_list), .in = BUILD, .why = "a thread's first steps" },
	{ CALL(rseq), .in = BUILD, .why = "a thread's first steps" },
	{ CALL(prctl), .only = "PR_SET_NAME", .checks = { IS(0, PR_SET_NAME) }, .in = BUILD,
	  .why = "a thread's name" },
	{ CALL(prctl), .refusal = EINVAL, .in = MAIN | IO | HELPER,
	  .why = "refused: malloc names its memory and does not mind" },
	{ CALL(seccomp), .only = "SECCOMP_SET_MODE_FILTER",
	  .checks = { IS(0, SECCOMP_SET_MODE_FILTER) }, .in = BUILD,
	  .why = "a thread takes its own list; no list can be taken off" },
	{ CALL(sched_getaffinity), .in = BUILD, .why = "glibc, thread attributes" },
	{ CALL(sched_yield), .in = MAIN, .why = "locks" },
	{ CALL(exit), .in = ALL, .why = "a thread's end" },
	{ CALL(exit_group), .in = ALL, .why = "the end, from wherever it is seen" },

	/* signals */
	{ CALL(getpid), .in = ALL, .why = "raise, abort" },
	{ CALL(gettid), .in = ALL, .why = "raise, abort; the report of a violation" },
	{ CALL(tgkill), .only = "a thread of ours", .checks = { OUR(0, PID) }, .in = MAIN,
	  .why = "stopping a vCPU" },
	{ CALL(tgkill), .only = "itself", .checks = { OUR(0, PID), OUR(1, TID) }, .in = ALL,
	  .why = "raise, abort" },
	{ CALL(rt_sigaction), .in = BUILD, .why = "handlers" },
	{ CALL(rt_sigprocmask), .in = ALL, .why = "threads begin, end and abort" },
	{ CALL(rt_sigreturn), .in = ALL, .why = "handlers: the kick of a vCPU, crashes" },
	{ CALL(sigaltstack), .in = BUILD, .why = "the stack of a crash's handler" },

	/* time, where the vDSO cannot tell it */
	{ CALL(clock_gettime), .in = MAIN | IO | HELPER, .why = "times" },
	{ CALL(clock_nanosleep), .in = MAIN, .why = "waits" },
	{ CALL(nanosleep), .in = MAIN, .why = "waits" },

	/* sockets that were made and named before the door */
	{ CALL(accept4),
	  .features = SANDBOX_ACCEPT | SANDBOX_GDB | SANDBOX_CONTROL | SANDBOX_VSOCK |
		      SANDBOX_SERVE,
	  .in = LOOP, .why = "clients of a port's or vsock's socket, a debugger, a front end" },

	/* --core: files that were opened before the door, or came through a socket */
	{ CALL(pwrite64), .features = SANDBOX_CORE, .in = HELPER, .why = "a core is written" },
	{ CALL(fallocate), .features = SANDBOX_CORE, .in = HELPER,
	  .why = "a core begins as one hole" },

	/* --control */
	{ CALL(getsockopt), .only = "SO_PEERCRED",
	  .checks = { IS(1, SOL_SOCKET), IS(2, SO_PEERCRED) }, .features = SANDBOX_CONTROL,
	  .in = LOOP, .why = "who a client is" },
	{ CALL(recvmsg), .features = SANDBOX_CONTROL | SANDBOX_VSOCK, .in = LOOP,
	  .why = "its requests, and the file for a core; sockets from vsock's connector" },
	{ CALL(sendto), .only = "to whom it is connected", .checks = { IS(4, 0) },
	  .features = SANDBOX_CONTROL | SANDBOX_VSOCK, .in = MAIN,
	  .why = "answers and events; what vsock's connector is asked" },
	{ CALL(shutdown), .features = SANDBOX_VSOCK, .in = LOOP,
	  .why = "a guest that sends no more to a socket" },

	/* --gdb */
	{ CALL(riscv_flush_icache), .features = SANDBOX_GDB, .in = LOOP,
	  .why = "a breakpoint in memory that a hart may have fetched" },
	{ REQUEST(KVM_SET_GUEST_DEBUG), .features = SANDBOX_GDB, .in = LOOP,
	  .why = "breakpoints and single steps" },

	/* --io-uring: each ring is restricted to its one file (virtio/io_uring.h) */
	{ CALL(io_uring_enter), .features = SANDBOX_IO_URING, .in = MAIN,
	  .why = "disks by io_uring" },
	{ CALL(io_uring_setup), .features = SANDBOX_IO_URING, .in = BUILD,
	  .why = "a ring for each disk" },
	{ CALL(io_uring_register), .features = SANDBOX_IO_URING, .in = BUILD,
	  .why = "restricting it, and its eventfd" },

	/* --net tap: packets, and what the guest's driver negotiates; the tap is open before the door */
	{ CALL(readv), .features = SANDBOX_TAP, .in = LOOP, .why = "a tap's frames into place" },
	{ REQUEST(TUNSETOFFLOAD), .features = SANDBOX_TAP, .in = MAIN,
	  .why = "what the tap may leave to the guest" },
	{ REQUEST(TUNSETQUEUE), .features = SANDBOX_TAP, .in = MAIN,
	  .why = "which queues of the tap are in use" },

	/* devices that other processes serve; sockets are connected before the door is locked */
	{ CALL(sendmsg), .features = SANDBOX_BACKEND, .in = MAIN,
	  .why = "requests to a back-end, with eventfds" },
	{ CALL(recvmsg), .features = SANDBOX_BACKEND, .in = MAIN, .why = "a back-end's answers" },
	{ CALL(timer_create), .features = SANDBOX_BACKEND | SANDBOX_SERVE, .in = BUILD,
	  .why = "cutting off an eventfd that its other holder makes wait" },
	{ CALL(timer_settime), .features = SANDBOX_BACKEND | SANDBOX_SERVE, .in = MAIN,
	  .why = "cutting off an eventfd that its other holder makes wait" },
	{ CALL(timer_delete), .features = SANDBOX_BACKEND | SANDBOX_SERVE, .in = MAIN,
	  .why = "cutting off an eventfd that its other holder makes wait" },

	/* hvrun backend: the other end of the same */
	{ CALL(recvmsg), .features = SANDBOX_SERVE, .in = LOOP,
	  .why = "a front end's requests, with memory and eventfds" },
	{ CALL(sendmsg), .features = SANDBOX_SERVE, .in = LOOP, .why = "what it is answered" },
	{ CALL(fcntl), .only = "F_GET_SEALS", .checks = { IS(1, F_GET_SEALS) },
	  .features = SANDBOX_SERVE, .in = LOOP, .why = "whether its memory can be taken away" },
	{ CALL(fstat), .features = SANDBOX_SERVE, .in = LOOP,
	  .why = "the size of its memory's file" },
	{ CALL(newfstatat), .features = SANDBOX_SERVE, .in = LOOP,
	  .why = "fstat, as glibc asks it" },
};

/* The requests of ioctl that only this architecture makes. */
static struct sandbox_row arch_row(const struct arch_ioctl *request)
{
	struct sandbox_row row = {
		REQUEST(request->request),
		.in = (uint16_t)((request->when & ARCH_AT_BUILD ? BUILD : 0) |
				 (request->when & (ARCH_ON_OWN_VCPU | ARCH_ON_ANY_VCPU) ? VCPU
											: 0) |
				 (request->when & ARCH_ON_LOOP ? LOOP : 0)),
		.features = request->when & ARCH_FOR_GDB ? SANDBOX_GDB : 0,
		.why = request->why,
	};

	row.only = request->name;
	if (request->when & ARCH_ON_OWN_VCPU)
		row.checks[1] = (struct sandbox_check)OUR(0, VCPU);
	return row;
}

bool sandbox_row(size_t index, struct sandbox_row *row)
{
	if (index < ARRAY_SIZE(rows)) {
		*row = rows[index];
		return true;
	}
	index -= ARRAY_SIZE(rows);
	if (index >= arch_ioctl_count)
		return false;
	*row = arch_row(&arch_ioctls[index]);
	return true;
}

bool sandbox_row_is_arch(size_t index)
{
	return index >= ARRAY_SIZE(rows);
}

bool sandbox_row_applies(const struct sandbox_row *row, const struct sandbox_who *who)
{
	unsigned in = row->in;

	if (who->everywhere && (in != ALL || row->refusal || row->checks[0].mask || row->features))
		return false;
	/* What one class is refused in silence, the process as a whole is not. */
	if (row->refusal && (who->classes & BUILD))
		in &= BUILD;
	return row->number >= 0 && (in & who->classes) &&
	       (!row->features || (row->features & who->features));
}

bool sandbox_check_value(const struct sandbox_check *check, const struct sandbox_who *who,
			 uint32_t *value)
{
	int known = 0;

	switch ((enum sandbox_than)check->than) {
	case SANDBOX_THAN_VALUE:
		*value = check->value;
		return check->mask != 0;
	case SANDBOX_THAN_PID:
		known = who->pid;
		break;
	case SANDBOX_THAN_TID:
		known = who->tid;
		break;
	case SANDBOX_THAN_VCPU:
		known = who->vcpu_fd;
		break;
	case SANDBOX_THAN_VM:
		known = who->vm_fd;
		break;
	}
	*value = (uint32_t)known;
	return known >= 0;
}

static bool row_matches(const struct sandbox_row *row, const struct sandbox_who *who,
			const uint64_t args[6])
{
	for (size_t i = 0; i < SANDBOX_CHECKS; i++) {
		const struct sandbox_check *check = &row->checks[i];
		uint32_t value;

		if (sandbox_check_value(check, who, &value) &&
		    ((uint32_t)args[check->arg] & check->mask) != value)
			return false;
	}
	return true;
}

int sandbox_judge(const struct sandbox_who *who, int number, const uint64_t args[6])
{
	struct sandbox_row row;

	for (size_t i = 0; sandbox_row(i, &row); i++) {
		if (row.number == number && sandbox_row_applies(&row, who) &&
		    row_matches(&row, who, args))
			return -row.refusal;
	}
	return 1;
}

const char *sandbox_class_name(enum sandbox_class which)
{
	static const char *const names[SANDBOX_CLASSES] = {
		[SANDBOX_BUILD] = "build", [SANDBOX_LOOP] = "loop",	[SANDBOX_VCPU] = "vcpu",
		[SANDBOX_IO] = "io",	   [SANDBOX_HELPER] = "helper",
	};

	return names[which];
}
