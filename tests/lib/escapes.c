/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways out of a sandbox, one function each. */
#include "tests/lib/escapes.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"

struct escape_world escape_world;

static long try_open(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long try_create(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/tmp/hvrun-escaped", O_CREAT | O_WRONLY, 0600);
}

static long try_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}

static long try_own_memory_by_proc(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR);
}

static long try_unlink(void)
{
	return syscall(SYS_unlinkat, AT_FDCWD, "/etc/passwd", 0);
}

static long try_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long try_unix_socket(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long try_pass_descriptor(void)
{
	struct msghdr message = { 0 };

	return syscall(SYS_sendmsg, escape_world.event_fd, &message, 0);
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, 16L /* PTRACE_ATTACH */, (long)escape_world.parent, 0L, 0L);
}

static long try_read_other(void)
{
	struct iovec here = { escape_world.page, 8 }, there = { escape_world.page, 8 };

	return syscall(SYS_process_vm_readv, escape_world.parent, &here, 1L, &there, 1L, 0L);
}

static long try_write_other(void)
{
	struct iovec here = { escape_world.page, 8 }, there = { escape_world.page, 8 };

	return syscall(SYS_process_vm_writev, escape_world.parent, &here, 1L, &there, 1L, 0L);
}

static long try_kill(void)
{
	return syscall(SYS_kill, escape_world.parent, 0);
}

static long try_tgkill_other(void)
{
	return syscall(SYS_tgkill, escape_world.parent, escape_world.parent, 0);
}

static long try_pidfd(void)
{
	return syscall(SYS_pidfd_open, escape_world.parent, 0);
}

static long try_exec(void)
{
	char *const words[] = { NULL };

	return syscall(SYS_execve, "/bin/true", words, words);
}

static long try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long try_clone3(void)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, size, tls;
	} args = { .exit_signal = SIGCHLD };

	return syscall(SYS_clone3, &args, sizeof(args));
}

static long try_namespace(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long try_setns(void)
{
	return syscall(SYS_setns, escape_world.event_fd, 0);
}

static long try_mount(void)
{
	return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
}

static long try_chroot(void)
{
	return syscall(SYS_chroot, "/");
}

static long try_exec_memory(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1
		       ? -1
		       : 1;
}

static long try_make_executable(void)
{
	return syscall(SYS_mprotect, (uintptr_t)escape_world.page & ~UINT64_C(4095), 4096,
		       PROT_READ | PROT_EXEC);
}

static long try_key_executable(void)
{
	return syscall(SYS_pkey_mprotect, (uintptr_t)escape_world.page & ~UINT64_C(4095), 4096,
		       PROT_READ | PROT_EXEC, -1);
}

static long try_memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}

static long try_type_on_terminal(void)
{
	return ioctl(0, 0x5412 /* TIOCSTI */, "x");
}

static long try_console_paste(void)
{
	return ioctl(0, 0x541c /* TIOCLINUX */, escape_world.page);
}

static long try_create_vm(void)
{
	return ioctl(escape_world.vm_fd, KVM_CREATE_VM, 0);
}

static long try_create_device(void)
{
	return ioctl(escape_world.vm_fd, KVM_CREATE_DEVICE, escape_world.page);
}

static long try_memory_slot(void)
{
	struct kvm_userspace_memory_region slot = { .slot = 9, .memory_size = 4096 };

	return ioctl(escape_world.vm_fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

static long try_memory_slot_2(void)
{
	return ioctl(escape_world.vm_fd, 0x40a0ae49 /* KVM_SET_USER_MEMORY_REGION2 */,
		     escape_world.page);
}

static long try_set_registers(void)
{
	return ioctl(escape_world.vcpu_fd, 0x4090ae82 /* x86's KVM_SET_REGS; nobody's elsewhere */,
		     escape_world.page);
}

static long try_other_vcpu(void)
{
	return ioctl(escape_world.other_vcpu_fd, KVM_RUN, 0);
}

static long try_new_vcpu(void)
{
	return ioctl(escape_world.vm_fd, KVM_CREATE_VCPU, 7);
}

static long try_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, escape_world.page);
}

static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 0);
}

static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, escape_world.page, sizeof(escape_world.page));
}

static long try_perf(void)
{
	return syscall(SYS_perf_event_open, escape_world.page, 0, -1, -1, 0);
}

static long try_module(void)
{
	return syscall(SYS_init_module, escape_world.page, 10, "");
}

static long try_keyring(void)
{
	return syscall(SYS_keyctl, 0, -3, 1);
}

static long try_filter(void)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL);
}

static long try_dumpable(void)
{
	return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long try_uid(void)
{
	return syscall(SYS_setresuid, 0, 0, 0);
}

static long try_duplicate(void)
{
	return syscall(SYS_dup3, escape_world.file_fd, escape_world.vcpu_fd, 0);
}

static long try_truncate(void)
{
	return syscall(SYS_ftruncate, escape_world.file_fd, 0);
}

static long try_mode(void)
{
	return syscall(SYS_fchmod, escape_world.file_fd, 04777);
}

static long try_limits(void)
{
	return syscall(SYS_prlimit64, escape_world.parent, 7, NULL, escape_world.page);
}

static long try_priority(void)
{
	return syscall(SYS_setpriority, 0, escape_world.parent, -20);
}

static long try_handler(void)
{
	return syscall(SYS_rt_sigaction, SIGSYS, NULL, escape_world.page, 8);
}

static long try_queue_signal(void)
{
	return syscall(SYS_rt_sigqueueinfo, escape_world.parent, SIGTERM, escape_world.page);
}

static long try_asynchronous(void)
{
	return syscall(SYS_fcntl, escape_world.event_fd, F_SETOWN, escape_world.parent);
}

#define ESCAPE(name)              \
	{                         \
#name, try_##name \
	}

const struct escape escapes[] = {
	ESCAPE(open),
	ESCAPE(create),
	ESCAPE(openat2),
	ESCAPE(own_memory_by_proc),
	ESCAPE(unlink),
	ESCAPE(socket),
	ESCAPE(unix_socket),
	ESCAPE(pass_descriptor),
	ESCAPE(ptrace),
	ESCAPE(read_other),
	ESCAPE(write_other),
	ESCAPE(kill),
	ESCAPE(tgkill_other),
	ESCAPE(pidfd),
	ESCAPE(exec),
	ESCAPE(fork),
	ESCAPE(clone3),
	ESCAPE(namespace),
	ESCAPE(setns),
	ESCAPE(mount),
	ESCAPE(chroot),
	ESCAPE(exec_memory),
	ESCAPE(make_executable),
	ESCAPE(key_executable),
	ESCAPE(memfd),
	ESCAPE(type_on_terminal),
	ESCAPE(console_paste),
	ESCAPE(create_vm),
	ESCAPE(create_device),
	ESCAPE(memory_slot),
	ESCAPE(memory_slot_2),
	ESCAPE(set_registers),
	ESCAPE(other_vcpu),
	ESCAPE(new_vcpu),
	ESCAPE(io_uring),
	ESCAPE(userfaultfd),
	ESCAPE(bpf),
	ESCAPE(perf),
	ESCAPE(module),
	ESCAPE(keyring),
	ESCAPE(filter),
	ESCAPE(dumpable),
	ESCAPE(uid),
	ESCAPE(duplicate),
	ESCAPE(truncate),
	ESCAPE(mode),
	ESCAPE(limits),
	ESCAPE(priority),
	ESCAPE(handler),
	ESCAPE(queue_signal),
	ESCAPE(asynchronous),
};

const size_t escape_count = ARRAY_SIZE(escapes);
