/* SPDX-License-Identifier: BSD-2-Clause */
/* The locked door: the lists of system calls are handed to the kernel. */
#include "vm/sandbox/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/diag.h"
#include "vm/daemon/backends.h"
#include "vm/sandbox/bpf.h"
#include "vm/sandbox/log.h"
#include "vm/sandbox/stages.h"
#include "vm/user.h"

/* For the report of a violation, which a signal handler makes (cli/crash.c). */
static _Thread_local enum sandbox_class entered;

const char *sandbox_thread_class(void)
{
	return sandbox_class_name(entered);
}

unsigned sandbox_features(const struct vm_config *config)
{
	unsigned features = (config->io_uring ? SANDBOX_IO_URING : 0U) |
			    (vm_may_restart(config) ? SANDBOX_AGAIN : 0U);

	for (size_t i = 0; i < config->port_count; i++)
		features |= config->ports[i].socket ? SANDBOX_ACCEPT : 0U;
	for (size_t i = 0; i < config->net_count; i++)
		features |= config->nets[i].kind == VM_NET_TAP ? SANDBOX_TAP : 0U;

	if (config->report)
		features |= SANDBOX_REPORT;
	if (config->control)
		features |= SANDBOX_CONTROL;
	if (config->core || config->control)
		features |= SANDBOX_CORE;
	if (config->balloon)
		features |= SANDBOX_BALLOON;
	if (config->vsock_path)
		features |= SANDBOX_VSOCK;
	if (config->gdb)
		features |= SANDBOX_GDB;
	if (config->serve)
		features |= SANDBOX_SERVE;
	if (vm_has_backends(config))
		features |= SANDBOX_BACKEND;
	if (config->discovery == VM_DISCOVERY_PCI)
		features |= SANDBOX_PCI;
	return features;
}

static int refused(int err)
{
	diag_error("sandbox: the host refuses a list of system calls: %s; --sandbox off runs "
		   "without it",
		   strerror(-err));
	return err;
}

static int load(const struct sandbox_who *who, unsigned flags)
{
	struct sandbox_program program;
	struct sock_fprog arg = { .filter = program.code };
	int r = sandbox_compile(who, SECCOMP_RET_TRAP, &program);

	arg.len = program.len;
	if (!r && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &arg) < 0)
		r = -errno;
	return r < 0 ? refused(r) : 0;
}

static int enter_role(const struct thread_guard *guard, enum thread_role role)
{
	/* The guard is the first member. */
	const struct sandbox *sandbox = (const struct sandbox *)guard;

	return sandbox_enter(sandbox, role == THREAD_IO ? SANDBOX_IO : SANDBOX_HELPER, -1);
}

/* What a host refuses makes the sandbox weaker, which is said, or is needed. */
static int climb(struct sandbox_state *state)
{
	const struct sandbox_stage *stage;

	for (size_t i = 0; (stage = sandbox_stage(i)) != NULL; i++) {
		int r = stage->apply(state);

		/* A shortage would make itself felt soon, and is nobody's policy. */
		if (r < 0 && (stage->needed || r == -EMFILE || r == -ENFILE || r == -ENOMEM)) {
			diag_error(
				"sandbox: %s: the host refuses: %s; --sandbox off runs without it",
				stage->name, strerror(-r));
			return r;
		}
		if (r < 0)
			diag_warn("sandbox: %s: the host refuses: %s; %s", stage->name,
				  strerror(-r), stage->lacks);
	}
	return 0;
}

static int lock_calls(struct sandbox *sandbox, bool log)
{
	struct sandbox_who who = {
		.classes = SANDBOX_ALL,
		.features = sandbox->features,
		.pid = sandbox->pid,
		.tid = -1,
		.vcpu_fd = -1,
		.vm_fd = -1,
	};
	int r;

	if (!log)
		return load(&who, SECCOMP_FILTER_FLAG_TSYNC);
	r = sandbox_log_start(&who, &sandbox->log);
	return r < 0 ? refused(r) : 0;
}

int sandbox_lock(struct sandbox *sandbox, const struct vm_config *config)
{
	struct sandbox_state state = { .pid_namespace = config->pid_namespace };

	*sandbox = (struct sandbox){
		.guard = { enter_role },
		.features = sandbox_features(config),
		.pid = getpid(),
		.vm_fd = -1,
	};
	if (config->sandbox == VM_SANDBOX_OFF || !sandbox_possible())
		return 0;
	if (config->user) {
		int status = user_find(config->user, &state.user);

		if (status)
			return status;
	}
	if (climb(&state) < 0 || lock_calls(sandbox, config->sandbox == VM_SANDBOX_LOG) < 0)
		return VM_STATUS_SYSTEM;
	sandbox->locked = true;
	return 0;
}

int sandbox_lock_child(const struct vm_config *config)
{
	struct sandbox_who who = {
		.classes = SANDBOX_ALL,
		.pid = getpid(),
		.tid = -1,
		.vcpu_fd = -1,
		.vm_fd = -1,
	};

	if (config->sandbox == VM_SANDBOX_OFF || !sandbox_possible())
		return 0;
	sandbox_shed();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		(void)refused(-errno);
		return VM_STATUS_SYSTEM;
	}
	return load(&who, 0) < 0 ? VM_STATUS_SYSTEM : 0;
}

int sandbox_enter(const struct sandbox *sandbox, enum sandbox_class which, int vcpu_fd)
{
	struct sandbox_who who = {
		.classes = 1U << which,
		.features = sandbox->features,
		.pid = sandbox->pid,
		.vcpu_fd = vcpu_fd,
		.vm_fd = sandbox->vm_fd,
	};

	entered = which;
	if (!sandbox->locked)
		return 0;
	who.tid = gettid();
	return sandbox->log ? sandbox_log_enter(sandbox->log, &who) : load(&who, 0);
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
